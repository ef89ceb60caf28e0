//! The Postgres that the tests share, and databases on it.

use std::path::PathBuf;

use dev::postgres::Server;
use shared::database::Target;
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
            ca: server.ca().to_owned(),
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

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let url = url::Url::parse(&self.url).unwrap();
        url.port().unwrap()
    }

    /// Where it is, for the migrations.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::parse(&self.url, None).ok().unwrap()
    }

    /// Applies the migrations.
    pub async fn migrate(&self) {
        migrations::apply(&self.target()).await.unwrap();
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> Client {
        let (client, _driver) = self.target().connect().await.ok().unwrap();
        client
    }
}

/// The server that all tests of a binary share.
async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async { Server::throwaway().await.unwrap() })
        .await
}
