//! One TLS connection to Postgres, reopened when it has died.
//!
//! Lambda freezes an environment between requests, Neon suspends an idle
//! database, a pooler drops clients: a connection may be dead without any sign
//! of it. Every wait here has a deadline, and all of them together stay below
//! the functions' timeout of 10 s, so that a caller gets an answer.
//!
//! - `tls`: TLS, with SCRAM's first message ahead of the server's offer
//! - `negotiation`: which of the shorter beginnings a server understands
//! - `options`: a Postgres URL and the TLS that goes with it
//! - `connect`: opening a connection, again and again while the database wakes up
//! - `cancel`: asking the server to end a statement
//! - `error`: why there is no answer, and whether another attempt would help

mod cancel;
mod connect;
mod error;
mod negotiation;
mod options;
mod tls;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio::{join, select};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement as PreparedStatement};

pub use connect::connect;
pub use error::DatabaseError;
pub use options::ConnectOptions;

use cancel::send_cancel_request;
use connect::connect_within;
use error::{StatementFailure, is_outdated};

/// Longest wait for a connection while the environment starts.
///
/// Init runs with full CPU; a database that is down must not use it up.
const START_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for a connection while a caller waits. A suspended Neon
/// database accepts after half a second or more.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest wait for a statement: each is one row by primary key. A connection
/// that died silently while frozen is found by this and not by TCP, which
/// would take minutes.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Delay before a statement is repeated that the server did not carry out; each
/// further delay is twice as long as the one before, up to [`MAX_REPEAT_DELAY`].
const FIRST_REPEAT_DELAY: Duration = Duration::from_millis(50);
const MAX_REPEAT_DELAY: Duration = Duration::from_millis(400);

/// Longest wait for an answer, with a second connection and further attempts.
/// Before it a key set may take 2 s, after it cancelling a statement 1 s: 9 s
/// of the functions' 10.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// Age after which a connection is replaced: a rotated password or a moved
/// server reaches every environment within it.
const CONNECTION_MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Idle time after which a connection is replaced before it is trusted again.
/// Neon suspends a database after five minutes without a statement.
const CONNECTION_MAX_IDLE_AGE: Duration = Duration::from_secs(4 * 60);

/// Longest wait until a server has received the request to cancel a statement.
const CANCEL_TIMEOUT: Duration = Duration::from_millis(800);

/// Longest wait for the answer to a statement that was cancelled. A connection
/// that died silently has none.
const CANCEL_ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

/// The database of an execution environment.
pub struct Database {
    options: ConnectOptions,
    /// Locked while connecting, so that one connection is opened and not many;
    /// never while a statement runs.
    connection: Mutex<Option<Arc<Connection>>>,
}

/// The parameters of a statement, with their types.
pub type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// SQL with `$1` parameters, and those.
type Statement<'a> = (&'static str, Parameters<'a>);

/// What a statement returned.
pub struct Answer {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Whether it may have been carried out before, by an attempt whose answer was
    /// lost.
    pub may_be_repeated: bool,
}

impl Database {
    /// A database that is not yet connected to.
    #[must_use]
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            options,
            connection: Mutex::new(None),
        }
    }

    /// Connects ahead of the first request, while the environment starts.
    ///
    /// An error is logged and has no other consequence: the first request that
    /// needs the database tries again.
    pub async fn connect_at_start(&self) {
        if let Err(error) = self.connection(START_CONNECT_TIMEOUT).await {
            let error = error.to_string();
            tracing::warn!(error, "not connected to the database at the start");
        }
    }

    /// Runs a statement: once more on a new connection if the first one died or led
    /// to a read-only server, and again while the server says that it did nothing and
    /// may do it later.
    ///
    /// It must be idempotent. Its parameters are typed, so that it goes out in one
    /// round trip, and where the session may be shared it leaves no prepared
    /// statement behind.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] when no answer came in time,
    /// [`DatabaseError::Refused`] when no connection can be opened,
    /// [`DatabaseError::Statement`] when Postgres answered with an error,
    /// [`DatabaseError::UserDeleted`] when the user of the statement was deleted.
    pub async fn run(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Answer, DatabaseError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let left = |timeout: Duration| timeout.min(deadline - Instant::now());
        let mut may_be_repeated = false;
        let mut was_replaced = false;
        let mut delay = FIRST_REPEAT_DELAY;
        loop {
            let connection = self.connection(left(CONNECT_TIMEOUT)).await?;
            let limit = left(STATEMENT_TIMEOUT);
            let answer = connection.run(&self.options, (sql, parameters), limit);
            match answer.await {
                Ok(rows) => {
                    return Ok(Answer {
                        rows,
                        may_be_repeated,
                    });
                }
                Err(StatementFailure::NotDone(error)) if left(ANSWER_TIMEOUT) > delay => {
                    tracing::info!(error, "the statement is repeated");
                    sleep(delay).await;
                    delay = (delay * 2).min(MAX_REPEAT_DELAY);
                }
                Err(failure @ (StatementFailure::Gone(_) | StatementFailure::ReadOnly(_))) => {
                    may_be_repeated |= matches!(failure, StatementFailure::Gone(_));
                    let failure = DatabaseError::from(failure);
                    let error = failure.to_string();
                    tracing::info!(error, "the connection to the database was given up");
                    self.discard(&connection).await;
                    if was_replaced || left(ANSWER_TIMEOUT).is_zero() {
                        return Err(failure);
                    }
                    was_replaced = true;
                }
                Err(
                    failure @ (StatementFailure::NotDone(_)
                    | StatementFailure::Broken(_)
                    | StatementFailure::UserDeleted),
                ) => return Err(failure.into()),
            }
        }
    }

    /// The open connection, or a new one within `timeout`.
    async fn connection(&self, timeout: Duration) -> Result<Arc<Connection>, DatabaseError> {
        let mut slot = self.connection.lock().await;
        if let Some(open) = slot.as_ref().filter(|open| open.is_trusted()) {
            return Ok(Arc::clone(open));
        }
        *slot = None;
        let opened = Arc::new(Connection::open(&self.options, timeout).await?);
        *slot = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Forgets a connection, unless another request has replaced it already.
    async fn discard(&self, dead: &Arc<Connection>) {
        let mut slot = self.connection.lock().await;
        if slot.as_ref().is_some_and(|open| Arc::ptr_eq(open, dead)) {
            *slot = None;
        }
    }
}

/// One open connection.
struct Connection {
    client: Client,
    /// What was prepared on it by name, by its SQL; `None` where the session may
    /// be shared.
    prepared: Option<Mutex<HashMap<&'static str, PreparedStatement>>>,
    driver: JoinHandle<()>,
    /// Where cancel requests go.
    address: SocketAddr,
    opened: SystemTime,
    /// Milliseconds since 1970.
    last_used: AtomicU64,
    /// The timer of the last statement, for the next one: to move it costs nothing,
    /// but for a new one tokio interrupts its own wait for the server.
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl Connection {
    /// Opens a connection, trying again until `timeout` has passed.
    async fn open(options: &ConnectOptions, timeout: Duration) -> Result<Self, DatabaseError> {
        let (client, driver, address) = connect_within(options, timeout).await?;
        let now = SystemTime::now();
        Ok(Self {
            client,
            prepared: options.prepares.then(Mutex::default),
            driver,
            address,
            opened: now,
            last_used: AtomicU64::new(millis(now)),
            timer: Mutex::default(),
        })
    }

    /// Whether it is open as far as is known, and neither old nor long idle.
    ///
    /// By the wall clock: the monotonic one may stand still in a frozen machine.
    fn is_trusted(&self) -> bool {
        let last_used = Duration::from_millis(self.last_used.load(Ordering::Relaxed));
        !self.client.is_closed() && is_fresh(self.opened, UNIX_EPOCH + last_used, SystemTime::now())
    }

    /// Runs a statement. One that has no answer within `limit` is cancelled at
    /// the server: what a caller is told did not happen should not happen later,
    /// when a lock is released or a slow server gets to it.
    async fn run(
        &self,
        options: &ConnectOptions,
        statement: Statement<'_>,
        limit: Duration,
    ) -> Result<Vec<Row>, StatementFailure> {
        let deadline = Instant::now() + limit;
        let kept = self.timer.lock().await.take();
        let mut timer = kept.unwrap_or_else(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().reset(deadline);
        let mut answer = pin!(self.query(statement));
        let in_time = select! {
            biased;
            answer = &mut answer => Some(answer),
            () = &mut timer => None,
        };
        *self.timer.lock().await = Some(timer);
        if let Some(answer) = in_time {
            let rows = answer?;
            self.last_used
                .store(millis(SystemTime::now()), Ordering::Relaxed);
            return Ok(rows);
        }
        // The cancel request may arrive late and meet another statement.
        self.last_used.store(0, Ordering::Relaxed);
        let token = self.client.cancel_token();
        let request = send_cancel_request(options, self.address, &token);
        let cancelled = timeout(CANCEL_TIMEOUT, request).await;
        let text = format!("the statement took longer than {} ms", limit.as_millis());
        match timeout(CANCEL_ANSWER_TIMEOUT, answer).await {
            Ok(Err(StatementFailure::NotDone(_))) => Err(StatementFailure::NotDone(text)),
            // No sign that it has ended. That the server took the request is none:
            // Neon's proxy hangs up before it acts.
            Ok(Err(StatementFailure::Gone(_))) | Err(_) => {
                let error = match cancelled {
                    Ok(Ok(())) => "the request was sent, and no answer came".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => DatabaseError::timed_out("cancelling it", CANCEL_TIMEOUT).to_string(),
                };
                tracing::warn!(error, "a cancelled statement may still be running");
                Err(StatementFailure::Gone(text))
            }
            // It was done just before, or failed.
            Ok(answer) => answer,
        }
    }

    /// Sends a statement and waits for its answer. Where it may be prepared, the
    /// first call does that in the same flight, and the later ones use the name.
    async fn query(&self, statement: Statement<'_>) -> Result<Vec<Row>, StatementFailure> {
        let (sql, parameters) = statement;
        let unnamed = self.client.query_typed(sql, parameters);
        let Some(prepared) = &self.prepared else {
            return unnamed.await.map_err(|error| StatementFailure::of(&error));
        };
        let known = prepared.lock().await.get(sql).cloned();
        if let Some(known) = known {
            let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
            match self.client.query(&known, &values).await {
                Err(error) if is_outdated(&error) => {}
                answer => return answer.map_err(|error| StatementFailure::of(&error)),
            }
        }
        let types: Vec<_> = parameters.iter().map(|(_, of)| of.clone()).collect();
        let (answer, preparation) = join!(unnamed, self.client.prepare_typed(sql, &types));
        // Without a preparation the next call is as this one.
        if let Ok(preparation) = preparation {
            prepared.lock().await.insert(sql, preparation);
        }
        answer.map_err(|error| StatementFailure::of(&error))
    }
}

impl Drop for Connection {
    /// Closes the socket at once, also when it no longer answers.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Whether a connection is neither old nor long idle. After the clock was set
/// back neither is known.
fn is_fresh(opened: SystemTime, last_used: SystemTime, now: SystemTime) -> bool {
    let within = |since: SystemTime, max| now.duration_since(since).is_ok_and(|age| age < max);
    within(opened, CONNECTION_MAX_AGE) && within(last_used, CONNECTION_MAX_IDLE_AGE)
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fresh_after(age: Duration, idle: Duration) -> bool {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        is_fresh(now - age, now - idle, now)
    }

    #[test]
    fn a_connection_is_replaced_when_it_is_old_or_was_long_idle() {
        let second = Duration::from_secs(1);
        assert!(is_fresh_after(second, second));
        assert!(is_fresh_after(
            CONNECTION_MAX_AGE - second,
            CONNECTION_MAX_IDLE_AGE - second
        ));
        assert!(!is_fresh_after(CONNECTION_MAX_AGE, second));
        assert!(!is_fresh_after(
            CONNECTION_MAX_IDLE_AGE,
            CONNECTION_MAX_IDLE_AGE
        ));
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_believed() {
        let second = Duration::from_secs(1);
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert!(!is_fresh(now + second, now, now));
        assert!(!is_fresh(now, now + second, now));
    }
}
