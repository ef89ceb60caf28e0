//! Ends what a program started when the program ends, even by `kill -9`.
//!
//! Every process that is started for a run carries the run's id in its
//! environment, which its own children inherit. A small shell script, the
//! guard, waits until the program is gone and then ends all that carry the id.

use std::{
    ffi::OsString,
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::time::timeout;

use crate::child;

/// Holds the run's id for processes that may be killed; also in `guard.sh`.
const KILL_VARIABLE: &str = "QUOTES_DEV_KILL";

/// The same for processes that are interrupted first; also in `guard.sh`.
const INTERRUPT_VARIABLE: &str = "QUOTES_DEV_INTERRUPT";

/// Longest time that the guard takes: it sends its last signals after 15 seconds.
const GUARD_TIMEOUT: Duration = Duration::from_secs(30);

/// Tells the processes of one run from all others.
#[derive(Clone)]
pub struct RunId(OsString);

impl RunId {
    /// The id of the run that works in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// Has the guard kill what `command` starts. It gets a process group of its
    /// own, so that a terminal's Ctrl-C reaches only the program itself.
    pub fn kill_at_end(&self, command: &mut Command) {
        command.env(KILL_VARIABLE, &self.0).process_group(0);
    }

    /// The same for a program that must shut down in order: the guard sends it
    /// SIGINT, and kills it only if it is still there after 5 seconds.
    pub fn interrupt_at_end(&self, command: &mut Command) {
        command.env(INTERRUPT_VARIABLE, &self.0).process_group(0);
    }
}

/// The running guard. When it is dropped, it ends the processes of the run.
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Starts the guard of a run.
    ///
    /// `lock` stays held until the guard is done. `remove` is a folder to
    /// delete at the end.
    ///
    /// # Errors
    /// If there is no `sh`.
    pub fn start(
        run_id: &RunId,
        lock: Option<File>,
        remove: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", include_str!("guard.sh"), "guard"])
            .arg(&run_id.0)
            .arg(remove.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            // The script prints nothing: this only keeps the file open.
            .stdout(lock.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::null())
            .env_remove(KILL_VARIABLE)
            .env_remove(INTERRUPT_VARIABLE)
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { child })
    }

    /// Ends the processes of the run and returns when they are gone.
    ///
    /// # Errors
    /// If some of them are still there after SIGKILL.
    pub async fn end(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        timeout(GUARD_TIMEOUT, child::wait(&mut self.child))
            .await
            .ok()
            .context("some processes of this run could not be ended")??;
        Ok(())
    }
}

/// Ends what an earlier run left behind when its guard was killed as well.
///
/// # Errors
/// As [`Guard::start`] and [`Guard::end`].
pub async fn end_leftovers(run_id: &RunId) -> anyhow::Result<()> {
    Guard::start(run_id, None, None)?.end().await
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn start_sleeping(run_id: &RunId) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & sleep 300; true"]);
        run_id.kill_at_end(&mut command);
        command.spawn().unwrap()
    }

    #[tokio::test]
    async fn processes_of_the_run_and_their_children_end_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let run_id = RunId::new(folder.path());
        let mut ours = start_sleeping(&run_id);
        let mut other = start_sleeping(&RunId::new(&folder.path().join("other")));

        Guard::start(&run_id, None, None)
            .unwrap()
            .end()
            .await
            .unwrap();

        assert!(ours.try_wait().unwrap().is_some());
        assert!(other.try_wait().unwrap().is_none());
        end_leftovers(&RunId::new(&folder.path().join("other")))
            .await
            .unwrap();
        assert!(other.wait().is_ok());
    }

    /// Starts a program that does `action` when it gets SIGINT.
    ///
    /// It is not a shell: a shell cannot trap a signal that it inherited as
    /// ignored, and in the background of a script (`cargo test &`) SIGINT is
    /// ignored. Perl can, as Postgres does.
    fn start_interruptible(run_id: &RunId, action: &str) -> Child {
        let mut command = Command::new("perl");
        let script = format!("$SIG{{INT}} = {action}; $| = 1; print 1; sleep 1 while 1");
        command.args(["-e", &script]).stdin(Stdio::null());
        run_id.interrupt_at_end(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // Until the handler is set.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    #[tokio::test]
    async fn an_interruptible_process_is_interrupted_first_and_killed_later() {
        let folder = tempfile::tempdir().unwrap();
        let run_id = RunId::new(folder.path());
        let mut willing = start_interruptible(&run_id, "sub { exit 7 }");
        let mut stubborn = start_interruptible(&run_id, "'IGNORE'");

        end_leftovers(&run_id).await.unwrap();

        assert_eq!(willing.try_wait().unwrap().unwrap().code(), Some(7));
        let status = stubborn.try_wait().unwrap().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }

    #[tokio::test]
    async fn dropping_the_guard_removes_the_folder() {
        let folder = tempfile::tempdir().unwrap().keep();
        let guard = Guard::start(&RunId::new(&folder), None, Some(&folder)).unwrap();
        drop(guard);
        for _ in 0..100 {
            if !folder.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} is still there", folder.display());
    }
}
