//! The Postgres that the tests share, and databases on it.

use std::path::PathBuf;

use dev::postgres::Server;
use shared::database::{ConnectOptions, connect};
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use url::Url;

use crate::random::unique;

/// A database, empty or with the table of the migrations.
#[derive(Clone, Debug)]
pub struct Database {
    /// URL for the role that owns it, with `sslmode` and `sslrootcert`.
    pub url: String,
    /// The certificate to trust, a PEM file.
    pub ca: PathBuf,
}

impl Database {
    /// The migrated database that most tests share; each has users of its own.
    pub async fn shared() -> Self {
        static SHARED_DATABASE: OnceCell<Database> = OnceCell::const_new();
        let migrated = async {
            let database = Self::of(shared_server().await);
            database.migrate().await;
            database
        };
        SHARED_DATABASE.get_or_init(|| migrated).await.clone()
    }

    /// A new, empty database on the shared server.
    pub async fn empty() -> Self {
        let first = Self::of(shared_server().await);
        let name = format!("test_{}", unique());
        let create = format!("CREATE DATABASE {name}");
        first.connect().await.batch_execute(&create).await.unwrap();
        Self {
            url: first.url.replace("/quotes?", &format!("/{name}?")),
            ..first
        }
    }

    /// The first database of a server.
    pub fn of(server: &Server) -> Self {
        Self {
            url: server.url(),
            ca: server.ca(),
        }
    }

    /// The same database by way of another port of localhost.
    pub fn through(&self, port: u16) -> Self {
        self.with_url(|url| url.set_port(Some(port)).unwrap())
    }

    /// The same with one more parameter in the URL.
    pub fn with_parameter(&self, parameter: &str) -> Self {
        Self {
            url: format!("{}&{parameter}", self.url),
            ca: self.ca.clone(),
        }
    }

    /// The same for another role.
    pub fn as_role(&self, role: &str, password: &str) -> Self {
        self.with_url(|url| {
            url.set_username(role).unwrap();
            // Percent-encodes what a URL cannot hold as it is.
            url.set_password(Some(password)).unwrap();
        })
    }

    fn with_url(&self, change: impl FnOnce(&mut Url)) -> Self {
        let mut url = Url::parse(&self.url).unwrap();
        change(&mut url);
        Self {
            url: url.into(),
            ca: self.ca.clone(),
        }
    }

    pub fn port(&self) -> u16 {
        let url = Url::parse(&self.url).unwrap();
        url.port().unwrap()
    }

    /// Where it is, for the migrations.
    #[must_use]
    pub fn options(&self) -> ConnectOptions {
        ConnectOptions::parse(&self.url, None).ok().unwrap()
    }

    pub async fn migrate(&self) {
        migrations::apply(&self.options()).await.unwrap();
    }

    /// The server's major version.
    pub async fn server_version(&self) -> i32 {
        let sql = "SELECT current_setting('server_version_num')::int / 10000";
        let row = self.connect().await.query_one(sql, &[]).await.unwrap();
        row.get(0)
    }

    /// The values of `sslnegotiation` that the server supports.
    pub async fn tls_negotiations(&self) -> &'static [&'static str] {
        match self.server_version().await {
            17.. => &["postgres", "direct"],
            _ => &["postgres"],
        }
    }

    /// Opens a connection for the test itself.
    pub async fn connect(&self) -> Client {
        let (client, _driver) = connect(&self.options()).await.ok().unwrap();
        client
    }
}

/// Starts a server of the major version in the variable `TEST_POSTGRES`, or of
/// that of `make dev`.
pub async fn start_server() -> Server {
    let major = std::env::var("TEST_POSTGRES").ok();
    let major = major.map(|major| major.parse().expect("a major version"));
    Server::start_temporary(major).await.unwrap()
}

/// The server that all tests of a binary share.
async fn shared_server() -> &'static Server {
    static SHARED_SERVER: OnceCell<Server> = OnceCell::const_new();
    SHARED_SERVER.get_or_init(start_server).await
}
