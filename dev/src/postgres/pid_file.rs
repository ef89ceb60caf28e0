//! `postmaster.pid`: who serves a database folder, and whether it is ready.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::bail;
use rustix::process::{Pid, Signal, kill_process};

use crate::child::CHILD_POLL_INTERVAL;

/// Longest time for a fast shutdown.
pub(super) const POSTGRES_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether the server with this process id says that it takes connections.
pub(super) fn says_ready(data: &Path, pid: u32) -> bool {
    fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|text| {
        let mut lines = text.lines();
        lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|s| s.trim() == "ready")
    })
}

/// Makes way for a new server on `data`: ends a live one, and sees to it that
/// the file of a dead one is no obstacle.
///
/// # Errors
/// If the file cannot be read or a live server does not end.
pub(super) async fn make_way(data: &Path) -> anyhow::Result<()> {
    let file = data.join("postmaster.pid");
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut lines = text.splitn(2, '\n');
    let first = lines.next().unwrap_or_default();
    let rest = lines.next().unwrap_or_default();
    let pid = first.trim().parse().ok().and_then(Pid::from_raw);
    if let Some(pid) = pid
        && serves(pid, data)
    {
        return end(pid, data).await;
    }
    // After a crash the number may belong to another process by now, and
    // Postgres would take that for a live server. It believes that a file
    // with its own parent's number is old, and then makes sure through the
    // rest of the file that no backend of the dead server is still at work.
    fs::write(&file, format!("{}\n{rest}", std::process::id()))?;
    Ok(())
}

async fn end(pid: Pid, data: &Path) -> anyhow::Result<()> {
    for (signal, limit) in [
        (Signal::INT, POSTGRES_SHUTDOWN_TIMEOUT),
        (Signal::QUIT, POSTGRES_SHUTDOWN_TIMEOUT / 2),
    ] {
        match kill_process(pid, signal) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            other => other?,
        }
        for _ in 0..limit.as_millis() / CHILD_POLL_INTERVAL.as_millis() {
            if !serves(pid, data) {
                return Ok(());
            }
            tokio::time::sleep(CHILD_POLL_INTERVAL).await;
        }
    }
    bail!(
        "an earlier Postgres still serves {}: end process {}",
        data.display(),
        pid.as_raw_nonzero()
    );
}

/// Whether this process is a server for `data`.
fn serves(pid: Pid, data: &Path) -> bool {
    command_line(pid).is_ok_and(|command| {
        let data = data.as_os_str().as_encoded_bytes();
        command.windows(8).any(|part| part == b"postgres")
            && command.windows(data.len()).any(|part| part == data)
    })
}

/// The command line of a process: from /proc on Linux, else from ps.
fn command_line(pid: Pid) -> io::Result<Vec<u8>> {
    let pid = pid.as_raw_nonzero();
    if Path::new("/proc/self/cmdline").exists() {
        return fs::read(format!("/proc/{pid}/cmdline"));
    }
    let output = Command::new("ps")
        .args(["-ww", "-o", "command=", "-p"])
        .arg(pid.to_string())
        .output()?;
    Ok(output.stdout)
}
