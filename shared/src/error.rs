//! Why a request could not be answered, and everything that is said about it.

use clerk_auth::{KeySetUnavailable, Reason, WebhookError};
use http::StatusCode;

use crate::database::DatabaseError;
use crate::quote::{ChangeError, MessageError, Quote};

/// Why a request could not be answered.
///
/// `Display` is what the client may read; the source is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.kind().detail)]
pub enum Error {
    /// The request cannot be read; the text says what is wrong.
    #[error("{0}")]
    Unreadable(&'static str),
    /// Not signed in, or by a session that does not verify.
    Unauthorized {
        /// Clerk's reason.
        reason: Reason,
        /// Whether a token came in the `Authorization` header.
        by_header: bool,
    },
    /// A message that is not one of Clerk's webhook.
    #[error("Refused: {0}.")]
    NotVerified(#[from] WebhookError),
    /// A change by cookie that was not sent by a page of this application.
    CrossSite,
    /// A change from the page of another user than the one who is signed in.
    OtherUser,
    /// The user has no quote.
    NoQuote,
    /// A change of another quote than this, which is the saved one.
    Changed(Option<Quote>),
    /// Nothing is at this path.
    NotFound,
    /// The path exists, for the methods named.
    MethodNotAllowed {
        /// Value of the `Allow` header.
        allow: &'static str,
    },
    /// The body is larger than anything that is read here.
    TooLarge,
    /// The body is of a type that is not read here.
    #[error("Send {expected}.")]
    UnsupportedMediaType {
        /// The media type that is read.
        expected: &'static str,
    },
    /// The message in a form is not UTF-8.
    NotText,
    /// The message breaks a rule.
    Message(MessageError),
    /// Nothing is known of Clerk's keys, so nobody can be verified.
    KeySetUnavailable(#[from] KeySetUnavailable),
    /// Postgres did not answer in time, refused the connection, or could not
    /// carry out a statement.
    Database(#[from] DatabaseError),
    /// A fault of this application.
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Changed(quote) => Self::Changed(quote),
            ChangeError::Database(error) => Self::Database(error),
        }
    }
}

/// Everything that is said about one kind of error: a row of the table below.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorKind {
    /// A stable name: `code` of problem details, in the log and in the flash
    /// cookie.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for the sender of the request: `detail` of problem details, and
    /// the text beside the form.
    pub detail: &'static str,
    /// The heading of a page that shows the error.
    pub title: &'static str,
    /// What the user can do, below it.
    pub hint: &'static str,
    /// Seconds after which the same request may succeed, where waiting helps.
    pub retry_after_secs: Option<u32>,
}

/// The table; [`Error::kind`] finds the row of an error. One line for what the
/// sender is told, one for what only pages show.
#[rustfmt::skip]
static KINDS: [ErrorKind; 20] = [
    row("unreadable", 400, "The request cannot be read."),
    row("not-signed-in", 401, "Not signed in, or the session had expired.")
        .on_page("You are signed in, but not for this page", "You are signed in again now: please repeat it."),
    row("not-verified", 400, "Refused: this is no message of Clerk's."),
    row("user-deleted", 401, "Not saved: this user was deleted."),
    row("cross-site", 403, "Refused: a page of another site sent the request."),
    row("other-user", 409, "Not done: somebody else had signed in on this browser meanwhile."),
    row("no-quote", 404, "No quote is saved."),
    row("changed", 412, "Not done: the quote was changed elsewhere meanwhile."),
    row("not-found", 404, "Nothing is here.")
        .on_page("This page does not exist", "Perhaps there is a mistake in its address. Your quote is on the start page."),
    row("method-not-allowed", 405, "This method is not allowed here.")
        .on_page("That does not work here", "This page can only be read."),
    row("body-too-large", 413, TOO_LARGE),
    row("unsupported-media-type", 415, "The body is of a type that is not read here."),
    row("message-not-text", 400, NOT_SHOWABLE),
    row("message-empty", 422, "Write something first: the quote is empty."),
    row("message-too-long", 422, TOO_LONG),
    row("message-control", 422, NOT_SHOWABLE),
    row("jwks-unavailable", 503, "The sign-in service cannot be reached. Try again in a moment.")
        .on_page("The sign-in service cannot be reached", "This page tries again by itself.")
        .retry(),
    row("database-down", 503, "The database could not be reached. Try again in a moment.")
        .on_page("The database is waking up", "It is suspended while it is not used. This page tries again by itself.")
        .retry(),
    row("database-refused", 503, "The database refuses the connection.")
        .on_page("The database cannot be used", "Waiting does not help. The operator of this site finds the reason in its log."),
    row("internal", 500, "Something broke on our side. Try again in a moment.")
        .on_page("Something broke on our side", "It was logged with the number below. Please try again in a moment."),
];

const TOO_LONG: &str = "Too long: a quote has at most 500 characters.";
const TOO_LARGE: &str = "Too large: 64 KB are read, and a quote has at most 500 characters.";
const NOT_SHOWABLE: &str = "The quote has a character that cannot be shown. Remove it.";

/// A row whose error a page shows only when somebody made up the request.
const fn row(code: &'static str, status: u16, detail: &'static str) -> ErrorKind {
    ErrorKind {
        code,
        status,
        detail,
        title: "That request cannot be answered",
        hint: "Go back and try again.",
        retry_after_secs: None,
    }
}

impl ErrorKind {
    const fn on_page(self, title: &'static str, hint: &'static str) -> Self {
        Self {
            title,
            hint,
            ..self
        }
    }

    const fn retry(self) -> Self {
        Self {
            retry_after_secs: Some(2),
            ..self
        }
    }

    /// The row with this code, if there is one.
    #[must_use]
    pub fn with_code(code: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.code == code)
    }
}

impl Error {
    /// A stable name, such as `message-too-long`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Unauthorized { .. } => "not-signed-in",
            Self::NotVerified(_) => "not-verified",
            Self::CrossSite => "cross-site",
            Self::OtherUser => "other-user",
            Self::NoQuote => "no-quote",
            Self::Changed(_) => "changed",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed { .. } => "method-not-allowed",
            Self::TooLarge => "body-too-large",
            Self::UnsupportedMediaType { .. } => "unsupported-media-type",
            Self::NotText => "message-not-text",
            Self::Message(MessageError::Empty) => "message-empty",
            Self::Message(MessageError::TooLong) => "message-too-long",
            Self::Message(MessageError::ControlCharacter) => "message-control",
            Self::KeySetUnavailable(_) => "jwks-unavailable",
            Self::Database(DatabaseError::Unavailable(_)) => "database-down",
            Self::Database(DatabaseError::Refused(_)) => "database-refused",
            Self::Database(DatabaseError::UserDeleted) => "user-deleted",
            Self::Database(DatabaseError::Statement(_)) | Self::Internal(_) => "internal",
        }
    }

    /// What is said about this kind of error.
    #[must_use]
    pub fn kind(&self) -> &'static ErrorKind {
        // A test compares the codes with the rows.
        ErrorKind::with_code(self.code()).unwrap_or(&KINDS[KINDS.len() - 1])
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_error_has_a_row_of_its_own() {
        let database = |error: fn(String) -> DatabaseError| Error::Database(error(String::new()));
        let errors = [
            Error::Unreadable("x"),
            Error::Unauthorized {
                reason: Reason::TokenInvalid,
                by_header: false,
            },
            Error::NotVerified(WebhookError::Body),
            Error::Database(DatabaseError::UserDeleted),
            Error::CrossSite,
            Error::OtherUser,
            Error::NoQuote,
            Error::Changed(None),
            Error::NotFound,
            Error::MethodNotAllowed { allow: "GET" },
            Error::TooLarge,
            Error::UnsupportedMediaType { expected: "x" },
            Error::NotText,
            Error::Message(MessageError::Empty),
            Error::Message(MessageError::TooLong),
            Error::Message(MessageError::ControlCharacter),
            database(DatabaseError::Unavailable),
            database(DatabaseError::Refused),
            Error::Internal("x".into()),
        ];
        let codes: HashSet<_> = errors.iter().map(Error::code).collect();
        assert_eq!(codes.len(), errors.len());
        for error in &errors {
            assert_eq!(error.kind().code, error.code());
            assert!(!error.to_string().is_empty());
        }
        // The error that is left out is one that only clerk-auth makes.
        assert!(ErrorKind::with_code("jwks-unavailable").is_some());
        assert_eq!(KINDS.len(), errors.len() + 1);
        let statement = database(DatabaseError::Statement);
        assert_eq!(statement.code(), "internal");
    }

    #[test]
    fn only_what_passes_by_itself_is_worth_waiting_for() {
        for kind in &KINDS {
            let passes = ["jwks-unavailable", "database-down"].contains(&kind.code);
            assert_eq!(kind.retry_after_secs.is_some(), passes, "{}", kind.code);
            assert!(StatusCode::from_u16(kind.status).is_ok());
        }
    }
}
