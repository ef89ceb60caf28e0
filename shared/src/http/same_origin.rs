//! Whether a page of ours sent a request.
//!
//! A cookie travels along with whatever any site makes a browser send. A change
//! that is authenticated by one must therefore come from our own pages, and
//! browsers say where a request comes from in headers that no script can set.

use lambda_http::Request;
use lambda_http::http::Method;

use super::{header, origin};

/// Whether a request changes something.
pub(crate) fn is_change(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Whether the browser says that a page of ours sent this.
///
/// `Sec-Fetch-Site`, where there is one, must be `same-origin`: `same-site`
/// would let in every sibling subdomain. Otherwise `Origin` must be ours.
/// Neither, or `null` (a sandboxed frame), is no page of ours.
pub(crate) fn is_same_origin(request: &Request) -> bool {
    match header(request, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header(request, "origin").is_some_and(|sender| sender == origin(request)),
    }
}

/// Whether a browser sent this, as far as one can tell: it says where a change
/// comes from, and only forms of very old ones do not. A program that has no
/// token yet should hear that, and not of other sites.
pub(crate) fn is_from_browser(request: &Request) -> bool {
    *request.method() == Method::POST
        || header(request, "sec-fetch-site").is_some()
        || header(request, "origin").is_some()
}
