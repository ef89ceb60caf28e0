//! Requests and responses, and addresses to send a browser to.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, LOCATION, SET_COOKIE},
};
use serde_json::{Value, json};

use crate::cookies;

/// A request with its query, form and cookies parsed.
pub(crate) struct Request {
    /// The method that is meant: clerk-js sends all but GET as POST with
    /// `?_method=`, and HEAD is answered like GET.
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Fields,
    pub(crate) form: Fields,
    pub(crate) cookies: Fields,
}

/// Names and values.
pub(crate) struct Fields(Vec<(String, String)>);

impl Request {
    pub(crate) fn new(request: http::Request<Vec<u8>>) -> Self {
        let (parts, body) = request.into_parts();
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let method = match query.get("_method").and_then(|name| name.parse().ok()) {
            Some(meant) if parts.method == Method::POST => meant,
            _ if parts.method == Method::HEAD => Method::GET,
            _ => parts.method,
        };
        Self {
            method,
            path: parts.uri.path().to_owned(),
            query,
            form: Fields::parse(&body),
            cookies: Fields(cookies::parse(&parts.headers)),
            headers: parts.headers,
        }
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Fields {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The first value of this name; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_name, value) = self.0.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value)
    }
}

pub(crate) type Response = http::Response<Vec<u8>>;

pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

pub(crate) fn body(content_type: &'static str, body: impl Into<Vec<u8>>) -> Response {
    let mut response = Response::new(body.into());
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

pub(crate) fn json(value: &Value) -> Response {
    body("application/json", value.to_string())
}

/// An error in the form that clerk-js reads.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let mut response = json(&json!({ "errors": [{
        "code": code,
        "message": message,
        "long_message": message,
        "meta": {},
    }]}));
    *response.status_mut() = status;
    response
}

pub(crate) fn redirect(status: StatusCode, location: &str) -> anyhow::Result<Response> {
    let mut response = empty(status);
    set(&mut response, LOCATION, location)?;
    Ok(response)
}

pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) -> anyhow::Result<()> {
    response.headers_mut().insert(name, value.parse()?);
    Ok(())
}

pub(crate) fn set_cookies(
    response: &mut Response,
    cookies: impl IntoIterator<Item = impl AsRef<str>>,
) -> anyhow::Result<()> {
    for cookie in cookies {
        let cookie = cookie.as_ref().parse()?;
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(())
}

/// Whether an address is on an origin. What follows the origin must not make
/// it another host (`http://localhost:9000@evil.example`).
pub(crate) fn is_at(origin: &str, address: &str) -> bool {
    let Some(rest) = address.strip_prefix(origin) else {
        return false;
    };
    let starts_a_path = matches!(rest.bytes().next(), None | Some(b'/' | b'?' | b'#'));
    starts_a_path && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The address with this parameter, in place of one it may have.
pub(crate) fn with_parameter(address: &str, name: &str, value: &str) -> String {
    let (address, fragment) = match address.find('#') {
        Some(hash) => address.split_at(hash),
        None => (address, ""),
    };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut pairs: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name))
        .collect();
    let added = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish();
    pairs.push(&added);
    format!("{path}?{}{fragment}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_post_can_mean_another_method() {
        let method = |request: http::request::Builder| {
            Request::new(request.body(Vec::new()).unwrap()).method
        };
        let delete = "/v1/client/sessions?_method=DELETE";
        assert_eq!(method(http::Request::post(delete)), Method::DELETE);
        assert_eq!(method(http::Request::get(delete)), Method::GET);
        assert_eq!(method(http::Request::head("/")), Method::GET);
    }

    #[test]
    fn only_addresses_of_the_application_are_accepted() {
        let origin = "http://localhost:9000";
        for address in ["", "/", "/page?x=1#y", "?x", "#y"] {
            assert!(is_at(origin, &format!("{origin}{address}")), "{address}");
        }
        for address in [
            "http://localhost:90001/",
            "http://localhost:9000@evil.example/",
            "http://localhost:9000.evil.example/",
            "http://localhost:9000\\evil.example/",
            "http://localhost:9000/\r\nx: y",
            "https://localhost:9000/",
            "//evil.example/",
            "javascript:alert(1)",
            "",
        ] {
            assert!(!is_at(origin, address), "{address}");
        }
    }

    #[test]
    fn a_parameter_replaces_the_one_before_and_leaves_the_rest() {
        let address = with_parameter("http://a/p?x=%20&t=old&y#f", "t", "a b");
        assert_eq!(address, "http://a/p?x=%20&y&t=a+b#f");
        assert_eq!(with_parameter("http://a", "t", "1"), "http://a?t=1");
    }
}
