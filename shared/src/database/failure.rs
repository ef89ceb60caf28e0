//! Why a statement has no answer, in words that may be logged.

use std::error::Error;
use std::time::Duration;

use openssl::error::ErrorStack;
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
    /// certificate or a password is wrong.
    #[error("{0}")]
    Unreachable(String),
    /// Postgres answered a statement with an error.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    pub(super) fn timed_out(what: &str, limit: Duration) -> Self {
        Self::Unavailable(format!("{what} took longer than {} ms", limit.as_millis()))
    }

    /// Whether an attempt to connect that failed so may soon succeed.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// A failure that was met before there was a connection.
    pub(super) fn while_connecting(error: tokio_postgres::Error) -> Self {
        // A proxy that could not reach the database behind it calls that an
        // internal error.
        let internal = error
            .code()
            .is_some_and(|code| code.code().starts_with("XX"));
        match Self::from(error) {
            Self::Refused(text) if internal => Self::Unavailable(text),
            Self::Refused(text) => Self::Unreachable(text),
            failure @ (Self::Unavailable(_) | Self::Unreachable(_)) => failure,
        }
    }

    /// No answer of Postgres: the network, TLS, or a server that speaks
    /// something else.
    fn of_the_connection(error: &tokio_postgres::Error) -> Self {
        let mut text = error.to_string();
        let mut ended = error.is_closed();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            ended |= is_end(inner);
            cause = inner.source();
        }
        if ended {
            Self::Unavailable(text)
        } else {
            Self::Refused(text)
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

/// Whether this says that a connection ended, also within TLS's handshake,
/// where OpenSSL has a code for that or, when it read nothing, no words at all.
fn is_end(cause: &(dyn Error + 'static)) -> bool {
    let cut = |stack: &ErrorStack| {
        let mut codes = stack.errors().iter().map(|error| error.reason_code());
        codes.any(|code| code == UNEXPECTED_EOF_WHILE_READING)
    };
    cause.is::<std::io::Error>()
        || cause.downcast_ref().is_some_and(cut)
        || cause.is::<native_tls::Error>() && cause.source().is_none()
}

/// OpenSSL's `SSL_R_UNEXPECTED_EOF_WHILE_READING`.
const UNEXPECTED_EOF_WHILE_READING: std::ffi::c_int = 294;

/// Errors of a server that is going away, starting, waking up or full, by
/// class: connection, resources, operator, system. A read-only server is one
/// that another is taking over from.
///
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_passing(code: &SqlState) -> bool {
    let passing = ["08", "53", "57", "58"];
    passing.iter().any(|class| code.code().starts_with(class))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_goes_away_is_not_a_broken_statement() {
        for code in ["08006", "53300", "57P01", "57P05", "58030", "25006"] {
            assert!(is_passing(&SqlState::from_code(code)), "{code}");
        }
        for code in ["42P01", "28P01", "3D000", "22021", "42501", "XX000"] {
            assert!(!is_passing(&SqlState::from_code(code)), "{code}");
        }
    }
}
