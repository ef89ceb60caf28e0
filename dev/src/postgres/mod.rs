//! A real Postgres with TLS on loopback.
//!
//! - `binaries`: which Postgres
//! - `account`: who runs it, and which folders that account can reach
//! - `cluster`, `create`: the database's files, certificate and password
//! - `launch`: starting and ending the server process
//! - `pid_file`: servers that were there before
//! - `throwaway`: a server for tests
//!
//! Clients need TLS, the host name `localhost` and a password; there is no
//! Unix socket and no other address.

mod account;
mod binaries;
mod cluster;
mod create;
mod launch;
mod pid_file;
mod throwaway;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
};

use rustix::process::Signal;

use crate::{
    child,
    guard::{Guard, RunId},
};
pub use account::Account;
use cluster::Cluster;

/// What a server is started with.
pub struct Options {
    /// Where npm put its packages, among them perhaps a Postgres.
    pub node_modules: PathBuf,
    /// The major version; `None` for the one that there is.
    pub major: Option<u32>,
    /// The folder for the database. Another one is used if the account that
    /// Postgres runs under cannot reach it: see [`Server::home`].
    pub home: PathBuf,
    /// The port; `None` for a free one.
    pub port: Option<u16>,
    /// Whether the data is to survive a crash of the machine.
    pub durable: bool,
    /// The run by which a guard finds the server.
    pub run_id: RunId,
}

/// A running Postgres. Its guard ends it when this program ends.
pub struct Server {
    cluster: Cluster,
    data: PathBuf,
    ca: PathBuf,
    password: String,
    port: u16,
    durable: bool,
    child: Child,
    guard: Option<Guard>,
}

impl Server {
    /// Starts a server, with the database of an earlier one in the same place
    /// or else a new one, and waits until it takes connections.
    ///
    /// # Errors
    /// If there is no Postgres for this machine or it does not start; the
    /// error holds its own last words.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let account = Account::choose()?;
        let cluster = Cluster {
            binaries: binaries::find(&options.node_modules, options.major, account).await?,
            home: account.reachable(&options.home)?,
            account,
            run_id: options.run_id.clone(),
        };
        pid_file::make_way(&cluster.data()).await?;
        let password = cluster.prepare().await?;
        let (child, port) = launch::launch(&cluster, options.port, options.durable).await?;
        Ok(Self {
            data: cluster.data(),
            ca: cluster.ca(),
            cluster,
            password,
            port,
            durable: options.durable,
            child,
            guard: None,
        })
    }

    /// The address for the role that owns the database `quotes`.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://quotes:{}@localhost:{}/quotes?sslmode=verify-full&sslrootcert={}",
            self.password,
            self.port,
            percent_encode(&self.ca)
        )
    }

    /// The certificate to trust, a PEM file.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Postgres' own folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The folder that holds the data, the certificate and the log.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.cluster.home
    }

    /// Waits until the server process has ended by itself.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(crate) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        child::wait(&mut self.child).await
    }

    /// Shuts the server down; its clients are disconnected.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.halt().await?;
        match self.guard.take() {
            Some(guard) => guard.end().await,
            None => Ok(()),
        }
    }

    /// As [`Server::stop`], but [`Server::resume`] can start it again.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn halt(&mut self) -> anyhow::Result<()> {
        launch::end(&mut self.child, Signal::INT).await
    }

    /// Kills the server as a crash would, without a shutdown.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        launch::end(&mut self.child, Signal::KILL).await
    }

    /// Starts the server again after [`Server::halt`] or [`Server::kill`]:
    /// the same data, port, password and certificate.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        pid_file::make_way(&self.data).await?;
        let port = Some(self.port);
        (self.child, self.port) = launch::launch(&self.cluster, port, self.durable).await?;
        Ok(())
    }
}

/// A path as a value in a URL's query.
fn percent_encode(path: &Path) -> String {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|&byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
