//! Webhooks: whether a message was sent by Clerk, which sends them through Svix.
//!
//! A message is genuine if both the library `svix` and `verifyWebhook` of
//! `@clerk/backend` say so, with three differences: a timestamp has nothing but
//! digits, a secret has 24 to 64 bytes, and the bytes of the body are signed,
//! not a text in which bad UTF-8 was replaced.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Header: the message's id.
const ID_HEADER: &str = "svix-id";

/// Header: when the message was sent, in seconds since 1970.
const TIMESTAMP_HEADER: &str = "svix-timestamp";

/// Header: the signatures.
const SIGNATURE_HEADER: &str = "svix-signature";

/// Longest time between a message's timestamp and now, in either direction: a
/// message that somebody recorded is not accepted later.
const MESSAGE_MAX_AGE: Duration = Duration::from_secs(300);

/// Base64 as people copy it: padding and the last digit's spare bits are not
/// looked at.
const SECRET_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secrets of a webhook endpoint: one or, while it is rotated, several.
pub struct WebhookSecrets(Vec<PKey<Private>>);

/// A message that Clerk sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookMessage {
    /// Its id. A message that is sent again has the same.
    pub id: String,
    /// What happened, such as `user.deleted`, if the body says so.
    pub event_type: Option<String>,
    /// What it happened to, such as `user_2abc`: `data.id`, if the body has it.
    pub data_id: Option<String>,
}

/// Why a message is not taken for one of Clerk's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A header is missing or empty.
    #[error("the header {0} is missing")]
    HeaderMissing(&'static str),
    /// The timestamp is no number, or more than 5 minutes away.
    #[error("the message's time is not within 5 minutes of now")]
    Timestamp,
    /// No signature is one with a known secret.
    #[error("the message is not signed with a known secret")]
    Signature,
    /// The body is not JSON, or null.
    #[error("the message is not JSON")]
    Body,
}

impl WebhookSecrets {
    /// The secrets in a text, with blanks between them: `whsec_` and 24 to 64
    /// bytes in base64 each.
    ///
    /// Returns `None` when there is none, or when one of them is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let secrets: Option<Vec<_>> = text.split_whitespace().map(secret).collect();
        secrets.filter(|secrets| !secrets.is_empty()).map(Self)
    }

    /// Verifies a message that came with these headers at the time `now_ms`, in
    /// milliseconds since 1970.
    ///
    /// # Errors
    /// The first check that failed: headers, time, signature, body.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now_ms: i64,
    ) -> Result<WebhookMessage, WebhookError> {
        let id = header(headers, ID_HEADER)?;
        let timestamp = header(headers, TIMESTAMP_HEADER)?;
        let signatures = header(headers, SIGNATURE_HEADER)?;
        let timestamp = seconds(&timestamp).ok_or(WebhookError::Timestamp)?;
        if timestamp.abs_diff(now_ms.div_euclid(1000)) > MESSAGE_MAX_AGE.as_secs() {
            return Err(WebhookError::Timestamp);
        }
        let head = format!("{id}.{timestamp}.");
        let signed = [head.as_bytes(), body];
        if !self.0.iter().any(|key| is_signed(key, signed, &signatures)) {
            return Err(WebhookError::Signature);
        }
        let body = json(body).ok_or(WebhookError::Body)?;
        let data_id = member(body, "data").and_then(|data| member(data, "id"));
        Ok(WebhookMessage {
            id,
            event_type: member(body, "type").and_then(text),
            data_id: data_id.and_then(text),
        })
    }
}

fn secret(text: &str) -> Option<PKey<Private>> {
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    let bytes = SECRET_BASE64.decode(text).ok()?;
    if !(24..=64).contains(&bytes.len()) {
        return None;
    }
    PKey::hmac(&bytes).ok()
}

/// A header's value, or its values joined.
///
/// Each byte is a letter, as in the libraries, so that what is signed are the
/// same bytes.
fn header(headers: &HeaderMap, name: &'static str) -> Result<String, WebhookError> {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
        .map(|value: String| value.trim_matches([' ', '\t']).to_owned())
        .collect();
    let value = values.join(", ");
    if value.is_empty() {
        return Err(WebhookError::HeaderMissing(name));
    }
    Ok(value)
}

/// A number of seconds in digits only; the signature covers the number.
fn seconds(text: &str) -> Option<i64> {
    let valid = text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

/// Whether one of the signatures is this key's. They look like
/// `v1,BASE64 v1,BASE64`; versions that are not known are passed over.
fn is_signed(key: &PKey<Private>, message: [&[u8]; 2], signatures: &str) -> bool {
    let Ok(expected) = hmac_sha256(key, message) else {
        return false;
    };
    let expected = STANDARD.encode(expected);
    signatures.split(' ').any(|signature| {
        let mut parts = signature.split(',');
        parts.next() == Some("v1")
            && parts.next().is_some_and(|signature| {
                signature.len() == expected.len()
                    && memcmp::eq(signature.as_bytes(), expected.as_bytes())
            })
    })
}

fn hmac_sha256(key: &PKey<Private>, message: [&[u8]; 2]) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    for part in message {
        signer.update(part)?;
    }
    signer.sign_to_vec()
}

/// A body that is JSON and not null.
///
/// Values are only checked to be JSON: JavaScript reads numbers and texts that
/// Rust's types cannot hold, and any depth.
fn json(body: &[u8]) -> Option<&RawValue> {
    let value: &RawValue = serde_json::from_slice(body).ok()?;
    (value.get() != "null").then_some(value)
}

/// A member of an object; what is no object has none. The last of equal names
/// wins.
fn member<'a>(value: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let mut members: HashMap<Name, &RawValue> = serde_json::from_str(value.get()).ok()?;
    members.remove(&Name(Some(name.to_owned())))
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The name of a member; `None` if it is no text of Rust's.
#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(from = "Box<RawValue>")]
struct Name(Option<String>);

impl From<Box<RawValue>> for Name {
    fn from(name: Box<RawValue>) -> Self {
        Self(serde_json::from_str(name.get()).ok())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The example of Svix's documentation.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(id: &str, timestamp: &str, signatures: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut append = |name, value: &str| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(name, value);
        };
        append(ID_HEADER, id);
        append(TIMESTAMP_HEADER, timestamp);
        for signature in signatures {
            append(SIGNATURE_HEADER, signature);
        }
        headers
    }

    fn secrets() -> WebhookSecrets {
        WebhookSecrets::parse(SECRET).unwrap()
    }

    /// What is said of the example with these signatures.
    fn judge(signatures: &[&str]) -> Result<(), WebhookError> {
        let headers = headers(ID, &SENT.to_string(), signatures);
        secrets().verify(&headers, BODY, SENT * 1000).map(|_| ())
    }

    /// The signature of a message with [`SECRET`].
    fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let hmac = hmac_sha256(&secrets().0[0], [head.as_bytes(), body]).unwrap();
        format!("v1,{}", STANDARD.encode(hmac))
    }

    /// What is said of a signed message that was sent at `timestamp`.
    fn at(timestamp: &str, signed: &str, now_ms: i64) -> Result<WebhookMessage, WebhookError> {
        let headers = headers(ID, timestamp, &[&sign(ID, signed, b"{}")]);
        secrets().verify(&headers, b"{}", now_ms)
    }

    /// What is said of a signed message with this body.
    fn with_body(body: &[u8]) -> Result<WebhookMessage, WebhookError> {
        let now = SENT.to_string();
        let headers = headers(ID, &now, &[&sign(ID, &now, body)]);
        secrets().verify(&headers, body, SENT * 1000)
    }

    #[test]
    fn the_example_of_svix_is_genuine() {
        let headers = headers(ID, &SENT.to_string(), &[SIGNATURE]);
        let message = secrets().verify(&headers, BODY, SENT * 1000).unwrap();
        assert_eq!(message.id, ID);
        assert_eq!(message.event_type, None);
        assert_eq!(message.data_id, None);
    }

    #[test]
    fn one_right_signature_is_enough() {
        let (_, signature) = SIGNATURE.split_once(',').unwrap();
        let wrong = SIGNATURE.replace("g0hM", "h0hM");
        for right in [
            &[SIGNATURE][..],
            &[&format!("{wrong} {SIGNATURE}")],
            &[&format!("v1a,{signature} v2,x  {SIGNATURE} {wrong}")],
            &[&wrong, SIGNATURE],
            &["", SIGNATURE],
            &[&format!("{SIGNATURE},more")],
            &[&format!("{} {SIGNATURE}", [&*wrong; 60].join(" "))],
        ] {
            assert_eq!(judge(right), Ok(()), "{right:?}");
        }
        for bad in [
            &wrong[..],
            "v1",
            "v1,",
            ",",
            signature,
            &format!("v1a,{signature}"),
            &format!("V1,{signature}"),
            &format!("v1={signature}"),
            &format!("v1, {signature}"),
            &format!("{wrong},{signature}"),
            &format!("{wrong}\t{SIGNATURE}"),
            // Compared as texts: one encoding of the bytes is right.
            SIGNATURE.trim_end_matches('='),
            &SIGNATURE.replace("OE=", "OF="),
            &SIGNATURE.replace('+', "-").replace('/', "_"),
            &SIGNATURE.to_lowercase(),
            &format!("{SIGNATURE}="),
            &format!("{SIGNATURE}é"),
        ] {
            assert_eq!(judge(&[bad]), Err(WebhookError::Signature), "{bad}");
        }
    }

    #[test]
    fn id_time_and_body_are_signed() {
        let now = SENT.to_string();
        let judge = |id: &str, timestamp: &str, body: &[u8]| {
            let headers = headers(id, timestamp, &[SIGNATURE]);
            secrets().verify(&headers, body, SENT * 1000)
        };
        assert!(judge(&format!(" {ID}\t"), &format!(" {now} "), BODY).is_ok());
        let later = (SENT + 1).to_string();
        for (id, timestamp, body) in [
            ("msg_2", &now, BODY),
            (ID, &later, BODY),
            (ID, &now, br#"{"test": 2432232315}"#),
            (ID, &now, b""),
        ] {
            let refused = judge(id, timestamp, body);
            assert_eq!(refused, Err(WebhookError::Signature));
        }
    }

    #[test]
    fn every_header_is_needed_and_equal_ones_are_joined() {
        let complete = headers(ID, &SENT.to_string(), &[SIGNATURE]);
        for name in [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] {
            let missing = Err(WebhookError::HeaderMissing(name));
            let mut headers = complete.clone();
            headers.insert(name, HeaderValue::from_static(" \t"));
            assert_eq!(secrets().verify(&headers, BODY, SENT * 1000), missing);
            headers.remove(name);
            assert_eq!(secrets().verify(&headers, BODY, SENT * 1000), missing);
        }
        for (name, error) in [
            (ID_HEADER, WebhookError::Signature),
            (TIMESTAMP_HEADER, WebhookError::Timestamp),
        ] {
            let mut twice = complete.clone();
            twice.append(name, complete[name].clone());
            let refused = secrets().verify(&twice, BODY, SENT * 1000);
            assert_eq!(refused, Err(error));
        }
        // Not the names of the standard that Svix follows too.
        let mut renamed = HeaderMap::new();
        for (name, value) in &complete {
            let name = name.as_str().replace("svix", "webhook");
            renamed.insert(http::HeaderName::try_from(name).unwrap(), value.clone());
        }
        let refused = secrets().verify(&renamed, BODY, SENT * 1000);
        assert_eq!(refused, Err(WebhookError::HeaderMissing(ID_HEADER)));
    }

    #[test]
    fn a_message_is_at_most_five_minutes_old_or_early() {
        for (difference, now_ms, genuine) in [
            (-301, 0, false),
            (-300, 0, true),
            (-300, 999, true),
            (300, 0, true),
            (301, 0, false),
            (301, 999, false),
        ] {
            let sent = (SENT + difference).to_string();
            let judged = at(&sent, &sent, SENT * 1000 + now_ms);
            assert_eq!(judged.is_ok(), genuine, "{difference} s, {now_ms} ms");
            if !genuine {
                assert_eq!(judged, Err(WebhookError::Timestamp));
            }
        }
        assert!(at("0", "0", 0).is_ok());
        assert!(at("0", "0", -300_000).is_ok());
        assert!(at("0", "0", -300_001).is_err());
    }

    #[test]
    fn a_timestamp_is_a_number_in_digits() {
        let now_ms = SENT * 1000;
        let number = SENT.to_string();
        // The number is signed, not its text.
        assert!(at(&format!("00{number}"), &number, now_ms).is_ok());
        let text = format!("0{number}");
        assert_eq!(at(&text, &text, now_ms), Err(WebhookError::Signature));
        for text in [
            format!("{number}abc"),
            format!("{number}.0"),
            format!("{number}e0"),
            format!("{number} 0"),
            format!("+{number}"),
            format!("-{number}"),
            "１".to_owned(),
            // 2^64 more than the number.
            (SENT as i128 + (1 << 64)).to_string(),
            "9".repeat(400),
        ] {
            for signed in [&number, &text] {
                let refused = at(&text, signed, now_ms);
                assert_eq!(refused, Err(WebhookError::Timestamp), "{text}");
            }
        }
    }

    #[test]
    fn a_header_has_a_letter_for_each_byte() {
        let now = SENT.to_string();
        let judge = |signed: &str| {
            let headers = headers("msg_é", &now, &[&sign(signed, &now, b"{}")]);
            secrets().verify(&headers, b"{}", SENT * 1000)
        };
        assert_eq!(judge("msg_é"), Err(WebhookError::Signature));
        assert!(judge("msg_Ã©").is_ok());
    }

    #[test]
    fn a_body_is_json_and_says_what_happened() {
        for (body, event_type) in [
            (r#"{"type":"user.deleted"}"#, Some("user.deleted")),
            (r#" { "a" : [] , "type" : "" } "#, Some("")),
            (r#"{"\u0074ype":"a\u0000b"}"#, Some("a\0b")),
            (r#"{"type":"a","type":"b"}"#, Some("b")),
            (r#"{"type":"a","type":5}"#, None),
            (r#"{"type":5}"#, None),
            (r#"{"type":null}"#, None),
            (r#"{"data":{"type":"a"}}"#, None),
            ("[]", None),
            ("0", None),
            (r#""user.deleted""#, None),
            // What Rust's types cannot hold.
            (r#"{"a":1e400,"type":"b"}"#, Some("b")),
            (r#"{"a":"\ud800","type":"b"}"#, Some("b")),
            (r#"{"\udc00":1,"type":"b"}"#, Some("b")),
            (r#"{"type":"\ud800"}"#, None),
        ] {
            let message = with_body(body.as_bytes()).unwrap();
            assert_eq!(message.event_type.as_deref(), event_type, "{body}");
        }
        for (body, data_id) in [
            (r#"{"data":{"id":"user_ada","n":1e400}}"#, Some("user_ada")),
            (
                r#"{"data":{"id":"a"},"data":{"id":"b","id":"c"}}"#,
                Some("c"),
            ),
            (r#"{"data":{"id":5}}"#, None),
            (r#"{"data":"id"}"#, None),
            (r#"{"id":"user_ada"}"#, None),
        ] {
            let message = with_body(body.as_bytes()).unwrap();
            assert_eq!(message.data_id.as_deref(), data_id, "{body}");
        }
        let deep = [&b"[".repeat(10_000)[..], &b"]".repeat(10_000)].concat();
        let deep = [br#"{"type":"b","a":"#, &deep[..], b"}"].concat();
        assert_eq!(with_body(&deep).unwrap().event_type.as_deref(), Some("b"));
        for body in [
            &b""[..],
            b" ",
            b"null",
            b" null ",
            b"hello",
            b"{",
            b"{}{}",
            b"{}\0",
            b"{'type':1}",
            b"{\"a\":01}",
            b"{\"a\":NaN}",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
        ] {
            assert_eq!(with_body(body), Err(WebhookError::Body), "{body:?}");
        }
    }

    #[test]
    fn one_secret_of_several_is_enough() {
        let other = format!("whsec_{}", STANDARD.encode([7; 24]));
        let headers = headers(ID, &SENT.to_string(), &[SIGNATURE]);
        let judge = |text: &str| {
            let secrets = WebhookSecrets::parse(text).unwrap();
            secrets.verify(&headers, BODY, SENT * 1000)
        };
        for text in [
            format!("{SECRET} {other}"),
            format!("\n{other}\t\r\n {SECRET}\n"),
            SECRET.replace("whsec_", ""),
        ] {
            assert!(judge(&text).is_ok(), "{text}");
        }
        assert_eq!(judge(&other), Err(WebhookError::Signature));
    }

    #[test]
    fn a_secret_is_base64_of_24_to_64_bytes() {
        let parses = |text: &str| WebhookSecrets::parse(text).is_some();
        for (length, valid) in [
            (0, false),
            (23, false),
            (24, true),
            (25, true),
            (64, true),
            (65, false),
        ] {
            let base64 = STANDARD.encode(vec![0xfb; length]);
            assert_eq!(parses(&base64), valid, "{length}");
            assert_eq!(parses(&format!("whsec_{base64}")), valid, "{length}");
            let unpadded = base64.trim_end_matches('=');
            assert_eq!(parses(&format!("whsec_{unpadded}")), valid, "{length}");
        }
        // Spare bits of the last digit, and less padding than belongs there.
        let spare = STANDARD.encode([0xfb; 25]).replace("+w==", "+x=");
        assert!(parses(&spare), "{spare}");
        let bad = [
            String::new(),
            " ".to_owned(),
            "whsec_".to_owned(),
            format!("whsec_{SECRET}"),
            SECRET.replace("whsec_", "WHSEC_"),
            SECRET.replace("whsec_", "whsec-"),
            SECRET.replace("r8G", "r!G"),
            SECRET.replace("r8G", "r=G"),
            SECRET.replace("r8G", "r-G"),
            format!("{SECRET}==="),
            format!("{SECRET} whsec_AAAA"),
            format!("{SECRET},{SECRET}"),
        ];
        for text in &bad {
            assert!(!parses(text), "{text}");
        }
    }
}
