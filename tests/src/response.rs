//! What a function answered.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A response as the client gets it.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// By name, in lower case; without cookies.
    pub headers: BTreeMap<String, String>,
    /// The cookies to set, in order.
    pub cookies: Vec<SetCookie>,
    pub body: String,
}

/// One `Set-Cookie`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    pub name: String,
    pub value: String,
    /// As they were written, such as `Max-Age=2`.
    pub attributes: Vec<String>,
}

impl Response {
    /// Reads a function's answer as API Gateway does (payload 2.0). Panics if
    /// API Gateway would lose a part of it.
    pub fn read(answer: &Value) -> Self {
        let headers = answer["headers"]
            .as_object()
            .expect("headers are an object");
        let headers: BTreeMap<String, String> = headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), text(value)))
            .collect();
        assert!(
            !headers.contains_key("set-cookie"),
            "cookies belong in `cookies`: {answer}"
        );
        let lost = answer["multiValueHeaders"].as_object();
        assert!(
            lost.is_none_or(serde_json::Map::is_empty),
            "payload 2.0 has no multiValueHeaders: {answer}"
        );
        let cookies = answer["cookies"].as_array().map_or(&[][..], Vec::as_slice);
        let body = answer["body"].as_str().unwrap_or_default();
        let body = if answer["isBase64Encoded"] == true {
            String::from_utf8_lossy(&STANDARD.decode(body).unwrap()).into_owned()
        } else {
            body.to_owned()
        };
        Self {
            status: u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(),
            headers,
            cookies: cookies
                .iter()
                .map(|line| SetCookie::parse(&text(line)))
                .collect(),
            body,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The address of a redirect.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }

    /// The value of a parameter in the query of a redirect.
    #[track_caller]
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once('?').unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The cookie of this name, if it is set exactly once.
    pub fn cookie(&self, name: &str) -> Option<&SetCookie> {
        let mut found = self.cookies.iter().filter(|cookie| cookie.name == name);
        found.next().filter(|_| found.next().is_none())
    }

    /// The body, which must be JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.assert_type("application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The body, which must be problem details (RFC 9457) with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.assert_type("application/problem+json");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail"] {
            let text = problem[member].as_str();
            assert!(
                text.is_some_and(|text| !text.is_empty()),
                "{member}: {problem}"
            );
        }
        problem
    }

    /// The body, which must be a page with this status.
    #[track_caller]
    pub fn page(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        self.assert_type("text/html; charset=utf-8");
        &self.body
    }

    #[track_caller]
    fn assert_type(&self, content_type: &str) {
        assert_eq!(self.header("content-type"), Some(content_type), "{self:?}");
    }
}

impl SetCookie {
    fn parse(line: &str) -> Self {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap();
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(str::to_owned).collect(),
        }
    }

    /// Whether it has this attribute, such as `Secure` or `Max-Age=2`.
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(attribute))
    }

    /// Whether it removes the cookie.
    pub fn removes(&self) -> bool {
        self.value.is_empty() && self.has("Max-Age=0")
    }

    /// Bytes of name and value, as a browser sends them back.
    pub fn size(&self) -> usize {
        self.name.len() + 1 + self.value.len()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a header is a text").to_owned()
}
