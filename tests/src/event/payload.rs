//! The event that a function gets of a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{DOMAIN, Event, Sender};

/// Shorter texts may be in a log by chance.
const SHORTEST_SECRET: usize = 8;

impl Event {
    /// The event.
    #[must_use]
    pub fn payload(&self, sender: Sender) -> Value {
        let gateway = sender == Sender::ApiGateway;
        let domain = if gateway { DOMAIN } else { "localhost" };
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

    /// What must not be printed: tokens, cookies, the query, the quote.
    #[must_use]
    pub fn confidential(&self) -> Vec<String> {
        let authorization = self
            .headers
            .iter()
            .filter(|(name, _)| name == "authorization");
        let tokens = authorization.map(|(_, value)| value.replace("Bearer ", ""));
        let cookies = self.cookies.iter().filter_map(|pair| pair.split_once('='));
        let cookies = cookies.map(|(_, value)| value.to_owned());
        let parameters = form_urlencoded::parse(self.query.as_bytes());
        let parameters = parameters.map(|(_, value)| value.into_owned());
        tokens
            .chain(cookies)
            .chain(parameters)
            .chain(self.message())
            .filter(|text| text.len() >= SHORTEST_SECRET)
            .collect()
    }

    fn message(&self) -> Option<String> {
        let body = self.body.as_ref()?;
        match serde_json::from_slice::<Value>(body) {
            Ok(json) => json["message"].as_str().map(str::to_owned),
            Err(_) => form_urlencoded::parse(body)
                .find(|(name, _)| name == "message")
                .map(|(_, value)| value.into_owned()),
        }
    }
}
