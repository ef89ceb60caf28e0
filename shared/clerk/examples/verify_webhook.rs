//! Conformance runner: one `{"id","secrets","headers","body_base64","now_ms"}` a
//! line on stdin, one `{"id","verified","message_id","type"}` a line on stdout.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_auth::{WebhookMessage, WebhookSecrets};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

pub(crate) mod lines;

fn main() -> std::io::Result<()> {
    lines::answer_all(std::io::stdin().lock(), std::io::stdout().lock(), answer)
}

pub(crate) fn answer(case: &Value) -> Value {
    let message = verify(case);
    json!({
        "id": case["id"],
        "verified": message.is_some(),
        "message_id": message.as_ref().map(|message| &message.id),
        "type": message.as_ref().and_then(|message| message.event_type.as_ref()),
    })
}

fn verify(case: &Value) -> Option<WebhookMessage> {
    let secrets = case["secrets"].as_array()?;
    let secrets: Option<Vec<&str>> = secrets.iter().map(Value::as_str).collect();
    let mut headers = HeaderMap::new();
    for header in case["headers"].as_array()? {
        let name = HeaderName::from_bytes(header[0].as_str()?.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(header[1].as_str()?.as_bytes()).ok()?;
        headers.append(name, value);
    }
    let body = STANDARD.decode(case["body_base64"].as_str()?).ok()?;
    WebhookSecrets::parse(&secrets?.join(" "))?
        .verify(&headers, &body, case["now_ms"].as_i64()?)
        .ok()
}
