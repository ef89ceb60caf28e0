//! Conformance runner for the RS256 check alone: one `{"id","jwk","jws"}` a
//! line on stdin, one `{"id","valid"}` a line on stdout.

use std::io::{BufRead, Write};

use clerk_auth::Key;
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let case: Value = serde_json::from_slice(&line).unwrap_or(Value::Null);
        let valid = is_valid(&case).unwrap_or(false);
        writeln!(out, "{}", json!({ "id": case["id"], "valid": valid }))?;
    }
    Ok(())
}

fn is_valid(case: &Value) -> Option<bool> {
    let key = Key::from_jwk(&case["jwk"])?;
    Some(key.verifies_jws(case["jws"].as_str()?))
}
