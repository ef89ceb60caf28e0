//! The server process.

use std::{
    env, fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::time::{sleep, timeout};

use super::{account::Account, binaries, cluster::Cluster};
use crate::{
    child::{self, CHILD_POLL_INTERVAL},
    files,
    guard::{self, Guard, RunId},
    ports, tools,
};

#[cfg(test)]
mod tests;

/// Longest time for a start, the recovery after a crash included.
const POSTGRES_START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a start is tried when the reason for a failure will pass: a port
/// may be taken between choice and use, and backends of a server that was
/// killed take a moment to notice it.
const MAX_STARTS: u32 = 5;

/// Time between two attempts.
const START_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time for a fast shutdown.
const POSTGRES_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// The packages with the Postgres between that of `make dev` and Debian's.
const POSTGRES_17_PACKAGES: &str = "dev/postgres-17";

/// What must be escaped in a path that is a value in a URL's query.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// What a server is started with.
pub struct Options {
    /// Where npm put its packages, among them perhaps a Postgres.
    pub node_modules: PathBuf,
    /// The major version; `None` for the one that there is.
    pub major: Option<u32>,
    /// The folder for the database. Another one is used if the account that
    /// Postgres runs under cannot reach it: see [`Server::folder`].
    pub folder: PathBuf,
    /// Whether the data is to survive a crash of the machine.
    pub durable: bool,
    /// The run at whose end the server is ended.
    pub run_id: RunId,
}

/// A running Postgres. A guard ends it when this program ends.
pub struct Server {
    cluster: Cluster,
    password: String,
    port: u16,
    durable: bool,
    child: Child,
    guard: Option<Guard>,
}

impl Server {
    /// Starts a server, with the database of an earlier one in the same folder
    /// or else a new one, and waits until it takes connections. A server of an
    /// earlier run that is still there is ended first.
    ///
    /// # Errors
    /// If there is no Postgres for this machine or it does not start; the
    /// error holds its own message.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let account = Account::choose()?;
        let cluster = Cluster {
            binaries: binaries::find(&options.node_modules, options.major, account).await?,
            folder: account.reachable(&options.folder)?,
            account,
            run_id: options.run_id.clone(),
        };
        if cluster.pid_file().exists() {
            guard::end_leftovers(&options.run_id).await?;
        }
        let password = cluster.prepare().await?;
        let (child, port) = launch(&cluster, None, options.durable).await?;
        Ok(Self {
            cluster,
            password,
            port,
            durable: options.durable,
            child,
            guard: None,
        })
    }

    /// Starts a server for tests: an empty database, ended and removed when it
    /// is dropped or this program ends, even by `kill -9`. Of the major versions
    /// npm has 17 and that of `make dev`, the default; others must be installed.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_temporary(major: Option<u32>) -> anyhow::Result<Self> {
        let packages = match major {
            Some(17) => POSTGRES_17_PACKAGES,
            _ => tools::DEV_PACKAGES,
        };
        let node_modules = tools::fetch_packages(packages, None).await?;
        let folder = tempfile::Builder::new()
            .prefix("quotes-test-")
            .tempdir_in(Account::choose()?.reachable(&env::temp_dir())?)?
            .keep();
        files::create_open_folder(&folder)?;
        let run_id = RunId::new(&folder);
        let guard = Guard::start(&run_id, None, Some(&folder))?;
        let options = Options {
            node_modules,
            major,
            folder,
            durable: false,
            run_id,
        };
        let mut server = Self::start(&options).await?;
        server.guard = Some(guard);
        Ok(server)
    }

    /// The address for the role that owns the database `quotes`.
    pub fn url(&self) -> String {
        format!(
            "postgres://quotes:{}@localhost:{}/quotes?sslmode=verify-full&sslrootcert={}",
            self.password,
            self.port,
            escape(&self.ca())
        )
    }

    /// The certificate to trust, a PEM file.
    pub fn ca(&self) -> PathBuf {
        self.cluster.ca()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Postgres' own folder.
    pub fn data(&self) -> PathBuf {
        self.cluster.data()
    }

    /// The folder that holds the data, the certificate and the log.
    pub fn folder(&self) -> &Path {
        &self.cluster.folder
    }

    /// Waits until the server process ends by itself.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
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
        end(&mut self.child, Signal::SIGINT).await
    }

    /// Kills the server as a crash would, without a shutdown.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        end(&mut self.child, Signal::SIGKILL).await
    }

    /// Starts the server again after [`Server::halt`] or [`Server::kill`]:
    /// the same data, port, password and certificate.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        (self.child, self.port) = launch(&self.cluster, Some(self.port), self.durable).await?;
        Ok(())
    }
}

/// Starts a server, on a free port if none is given, and waits until it takes
/// connections; returns its port.
async fn launch(
    cluster: &Cluster,
    port: Option<u16>,
    durable: bool,
) -> anyhow::Result<(Child, u16)> {
    replace_pid(&cluster.pid_file())?;
    for _ in 1..MAX_STARTS {
        let port = port.map_or_else(ports::find_free, Ok)?;
        if let Some(child) = attempt(cluster, port, durable).await? {
            return Ok((child, port));
        }
        let log = fs::read_to_string(cluster.log())?;
        ensure!(
            ["already in use", "still in use"]
                .iter()
                .any(|reason| log.contains(reason)),
            "{}",
            cluster.explain_failure()
        );
        sleep(START_RETRY_INTERVAL).await;
    }
    bail!("{}", cluster.explain_failure());
}

/// Sees to it that the pid file of a server that crashed is no obstacle.
///
/// The process id in it may belong to another process by now, and Postgres would
/// take that for a live server. A file with the id of its own parent it takes
/// for an old one, and then checks by the rest of the file that no backend of
/// the old server is still running.
fn replace_pid(file: &Path) -> io::Result<()> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let rest = text.split_once('\n').map_or("", |(_pid, rest)| rest);
    fs::write(file, format!("{}\n{rest}", std::process::id()))
}

/// One attempt: `None` when the server ended before it was ready.
async fn attempt(cluster: &Cluster, port: u16, durable: bool) -> anyhow::Result<Option<Child>> {
    let mut command = cluster.command("postgres")?;
    cluster.run_id.interrupt_at_end(&mut command);
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "ssl=on",
        "ssl_min_protocol_version=TLSv1.2",
        "log_min_messages=warning",
    ];
    if !durable {
        settings.extend(["fsync=off", "full_page_writes=off"]);
    }
    for setting in settings {
        command.args(["-c", setting]);
    }
    command
        .args(["-p", &port.to_string(), "-D"])
        .arg(cluster.data());
    let mut child = command.spawn().context("cannot start postgres")?;

    let deadline = Instant::now() + POSTGRES_START_TIMEOUT;
    while !is_ready(&cluster.pid_file(), child.id()) {
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        if Instant::now() > deadline {
            end(&mut child, Signal::SIGQUIT).await?;
            bail!(
                "Postgres is not ready after {POSTGRES_START_TIMEOUT:?}: see {}",
                cluster.log().display()
            );
        }
        sleep(CHILD_POLL_INTERVAL).await;
    }
    Ok(Some(child))
}

/// Whether the server with this process id takes connections, by its pid file.
fn is_ready(pid_file: &Path, pid: u32) -> bool {
    fs::read_to_string(pid_file).is_ok_and(|text| {
        let mut lines = text.lines();
        lines.next() == Some(&pid.to_string())
            && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    })
}

/// Sends `signal` and waits for the end.
async fn end(child: &mut Child, signal: Signal) -> anyhow::Result<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    kill(Pid::from_raw(child.id().cast_signed()), signal)?;
    let ended = timeout(POSTGRES_SHUTDOWN_TIMEOUT, child::wait(child)).await;
    let too_late = || format!("Postgres has not ended within {POSTGRES_SHUTDOWN_TIMEOUT:?}");
    ended.ok().with_context(too_late)??;
    Ok(())
}

/// A path as a value in a URL's query.
fn escape(path: &Path) -> String {
    percent_encode(path.as_os_str().as_encoded_bytes(), QUERY_VALUE).to_string()
}
