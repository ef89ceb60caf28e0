//! What a function answered.

mod set_cookie;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub use set_cookie::SetCookie;

/// An answer as the client gets it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers by name, in lower case; cookies are apart.
    pub headers: BTreeMap<String, String>,
    /// The cookies to set, in order.
    pub cookies: Vec<SetCookie>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Reads a function's answer as API Gateway does (payload 2.0).
    ///
    /// # Panics
    /// When it is not one, or when API Gateway would lose a part of it.
    #[must_use]
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
            String::from_utf8(STANDARD.decode(body).unwrap()).unwrap()
        } else {
            body.to_owned()
        };
        Self {
            status: u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(),
            headers,
            cookies: cookies
                .iter()
                .map(|line| SetCookie::read(&text(line)))
                .collect(),
            body,
        }
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The address of a redirect.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no redirect: {self:?}"))
    }

    /// The value of a parameter in the query of a redirect.
    ///
    /// # Panics
    /// When there is no redirect.
    #[must_use]
    #[track_caller]
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once('?').unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The cookie of this name, if it is set exactly once.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&SetCookie> {
        let mut found = self.cookies.iter().filter(|cookie| cookie.name == name);
        found.next().filter(|_| found.next().is_none())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON or not said to be.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        serde_json::from_str(&self.body).unwrap()
    }

    /// The body as problem details (RFC 9457) with this status.
    ///
    /// # Panics
    /// When it is none, or its status is another one.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let content_type = self.header("content-type");
        assert_eq!(content_type, Some("application/problem+json"), "{self:?}");
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

    /// The body as a page with this status.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn page(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        let content_type = self.header("content-type");
        assert_eq!(content_type, Some("text/html; charset=utf-8"), "{self:?}");
        &self.body
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a header is a text").to_owned()
}
