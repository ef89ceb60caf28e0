//! Why a statement has no answer, in words that may be logged.

use std::error::Error;
use std::io;
use std::time::Duration;

use openssl::error::ErrorStack;
use tokio_postgres::error::SqlState;

/// Why a statement has no answer.
///
/// The texts hold neither the password nor a quote: Postgres puts values into
/// its `DETAIL`, so that is left out.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database did not answer, or not in time. Trying again helps.
    #[error("{0}")]
    Unavailable(String),
    /// No connection can be opened, and trying again soon does not help: the
    /// password, the certificate or the host name is wrong.
    #[error("{0}")]
    Refused(String),
    /// Postgres answered a statement with an error.
    #[error("{0}")]
    Statement(String),
}

impl DatabaseError {
    pub(super) fn timed_out(what: &str, timeout: Duration) -> Self {
        Self::Unavailable(format!(
            "{what} took longer than {} ms",
            timeout.as_millis()
        ))
    }

    /// A host name that was not resolved. Waiting helps while there is no network
    /// yet, but not for a name that does not exist.
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(super) fn of_lookup(error: io::Error) -> Self {
        let text = format!("looking up the host: {error}");
        // getaddrinfo(3) in glibc, musl and macOS; Rust passes on only the text.
        let unknown = ["not known", "does not resolve", "nodename nor servname"];
        if unknown.iter().any(|words| text.contains(words)) {
            Self::Refused(text)
        } else {
            Self::Unavailable(text)
        }
    }

    /// An error that was met before there was a connection.
    pub(super) fn while_connecting(error: tokio_postgres::Error) -> Self {
        // A proxy that could not reach the database behind it calls that an
        // internal error.
        let internal = error
            .code()
            .is_some_and(|code| code.code().starts_with("XX"));
        match Self::from(error) {
            Self::Statement(text) if internal => Self::Unavailable(text),
            Self::Statement(text) => Self::Refused(text),
            error @ (Self::Unavailable(_) | Self::Refused(_)) => error,
        }
    }

    /// No answer of Postgres: the network, TLS, or a server that speaks
    /// something else.
    fn of_connection(error: &tokio_postgres::Error) -> Self {
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
            Self::Statement(text)
        }
    }
}

/// An error of the network before there was a connection.
impl From<io::Error> for DatabaseError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(format!("connecting: {error}"))
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            return Self::of_connection(&error);
        };
        let text = format!("{} ({})", answer.message(), answer.code().code());
        if is_transient(answer.code()) {
            Self::Unavailable(text)
        } else {
            Self::Statement(text)
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
    cause.is::<io::Error>()
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
fn is_transient(code: &SqlState) -> bool {
    let transient = ["08", "53", "57", "58"];
    transient.iter().any(|class| code.code().starts_with(class))
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_does_not_exist_is_not_waited_for() {
        for (text, waits) in [
            (
                "failed to lookup address information: Name or service not known",
                false,
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                true,
            ),
        ] {
            let error = DatabaseError::of_lookup(io::Error::other(text));
            assert_eq!(
                matches!(error, DatabaseError::Unavailable(_)),
                waits,
                "{text}"
            );
        }
    }

    #[test]
    fn a_server_that_goes_away_is_not_a_broken_statement() {
        for code in ["08006", "53300", "57P01", "57P05", "58030", "25006"] {
            assert!(is_transient(&SqlState::from_code(code)), "{code}");
        }
        for code in ["42P01", "28P01", "3D000", "22021", "42501", "XX000"] {
            assert!(!is_transient(&SqlState::from_code(code)), "{code}");
        }
    }
}
