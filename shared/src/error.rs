//! Why a request could not be answered, and the status that says so.

use lambda_http::http::StatusCode;

use crate::clerk::{KeySetUnavailable, Reason};
use crate::database::Failure;
use crate::quote::Refusal;

/// Why a request could not be answered.
///
/// `Display` is what the client may read; the source is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is not one that can be read; the text says what is wrong.
    #[error("{0}")]
    Unreadable(&'static str),
    /// Nobody is signed in, or nobody who can be believed.
    #[error("not signed in")]
    Unauthorized {
        /// Clerk's reason.
        reason: Reason,
        /// Whether a token came in the `Authorization` header.
        by_header: bool,
    },
    /// A change by cookie that was not sent by a page of ours.
    #[error("refused: the request was sent by a page of another site")]
    CrossSite,
    /// The user has no quote.
    #[error("no quote is saved")]
    NoQuote,
    /// Nothing is at this path.
    #[error("nothing is here")]
    NotFound,
    /// The path exists, for the methods named.
    #[error("this method is not allowed here")]
    MethodNotAllowed {
        /// Value of the `Allow` header.
        allow: &'static str,
    },
    /// The body is larger than any message can be.
    #[error("the body is too large: a quote has at most 500 characters")]
    TooLarge,
    /// The body is of a type that is not read here.
    #[error("send {expected}")]
    UnsupportedMediaType {
        /// The type that is.
        expected: &'static str,
    },
    /// The message breaks a rule.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Nothing is known of Clerk's keys, so nobody can be verified.
    #[error("the sign-in service cannot be reached; try again in a moment")]
    KeySetUnavailable(#[from] KeySetUnavailable),
    /// Postgres did not answer in time.
    #[error("the database cannot be reached; try again in a moment")]
    DatabaseUnavailable(#[source] Failure),
    /// Something of ours is broken.
    #[error("something broke on our side")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Seconds after which a client should try again what was unavailable.
pub const RETRY_AFTER_SECS: u32 = 2;

impl Error {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NoQuote | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::KeySetUnavailable(_) | Self::DatabaseUnavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(_) | Failure::Unreachable(_) => Self::DatabaseUnavailable(failure),
            Failure::Refused(_) => Self::Internal(failure.into()),
        }
    }
}
