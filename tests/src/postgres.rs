//! The Postgres that the tests share, and databases on it.

use std::path::PathBuf;

use dev::postgres::Server;
use shared::database::{ConnectOptions, connect};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

use crate::unique;

/// A database, empty or with the table of the migrations.
#[derive(Clone, Debug)]
pub struct Database {
    /// URL for the role that owns it, with `sslmode` and `sslrootcert`.
    pub url: String,
    /// The certificate to trust, a PEM file.
    pub ca: PathBuf,
}

impl Database {
    /// The migrated database that most tests share: each has its own users.
    pub async fn shared() -> Self {
        static MIGRATED: OnceCell<Database> = OnceCell::const_new();
        let migrated = async {
            let database = Self::of(server().await);
            database.migrate().await;
            database
        };
        MIGRATED.get_or_init(|| migrated).await.clone()
    }

    /// A new, empty database on the shared server.
    pub async fn empty() -> Self {
        let first = Self::of(server().await);
        let name = format!("test_{}", unique());
        let create = format!("CREATE DATABASE {name}");
        first.client().await.batch_execute(&create).await.unwrap();
        Self {
            url: first.url.replace("/quotes?", &format!("/{name}?")),
            ..first
        }
    }

    /// The first database of a server.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        Self {
            url: server.url(),
            ca: server.ca(),
        }
    }

    /// The same database by another address: another port on localhost.
    #[must_use]
    pub fn through(&self, port: u16) -> Self {
        let url = self
            .url
            .replace(&format!(":{}/", self.port()), &format!(":{port}/"));
        Self {
            url,
            ca: self.ca.clone(),
        }
    }

    /// The same with one more parameter in the URL.
    #[must_use]
    pub fn with_parameter(&self, parameter: &str) -> Self {
        Self {
            url: format!("{}&{parameter}", self.url),
            ca: self.ca.clone(),
        }
    }

    /// The same for another role.
    #[must_use]
    pub fn by(&self, role: &str, password: &str) -> Self {
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_username(role).unwrap();
        // Percent-encodes what a URL cannot hold as it is.
        url.set_password(Some(password)).unwrap();
        Self {
            url: url.into(),
            ca: self.ca.clone(),
        }
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let url = url::Url::parse(&self.url).unwrap();
        url.port().unwrap()
    }

    /// Where it is, for the migrations.
    #[must_use]
    pub fn options(&self) -> ConnectOptions {
        ConnectOptions::parse(&self.url, None).ok().unwrap()
    }

    /// Applies the migrations.
    pub async fn migrate(&self) {
        migrations::apply(&self.options()).await.unwrap();
    }

    /// The server's major version.
    pub async fn server_version(&self) -> i32 {
        let sql = "SELECT current_setting('server_version_num')::int / 10000";
        let row = self.client().await.query_one(sql, &[]).await.unwrap();
        row.get(0)
    }

    /// The ways to negotiate TLS that the server knows: `sslnegotiation`.
    pub async fn negotiations(&self) -> &'static [&'static str] {
        match self.server_version().await {
            17.. => &["postgres", "direct"],
            _ => &["postgres"],
        }
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> Client {
        let (client, _driver) = connect(&self.options()).await.ok().unwrap();
        client
    }
}

/// A new server, of the major version in the variable `TEST_POSTGRES` or of
/// that of `make dev`.
///
/// # Panics
/// When it does not start.
pub async fn new_server() -> Server {
    let major = std::env::var("TEST_POSTGRES").ok();
    let major = major.map(|major| major.parse().expect("a major version"));
    Server::start_temporary(major).await.unwrap()
}

/// The server that all tests of a binary share.
async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(new_server).await
}
