//! Requests, and the events that a function gets of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_stand_in::webhook;
use serde_json::{Map, Value, json};

use crate::clerk::{Instance, User};
use crate::random::unique;

/// Shorter texts may be in a log by chance.
const MIN_SECRET_LENGTH: usize = 8;

/// The domain name of the deployed API, which only API Gateway can set.
pub const API_DOMAIN: &str = "quotes.example.com";

/// What turns a request into an event (HTTP API, payload 2.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// API Gateway: cookies are a list of their own.
    ApiGateway,
    /// `cargo lambda watch`: cookies are one header, the domain is `localhost`.
    CargoLambdaWatch,
}

/// A request on its way to a function.
#[derive(Clone, Debug, Default)]
pub struct Event {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    cookies: Vec<String>,
    body: Option<Vec<u8>>,
    always_base64: bool,
}

impl Event {
    /// A request without headers and body.
    pub fn new(method: &'static str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            ..Self::default()
        }
    }

    /// A page load, as a browser does it for a typed address.
    pub fn page(target: &str) -> Self {
        Self::new("GET", target)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-site", "none")
    }

    pub fn get_quote() -> Self {
        Self::new("GET", "/api/quote")
    }

    pub fn put_quote(message: &str) -> Self {
        Self::new("PUT", "/api/quote").json(&json!({ "message": message }))
    }

    pub fn delete_quote() -> Self {
        Self::new("DELETE", "/api/quote")
    }

    /// `POST /api/quote` with this message, as a browser sends our form.
    pub fn post_quote(message: &str) -> Self {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("message", message)
            .finish();
        Self::new("POST", "/api/quote").form(&form).same_origin()
    }

    /// Adds the field that says on whose page the form is.
    pub fn on_page_of(mut self, user: &User) -> Self {
        let field = format!("user={}&", user.hash());
        let body = self.body.get_or_insert_default();
        body.splice(0..0, field.into_bytes());
        self
    }

    /// Adds the field that says which version of the quote the form's page showed.
    pub fn showing(mut self, version: &str) -> Self {
        let field = format!("version={version}&");
        let body = self.body.get_or_insert_default();
        body.splice(0..0, field.into_bytes());
        self
    }

    /// `POST /api/quote/delete`, as a browser sends our form.
    pub fn post_delete() -> Self {
        Self::new("POST", "/api/quote/delete")
            .form("")
            .same_origin()
    }

    /// A message with this body to the webhook, signed with this secret.
    pub fn webhook(secret: &str, body: &str) -> Self {
        let message_id = format!("msg_{}", unique());
        let headers = webhook::headers(secret, &message_id, body).unwrap();
        let event =
            Self::new("POST", "/api/webhooks/clerk").body("application/json", body.as_bytes());
        headers
            .iter()
            .fold(event, |event, (name, value)| event.header(name, value))
    }

    /// The message that says that Clerk deleted a user.
    pub fn user_deleted(instance: &Instance, user: &User) -> Self {
        let secret = instance.stand_in().webhook_secret();
        Self::webhook(secret, &webhook::user_deleted(&user.id))
    }

    pub fn with_method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// Sets a header, whose name is in lower case.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds a cookie.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.push(format!("{name}={value}"));
        self
    }

    /// With the cookies that a browser has in which this user is signed in.
    pub fn signed_in(self, user: &User) -> Self {
        self.session(&user.token)
    }

    /// With the cookies of a sign-in long ago and this session token.
    pub fn session(self, token: &str) -> Self {
        self.cookie("__session", token)
            .cookie("__client_uat", "1700000000")
            .cookie("__clerk_db_jwt", "dvb_0123456789abcdef")
    }

    /// As a page of the application sends it.
    pub fn same_origin(self) -> Self {
        self.header("sec-fetch-site", "same-origin")
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    /// With a form that is already encoded.
    pub fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body.as_bytes())
    }

    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = Some(body.to_owned());
        self.header("content-type", content_type)
    }

    /// With a body in base64 also where text would do.
    pub fn base64(mut self) -> Self {
        self.always_base64 = true;
        self
    }

    pub fn method(&self) -> &str {
        self.method
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The event as this sender makes it.
    pub fn payload(&self, sender: Sender) -> Value {
        let gateway = sender == Sender::ApiGateway;
        let domain = if gateway { API_DOMAIN } else { "localhost" };
        let mut headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        headers.entry("host").or_insert(domain.into());
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "requestContext": {
                "apiId": "a1b2c3d4e5",
                "domainName": domain,
                "domainPrefix": "quotes",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "tests",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "stage": "$default",
                "time": "12/Mar/2026:19:03:58 +0000",
                "timeEpoch": 1_773_342_238_000_u64,
            },
            "isBase64Encoded": false,
        });
        if gateway && !self.cookies.is_empty() {
            event["cookies"] = self.cookies.clone().into();
        } else if !self.cookies.is_empty() {
            headers.insert("cookie".to_owned(), self.cookies.join("; ").into());
        }
        event["headers"] = headers.into();
        if let Some(body) = &self.body {
            let text = std::str::from_utf8(body).ok();
            match text.filter(|_| self.is_sent_as_text()) {
                Some(text) => event["body"] = text.into(),
                None => {
                    event["body"] = STANDARD.encode(body).into();
                    event["isBase64Encoded"] = true.into();
                }
            }
        }
        event
    }

    /// Both senders take only these types for text.
    fn is_sent_as_text(&self) -> bool {
        let text = ["text/", "application/json"];
        let content_type = self.headers.iter().find(|(name, _)| name == "content-type");
        !self.always_base64
            && content_type
                .is_none_or(|(_, value)| text.iter().any(|prefix| value.starts_with(prefix)))
    }

    /// What functions must not print: tokens, cookies, signatures, the query, the
    /// quote, whom a message to the webhook is about.
    pub fn confidential(&self) -> Vec<String> {
        let secret = ["authorization", "svix-signature"];
        let secret = self
            .headers
            .iter()
            .filter(|(name, _)| secret.contains(&&**name));
        let tokens = secret.map(|(_, value)| value.replace("Bearer ", "").replace("v1,", ""));
        let cookies = self.cookies.iter().filter_map(|pair| pair.split_once('='));
        let cookies = cookies.map(|(_, value)| value.to_owned());
        let parameters = form_urlencoded::parse(self.query.as_bytes());
        let parameters = parameters.map(|(_, value)| value.into_owned());
        tokens
            .chain(cookies)
            .chain(parameters)
            .chain(self.body_text())
            .filter(|text| text.len() >= MIN_SECRET_LENGTH)
            .collect()
    }

    fn body_text(&self) -> Option<String> {
        let body = self.body.as_ref()?;
        match serde_json::from_slice::<Value>(body) {
            Ok(json) => {
                let text = json["message"].as_str().or(json["data"]["id"].as_str());
                text.map(str::to_owned)
            }
            Err(_) => form_urlencoded::parse(body)
                .find(|(name, _)| name == "message")
                .map(|(_, value)| value.into_owned()),
        }
    }
}
