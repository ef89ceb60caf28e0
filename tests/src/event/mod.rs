//! Requests, from whose parts the events for a function are made.

mod payload;

use serde_json::{Value, json};

use crate::clerk::User;

/// The domain name of the deployed API, which only API Gateway can set.
pub const DOMAIN: &str = "quotes.example.com";

/// Who turns a request into an event (HTTP API, payload 2.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// API Gateway: cookies are a list of their own.
    ApiGateway,
    /// `cargo lambda watch`: cookies are one header, the domain is `localhost`.
    CargoLambdaWatch,
}

/// A request on its way to a function.
#[derive(Clone, Debug)]
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
    #[must_use]
    pub fn new(method: &'static str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            cookies: Vec::new(),
            body: None,
            always_base64: false,
        }
    }

    /// A page load, as a browser does it for a typed address.
    #[must_use]
    pub fn page(target: &str) -> Self {
        Self::new("GET", target)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-site", "none")
    }

    /// `GET /api/quote`.
    #[must_use]
    pub fn get_quote() -> Self {
        Self::new("GET", "/api/quote")
    }

    /// `PUT /api/quote` with this message.
    #[must_use]
    pub fn put_quote(message: &str) -> Self {
        Self::new("PUT", "/api/quote").json(&json!({ "message": message }))
    }

    /// `DELETE /api/quote`.
    #[must_use]
    pub fn delete_quote() -> Self {
        Self::new("DELETE", "/api/quote")
    }

    /// `POST /api/quote` with this message, as a browser sends our form.
    #[must_use]
    pub fn post_quote(message: &str) -> Self {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("message", message)
            .finish();
        Self::new("POST", "/api/quote").form(&form).same_origin()
    }

    /// `POST /api/quote/delete`, as a browser sends our form.
    #[must_use]
    pub fn post_delete() -> Self {
        Self::new("POST", "/api/quote/delete")
            .form("")
            .same_origin()
    }

    /// With another method.
    #[must_use]
    pub fn method_is(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// With a header in place of one of that name. Names are lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without this header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// With `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With one more cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.push(format!("{name}={value}"));
        self
    }

    /// With the cookies that a browser has in which this user is signed in.
    #[must_use]
    pub fn signed_in(self, user: &User) -> Self {
        self.session(&user.token)
    }

    /// With the cookies of a sign-in long ago and this session token.
    #[must_use]
    pub fn session(self, token: &str) -> Self {
        self.cookie("__session", token)
            .cookie("__client_uat", "1700000000")
            .cookie("__clerk_db_jwt", "dvb_0123456789abcdef")
    }

    /// As sent by a page of ours.
    #[must_use]
    pub fn same_origin(self) -> Self {
        self.header("sec-fetch-site", "same-origin")
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    /// With a form's body, already encoded.
    #[must_use]
    pub fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body.as_bytes())
    }

    /// With any body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = Some(body.to_owned());
        self.header("content-type", content_type)
    }

    /// With a body in base64 also where text would do.
    #[must_use]
    pub fn base64(mut self) -> Self {
        self.always_base64 = true;
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}
