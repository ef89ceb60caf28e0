//! The cookie that keeps what a form could not save.
//!
//! A form post ends in a redirect, also when its session had expired or the
//! database was asleep. What was typed and why it was not saved then wait in
//! this cookie for the next page, instead of in a URL that would be logged.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::Request;

use super::body::form_field;
use super::{header, origin};
use crate::clerk::{UserId, UserMark};
use crate::error::Error;
use crate::quote::Refusal;

/// Name of the cookie.
const NAME: &str = "quote_draft";

/// Seconds it lives: long enough to sign in again.
const LIFETIME_SECS: u32 = 300;

/// Longest text kept, in bytes: 500 characters of four bytes. In base64 that
/// is 2.7 KB, which leaves room for Clerk's cookies at the gateway.
const MAX_TEXT: usize = 2_000;

/// What a form could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Why.
    pub obstacle: Obstacle,
    /// What was typed; empty for a form without text. Cut when too long.
    pub text: String,
    /// Mark of the user whose session the form was sent with; empty: unknown.
    author: String,
}

impl Draft {
    /// Whether this may be shown to a user: the next person at the same
    /// browser has no business with it.
    #[must_use]
    pub fn is_for(&self, user: &UserId) -> bool {
        self.author.is_empty() || self.author == user.mark().as_str()
    }
}

/// Why a form post was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The session had expired.
    SignedOut,
    /// The message was empty.
    Empty,
    /// The message was too long.
    TooLong,
    /// The message had a character that is not allowed, or was not text.
    Unreadable,
    /// Something could not be reached.
    Unavailable,
    /// Something of ours is broken.
    Broken,
}

/// One letter for each obstacle: the cookie is the client's to change, so it
/// chooses among our texts and brings none of its own.
const LETTERS: [(char, Obstacle); 6] = [
    ('s', Obstacle::SignedOut),
    ('e', Obstacle::Empty),
    ('l', Obstacle::TooLong),
    ('r', Obstacle::Unreadable),
    ('u', Obstacle::Unavailable),
    ('b', Obstacle::Broken),
];

impl Obstacle {
    fn of(error: &Error) -> Self {
        match error {
            Error::Unauthorized { .. } => Self::SignedOut,
            Error::Refused(Refusal::Empty) => Self::Empty,
            Error::Refused(Refusal::TooLong) | Error::TooLarge => Self::TooLong,
            Error::Refused(Refusal::ControlCharacter)
            | Error::Unreadable(_)
            | Error::UnsupportedMediaType { .. } => Self::Unreadable,
            Error::KeySetUnavailable(_) | Error::DatabaseUnavailable(_) => Self::Unavailable,
            Error::CrossSite
            | Error::NoQuote
            | Error::NotFound
            | Error::MethodNotAllowed { .. }
            | Error::Internal(_) => Self::Broken,
        }
    }

    /// A sentence for the visitor.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::SignedOut => {
                "Your session had expired, so nothing was changed. You are signed in again: please repeat it."
            }
            Self::Empty => "Write something first: the quote was empty.",
            Self::TooLong => "That was too long: a quote has at most 500 characters.",
            Self::Unreadable => "The quote had a character that cannot be shown. Please remove it.",
            Self::Unavailable => {
                "The database could not be reached, so nothing was changed. Please try again."
            }
            Self::Broken => {
                "Something broke on our side, so nothing was changed. Please try again."
            }
        }
    }
}

/// The `Set-Cookie` value that keeps what this form post could not save.
pub(crate) fn keep(request: &Request, error: &Error, author: Option<&UserMark>) -> String {
    let field = form_field(request.body().as_ref(), "message").unwrap_or_default();
    let text = String::from_utf8_lossy(&field).replace('\0', "");
    let letter = LETTERS
        .iter()
        .find(|(_, obstacle)| *obstacle == Obstacle::of(error))
        .map_or('b', |(letter, _)| *letter);
    let author = author.map_or("", UserMark::as_str);
    let value = URL_SAFE_NO_PAD.encode(format!("{letter}{author}\0{}", shortened(&text)));
    cookie(request, &value, LIFETIME_SECS)
}

/// The `Set-Cookie` value that forgets the draft.
#[must_use]
pub fn forget(request: &Request) -> String {
    cookie(request, "", 0)
}

fn cookie(request: &Request, value: &str, max_age: u32) -> String {
    let secure = if origin(request).starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    format!("{NAME}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")
}

fn shortened(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The draft that a request brings, if any. Not to be trusted: it is text.
#[must_use]
pub fn of(request: &Request) -> Option<Draft> {
    let prefix = format!("{NAME}=");
    let cookies = header(request, "cookie")?;
    let value = cookies
        .split(';')
        .find_map(|pair| pair.trim().strip_prefix(&prefix))?;
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
    let letter = decoded.chars().next()?;
    let obstacle = LETTERS
        .iter()
        .find(|(known, _)| *known == letter)
        .map(|(_, o)| *o)?;
    let (author, text) = decoded[letter.len_utf8()..].split_once('\0')?;
    Some(Draft {
        obstacle,
        text: shortened(text).to_owned(),
        author: author.to_owned(),
    })
}
