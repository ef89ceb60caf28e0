//! Which paths exist, for requests that no other route answered.

use http::Method;
use shared::{Error, Request};

/// Whether this is a request for the page.
///
/// # Errors
/// Nothing is at the path, or something that other methods are for.
pub(crate) fn check(request: &Request) -> Result<(), Error> {
    let allow = match request.path() {
        "/" if matches!(*request.method(), Method::GET | Method::HEAD) => return Ok(()),
        "/" => "GET, HEAD",
        "/api/quote" => "GET, HEAD, PUT, POST, DELETE",
        "/api/quote/delete" => "POST",
        "/api/webhooks/clerk" => "POST",
        _ => return Err(Error::NotFound),
    };
    // The webhook's path where it is not deployed.
    if allow.split(", ").any(|known| request.method() == known) {
        return Err(Error::NotFound);
    }
    Err(Error::MethodNotAllowed { allow })
}

/// Whether a path belongs to the API, whose errors are problem details.
pub(crate) fn is_api(request: &Request) -> bool {
    request.path().starts_with("/api/")
}
