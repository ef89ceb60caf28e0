//! A session token, taken apart and not yet trusted.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// base64url; padding is tolerated, as in the SDK, stray bits are not.
pub(super) const TOKEN_BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token that was taken apart and not yet trusted.
pub(super) struct Token<'a> {
    pub(super) header: Map<String, Value>,
    claims: Map<String, Value>,
    /// The first two parts: what the signature covers.
    pub(super) signed: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a compact JWT apart; `None` if it is not one.
    pub(super) fn decode(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        TOKEN_BASE64.decode(signature).ok()?;
        Some(Self {
            header: members(json(header)?)?,
            claims: members(json(claims)?)?,
            signed,
            signature: signature.trim_end_matches('='),
        })
    }

    /// The key id of the header, if it is one to look up: at most 128 visible
    /// ASCII characters.
    pub(super) fn key_id(&self) -> Option<&str> {
        let id = self.header.get("kid")?.as_str()?;
        let sound = id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
        sound.then_some(id)
    }

    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// A claim that is a number, in seconds.
    pub(super) fn seconds(&self, name: &str) -> Option<f64> {
        self.claim(name)?.as_f64()
    }

    /// Whether the token was issued before `seconds`; unknown counts as no.
    ///
    /// `null` is 0, as in JavaScript, so that it cannot pass for fresh.
    pub(super) fn is_issued_before(&self, seconds: u64) -> bool {
        let seconds = seconds as f64;
        match self.claim("iat") {
            Some(Value::Null) => 0.0 < seconds,
            Some(iat) => iat.as_f64().is_some_and(|iat| iat < seconds),
            None => false,
        }
    }
}

pub(super) fn json(part: &str) -> Option<Value> {
    let bytes = TOKEN_BASE64.decode(part).ok()?;
    // The SDK's text decoder drops a byte order mark and replaces bad UTF-8.
    let text = String::from_utf8_lossy(&bytes);
    serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
}

/// An object's members; an array has none of those that are looked for, which
/// is how JavaScript sees it.
fn members(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        Value::Array(_) => Some(Map::new()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
