//! One open connection and when to stop trusting it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::{Client, Row};

use super::{Failure, Statement, Target};

/// Age after which a connection is replaced: a rotated password or a moved
/// server reaches every environment within it.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Idle time after which a connection is replaced before it is trusted again.
/// Neon suspends a database after five minutes without a statement.
const MAX_IDLE: Duration = Duration::from_secs(4 * 60);

/// First pause between two attempts to connect; each is twice as long as the
/// one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

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
        let begin = Instant::now();
        let deadline = begin + limit;
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        loop {
            let Ok(attempt) = timeout_at(deadline, Self::attempt(target)).await else {
                return Err(last.unwrap_or_else(|| Failure::timed_out("connecting", limit)));
            };
            match attempt {
                Ok(connection) => {
                    if last.is_some() {
                        let waited = begin.elapsed().as_millis();
                        tracing::info!("the database accepted after {waited} ms");
                    }
                    return Ok(connection);
                }
                Err(failure) if failure.may_pass() && Instant::now() + pause < deadline => {
                    last = Some(failure);
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn attempt(target: &Target) -> Result<Self, Failure> {
        let address = (target.host.as_str(), target.port);
        let stream = TcpStream::connect(address)
            .await
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                // A connection that is given up must not deliver a statement
                // later, when another one has carried it out already.
                stream.set_zero_linger()?;
                Ok(stream)
            })
            .map_err(|error| Failure::Unavailable(format!("connecting: {error}")))?;
        let (client, connection) = target
            .config
            .connect_raw(stream, target.tls())
            .await
            .map_err(|error| Failure::from(error).while_connecting())?;
        let now = SystemTime::now();
        Ok(Self {
            client,
            driver: tokio::spawn(async {
                if let Err(error) = connection.await {
                    tracing::info!("connection ended: {}", Failure::from(error));
                }
            }),
            opened: now,
            last_used: AtomicU64::new(millis(now)),
        })
    }

    /// Whether it is open as far as is known, and neither old nor long idle.
    ///
    /// By the wall clock: the monotonic one may stand still in a frozen machine.
    pub(super) fn is_trusted(&self) -> bool {
        let now = SystemTime::now();
        let idle = millis(now).saturating_sub(self.last_used.load(Ordering::Relaxed));
        !self.client.is_closed()
            && now
                .duration_since(self.opened)
                .is_ok_and(|age| age < MAX_AGE)
            && Duration::from_millis(idle) < MAX_IDLE
    }

    pub(super) async fn run(&self, statement: &Statement<'_>) -> Result<Vec<Row>, Failure> {
        let rows = self
            .client
            .query_typed(statement.sql, statement.parameters)
            .await?;
        self.last_used
            .store(millis(SystemTime::now()), Ordering::Relaxed);
        Ok(rows)
    }
}

impl Drop for Connection {
    /// Closes the socket at once, also when it no longer answers.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
