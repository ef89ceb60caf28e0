//! The responses, and the headers that each of them has.

use lambda_http::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::json;

use super::same_origin::is_same_origin;
use super::{draft, is_form, origin};
use crate::clerk::{Decision, State};
use crate::error::{Error, RETRY_AFTER_SECS};
use crate::quote::{Quote, Saved};
use crate::serve::Failed;

/// Policy of every response that is no page: nothing may be loaded or framed.
const NO_CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

/// 200 with the quote.
#[must_use]
pub fn found(quote: &Quote) -> Response<Body> {
    json_body(StatusCode::OK, "application/json", quote)
}

/// 201 for a new quote, 200 for one replaced; 303 to the page for a form.
#[must_use]
pub fn saved(request: &Request, saved: &Saved) -> Response<Body> {
    if *request.method() == Method::POST {
        return redirect(StatusCode::SEE_OTHER, "/");
    }
    let status = if saved.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    json_body(status, "application/json", &saved.quote)
}

/// 204; 303 to the page for a form.
#[must_use]
pub fn deleted(request: &Request) -> Response<Body> {
    if *request.method() == Method::POST {
        return redirect(StatusCode::SEE_OTHER, "/");
    }
    with_status(StatusCode::NO_CONTENT, Body::Empty)
}

/// A page. `policy` is its Content-Security-Policy.
#[must_use]
pub fn html(status: StatusCode, page: String, policy: &str) -> Response<Body> {
    let mut response = with_status(status, Body::Text(page));
    set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    set(&mut response, CONTENT_SECURITY_POLICY, policy);
    response
}

/// A redirect.
#[must_use]
pub fn redirect(status: StatusCode, location: &str) -> Response<Body> {
    let mut response = with_status(status, Body::Empty);
    set(&mut response, LOCATION, location);
    response
}

/// Adds a cookie to a response; one that is no legal header is left out.
pub fn set_cookie(response: &mut Response<Body>, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The answer of an API function to a request that failed: problem details, or,
/// for a form of ours, the way back to the page with what was typed.
pub(crate) fn failure(failed: &Failed<'_>) -> Response<Body> {
    let Failed {
        app,
        request,
        error,
        ..
    } = failed;
    if !is_form(request) || !is_same_origin(request) {
        return problem(error);
    }
    let author = app.clerk.claimed_user(request);
    let mut response = redirect(StatusCode::SEE_OTHER, "/");
    set_cookie(&mut response, &draft::keep(request, error, author.as_ref()));
    response
}

/// Problem details (RFC 9457).
#[must_use]
pub fn problem(error: &Error) -> Response<Body> {
    let status = error.status();
    let mut body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": error.to_string(),
    });
    if let Error::Unauthorized { reason, .. } = error {
        body["reason"] = reason.as_str().into();
    }
    let mut response = json_body(status, "application/problem+json", &body);
    explain(&mut response, error);
    response
}

/// The headers that go with an error, whatever its body is.
pub fn explain(response: &mut Response<Body>, error: &Error) {
    match error {
        Error::Unauthorized { reason, by_header } => {
            let challenge = if *by_header {
                r#"Bearer error="invalid_token""#
            } else {
                "Bearer"
            };
            set(response, WWW_AUTHENTICATE, challenge);
            set(
                response,
                HeaderName::from_static("x-clerk-auth-status"),
                "signed-out",
            );
            set(
                response,
                HeaderName::from_static("x-clerk-auth-reason"),
                reason.as_str(),
            );
        }
        Error::MethodNotAllowed { allow } => set(response, ALLOW, allow),
        Error::KeySetUnavailable(_) | Error::DatabaseUnavailable(_) => {
            set(response, RETRY_AFTER, &RETRY_AFTER_SECS.to_string());
        }
        Error::Unreadable(_)
        | Error::CrossSite
        | Error::NoQuote
        | Error::NotFound
        | Error::TooLarge
        | Error::UnsupportedMediaType { .. }
        | Error::Refused(_)
        | Error::Internal(_) => {}
    }
}

/// The headers with which Clerk's SDK says why it redirects.
pub fn describe(response: &mut Response<Body>, decision: &Decision) {
    if let State::Handshake(reason) = &decision.state {
        set(
            response,
            HeaderName::from_static("x-clerk-auth-status"),
            "handshake",
        );
        set(
            response,
            HeaderName::from_static("x-clerk-auth-reason"),
            reason.as_str(),
        );
    }
}

/// Sets a header; a value that is no legal one is left out.
pub(crate) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What every response has, added where it is missing. HEAD loses its body.
pub(crate) fn sealed(request: &Request, mut response: Response<Body>) -> Response<Body> {
    let defaults = [
        // Every answer depends on who asks.
        (CACHE_CONTROL, "private, no-store"),
        (VARY, "Cookie, Authorization"),
        (CONTENT_SECURITY_POLICY, NO_CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` a browser sends `Origin: null` with our own form.
        (REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in defaults {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if origin(request).starts_with("https://") {
        set(&mut response, STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if *request.method() == Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    response
}

fn json_body(status: StatusCode, media_type: &str, body: &impl Serialize) -> Response<Body> {
    // Strings and numbers only: serialising them cannot fail.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = with_status(status, Body::Text(text));
    set(&mut response, CONTENT_TYPE, media_type);
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
