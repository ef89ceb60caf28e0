//! Requests: an event of the HTTP API (payload 2.0) as a request, and its body.
//!
//! lambda_http's own conversion takes the host from the client, rewrites the
//! path and panics on a few things that a client can send (a body that is not
//! the base64 it is said to be, a path that is no URI). This one keeps the raw
//! path and query, and what cannot be read is answered with 400.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_auth::Origin;
use http::header::{CONTENT_TYPE, COOKIE, HeaderValue};
use http::request::Parts;
use http::{Method, Uri};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use percent_encoding::percent_decode;
use serde::Deserialize;

use crate::error::Error;
use crate::quote::Message;

/// Largest body read, in bytes. 500 characters take 6,000 when every one of
/// them is escaped.
const MAX_BODY_BYTES: usize = 64 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

const JSON: &str = "application/json";

/// A request to one of the functions.
pub struct Request {
    /// Method, raw path and query, and headers.
    pub parts: Parts,
    /// The body, as it was sent.
    pub body: Vec<u8>,
    /// The origin that browsers see. From the configuration or from API Gateway,
    /// never from `Host` or `X-Forwarded-*`, which a client chooses.
    pub origin: Origin,
    /// Lambda's id of the invocation; the log has it too.
    pub id: String,
}

impl Request {
    /// Reads an event: the request in it, and what is wrong with it, if
    /// anything.
    ///
    /// `configured` is the public origin; without it the domain name of the API
    /// is used, which API Gateway sets and no client can. `id` is Lambda's id of the
    /// invocation.
    pub fn from_event(
        event: ApiGatewayV2httpRequest,
        configured: Option<&Origin>,
        id: String,
    ) -> (Self, Result<(), Error>) {
        let domain = event.request_context.domain_name.as_deref();
        let origin = configured
            .cloned()
            .or_else(|| Origin::parse(&format!("https://{}", domain?.to_ascii_lowercase())));
        let uri = uri(
            event.raw_path.as_deref().unwrap_or("/"),
            event.raw_query_string.as_deref().unwrap_or_default(),
        );
        let body = decode_body(event.body, event.is_base64_encoded);
        let readable = match (&origin, &uri, &body) {
            (None, _, _) => Err(Error::Unreadable("The event names no domain.")),
            (_, None, _) => Err(Error::Unreadable("The path cannot be read.")),
            (_, _, None) => Err(Error::Unreadable("The body is not valid base64.")),
            (Some(_), Some(_), Some(_)) => Ok(()),
        };

        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = event.request_context.http.method;
        parts.uri = uri.unwrap_or_default();
        parts.headers = event.headers;
        // A control character costs only its own cookie. cargo-lambda sends `[""]`
        // beside the header where a cookie is not ASCII.
        let listed = event.cookies.unwrap_or_default();
        let listed = listed.iter().filter(|cookie| !cookie.is_empty());
        let mut listed =
            listed.filter_map(|cookie| HeaderValue::from_bytes(cookie.as_bytes()).ok());
        if let Some(first) = listed.next() {
            parts.headers.insert(COOKIE, first);
            parts.headers.extend(listed.map(|cookie| (COOKIE, cookie)));
        }
        let request = Self {
            parts,
            body: body.unwrap_or_default(),
            origin: origin.unwrap_or_else(Origin::unknown),
            id,
        };
        (request, readable)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The raw path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The first header of this name as text; `None` when absent or not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.parts.headers.get(name)?.as_bytes()).ok()
    }

    /// The value of the first cookie of this name, as it was sent.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let headers = self.parts.headers.get_all(COOKIE).iter();
        let texts = headers.map(|header| String::from_utf8_lossy(header.as_bytes()));
        texts.into_iter().find_map(|text| {
            let mut pairs = text.split(';');
            let value = pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned)
        })
    }

    /// Whether a browser loads this as a page to show, now: only such a request may
    /// use something up that is shown once.
    #[must_use]
    pub fn is_navigation(&self) -> bool {
        let purposes = ["sec-purpose", "purpose"].map(|name| self.header(name).unwrap_or_default());
        let early = |purpose: &str| purpose.contains("prefetch") || purpose.contains("prerender");
        let shown = match self.header("sec-fetch-dest") {
            Some(dest) => dest == "document",
            None => self
                .header("accept")
                .is_some_and(|accept| accept.starts_with("text/html")),
        };
        *self.method() == Method::GET && shown && !purposes.into_iter().any(early)
    }

    /// The hash of the user whose page a form was on; `None` where no page of ours
    /// sent it.
    pub(crate) fn form_author(&self) -> Option<String> {
        let author = self.is_form().then(|| self.form_field("user"))??;
        String::from_utf8(author).ok()
    }

    /// Whether a browser's form was sent.
    #[must_use]
    pub fn is_form(&self) -> bool {
        *self.method() == Method::POST && self.media_type().eq_ignore_ascii_case(FORM)
    }

    /// The content type without its parameters.
    fn media_type(&self) -> &str {
        let value = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// The message that the request asks to save.
    ///
    /// PUT carries JSON, `{"message": "…"}`; POST carries a form with `message=…`.
    ///
    /// # Errors
    /// The body is too large, of another type, not readable, or no message.
    pub fn message(&self) -> Result<Message, Error> {
        if self.body.len() > MAX_BODY_BYTES {
            return Err(Error::TooLarge);
        }
        let text = if *self.method() == Method::POST {
            self.message_of_form()
        } else {
            self.message_of_json()
        }?;
        Message::parse(&text).map_err(Error::Message)
    }

    fn message_of_json(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Body {
            message: String,
        }
        if !self.media_type().eq_ignore_ascii_case(JSON) {
            return Err(Error::UnsupportedMediaType { expected: JSON });
        }
        // serde would read the members of a struct from a list as well.
        let is_object = self.body.trim_ascii_start().starts_with(b"{");
        match serde_json::from_slice(&self.body) {
            Ok(Body { message }) if is_object => Ok(message),
            Ok(_) | Err(_) => Err(Error::Unreadable(
                r#"The body should be JSON like {"message":"…"}."#,
            )),
        }
    }

    fn message_of_form(&self) -> Result<String, Error> {
        if !self.is_form() {
            return Err(Error::UnsupportedMediaType { expected: FORM });
        }
        let value = self.form_field("message").ok_or(Error::Unreadable(
            "The form should have a field named message.",
        ))?;
        String::from_utf8(value).map_err(|_| Error::NotText)
    }

    /// The raw value of a form field, as the browser's text area had it.
    ///
    /// Forms send every line break as CRLF; that belongs to the encoding, not to
    /// the text, so it is undone.
    pub(crate) fn form_field(&self, name: &str) -> Option<Vec<u8>> {
        let field = self.body.split(|b| *b == b'&').find_map(|pair| {
            let pair = pair.strip_prefix(name.as_bytes())?;
            pair.strip_prefix(b"=")
        })?;
        let spaced: Vec<u8> = field
            .iter()
            .map(|b| if *b == b'+' { b' ' } else { *b })
            .collect();
        let value: Vec<u8> = percent_decode(&spaced).collect();
        Some(unify_line_breaks(&value))
    }
}

/// Path and query as one URI. The path must begin with exactly one slash:
/// appended to an origin, `//evil.example` would name another host.
fn uri(path: &str, query: &str) -> Option<Uri> {
    let valid =
        path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && !path.contains(['?', '#']);
    let separator = if query.is_empty() { "" } else { "?" };
    valid.then(|| format!("{path}{separator}{query}").parse().ok())?
}

/// The body of an event; `None` when it is not the base64 that it is said to be.
fn decode_body(body: Option<String>, base64: bool) -> Option<Vec<u8>> {
    match body {
        None => Some(Vec::new()),
        Some(text) if base64 => STANDARD.decode(text).ok(),
        Some(text) => Some(text.into_bytes()),
    }
}

fn unify_line_breaks(value: &[u8]) -> Vec<u8> {
    let mut unified = Vec::with_capacity(value.len());
    for (index, byte) in value.iter().enumerate() {
        if *byte != b'\r' || value.get(index + 1) != Some(&b'\n') {
            unified.push(*byte);
        }
    }
    unified
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::quote::MessageError;
    use crate::testing::{ORIGIN, request};

    fn read(event: &Value) -> (Request, Result<(), Error>) {
        let mut full = json!({
            "requestContext": {
                "domainName": "quotes.example.com",
                "http": { "method": "GET" },
            },
            "rawPath": "/",
        });
        for (name, value) in event.as_object().unwrap() {
            full[name] = value.clone();
        }
        let event = serde_json::from_value(full).unwrap();
        Request::from_event(event, None, "id".to_owned())
    }

    fn unreadable(event: &Value) -> Option<String> {
        read(event).1.err().map(|error| {
            assert_eq!(error.code(), "unreadable");
            error.to_string()
        })
    }

    #[test]
    fn an_event_is_a_request_with_its_raw_path_and_query() {
        let (request, readable) = read(&json!({
            "requestContext": { "domainName": "Quotes.Example.com", "http": { "method": "PUT" } },
            "rawPath": "/a%20b",
            "rawQueryString": "c=%2F&d",
            "headers": { "accept": "text/html" },
            "body": "text",
        }));
        assert!(readable.is_ok());
        assert_eq!(*request.method(), Method::PUT);
        assert_eq!(request.parts.uri, "/a%20b?c=%2F&d");
        assert_eq!(request.path(), "/a%20b");
        assert_eq!(request.header("Accept"), Some("text/html"));
        assert_eq!(request.origin.as_str(), ORIGIN);
        assert_eq!(request.body, b"text");
        assert_eq!(request.id, "id");
    }

    #[test]
    fn the_configured_origin_wins_over_the_events_domain() {
        let configured = Origin::parse("https://www.example.com").unwrap();
        let event = json!({
            "requestContext": { "domainName": "abc.execute-api", "http": { "method": "GET" } },
        });
        let event = serde_json::from_value(event).unwrap();
        let (request, _) = Request::from_event(event, Some(&configured), String::new());
        assert_eq!(request.origin, configured);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for path in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "/a?b",
            "/a#b",
            "/a b",
        ] {
            let words = unreadable(&json!({ "rawPath": path }));
            assert_eq!(words.as_deref(), Some("The path cannot be read."), "{path}");
        }
        for body in ["!", "YQ", "YR=="] {
            let words = unreadable(&json!({ "body": body, "isBase64Encoded": true }));
            assert!(words.unwrap().contains("base64"), "{body}");
        }
        let nowhere = json!({ "requestContext": { "http": { "method": "GET" } } });
        assert!(unreadable(&nowhere).unwrap().contains("domain"));
        let fine = json!({ "rawPath": "/a/b", "body": "YQ==", "isBase64Encoded": true });
        assert_eq!(unreadable(&fine), None);
        assert_eq!(read(&fine).0.body, b"a");
    }

    #[test]
    fn cookies_come_as_a_list_or_as_headers() {
        let (request, _) = read(&json!({ "cookies": ["a=1", "b=2"] }));
        assert_eq!(request.cookie("b").as_deref(), Some("2"));
        let header = json!({ "cookie": "a=1; b=2" });
        for cookies in [json!(null), json!([]), json!([""])] {
            let (request, _) = read(&json!({ "headers": header, "cookies": cookies }));
            assert_eq!(request.cookie("b").as_deref(), Some("2"), "{cookies}");
        }
        let (request, _) = read(&json!({ "cookies": ["a=\u{1}", "b=2"] }));
        assert_eq!(request.cookie("b").as_deref(), Some("2"));
        assert_eq!(request.cookie("c"), None);
    }

    #[test]
    fn the_first_cookie_of_a_name_counts() {
        for (headers, value) in [
            (&["a=1; a=2"][..], Some("1")),
            (&["b=0", "a=1"], Some("1")),
            (&["ab=0;a=1"], Some("1")),
            (&["a"], None),
            (&[], None),
        ] {
            let headers: Vec<_> = headers.iter().map(|value| ("cookie", *value)).collect();
            let request = request("GET", &headers, "");
            assert_eq!(request.cookie("a").as_deref(), value, "{headers:?}");
        }
    }

    fn message(method: &str, media_type: &str, body: &str) -> Result<String, Error> {
        let request = request(method, &[("content-type", media_type)], body);
        let message = request.message()?;
        Ok(message.as_str().to_owned())
    }

    #[test]
    fn a_message_comes_as_json_or_as_a_form() {
        for (method, media_type, body, text) in [
            ("PUT", JSON, r#"{"message":"a b"}"#, "a b"),
            (
                "PUT",
                "Application/JSON; charset=utf-8",
                r#" {"message":"a","b":1}"#,
                "a",
            ),
            ("PUT", JSON, r#"{"message":"\ud83d\ude00"}"#, "😀"),
            ("POST", FORM, "message=a+b%21", "a b!"),
            (
                "POST",
                "application/x-www-form-urlencoded;charset=UTF-8",
                "x=1&message=a",
                "a",
            ),
            ("POST", FORM, "message=a%0D%0Ab%0Dc%0Ad", "a\nb\rc\nd"),
        ] {
            assert_eq!(message(method, media_type, body).unwrap(), text, "{body}");
        }
    }

    #[test]
    fn a_body_without_a_message_is_refused_by_its_reason() {
        let long = "a".repeat(MAX_BODY_BYTES + 1);
        for (method, media_type, body, code) in [
            ("PUT", FORM, r#"{"message":"a"}"#, "unsupported-media-type"),
            ("PUT", "", r#"{"message":"a"}"#, "unsupported-media-type"),
            ("POST", JSON, "message=a", "unsupported-media-type"),
            ("PUT", JSON, "", "unreadable"),
            ("PUT", JSON, r#"["a"]"#, "unreadable"),
            ("PUT", JSON, r#"{"message":1}"#, "unreadable"),
            ("PUT", JSON, r#"{"message":"\ud83d"}"#, "unreadable"),
            ("POST", FORM, "", "unreadable"),
            ("POST", FORM, "messages=a", "unreadable"),
            ("POST", FORM, "message=%ff", "message-not-text"),
            ("POST", FORM, "message=", "message-empty"),
            ("POST", FORM, "message=%00a", "message-control"),
            ("PUT", JSON, &long, "body-too-large"),
        ] {
            let error = message(method, media_type, body).unwrap_err();
            assert_eq!(error.code(), code, "{method} {media_type} {body:.20}");
        }
        let too_long = format!("message={}", "a".repeat(501));
        assert!(matches!(
            message("POST", FORM, &too_long),
            Err(Error::Message(MessageError::TooLong))
        ));
    }

    #[test]
    fn only_a_post_of_a_form_is_one() {
        let is_form =
            |method, media_type| request(method, &[("content-type", media_type)], "").is_form();
        assert!(is_form("POST", FORM));
        assert!(is_form("POST", "APPLICATION/X-WWW-FORM-URLENCODED; a=b"));
        assert!(!is_form("PUT", FORM));
        assert!(!is_form("POST", JSON));
    }
}
