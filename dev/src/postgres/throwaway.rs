//! A server for tests.

use std::env;

use super::{Options, Server, account::Account};
use crate::{
    files,
    guard::{Guard, Mark},
    tools,
};

impl Server {
    /// Starts a server for tests: an empty database on a free port, ended and
    /// removed when it is dropped or this program ends, even by `kill -9`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn throwaway() -> anyhow::Result<Self> {
        let node_modules = tools::npm_packages(None).await?;
        let home = tempfile::Builder::new()
            .prefix("quotes-test-")
            .tempdir_in(Account::choose()?.reachable(&env::temp_dir())?)?
            .keep();
        files::create_open_folder(&home)?;
        let mark = Mark::of(&home);
        let guard = Guard::start(&mark, None, Some(&home))?;
        let mut server = Self::start(&Options {
            node_modules,
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
