//! One open connection: running a statement on it, calling that off, and when
//! to stop trusting it.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{Client, Row};

use super::{Failure, Statement, Target, cancel, dial};

/// Age after which a connection is replaced: a rotated password or a moved
/// server reaches every environment within it.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Idle time after which a connection is replaced before it is trusted again.
/// Neon suspends a database after five minutes without a statement.
const MAX_IDLE: Duration = Duration::from_secs(4 * 60);

/// Longest wait until a server has heard that a statement is called off.
const CALL_OFF: Duration = Duration::from_millis(800);

/// Longest wait for the answer to a statement that was called off. A
/// connection that died silently has none.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(super) struct Connection {
    client: Client,
    driver: JoinHandle<()>,
    opened: SystemTime,
    /// Milliseconds since 1970.
    last_used: AtomicU64,
}

impl Connection {
    /// Opens a connection, trying again until `limit` has passed.
    pub(super) async fn open(target: &Target, limit: Duration) -> Result<Self, Failure> {
        let (client, driver) = dial::open(target, limit).await?;
        let now = SystemTime::now();
        Ok(Self {
            client,
            driver,
            opened: now,
            last_used: AtomicU64::new(millis(now)),
        })
    }

    /// Whether it is open as far as is known, and neither old nor long idle.
    ///
    /// By the wall clock: the monotonic one may stand still in a frozen machine.
    pub(super) fn is_trusted(&self) -> bool {
        let last_used = Duration::from_millis(self.last_used.load(Ordering::Relaxed));
        !self.client.is_closed() && is_fresh(self.opened, UNIX_EPOCH + last_used, SystemTime::now())
    }

    /// Runs a statement. The server is asked to end one that has no answer
    /// within `limit`: what a caller is told did not happen should not happen
    /// later, when a lock is released or a slow server gets to it.
    pub(super) async fn run(
        &self,
        target: &Target,
        statement: &Statement<'_>,
        limit: Duration,
    ) -> Result<Vec<Row>, Failure> {
        let deadline = Instant::now() + limit;
        let mut answer = pin!(self.client.query_typed(statement.sql, statement.parameters));
        if let Ok(answer) = timeout_at(deadline, &mut answer).await {
            let rows = answer?;
            self.last_used
                .store(millis(SystemTime::now()), Ordering::Relaxed);
            return Ok(rows);
        }
        // The request to end it may come late and meet another statement.
        self.last_used.store(0, Ordering::Relaxed);
        let token = self.client.cancel_token();
        let doubt = match timeout(CALL_OFF, cancel::request(target, &token)).await {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure),
            Err(_) => Some(Failure::timed_out("calling it off", CALL_OFF)),
        };
        if let Some(doubt) = doubt {
            tracing::warn!("a statement may still be at work: {doubt}");
        }
        // It may have been done just before.
        match timeout(LAST_WORDS, answer).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(_)) | Err(_) => Err(Failure::timed_out("the statement", limit)),
        }
    }
}

impl Drop for Connection {
    /// Closes the socket at once, also when it no longer answers.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Whether a connection is neither old nor long idle. A clock that was set
/// back says nothing about either.
fn is_fresh(opened: SystemTime, last_used: SystemTime, now: SystemTime) -> bool {
    let within = |since: SystemTime, limit| now.duration_since(since).is_ok_and(|age| age < limit);
    within(opened, MAX_AGE) && within(last_used, MAX_IDLE)
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn is_fresh_after(age: Duration, idle: Duration) -> bool {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        is_fresh(now - age, now - idle, now)
    }

    #[test]
    fn a_connection_is_replaced_when_it_is_old_or_was_long_idle() {
        assert!(is_fresh_after(SECOND, SECOND));
        assert!(is_fresh_after(MAX_AGE - SECOND, MAX_IDLE - SECOND));
        assert!(!is_fresh_after(MAX_AGE, SECOND));
        assert!(!is_fresh_after(MAX_IDLE, MAX_IDLE));
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_believed() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert!(!is_fresh(now + SECOND, now, now));
        assert!(!is_fresh(now, now + SECOND, now));
    }
}
