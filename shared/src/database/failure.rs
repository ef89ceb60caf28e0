//! Why a statement has no answer, in words that may be logged.

use std::error::Error;
use std::time::Duration;

use tokio_postgres::error::SqlState;

/// Why a statement has no answer.
///
/// The texts hold neither the password nor a quote: Postgres puts values into
/// its `DETAIL`, so that is left out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database could not be reached, or not in time. Trying again helps.
    #[error("{0}")]
    Unavailable(String),
    /// No connection could be opened, and trying again soon does not help: a
    /// certificate, a password or the address is wrong.
    #[error("{0}")]
    Unreachable(String),
    /// Postgres answered a statement with an error.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    pub(super) fn timed_out(what: &str, limit: Duration) -> Self {
        Self::Unavailable(format!("{what} took longer than {} s", limit.as_secs()))
    }

    /// Whether an attempt to connect that failed so may soon succeed.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The same failure, met before there was a connection.
    pub(super) fn while_connecting(self) -> Self {
        match self {
            Self::Refused(text) => Self::Unreachable(text),
            Self::Unavailable(_) | Self::Unreachable(_) => self,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            return Self::of_the_connection(&error);
        };
        let text = format!("{} ({})", answer.message(), answer.code().code());
        if is_passing(answer.code()) {
            Self::Unavailable(text)
        } else {
            Self::Refused(text)
        }
    }
}

impl Failure {
    /// No answer of Postgres: the network, TLS, or a server that speaks
    /// something else.
    fn of_the_connection(error: &tokio_postgres::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        let network = error.is_closed() || source_is::<std::io::Error>(error);
        if network {
            Self::Unavailable(text)
        } else {
            Self::Refused(text)
        }
    }
}

fn source_is<E: Error + 'static>(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(<dyn Error>::is::<E>)
}

/// Errors of a server that is going away, starting, waking up or full.
fn is_passing(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::QUERY_CANCELED,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code)
}
