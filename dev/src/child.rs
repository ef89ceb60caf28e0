//! Waiting for child processes.
//!
//! These are the standard library's children, which unlike tokio's are not
//! tied to the runtime that started them: tests share a server between many.

use std::{
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// How often a child is asked whether it has exited.
pub(crate) const CHILD_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `child` has exited; `None` when it has not within `limit`.
///
/// # Errors
/// If the child cannot be asked.
pub(crate) async fn exited_within(
    child: &mut Child,
    limit: Duration,
) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        tokio::time::sleep(CHILD_POLL_INTERVAL).await;
    }
}

/// Runs `command` to its end.
///
/// # Errors
/// If it cannot be started or does not succeed; both name the program.
pub(crate) async fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("{program} failed ({status})");
            }
            return Ok(());
        }
        tokio::time::sleep(CHILD_POLL_INTERVAL).await;
    }
}
