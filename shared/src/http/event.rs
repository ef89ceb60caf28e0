//! An HTTP API event (payload 2.0) as a request, and a response as its answer.
//!
//! lambda_http's own conversion takes the host from the client, rewrites the
//! path and panics on a few things that a client can send (a body that is not
//! the base64 it is said to be, a path that is no URI). This one keeps the raw
//! path and query and turns what cannot be read into a 400.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::http::header::{CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE};
use lambda_http::http::{Method, Uri};
use lambda_http::{Body, Request, Response};

use crate::error::Error;

/// The origin that browsers see. An extension of each request.
#[derive(Clone, Debug)]
pub struct PublicOrigin(pub(crate) String);

impl PublicOrigin {
    /// An origin such as `https://quotes.example.com`, without a slash at the end.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self(origin.into())
    }
}

/// The request in an event, with a body that may be unreadable.
pub(crate) struct Received {
    pub(crate) request: Request,
    /// What is wrong with it, if anything.
    pub(crate) readable: Result<(), Error>,
}

/// Reads an event. `configured` is the public origin; without it the domain
/// name of the API is used, which API Gateway sets and no client can.
pub(crate) fn receive(event: ApiGatewayV2httpRequest, configured: Option<&str>) -> Received {
    let domain = event
        .request_context
        .domain_name
        .as_deref()
        .unwrap_or_default();
    let origin = configured.map_or_else(|| format!("https://{domain}"), str::to_owned);
    let path = event.raw_path.as_deref().unwrap_or("/");
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let uri = uri(path, query);
    let body = body(event.body, event.is_base64_encoded);
    let readable = match (&uri, &body) {
        (None, _) => Err(Error::Unreadable("the path cannot be read")),
        (_, None) => Err(Error::Unreadable(
            "the body is not the base64 it is said to be",
        )),
        (Some(_), Some(_)) => Ok(()),
    };

    let mut request = Request::new(body.unwrap_or_default());
    *request.method_mut() = event.request_context.http.method;
    *request.uri_mut() = uri.unwrap_or_default();
    *request.headers_mut() = event.headers;
    request.extensions_mut().insert(PublicOrigin(origin));
    if let Some(cookies) = event.cookies.filter(|cookies| !cookies.is_empty())
        && let Ok(value) = HeaderValue::from_bytes(cookies.join("; ").as_bytes())
    {
        request.headers_mut().insert(COOKIE, value);
    }
    Received { request, readable }
}

/// Path and query as one URI. The path must begin with exactly one slash:
/// appended to an origin, `//evil.example` would name another host.
fn uri(path: &str, query: &str) -> Option<Uri> {
    let sound =
        path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && !path.contains(['?', '#']);
    let separator = if query.is_empty() { "" } else { "?" };
    sound.then(|| format!("{path}{separator}{query}").parse().ok())?
}

fn body(body: Option<String>, base64: bool) -> Option<Body> {
    match body {
        None => Some(Body::Empty),
        Some(text) if base64 => STANDARD.decode(text).ok().map(Body::Binary),
        Some(text) => Some(Body::Text(text)),
    }
}

/// The answer to an event.
pub(crate) fn answer(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = i64::from(parts.status.as_u16());
    answer.headers = parts.headers;
    let cookies = answer.headers.get_all(SET_COOKIE).iter();
    answer.cookies = cookies
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    answer.headers.remove(SET_COOKIE);
    answer.body = Some(body).filter(|body| !body.is_empty());
    answer
}

/// Whether a browser's form was sent.
#[must_use]
pub fn is_form(request: &Request) -> bool {
    request.method() == Method::POST
        && media_type(request).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The content type without its parameters.
pub(crate) fn media_type(request: &Request) -> &str {
    let value = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}
