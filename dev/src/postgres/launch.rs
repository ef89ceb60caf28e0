//! Starting and ending the server process.

use std::{
    fs,
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use super::{
    cluster::Cluster,
    pid_file::{self, POSTGRES_SHUTDOWN_TIMEOUT},
};
use crate::{child, ports};

/// Longest time for a start, the recovery after a crash included.
const POSTGRES_START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a start is tried when the reason for a failure will pass: a port
/// may be taken between choice and use, and backends of a server that was
/// killed take a moment to notice it.
const MAX_STARTS: u32 = 5;

/// Time between two attempts.
const START_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Starts a server and waits until it takes connections; returns its port.
pub(super) async fn launch(
    cluster: &Cluster,
    port: Option<u16>,
    durable: bool,
) -> anyhow::Result<(Child, u16)> {
    for _ in 1..MAX_STARTS {
        let port = port.map_or_else(ports::free, Ok)?;
        if let Some(child) = attempt(cluster, port, durable).await? {
            return Ok((child, port));
        }
        let log = fs::read_to_string(cluster.log())?;
        ensure!(
            ["already in use", "still in use"]
                .iter()
                .any(|reason| log.contains(reason)),
            "{}",
            cluster.advice()
        );
        tokio::time::sleep(START_RETRY_INTERVAL).await;
    }
    bail!("{}", cluster.advice());
}

/// One attempt: `None` when the server ended before it was ready.
async fn attempt(cluster: &Cluster, port: u16, durable: bool) -> anyhow::Result<Option<Child>> {
    let mut command = cluster.server();
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
    command.args(["-p", &port.to_string()]);
    cluster.logged(&mut command)?;
    let mut child = command.spawn().context("cannot start postgres")?;

    let deadline = Instant::now() + POSTGRES_START_TIMEOUT;
    while !pid_file::says_ready(&cluster.data(), child.id()) {
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        if Instant::now() > deadline {
            end(&mut child, Signal::QUIT).await?;
            bail!(
                "Postgres is not ready after {POSTGRES_START_TIMEOUT:?}: see {}",
                cluster.log().display()
            );
        }
        tokio::time::sleep(child::CHILD_POLL_INTERVAL).await;
    }
    Ok(Some(child))
}

/// Sends `signal` and waits for the end.
pub(super) async fn end(child: &mut Child, signal: Signal) -> anyhow::Result<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    kill_process(Pid::from_child(child), signal)?;
    timeout(POSTGRES_SHUTDOWN_TIMEOUT, child::wait(child))
        .await
        .with_context(|| {
            format!("Postgres has not ended within {POSTGRES_SHUTDOWN_TIMEOUT:?}")
        })??;
    Ok(())
}
