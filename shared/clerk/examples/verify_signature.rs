//! Conformance runner for the RS256 check alone: one `{"id","jwk","jws"}` a
//! line on stdin, one `{"id","valid"}` a line on stdout.

use clerk_auth::Key;
use serde_json::{Value, json};

mod lines;

fn main() -> std::io::Result<()> {
    lines::answer_all(std::io::stdin().lock(), std::io::stdout().lock(), answer)
}

fn answer(case: &Value) -> Value {
    json!({ "id": case["id"], "valid": is_valid(case).unwrap_or(false) })
}

fn is_valid(case: &Value) -> Option<bool> {
    let key = Key::from_jwk(&case["jwk"])?;
    Some(key.verifies_jws(case["jws"].as_str()?))
}
