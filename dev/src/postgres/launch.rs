//! Starting and ending the server process.

use std::{
    fs,
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    cluster::Cluster,
    pid_file::{self, SHUTDOWN},
};
use crate::{child, ports};

/// How long a start may take, the recovery after a crash included.
const START: Duration = Duration::from_secs(60);

/// How often a start is tried when the reason for a failure will pass: a port
/// may be taken between choice and use, and backends of a server that was
/// killed take a moment to notice it.
const ATTEMPTS: u32 = 5;

/// Starts a server and waits until it takes connections; returns its port.
pub(super) async fn launch(
    cluster: &Cluster,
    port: Option<u16>,
    durable: bool,
) -> anyhow::Result<(Child, u16)> {
    for _ in 1..ATTEMPTS {
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
        tokio::time::sleep(Duration::from_secs(1)).await;
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

    let deadline = Instant::now() + START;
    while !pid_file::says_ready(&cluster.data(), child.id()) {
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        if Instant::now() > deadline {
            end(&mut child, Signal::QUIT).await?;
            bail!(
                "Postgres is not ready after {START:?}: see {}",
                cluster.log().display()
            );
        }
        tokio::time::sleep(child::PAUSE).await;
    }
    Ok(Some(child))
}

/// Sends `signal` and waits for the end.
pub(super) async fn end(child: &mut Child, signal: Signal) -> anyhow::Result<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    kill_process(Pid::from_child(child), signal)?;
    child::exited_within(child, SHUTDOWN)
        .await?
        .with_context(|| format!("Postgres has not ended within {SHUTDOWN:?}"))?;
    Ok(())
}
