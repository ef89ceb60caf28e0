//! HTTP as the functions speak it: events in, responses out.
//!
//! | file | concern |
//! |---|---|
//! | `event` | a payload 2.0 event becomes a request, a response its answer |
//! | `body` | JSON and form bodies |
//! | `same_origin` | whether a page of ours sent the request |
//! | `respond` | the responses, and the headers that each one has |
//! | `draft` | the cookie that keeps what a form could not save |

pub(crate) mod body;
pub mod draft;
pub(crate) mod event;
pub(crate) mod respond;
pub(crate) mod same_origin;

pub use body::message;
pub use event::{PublicOrigin, is_form};
pub use respond::{deleted, describe, explain, found, html, problem, redirect, saved, set_cookie};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::Request;

use crate::error::Error;

/// A random value that marks our own inline scripts and styles for one response.
///
/// # Errors
/// The system has no randomness.
pub fn nonce() -> Result<String, Error> {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes).map_err(|error| Error::Internal(error.into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The origin that browsers see, such as `https://quotes.example.com`.
#[must_use]
pub fn origin(request: &Request) -> &str {
    request
        .extensions()
        .get::<PublicOrigin>()
        .map_or("", |origin| origin.0.as_str())
}

/// A header as text; `None` when absent or not UTF-8.
///
/// Cookies of other applications may be in any script, which
/// `HeaderValue::to_str` would take for no text at all.
#[must_use]
pub fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    std::str::from_utf8(request.headers().get(name)?.as_bytes()).ok()
}
