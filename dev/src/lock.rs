//! Locks between processes: one `make dev` and one fetch for each clone.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use anyhow::Context;

use crate::console;

/// Time between two attempts to take the lock.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Takes the lock, which is held for as long as the file or a copy of it is
/// open. Prints `message` if another process holds it, and waits for its end.
///
/// # Errors
/// If the file cannot be written or locked.
pub(crate) async fn acquire(path: &Path, message: &str) -> anyhow::Result<File> {
    let cannot_lock = || format!("cannot lock {}", path.display());
    let file = File::create(path).with_context(cannot_lock)?;
    let mut waiting = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot_lock),
            Err(TryLockError::WouldBlock) if !waiting => console::print(message),
            Err(TryLockError::WouldBlock) => {}
        }
        waiting = true;
        tokio::time::sleep(LOCK_RETRY_INTERVAL).await;
    }
}
