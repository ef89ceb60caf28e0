//! Requests: an event of the HTTP API (payload 2.0) as a request, and its body.
//!
//! lambda_http's own conversion takes the host from the client, rewrites the
//! path and panics on a few things that a client can send (a body that is not
//! the base64 it is said to be, a path that is no URI). Its event type refuses a
//! header with a control character, and lambda_runtime then prints that header.
//! Here every input is an event. The raw path and query are kept, and what cannot
//! be read is answered with 400.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_auth::Origin;
use http::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, percent_decode, utf8_percent_encode};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::quote::Message;

/// Largest body read, in bytes. 500 characters take 6,000 when every one of
/// them is escaped.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a decoded path may have and no URI has. Control characters are not here:
/// such a path stays unreadable.
const NOT_IN_A_PATH: &AsciiSet = &AsciiSet::EMPTY
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Header in which the page's script says whose page it is, as a form does in a
/// field.
const PAGE_USER_HEADER: &str = "x-page-user";

const FORM: &str = "application/x-www-form-urlencoded";

const JSON: &str = "application/json";

/// An event of the HTTP API (payload 2.0).
///
/// Deserialising it never fails: lambda_runtime would log the error and report it
/// to Lambda, and the error quotes what the client sent.
pub struct Event(Value);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is no JSON is an event that has nothing in it. It is read as text first, since
        // lambda_runtime's deserializer notes the path to each value.
        let text = Box::<RawValue>::deserialize(deserializer);
        let event = text
            .ok()
            .and_then(|text| serde_json::from_str(text.get()).ok());
        Ok(Self(event.unwrap_or_default()))
    }
}

impl Event {
    /// Whether it is `{"check":"database"}` and nothing else: a deployment asks what the
    /// role of this function may do.
    ///
    /// API Gateway makes the top level of an event, so that no request can be one.
    pub(crate) fn is_database_check(&self) -> bool {
        self.0["check"] == "database" && self.0.as_object().is_some_and(|event| event.len() == 1)
    }
}

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
        Event(mut event): Event,
        configured: Option<&Origin>,
        id: String,
    ) -> (Self, Result<(), Error>) {
        let context = &event["requestContext"];
        let domain = context["domainName"].as_str();
        let origin = configured
            .cloned()
            .or_else(|| Origin::parse(&format!("https://{}", domain?.to_ascii_lowercase())));
        let method = context["http"]["method"].as_str();
        let method = method.and_then(|method| method.parse().ok());
        let uri = uri(
            event["rawPath"].as_str().unwrap_or("/"),
            event["rawQueryString"].as_str().unwrap_or_default(),
        );
        let body = decode_body(event["body"].as_str(), event["isBase64Encoded"] == true);
        let mut headers = HeaderMap::new();
        let all_headers = add_headers(&mut headers, &mut event);
        let readable = match (&origin, &method, &uri, &body) {
            (None, _, _, _) => Err("The event names no domain."),
            (_, None, _, _) => Err("The event names no method."),
            (_, _, None, _) => Err("The path cannot be read."),
            (_, _, _, None) => Err("The body is not valid base64."),
            (Some(_), Some(_), Some(_), Some(_)) => all_headers,
        };

        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = method.unwrap_or_default();
        parts.uri = uri.unwrap_or_default();
        parts.headers = headers;
        let request = Self {
            parts,
            body: body.unwrap_or_default(),
            origin: origin.unwrap_or_else(Origin::unknown),
            id,
        };
        (request, readable.map_err(Error::Unreadable))
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
            // Only these: a browser takes a name after another blank for another
            // name, and lets any host set it.
            let value = pairs.find_map(|pair| {
                let pair = pair.trim_matches([' ', '\t']);
                pair.strip_prefix(name)?.strip_prefix('=')
            });
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

    /// The hash of the user whose page sent this; `None` where no page of ours did.
    pub(crate) fn author(&self) -> Option<String> {
        if !self.is_form() {
            return self.header(PAGE_USER_HEADER).map(str::to_owned);
        }
        String::from_utf8(self.form_field("user")?).ok()
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

    /// The body.
    ///
    /// # Errors
    /// It is larger than anything that is read here.
    pub fn limited_body(&self) -> Result<&[u8], Error> {
        if self.body.len() > MAX_BODY_BYTES {
            return Err(Error::TooLarge);
        }
        Ok(&self.body)
    }

    /// The message that the request asks to save.
    ///
    /// PUT carries JSON, `{"message": "…"}`; POST carries a form with `message=…`.
    ///
    /// # Errors
    /// The body is too large, of another type, not readable, or no message.
    pub fn message(&self) -> Result<Message, Error> {
        self.limited_body()?;
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

/// Takes the headers and cookies out of an event, adds those that can be read, and
/// says why another cannot.
fn add_headers(headers: &mut HeaderMap, event: &mut Value) -> Result<(), &'static str> {
    let [mut cookies, mut texts] =
        ["cookies", "headers"].map(|name| event.get_mut(name).map(Value::take).unwrap_or_default());
    // A control character costs only its own cookie. cargo-lambda sends `[""]`
    // beside the header where a cookie is not ASCII.
    let cookies = cookies.as_array_mut().into_iter().flatten();
    let cookies = cookies.filter_map(take_text);
    let cookies = cookies.filter(|cookie| !cookie.is_empty());
    let cookies = cookies.filter_map(|cookie| HeaderValue::try_from(cookie).ok());
    let mut cookies = cookies.map(|cookie| (COOKIE, cookie)).peekable();
    let is_listed = cookies.peek().is_some();

    let texts = texts.as_object_mut().into_iter().flatten();
    let texts = texts.filter(|(name, _)| !is_listed || *name != COOKIE.as_str());
    let parsed = texts.map(|(name, value)| {
        let value = HeaderValue::try_from(take_text(value)?).ok()?;
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    });
    let mut result = Ok(());
    for header in cookies.map(Some).chain(parsed) {
        let added = match header {
            None => Err("A header cannot be read."),
            // `append` panics when the map is full.
            Some((name, value)) => headers
                .try_append(name, value)
                .map_err(|_| "The request has too many headers."),
        };
        result = result.and(added.map(|_| ()));
    }
    result
}

/// Takes a text out of an event, instead of copying it.
fn take_text(value: &mut Value) -> Option<String> {
    let Value::String(text) = value.take() else {
        return None;
    };
    Some(text)
}

/// Path and query as one URI. The path must begin with exactly one slash:
/// appended to an origin, `//evil.example` would name another host. API Gateway
/// may have decoded it, so what no URI has is encoded.
fn uri(path: &str, query: &str) -> Option<Uri> {
    let valid =
        path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && !path.contains(['?', '#']);
    let path = utf8_percent_encode(path, NOT_IN_A_PATH);
    let separator = if query.is_empty() { "" } else { "?" };
    valid.then(|| format!("{path}{separator}{query}").parse().ok())?
}

/// The body of an event; `None` when it is not the base64 that it is said to be.
fn decode_body(body: Option<&str>, base64: bool) -> Option<Vec<u8>> {
    match body {
        None => Some(Vec::new()),
        Some(text) if base64 => STANDARD.decode(text).ok(),
        Some(text) => Some(text.as_bytes().to_owned()),
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
    use serde_json::json;

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
    fn nothing_that_a_client_sends_is_a_check_of_the_database() {
        let is_check = |event: Value| Event(event).is_database_check();
        assert!(is_check(json!({ "check": "database" })));
        let text = r#"{"check":"database"}"#;
        for event in [
            json!({ "check": "database", "requestContext": {} }),
            json!({ "check": "database", "version": "2.0" }),
            json!({ "rawPath": "/", "rawQueryString": "check=database", "body": text }),
            json!({ "headers": { "check": "database" } }),
            json!({ "check": "other" }),
            json!([{ "check": "database" }]),
            json!(text),
            json!(null),
        ] {
            assert!(!is_check(event.clone()), "{event}");
        }
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
            "/\n",
            "/a\u{7f}",
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
        for method in [json!(null), json!(""), json!("A B"), json!(1)] {
            let event = json!({
                "requestContext": { "domainName": "a.example", "http": { "method": method } },
            });
            assert!(unreadable(&event).unwrap().contains("method"), "{method}");
        }
        let fine = json!({ "rawPath": "/a/b", "body": "YQ==", "isBase64Encoded": true });
        assert_eq!(unreadable(&fine), None);
        assert_eq!(read(&fine).0.body, b"a");
    }

    #[test]
    fn every_input_is_an_event() {
        let deep = "[".repeat(10_000);
        let deep = format!(r#"{{"a":{deep}"#);
        for input in [
            &b""[..],
            b"{",
            b"null",
            b"1e999",
            b"[\"/\"]",
            b"{\"body\":\"\xff\"}",
            br#"{"body":"\ud800"}"#,
            br#"{"a":1e999}"#,
            br#"{"requestContext":"GET","headers":1,"cookies":{},"rawPath":[],"body":1}"#,
            deep.as_bytes(),
        ] {
            let mut deserializer = serde_json::Deserializer::from_slice(input);
            let event = Event::deserialize(&mut deserializer).unwrap();
            let (request, readable) = Request::from_event(event, None, String::new());
            assert_eq!(readable.unwrap_err().code(), "unreadable");
            assert_eq!(request.path(), "/");
        }
    }

    #[test]
    fn a_header_that_cannot_be_read_is_an_error_and_the_others_are_kept() {
        let long = "a".repeat(70_000);
        for (name, value) in [
            ("x", json!("\n")),
            ("x", json!("a\0b")),
            ("x", json!("\u{7f}")),
            ("x", json!(null)),
            ("x", json!(["a"])),
            ("", json!("a")),
            ("a b", json!("a")),
            ("ä", json!("a")),
            (&long, json!("a")),
        ] {
            let mut headers = json!({ "a": "1", "z": "2", "cookie": "c=3" });
            headers[name] = value.clone();
            let (request, readable) = read(&json!({ "headers": headers }));
            let words = readable.unwrap_err().to_string();
            assert_eq!(words, "A header cannot be read.", "{name:.9}: {value}");
            assert_eq!(request.header("a"), Some("1"));
            assert_eq!(request.header("z"), Some("2"));
            assert_eq!(request.cookie("c").as_deref(), Some("3"));
        }
        let any_script = json!({ "headers": { "X": "Zoë\t日本" } });
        assert_eq!(unreadable(&any_script), None);
        assert_eq!(read(&any_script).0.header("x"), Some("Zoë\t日本"));
    }

    #[test]
    fn more_headers_than_fit_are_an_error() {
        let numbered = |count: usize| -> Value {
            let names = (0..count).map(|number| format!("x-{number}"));
            let headers: serde_json::Map<_, _> = names.map(|name| (name, json!("1"))).collect();
            json!({ "headers": headers, "cookies": ["a=1", "b=2"] })
        };
        assert_eq!(unreadable(&numbered(24_000)), None);
        for count in [24_571, 24_576, 40_000] {
            let (request, readable) = read(&numbered(count));
            if let Err(error) = readable {
                assert_eq!(error.to_string(), "The request has too many headers.");
            }
            assert_eq!(request.cookie("b").as_deref(), Some("2"));
        }
        assert!(unreadable(&numbered(40_000)).is_some());
        let cookies = vec!["a=1"; 40_000];
        assert_eq!(unreadable(&json!({ "cookies": cookies })), None);
    }

    #[test]
    fn a_decoded_path_is_encoded_again() {
        for (path, encoded) in [
            ("/a b", "/a%20b"),
            ("/ ", "/%20"),
            ("/a%20b", "/a%20b"),
            ("/ü", "/%C3%BC"),
            ("/<\"{\\", "/%3C%22%7B%5C"),
            ("/100%", "/100%"),
            ("/a/b-c_d.e~f:@!$&'()*+,;=", "/a/b-c_d.e~f:@!$&'()*+,;="),
        ] {
            let (request, readable) = read(&json!({ "rawPath": path }));
            assert!(readable.is_ok(), "{path}");
            assert_eq!(request.path(), encoded);
        }
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
        let (request, readable) = read(&json!({
            "headers": { "cookie": "a=\u{1}; b=1" },
            "cookies": ["a=\u{1}", 1, "b=2"],
        }));
        assert!(readable.is_ok());
        assert_eq!(request.cookie("b").as_deref(), Some("2"));
        assert_eq!(request.cookie("a"), None);
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
