//! Which paths exist, for requests that no other route answered.

use lambda_http::Request;
use lambda_http::http::Method;
use shared::Error;

/// Whether this is a request for the page.
///
/// # Errors
/// Nothing is at the path, or something that other methods are for.
pub(crate) fn check(request: &Request) -> Result<(), Error> {
    let allow = match request.uri().path() {
        "/" if matches!(*request.method(), Method::GET | Method::HEAD) => return Ok(()),
        "/" => "GET, HEAD",
        "/api/quote" => "GET, HEAD, PUT, POST, DELETE",
        "/api/quote/delete" => "POST",
        _ => return Err(Error::NotFound),
    };
    Err(Error::MethodNotAllowed { allow })
}

/// Whether a path is the API's, whose errors are problem details.
pub(crate) fn is_api(request: &Request) -> bool {
    request.uri().path().starts_with("/api/")
}
