//! The responses, and the headers that each of them has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use lambda_http::Body;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use serde::Serialize;
use serde_json::json;

use crate::condition::is_known;
use crate::error::Error;
use crate::flash;
use crate::quote::{Quote, Saved};
use crate::request::Request;

/// A response of one of the functions.
pub type Response = http::Response<Body>;

/// Policy of every response that is no page: nothing may be loaded or framed.
const NO_CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

/// 200 with the quote; 304 where the client has it. No cache keeps it: a page asks
/// again with the version that it shows, when it becomes visible.
#[must_use]
pub fn found(request: &Request, quote: &Quote) -> Response {
    if is_known(request, &quote.version) {
        return with_tag(empty(StatusCode::NOT_MODIFIED), quote);
    }
    with_tag(json_body(StatusCode::OK, "application/json", quote), quote)
}

/// 200 with what a role may do, which is JSON already.
pub(crate) fn rights(rights: String) -> Response {
    let mut response = with_status(StatusCode::OK, Body::Text(rights));
    set(&mut response, CONTENT_TYPE, "application/json");
    response
}

/// 201 for a new quote, 200 for one replaced; 303 to the page for a form.
#[must_use]
pub fn saved(request: &Request, saved: &Saved) -> Response {
    if *request.method() == Method::POST {
        return redirect(StatusCode::SEE_OTHER, "/");
    }
    let status = if saved.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let quote = &saved.quote;
    with_tag(json_body(status, "application/json", quote), quote)
}

/// 204. 303 to the page for a form; there the deletion of this quote can be undone.
#[must_use]
pub fn deleted(request: &Request, quote: Option<&Quote>) -> Response {
    if *request.method() != Method::POST {
        return empty(StatusCode::NO_CONTENT);
    }
    let mut response = redirect(StatusCode::SEE_OTHER, "/");
    let kept = quote.and_then(|quote| flash::keep_deleted(request, &quote.message));
    if let Some(cookie) = kept {
        set_cookie(&mut response, &cookie);
    }
    response
}

/// A page. `policy` is its Content-Security-Policy.
#[must_use]
pub fn html(status: StatusCode, page: String, policy: &str) -> Response {
    let mut response = with_status(status, Body::Text(page));
    set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    set(&mut response, CONTENT_SECURITY_POLICY, policy);
    response
}

/// A file that is the same for everybody: the first cache keeps it for a day.
#[must_use]
pub fn file(media_type: &str, content: &'static [u8]) -> Response {
    let mut response = with_status(StatusCode::OK, Body::Binary(content.to_vec()));
    set(&mut response, CONTENT_TYPE, media_type);
    set(&mut response, CACHE_CONTROL, "public, max-age=86400");
    response
}

/// A redirect.
#[must_use]
pub fn redirect(status: StatusCode, location: &str) -> Response {
    let mut response = empty(status);
    set(&mut response, LOCATION, location);
    response
}

/// A response without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    with_status(status, Body::Empty)
}

/// Adds a cookie to a response; one that is no legal header is left out.
pub fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Problem details (RFC 9457).
#[must_use]
pub fn problem(error: &Error) -> Response {
    let status = error.status();
    let mut body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": error.to_string(),
        "code": error.code(),
    });
    if let Error::Unauthorized { reason, .. } = error {
        body["reason"] = reason.as_str().into();
    }
    if let Error::Changed(quote) = error {
        body["quote"] = json!(quote);
    }
    let mut response = json_body(status, "application/problem+json", &body);
    add_error_headers(&mut response, error);
    response
}

/// Adds the headers that go with an error, whatever the body is.
pub fn add_error_headers(response: &mut Response, error: &Error) {
    if let Error::Unauthorized { reason, by_header } = error {
        challenge(response, *by_header);
        response.headers_mut().extend(reason.signed_out_headers());
    } else if error.status() == StatusCode::UNAUTHORIZED {
        challenge(response, false);
    }
    if let Error::MethodNotAllowed { allow } = error {
        set(response, ALLOW, allow);
    }
    if let Error::Changed(Some(quote)) = error {
        set(response, ETAG, &tag(quote));
    }
    if let Some(seconds) = error.kind().retry_after_secs {
        set(response, RETRY_AFTER, &seconds.to_string());
    }
}

/// Adds what goes with a 401: how to authenticate, and whether a token was refused.
pub fn challenge(response: &mut Response, by_header: bool) {
    let challenge = if by_header {
        r#"Bearer error="invalid_token""#
    } else {
        "Bearer"
    };
    set(response, WWW_AUTHENTICATE, challenge);
}

/// A random value that marks a page's own inline scripts and styles.
///
/// # Errors
/// The system has no randomness.
pub fn nonce() -> Result<String, Error> {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes).map_err(|error| Error::Internal(error.into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Adds what every response has, where it is missing. HEAD loses its body.
///
/// `function` is Lambda's name of the function.
pub(crate) fn with_default_headers(
    request: &Request,
    function: &str,
    mut response: Response,
) -> Response {
    // By it a deployment sees that a route leads to its own function.
    set(
        &mut response,
        HeaderName::from_static("x-function"),
        function,
    );
    // But for files every response depends on who sent the request.
    if !response.headers().contains_key(CACHE_CONTROL) {
        set(&mut response, CACHE_CONTROL, "private, no-store");
        set(&mut response, VARY, "Cookie, Authorization");
    }
    let defaults = [
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
    if request.origin.is_secure() {
        set(&mut response, STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if *request.method() == Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    response
}

/// The answer to an event of the HTTP API (payload 2.0).
pub(crate) fn into_event_answer(response: Response) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = i64::from(parts.status.as_u16());
    answer.headers = parts.headers;
    let cookies = answer.headers.get_all(SET_COOKIE).iter();
    answer.cookies = cookies
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    answer.headers.remove(SET_COOKIE);
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = Some(body).filter(|body| !body.is_empty());
    answer
}

fn with_tag(mut response: Response, quote: &Quote) -> Response {
    set(&mut response, ETAG, &tag(quote));
    response
}

/// The quote's entity tag.
fn tag(quote: &Quote) -> String {
    format!("\"{}\"", quote.version.as_str())
}

/// Sets a header; a value that is no legal one is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn json_body(status: StatusCode, media_type: &str, body: &impl Serialize) -> Response {
    // Strings and numbers only: serialising them cannot fail.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = with_status(status, Body::Text(text));
    set(&mut response, CONTENT_TYPE, media_type);
    response
}

fn with_status(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use clerk_auth::Reason;

    use super::*;
    use crate::database::DatabaseError;
    use crate::quote::Version;
    use crate::testing::request;

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name)?.to_str().ok()
    }

    const VERSION: &str = "0123456789abcdef";

    fn quote() -> Quote {
        Quote {
            message: "a".to_owned(),
            saved_at: "2026-01-01T00:00:00.000Z".to_owned(),
            version: Version::parse(VERSION).unwrap(),
        }
    }

    #[test]
    fn programs_get_a_status_and_forms_go_back_to_the_page() {
        let saved_as = |created| Saved {
            quote: quote(),
            created,
        };
        let (put, post) = (request("PUT", &[], ""), request("POST", &[], ""));
        let tag = format!("\"{VERSION}\"");
        let again = request("GET", &[("if-none-match", &tag)], "");
        for (response, status) in [
            (found(&put, &quote()), 200),
            (found(&again, &quote()), 304),
            (saved(&put, &saved_as(true)), 201),
            (saved(&put, &saved_as(false)), 200),
            (deleted(&put, Some(&quote())), 204),
            (saved(&post, &saved_as(true)), 303),
            (deleted(&post, None), 303),
        ] {
            assert_eq!(response.status(), status);
            let location = (status == 303).then_some("/");
            assert_eq!(header(&response, "location"), location);
            let tag = [200, 201, 304].contains(&status).then_some(&*tag);
            assert_eq!(header(&response, "etag"), tag);
        }
    }

    #[test]
    fn a_change_that_was_not_made_says_what_is_saved() {
        let changed = problem(&Error::Changed(Some(quote())));
        let tag = format!("\"{VERSION}\"");
        assert_eq!(header(&changed, "etag"), Some(&*tag));
        let Body::Text(body) = changed.body() else {
            panic!("no text");
        };
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let expected = json!({ "message": "a", "savedAt": "2026-01-01T00:00:00.000Z" });
        assert_eq!(body["quote"], expected);
        let deleted = problem(&Error::Changed(None));
        assert_eq!(header(&deleted, "etag"), None);
    }

    #[test]
    fn an_error_has_its_own_headers() {
        let unauthorized = |by_header| Error::Unauthorized {
            reason: Reason::SessionTokenExpired,
            by_header,
        };
        let invalid_token = r#"Bearer error="invalid_token""#;
        let down = DatabaseError::Unavailable(String::new());
        let refused = DatabaseError::Refused(String::new());
        for (error, status, name, value) in [
            (unauthorized(false), 401, "www-authenticate", Some("Bearer")),
            (
                unauthorized(true),
                401,
                "www-authenticate",
                Some(invalid_token),
            ),
            (
                unauthorized(true),
                401,
                "x-clerk-auth-status",
                Some("signed-out"),
            ),
            (
                Error::MethodNotAllowed { allow: "GET" },
                405,
                "allow",
                Some("GET"),
            ),
            (Error::Database(down), 503, "retry-after", Some("2")),
            (Error::Database(refused), 503, "retry-after", None),
            (Error::NoQuote, 404, "retry-after", None),
        ] {
            let response = problem(&error);
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, name), value, "{error}");
            assert_eq!(
                header(&response, "content-type"),
                Some("application/problem+json")
            );
        }
    }

    #[test]
    fn problem_details_name_the_error_and_clerks_reason() {
        let error = Error::Unauthorized {
            reason: Reason::TokenInvalid,
            by_header: false,
        };
        let Body::Text(text) = problem(&error).into_body() else {
            panic!("text");
        };
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["title"], "Unauthorized");
        assert_eq!(problem["status"], 401);
        assert_eq!(problem["code"], "not-signed-in");
        assert_eq!(problem["reason"], "token-invalid");
        assert_eq!(problem["detail"], error.to_string());
    }

    #[test]
    fn defaults_are_added_where_they_are_missing() {
        let request = request("GET", &[], "");
        let page = html(StatusCode::OK, "page".to_owned(), "default-src 'self'");
        let page = with_default_headers(&request, "f", page);
        assert_eq!(header(&page, "cache-control"), Some("private, no-store"));
        assert_eq!(
            header(&page, "content-security-policy"),
            Some("default-src 'self'")
        );
        assert!(header(&page, "strict-transport-security").is_some());
        assert_eq!(header(&page, "x-function"), Some("f"));
        let other = with_default_headers(&request, "f", empty(StatusCode::NO_CONTENT));
        assert_eq!(
            header(&other, "content-security-policy"),
            Some(NO_CONTENT_POLICY)
        );
    }

    #[test]
    fn head_has_the_headers_of_get_and_no_body() {
        let page = html(StatusCode::OK, "page".to_owned(), "default-src 'self'");
        let page = with_default_headers(&request("HEAD", &[], ""), "f", page);
        assert!(page.body().is_empty());
        assert_eq!(
            header(&page, "content-type"),
            Some("text/html; charset=utf-8")
        );
    }

    #[test]
    fn cookies_leave_as_a_list() {
        let mut response = redirect(StatusCode::SEE_OTHER, "/");
        set_cookie(&mut response, "a=1");
        set_cookie(&mut response, "b=\n");
        set_cookie(&mut response, "c=3");
        let answer = into_event_answer(response);
        assert_eq!(answer.cookies, ["a=1", "c=3"]);
        assert!(!answer.headers.contains_key("set-cookie"));
        assert_eq!(answer.status_code, 303);
        assert!(answer.body.is_none());
    }
}
