//! Conformance runner: one `{"id","claims","checks"}` a line on stdin, with the
//! claims of a token that was verified and checks as `auth.has` takes them; what
//! the session says, one object a line, on stdout.

use clerk_auth::{Check, Claims, Reverification, ReverificationLevel};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) mod lines;

fn main() -> std::io::Result<()> {
    lines::answer_all(std::io::stdin().lock(), std::io::stdout().lock(), answer)
}

/// What verifying a token needs, and what it passes on as it is.
#[derive(Deserialize)]
struct Session {
    sub: String,
    sid: Option<Value>,
}

pub(crate) fn answer(case: &Value) -> Value {
    describe(case).unwrap_or_else(|| json!({ "id": case["id"], "error": true }))
}

fn describe(case: &Value) -> Option<Value> {
    let claims = Claims::from(case["claims"].as_object()?.clone());
    let session: Session = claims
        .parse()
        .ok()
        .filter(|s: &Session| !s.sub.is_empty())?;
    let organization = claims.organization().ok()?;
    let checks = case["checks"].as_array()?;
    let has: Vec<bool> = checks.iter().map(|check| has(&claims, check)).collect();
    let pending = claims.is_pending();
    if pending {
        return Some(json!({
            "id": case["id"], "user_id": null, "session_id": null, "actor": null,
            "organization": null, "has": has, "pending": true,
        }));
    }
    Some(json!({
        "id": case["id"],
        "user_id": session.sub,
        "session_id": session.sid,
        "actor": claims.actor(),
        "organization": organization.map(|organization| json!({
            "id": organization.id,
            "slug": organization.slug,
            "role": organization.role,
            "permissions": organization.permissions,
        })),
        "has": has,
        "pending": false,
    }))
}

/// Whether all demands of a check are met; without one it is not.
fn has(claims: &Claims, check: &Value) -> bool {
    let demands = check.as_object().map(demands).unwrap_or_default();
    let mut met = demands
        .into_iter()
        .map(|demand| demand.is_some_and(|demand| claims.has(demand)));
    met.len() > 0 && met.all(|met| met)
}

/// The demands of a check; `None` is one that cannot be read.
fn demands(check: &Map<String, Value>) -> Vec<Option<Check<'_>>> {
    let members = check.iter().filter_map(|(name, value)| {
        Some(match name.as_str() {
            "role" => value.as_str().map(Check::Role),
            "permission" => value.as_str().map(Check::Permission),
            "feature" => value.as_str().map(Check::Feature),
            "plan" => value.as_str().map(Check::Plan),
            "reverification" => reverification(value).map(Check::Reverification),
            _ => return None,
        })
    });
    members.collect()
}

fn reverification(demand: &Value) -> Option<Reverification> {
    match demand.as_str() {
        Some("strict_mfa") => Some(Reverification::STRICT_MFA),
        Some("strict") => Some(Reverification::STRICT),
        Some("moderate") => Some(Reverification::MODERATE),
        Some("lax") => Some(Reverification::LAX),
        Some(_) => None,
        None => Some(Reverification {
            level: match demand["level"].as_str()? {
                "first_factor" => ReverificationLevel::FirstFactor,
                "second_factor" => ReverificationLevel::SecondFactor,
                "multi_factor" => ReverificationLevel::MultiFactor,
                _ => return None,
            },
            after_minutes: demand["afterMinutes"].as_f64()?,
        }),
    }
}
