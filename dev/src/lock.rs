//! One `make dev` for each clone.

use std::{
    fs::{File, TryLockError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{console, workspace::Workspace};

/// Longest wait for the end of an earlier `make dev`. Its guard, which holds the
/// lock as well, needs less.
const LOCK_TIMEOUT: Duration = Duration::from_secs(6);

/// Time between two attempts to take the lock.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The lock, held for as long as the file or a copy of it is open.
///
/// # Errors
/// If another `make dev` runs here.
pub(crate) async fn take(workspace: &Workspace) -> anyhow::Result<File> {
    let path = workspace.dev_path("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    let mut waiting = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock .dev/lock"),
            Err(TryLockError::WouldBlock) => {}
        }
        if Instant::now() > deadline {
            bail!(
                "make dev already runs in this clone: end it first (another clone can run beside it)"
            );
        }
        if !waiting {
            console::print("another make dev is here; waiting a moment for its end");
            waiting = true;
        }
        tokio::time::sleep(LOCK_RETRY_INTERVAL).await;
    }
}
