//! One TLS connection to Postgres, reopened when it has died.
//!
//! Lambda freezes an environment between requests, Neon suspends an idle
//! database, a pooler drops clients: a connection may be dead without anything
//! having said so. Every wait here has a deadline, and all of them together
//! stay below the functions' timeout of 10 s, so that a caller gets an answer.
//!
//! - `target`, `parameters`: a Postgres URL and the TLS that goes with it
//! - `dial`: opening a connection, again and again while the database wakes up
//! - `connection`: an open one, and when to stop trusting it
//! - `cancel`: asking the server to end a statement
//! - `failure`: why there is no answer

mod cancel;
mod connection;
mod dial;
mod failure;
mod parameters;
mod target;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use connection::Connection;
pub use failure::Failure;
pub use target::Target;

/// Longest wait for a connection while the environment starts.
///
/// Init runs with full CPU; a database that is down must not use it up.
const CONNECT_AT_START: Duration = Duration::from_secs(2);

/// Longest wait for a connection while a caller waits. A suspended Neon
/// database accepts after half a second or more.
const CONNECT: Duration = Duration::from_secs(4);

/// Longest wait for a statement: each is one row by primary key. A connection
/// that died silently while frozen is found by this and not by TCP, which
/// would take minutes.
const STATEMENT: Duration = Duration::from_secs(2);

/// Longest wait for an answer, with a second connection and a second attempt.
/// Before it a key set may take 2 s, after it calling a statement off 1 s: 9 s
/// of the functions' 10.
const ANSWER: Duration = Duration::from_secs(6);

/// The database of an execution environment.
pub struct Database {
    target: Target,
    /// Locked while connecting, so that one connection is opened and not many;
    /// never while a statement runs.
    connection: Mutex<Option<Arc<Connection>>>,
}

/// A statement that may be run twice: idempotent, with typed parameters, so
/// that it goes out in one round trip and leaves nothing in a pooler's backend.
pub struct Statement<'a> {
    /// SQL with `$1` parameters.
    pub sql: &'a str,
    /// The parameters.
    pub parameters: &'a [(&'a (dyn ToSql + Sync), Type)],
}

impl Database {
    /// A database that is not yet connected to.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connection: Mutex::new(None),
        }
    }

    /// Connects ahead of the first request, while the environment starts.
    ///
    /// A failure is logged and otherwise of no consequence: the first request
    /// that needs the database tries again.
    pub async fn connect_at_start(&self) {
        if let Err(failure) = self.connection(CONNECT_AT_START).await {
            tracing::warn!("not connected at the start: {failure}");
        }
    }

    /// Runs a statement, once more on a new connection if the first one died.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when no answer came in time,
    /// [`Failure::Unreachable`] when no connection can be opened,
    /// [`Failure::Refused`] when Postgres answered with an error.
    pub async fn run(&self, statement: &Statement<'_>) -> Result<Vec<Row>, Failure> {
        let deadline = Instant::now() + ANSWER;
        let left = |limit: Duration| limit.min(deadline - Instant::now());
        let first = self.connection(left(CONNECT)).await?;
        match self.run_on(first, statement, left(STATEMENT)).await {
            Err(Failure::Unavailable(_)) if !left(ANSWER).is_zero() => {
                let second = self.connection(left(CONNECT)).await?;
                self.run_on(second, statement, left(STATEMENT)).await
            }
            answer => answer,
        }
    }

    /// Runs a statement on a connection, which is not used again if it does
    /// not answer.
    async fn run_on(
        &self,
        connection: Arc<Connection>,
        statement: &Statement<'_>,
        limit: Duration,
    ) -> Result<Vec<Row>, Failure> {
        let answer = connection.run(&self.target, statement, limit).await;
        if let Err(Failure::Unavailable(cause)) = &answer {
            tracing::info!("connection given up: {cause}");
            self.discard(&connection).await;
        }
        answer
    }

    /// The open connection, or a new one within `limit`.
    async fn connection(&self, limit: Duration) -> Result<Arc<Connection>, Failure> {
        let mut slot = self.connection.lock().await;
        if let Some(open) = slot.as_ref().filter(|open| open.is_trusted()) {
            return Ok(Arc::clone(open));
        }
        *slot = None;
        let opened = Arc::new(Connection::open(&self.target, limit).await?);
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
