//! What ends `make dev` from outside: a signal, or the end of `make`.

use std::time::Duration;

use nix::unistd::{Pid, getppid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the parent process is compared with the one at the start.
const PARENT_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The signals that ask for an end, and the process to end with.
pub(crate) struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    parent: Pid,
}

impl Shutdown {
    /// From now on these signals no longer end this program by themselves.
    ///
    /// `parent` is the process to end with; default: the current parent, which
    /// is another one if `make` was killed during the build.
    ///
    /// # Errors
    /// If signals cannot be received.
    pub(crate) fn watch(parent: Option<Pid>) -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            parent: parent.unwrap_or_else(getppid),
        })
    }

    /// Waits for the first of them; returns the exit status to end with: 128
    /// and the signal's number, as shells have it. Ctrl-C is the ordinary end,
    /// and make would print any other status than 0 as an error.
    pub(crate) async fn wait(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 0,
            _ = self.terminate.recv() => 143,
            _ = self.hang_up.recv() => 129,
            // make was killed and cannot pass a signal on.
            () = wait_for_exit(self.parent) => 143,
        }
    }
}

async fn wait_for_exit(parent: Pid) {
    while getppid() == parent {
        tokio::time::sleep(PARENT_POLL_INTERVAL).await;
    }
}
