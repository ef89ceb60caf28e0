//! The reasons for which `make dev` ends from outside.

use std::time::Duration;

use rustix::process::{Pid, getppid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the parent process is compared with the one at the start.
const PARENT_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Waits for Ctrl-C, a signal to end, or the end of the parent.
pub(crate) struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    parent: Option<Pid>,
}

impl Ending {
    /// From now on signals no longer end this program by themselves.
    ///
    /// `parent` is the process to end with; default: the one that is the
    /// parent now, which is another if the first was killed during the build.
    ///
    /// # Errors
    /// If signals cannot be received.
    pub(crate) fn watch(parent: Option<Pid>) -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            parent: parent.or_else(getppid),
        })
    }

    /// The exit status with which to end: 128 and the signal's number, as
    /// shells have it.
    pub(crate) async fn exit_status(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = self.hang_up.recv() => 129,
            // Nobody is left to ask for an end: make was killed.
            () = gone(self.parent) => 143,
        }
    }
}

async fn gone(parent: Option<Pid>) {
    while getppid() == parent {
        tokio::time::sleep(PARENT_POLL_INTERVAL).await;
    }
}
