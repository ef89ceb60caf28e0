//! Conformance runner: cases in on stdin, decisions out on stdout, one JSON
//! object a line. It calls the function that the Lambda functions call.

use clerk_auth::{
    AuthorizedParties, DEFAULT_CLOCK_SKEW_MS, Decision, Instance, PublicKeys, PublishableKey,
    RequestView, State, authenticate,
};
use serde_json::{Value, json};

pub(crate) mod lines;

fn main() -> std::io::Result<()> {
    lines::answer_all(std::io::stdin().lock(), std::io::stdout().lock(), answer)
}

/// The decision about one case; a case that cannot be read is a `config-error`.
pub(crate) fn answer(case: &Value) -> Value {
    let id = &case["id"];
    match decide(case) {
        Some(decision) => render(id, &decision),
        None => json!({
            "id": id, "status": "config-error", "reason": null, "location": null,
            "set_cookie": [], "user_id": null, "session_id": null,
        }),
    }
}

fn decide(case: &Value) -> Option<Decision> {
    let config = &case["config"];
    let origin = config["public_origin"].as_str()?;
    let publishable_key = PublishableKey::parse(config["publishable_key"].as_str()?)?;
    if publishable_key.is_cleartext() && !origin.starts_with("http://") {
        return None;
    }
    let instance = Instance {
        proxy_url: config["proxy_url"].as_str().map(str::to_owned),
        authorized_parties: AuthorizedParties::Listed(strings(&config["authorized_parties"])),
        issuer: config["issuer"].as_str().map(str::to_owned),
        clock_skew_ms: config["clock_skew_ms"]
            .as_i64()
            .unwrap_or(DEFAULT_CLOCK_SKEW_MS),
        hardened: false,
        ..Instance::new(publishable_key)
    };
    let keys = PublicKeys::from_pem(jwt_key(config["jwt_key"].as_str()?))?;

    let request = &case["request"];
    let header = |name| joined_header(&request["headers"], name);
    let (authorization, cookie) = (header("authorization"), header("cookie"));
    let (accept, referer) = (header("accept"), header("referer"));
    let sec_fetch_dest = header("sec-fetch-dest");
    let view = RequestView {
        method: request["method"].as_str()?,
        target: request["target"].as_str()?,
        origin,
        authorization: authorization.as_deref().map(Into::into),
        cookie: cookie.as_deref().map(Into::into),
        accept: accept.as_deref(),
        sec_fetch_dest: sec_fetch_dest.as_deref(),
        referer: referer.as_deref(),
        handshake_payload: None,
    };
    Some(authenticate(
        &instance,
        &keys,
        &view,
        case["now_ms"].as_i64()?,
    ))
}

/// `@` stands for the key of the recorded cases.
fn jwt_key(configured: &str) -> &str {
    match configured {
        "@" => include_str!("../tests/data/test_public_key.pem"),
        pem => pem,
    }
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The values of a header joined as HTTP/2 joins them.
fn joined_header(headers: &Value, wanted: &str) -> Option<String> {
    let values: Vec<&str> = headers
        .as_array()?
        .iter()
        .filter(|header| {
            header[0]
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        })
        .filter_map(|header| header[1].as_str())
        // Servers and gateways drop the blanks around a value.
        .map(|value| value.trim_matches([' ', '\t']))
        .collect();
    let separator = if wanted == "cookie" { "; " } else { ", " };
    (!values.is_empty()).then(|| values.join(separator))
}

fn render(id: &Value, decision: &Decision) -> Value {
    let (status, reason, session) = match &decision.state {
        State::SignedIn(session) => ("signed-in", None, Some(session)),
        State::SignedOut { reason, .. } => ("signed-out", Some(reason.as_str()), None),
        State::Handshake { reason, .. } => ("handshake", Some(reason.as_str()), None),
        State::UnreadableHandshake => ("error", None, None),
    };
    json!({
        "id": id,
        "status": status,
        "reason": reason,
        "location": decision.location(),
        "set_cookie": decision.set_cookie,
        "user_id": session.map(|session| session.user.as_str()),
        "session_id": session.and_then(|session| session.session_id.as_ref()),
    })
}
