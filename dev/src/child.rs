//! Waiting for child processes.
//!
//! These are the standard library's children, which unlike tokio's are not
//! tied to the runtime that started them: tests share a server between many.

use std::{
    io,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, ensure};

/// How often a child is asked whether it has exited.
pub(crate) const CHILD_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `child` has exited.
///
/// # Errors
/// If the child cannot be asked.
pub(crate) async fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
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
    let status = wait(&mut child).await?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}
