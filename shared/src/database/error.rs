//! Why a statement has no answer, in words that may be logged, and whether
//! another attempt would help.
//!
//! The words hold neither the password nor a quote: Postgres puts values into
//! its `DETAIL`, so that is left out.

use std::error::Error;
use std::io;
use std::time::Duration;

use openssl::error::ErrorStack;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database did not answer, or not in time. Trying again helps.
    #[error("{0}")]
    Unavailable(String),
    /// No connection can be opened, and trying again soon does not help: the
    /// password, the certificate or the host name is wrong. The text says what
    /// to do.
    #[error("{0}")]
    Refused(String),
    /// Postgres answered a statement with an error.
    #[error("{0}")]
    Statement(String),
    /// A trigger refused to save something for a user whom Clerk deleted.
    #[error("the user was deleted")]
    UserDeleted,
}

/// What that trigger raises: see V2 in `migrations/sql`.
const USER_DELETED: &str = "UD001";

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
            Self::Refused(format!("{text}: {CHECK_HOST}"))
        } else {
            Self::Unavailable(text)
        }
    }
}

/// An error of the network before there was a connection.
impl From<io::Error> for DatabaseError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(format!("connecting: {error}"))
    }
}

/// An error that no further attempt follows.
impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        StatementFailure::of(&error).into()
    }
}

/// Why an attempt to connect failed, by what it says about the next one.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectFailure {
    /// The server is away, full, starting or waking up.
    #[error("{0}")]
    Transient(String),
    /// A proxy refuses with a code that it has for everything, and in words that
    /// are not known here.
    #[error("{0}")]
    Unknown(String),
    /// There were too many attempts; another one makes it worse.
    #[error("{0}")]
    Limited(String),
    /// It fails until somebody changes something. The text says what.
    #[error("{0}")]
    Permanent(String),
}

impl ConnectFailure {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        if let Some(answer) = error.as_db_error() {
            return Self::of_answer(answer.code(), answer.message());
        }
        match describe(error) {
            (text, true) => Self::Transient(text),
            (text, false) => Self::Permanent(format!("{text}: {CHECK_SERVER}")),
        }
    }

    /// By the words first: before a connection is ready, Neon's proxy sends
    /// everything as `XX000` and PgBouncer as `08P01`.
    fn of_answer(code: &SqlState, message: &str) -> Self {
        let text = format!("{message} ({})", code.code());
        let message = message.to_ascii_lowercase();
        let is_said = |(words, _): &&(&[&str], Meaning)| words.iter().all(|w| message.contains(w));
        let meaning = match KNOWN_REFUSALS.iter().find(is_said) {
            Some((_, meaning)) => *meaning,
            None => Meaning::of_code(code),
        };
        match meaning {
            Meaning::Passes => Self::Transient(text),
            Meaning::Unclear => Self::Unknown(text),
            Meaning::RateLimit => Self::Limited(text),
            Meaning::Stays(advice) => Self::Permanent(format!("{text}: {advice}")),
        }
    }
}

/// An error of the network.
impl From<DatabaseError> for ConnectFailure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(text) => Self::Transient(text),
            DatabaseError::Refused(text) | DatabaseError::Statement(text) => Self::Permanent(text),
            DatabaseError::UserDeleted => Self::Permanent(error.to_string()),
        }
    }
}

impl From<ConnectFailure> for DatabaseError {
    fn from(failure: ConnectFailure) -> Self {
        match failure {
            ConnectFailure::Transient(text)
            | ConnectFailure::Unknown(text)
            | ConnectFailure::Limited(text) => Self::Unavailable(text),
            ConnectFailure::Permanent(text) => Self::Refused(text),
        }
    }
}

/// What a refusal means.
#[derive(Clone, Copy)]
enum Meaning {
    Passes,
    Unclear,
    RateLimit,
    /// With what to do.
    Stays(&'static str),
}

const CHECK_HOST: &str = "check the host in the database URL";
const CHECK_NAME: &str = "check the name of the database in the database URL";
const CHECK_PASSWORD: &str = "check the user and the password in the database URL";
const CHECK_SERVER: &str =
    "check the host in the database URL, its TLS parameters and PGSSLROOTCERT";
const CHECK_URL: &str = "check the database URL and the role's privileges";
const CHECK_NEON: &str = "change the endpoint's settings or the plan in Neon's console";

/// The refusals of Neon's proxy and of PgBouncer, by words that all must be in
/// them, in lower case. The first row that fits counts.
///
/// <https://github.com/neondatabase/neon/tree/main/proxy/src>,
/// <https://github.com/pgbouncer/pgbouncer/tree/master/src>
const KNOWN_REFUSALS: [(&[&str], Meaning); 28] = [
    (&["exceeded the rate limit"], Meaning::RateLimit),
    // PgBouncer quotes the server's error after words of its own.
    (
        &["password authentication failed"],
        Meaning::Stays(CHECK_PASSWORD),
    ),
    (
        &["sasl authentication failed"],
        Meaning::Stays(CHECK_PASSWORD),
    ),
    (&["no such user"], Meaning::Stays(CHECK_PASSWORD)),
    (&["role", "protected"], Meaning::Stays(CHECK_PASSWORD)),
    (&["no such database"], Meaning::Stays(CHECK_NAME)),
    (
        &["database \"", "does not exist"],
        Meaning::Stays(CHECK_NAME),
    ),
    (
        &["endpoint id is not specified"],
        Meaning::Stays(CHECK_HOST),
    ),
    (&["inconsistent project name"], Meaning::Stays(CHECK_HOST)),
    (&["endpoint", "be found"], Meaning::Stays(CHECK_HOST)),
    (&["is not allowed"], Meaning::Stays(CHECK_NEON)),
    (&["blocked network"], Meaning::Stays(CHECK_NEON)),
    (&["exceeded the", "quota"], Meaning::Stays(CHECK_NEON)),
    (&["limit", "active endpoints"], Meaning::Stays(CHECK_NEON)),
    (&["endpoint is disabled"], Meaning::Stays(CHECK_NEON)),
    (
        &["unsupported startup parameter"],
        Meaning::Stays("remove it from the database URL or add it to ignore_startup_parameters"),
    ),
    (&["couldn't connect to compute node"], Meaning::Passes),
    (&["too many"], Meaning::Passes),
    (&["connection slots are reserved"], Meaning::Passes),
    (&["the database system is"], Meaning::Passes),
    (&["starting up"], Meaning::Passes),
    (&["shutting down"], Meaning::Passes),
    (&["terminating connection"], Meaning::Passes),
    (&["no more connections allowed"], Meaning::Passes),
    (&["cannot connect to server"], Meaning::Passes),
    (&["server_login_retry"], Meaning::Passes),
    (&["server conn crashed"], Meaning::Passes),
    (&["query_wait_timeout"], Meaning::Passes),
];

impl Meaning {
    /// Of a refusal in unknown words, or in another language.
    ///
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn of_code(code: &SqlState) -> Self {
        let code = code.code();
        match code.get(..2).unwrap_or_default() {
            "XX" => Self::Unclear,
            "08" if code == "08P01" => Self::Unclear,
            // Connection, resources, operator, system.
            "08" | "53" | "57" | "58" => Self::Passes,
            "28" => Self::Stays(CHECK_PASSWORD),
            "3D" => Self::Stays(CHECK_NAME),
            _ => Self::Stays(CHECK_URL),
        }
    }
}

/// Why a statement has no answer, by what helps.
#[derive(Debug)]
pub(super) enum StatementFailure {
    /// The server did nothing, and the next time it may go better.
    NotDone(String),
    /// The connection is gone; whether the statement was carried out is not
    /// known.
    Gone(String),
    /// The server did nothing because it is read-only: another one is taking over
    /// from it, to which a new connection may lead.
    ReadOnly(String),
    /// The statement is wrong.
    Broken(String),
    /// It would save something for a deleted user.
    UserDeleted,
}

impl StatementFailure {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        if let Some(answer) = error.as_db_error() {
            let text = format!("{} ({})", answer.message(), answer.code().code());
            return Self::of_answer(is_fatal(answer), answer.code(), text);
        }
        match describe(error) {
            (text, true) => Self::Gone(text),
            (text, false) => Self::Broken(text),
        }
    }

    /// Each statement is a transaction of its own: after an error that is not
    /// fatal, nothing of it was done.
    fn of_answer(is_fatal: bool, code: &SqlState, text: String) -> Self {
        if is_fatal {
            return Self::Gone(text);
        }
        match code.code() {
            // Locks, and timeouts that the role has.
            "55P03" | "55006" | "57014" => Self::NotDone(text),
            "25006" => Self::ReadOnly(text),
            USER_DELETED => Self::UserDeleted,
            code => match code.get(..2).unwrap_or_default() {
                // Conflicts with other transactions, resources, system.
                "40" | "53" | "58" => Self::NotDone(text),
                // A proxy lost its server, or the operator closes it.
                "08" | "57" => Self::Gone(text),
                _ => Self::Broken(text),
            },
        }
    }
}

impl From<StatementFailure> for DatabaseError {
    fn from(failure: StatementFailure) -> Self {
        match failure {
            StatementFailure::NotDone(text)
            | StatementFailure::Gone(text)
            | StatementFailure::ReadOnly(text) => Self::Unavailable(text),
            StatementFailure::Broken(text) => Self::Statement(text),
            StatementFailure::UserDeleted => Self::UserDeleted,
        }
    }
}

/// Whether a statement that was prepared has to be prepared again: its table has
/// changed ("cached plan must not change result type"), or it is not there any
/// more. Nothing was done.
pub(super) fn is_outdated(error: &tokio_postgres::Error) -> bool {
    let codes = [
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    let is_one = |answer: &DbError| codes.contains(answer.code()) && !is_fatal(answer);
    error.as_db_error().is_some_and(is_one)
}

/// Whether the server has closed the connection with this error. PgBouncer sends
/// only the severity that a server may translate.
fn is_fatal(answer: &DbError) -> bool {
    match answer.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => matches!(answer.severity(), "FATAL" | "PANIC"),
    }
}

/// An error that no server has sent, and whether it is that a connection ended.
fn describe(error: &tokio_postgres::Error) -> (String, bool) {
    let mut text = error.to_string();
    let mut ended = error.is_closed();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = match inner.downcast_ref::<ErrorStack>() {
            // What it is the cause of has repeated its words.
            Some(stack) => text.replace(&stack.to_string(), &reasons(stack)),
            None => format!("{text}: {inner}"),
        };
        ended |= is_end(inner);
        cause = inner.source();
    }
    (text, ended)
}

/// Whether this says that a connection ended, also within TLS's handshake, where
/// that is an error without a cause.
fn is_end(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<io::Error>() || cause.is::<native_tls::Error>() && cause.source().is_none()
}

/// What happened in TLS, such as "certificate verify failed". The library's own
/// text adds a number, and the file and line of its source.
fn reasons(stack: &ErrorStack) -> String {
    let reasons = stack.errors().iter().filter_map(|error| error.reason());
    let reasons: Vec<_> = reasons
        .map(|reason| reason.to_ascii_lowercase().replace('_', " "))
        .collect();
    reasons.join(", ")
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

    fn kind_of_refusal(code: &str, message: &str) -> &'static str {
        match ConnectFailure::of_answer(&SqlState::from_code(code), message) {
            ConnectFailure::Transient(_) => "transient",
            ConnectFailure::Unknown(_) => "unknown",
            ConnectFailure::Limited(_) => "limited",
            ConnectFailure::Permanent(_) => "permanent",
        }
    }

    // The end-to-end tests have a table of the proxies' own texts.
    #[test]
    fn a_refusal_in_words_that_are_not_known_is_judged_by_its_code() {
        for (code, kind) in [
            ("57P03", "transient"),
            ("53300", "transient"),
            ("08006", "transient"),
            ("58030", "transient"),
            ("28P01", "permanent"),
            ("28000", "permanent"),
            ("3D000", "permanent"),
            ("42501", "permanent"),
            ("XX000", "unknown"),
            ("08P01", "unknown"),
        ] {
            assert_eq!(kind_of_refusal(code, "nein"), kind, "{code}");
        }
    }

    #[test]
    fn the_words_of_a_refusal_count_more_than_its_code() {
        for (code, message, kind) in [
            (
                "XX000",
                "Password Authentication failed for user 'x'",
                "permanent",
            ),
            (
                "08P01",
                "server login has been failing, cached error: password authentication failed for user \"x\" (server_login_retry)",
                "permanent",
            ),
            (
                "08P01",
                "server login has been failing, try again later (server_login_retry)",
                "transient",
            ),
            (
                "53400",
                "Your project has exceeded the data transfer quota.",
                "permanent",
            ),
            (
                "53000",
                "You have exceeded the rate limit of connections.",
                "limited",
            ),
        ] {
            assert_eq!(kind_of_refusal(code, message), kind, "{message}");
        }
    }

    #[test]
    fn a_permanent_refusal_says_what_to_do() {
        for (words, meaning) in &KNOWN_REFUSALS {
            if let Meaning::Stays(advice) = meaning {
                let refusal = ConnectFailure::of_answer(&SqlState::INTERNAL_ERROR, &words.concat());
                let text = DatabaseError::from(refusal).to_string();
                assert!(text.ends_with(&format!("(XX000): {advice}")), "{text}");
            }
        }
    }

    fn kind_of_failure(is_fatal: bool, code: &str) -> &'static str {
        let code = SqlState::from_code(code);
        match StatementFailure::of_answer(is_fatal, &code, String::new()) {
            StatementFailure::NotDone(_) => "not done",
            StatementFailure::Gone(_) => "gone",
            StatementFailure::ReadOnly(_) => "read-only",
            StatementFailure::Broken(_) => "broken",
            StatementFailure::UserDeleted => "deleted",
        }
    }

    #[test]
    fn an_error_of_a_statement_says_whether_to_try_again() {
        for (kind, codes) in [
            (
                "not done",
                &[
                    "40001", "40P01", "55P03", "55006", "57014", "53200", "58030",
                ][..],
            ),
            ("gone", &["08006", "57P01", "57P05"]),
            ("read-only", &["25006"]),
            (
                "broken",
                &[
                    "42P01", "22021", "42501", "23505", "0A000", "XX000", "P0001",
                ],
            ),
        ] {
            for code in codes {
                assert_eq!(kind_of_failure(false, code), kind, "{code}");
                assert_eq!(kind_of_failure(true, code), "gone", "{code}");
            }
        }
    }
}
