//! A session token: taken apart, put in its class, verified.
//!
//! The order of the checks and their boundaries are those of `verifyJwt` in
//! `@clerk/backend`; jsonwebtoken's own validation (60 s of leeway, no `nbf`,
//! no injected clock, no `azp`) is not used.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use openssl::sha::sha1;
use serde_json::{Map, Value};

use super::reason::Reason;
use super::signature::Key;

/// Category (`cat`) of session tokens.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// Category of tokens that say to ignore the category.
const IGNORED_CATEGORY: &str = "cl_I7d4PD111III";

/// base64url; padding is tolerated, as in the SDK, stray bits are not.
const TOKEN_BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token that was taken apart and not yet trusted.
pub(super) struct Token<'a> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// The first two parts: what the signature covers.
    signed: &'a str,
    signature: &'a str,
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

    /// Refuses tokens of another class than a session.
    ///
    /// Machine, OAuth and template tokens are signed with the same key. Without
    /// this check whoever can mint one of those could act as a user.
    ///
    /// # Errors
    /// [`Reason::TokenTypeMismatch`].
    pub(super) fn check_class(&self) -> Result<(), Reason> {
        let oauth = matches!(
            self.header.get("typ").and_then(Value::as_str),
            Some("at+jwt" | "application/at+jwt")
        );
        let machine = self.text("sub").is_some_and(|sub| sub.starts_with("mch_"));
        if oauth || machine || self.has_foreign_category() {
            return Err(Reason::TokenTypeMismatch);
        }
        Ok(())
    }

    /// Whether `cat` is there and names something else than a session.
    fn has_foreign_category(&self) -> bool {
        self.header.get("cat").is_some_and(|category| {
            !matches!(category.as_str(), Some(SESSION_CATEGORY | IGNORED_CATEGORY))
        })
    }

    /// Checks type, algorithm and signature; nothing in the claims.
    ///
    /// # Errors
    /// The first check that failed, in the SDK's order.
    fn check_signature(&self, key: Option<&Key>) -> Result<(), Reason> {
        let key = key.ok_or(Reason::JwkKidMismatch)?;
        if !matches!(
            self.header.get("typ").map(Value::as_str),
            None | Some(Some("JWT"))
        ) {
            return Err(Reason::TokenInvalid);
        }
        match self.header.get("alg").and_then(Value::as_str) {
            Some("RS256") => {}
            // Clerk's keys are for RS256: the SDK fails to import them for these.
            Some("RS384" | "RS512") => return Err(Reason::TokenVerificationFailed),
            Some(_) | None => return Err(Reason::TokenInvalidAlgorithm),
        }
        // RFC 7515 section 4.1.11: an extension that is not understood
        // makes the token invalid; none is understood here.
        if self.header.contains_key("crit") {
            return Err(Reason::TokenInvalid);
        }
        if !key.verifies(self.signed, self.signature) {
            return Err(Reason::TokenInvalidSignature);
        }
        Ok(())
    }

    /// The directives of a handshake token: the cookies that the Frontend API
    /// wants set.
    ///
    /// The category is checked because a JWT template may carry any claim its
    /// author likes: with a `handshake` array it could set any cookie.
    ///
    /// # Errors
    /// The token is not one of the instance's, or not for this purpose.
    pub(super) fn handshake_directives(&self, key: Option<&Key>) -> Result<&[Value], Reason> {
        if self.has_foreign_category() {
            return Err(Reason::TokenTypeMismatch);
        }
        self.check_signature(key)?;
        let directives = self.claim("handshake").and_then(Value::as_array);
        Ok(directives.map_or(&[], Vec::as_slice))
    }

    /// Verifies a session token at the time `now_ms`.
    ///
    /// # Errors
    /// The first check that failed, in the SDK's order.
    pub(super) fn verify(
        &self,
        key: Option<&Key>,
        rules: &Rules<'_>,
        now_ms: i64,
    ) -> Result<Session, Reason> {
        self.check_class()?;
        self.check_signature(key)?;
        let user = match self.text("sub") {
            Some(sub) if !sub.is_empty() => UserId(sub.to_owned()),
            Some(_) | None => return Err(Reason::TokenVerificationFailed),
        };
        self.check_authorized_party(&rules.authorized_parties)?;
        if rules
            .issuer
            .is_some_and(|issuer| self.text("iss") != Some(issuer))
        {
            return Err(Reason::TokenInvalidIssuer);
        }
        self.check_times(rules.clock_skew_ms, now_ms)?;
        Ok(Session {
            user,
            session_id: self.claim("sid").cloned(),
            pending: self.text("sts") == Some("pending"),
        })
    }

    /// `azp` keeps out tokens that another application on a sibling domain got
    /// for itself; leaving it out must not be a way around.
    fn check_authorized_party(&self, parties: &[String]) -> Result<(), Reason> {
        let azp = self.text("azp").filter(|azp| !azp.is_empty());
        if parties.is_empty() || azp.is_some_and(|azp| parties.iter().any(|party| party == azp)) {
            Ok(())
        } else {
            Err(Reason::TokenInvalidAuthorizedParties)
        }
    }

    /// Expired at exactly `exp` plus the skew; valid at exactly `nbf` minus it.
    fn check_times(&self, skew_ms: i64, now_ms: i64) -> Result<(), Reason> {
        let exp = self
            .required_ms("exp")?
            .ok_or(Reason::TokenVerificationFailed)?;
        if exp <= ms(now_ms.saturating_sub(skew_ms)) {
            return Err(Reason::SessionTokenExpired);
        }
        let latest = ms(now_ms.saturating_add(skew_ms));
        if self.required_ms("nbf")?.is_some_and(|nbf| nbf > latest) {
            return Err(Reason::SessionTokenNbf);
        }
        if self.required_ms("iat")?.is_some_and(|iat| iat > latest) {
            return Err(Reason::SessionTokenIatInTheFuture);
        }
        Ok(())
    }

    /// A time claim in milliseconds, cut to whole seconds as in the SDK.
    ///
    /// # Errors
    /// The claim is there and is not a number.
    fn required_ms(&self, name: &str) -> Result<Option<f64>, Reason> {
        match self.claim(name) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(|seconds| Some(seconds.trunc() * 1000.0))
                .ok_or(Reason::TokenVerificationFailed),
        }
    }
}

impl Key {
    /// Whether `jws` (compact, any payload) says RS256 and is signed by this key.
    ///
    /// Only the signature; [`super::authenticate`] looks at the rest.
    #[must_use]
    pub fn verifies_jws(&self, jws: &str) -> bool {
        let Some((signed, signature)) = jws.rsplit_once('.') else {
            return false;
        };
        let Some((header, payload)) = signed.split_once('.') else {
            return false;
        };
        TOKEN_BASE64.decode(payload).is_ok()
            && json(header).is_some_and(|h| h["alg"] == "RS256" && h.get("crit").is_none())
            && self.verifies(signed, signature)
    }
}

/// A time as JSON has it. Exact below 2^53 ms, that is until the year 287396.
fn ms(time: i64) -> f64 {
    time as f64
}

fn json(part: &str) -> Option<Value> {
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

/// What a session token must say beside being genuine.
pub(super) struct Rules<'a> {
    /// Origins allowed in `azp`; none: not checked.
    pub(super) authorized_parties: Cow<'a, [String]>,
    /// The `iss` expected; `None`: not checked.
    pub(super) issuer: Option<&'a str>,
    /// How far the clocks may be apart, in milliseconds.
    pub(super) clock_skew_ms: i64,
}

/// Who sent a request, as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user (`sub`).
    pub user: UserId,
    /// The session (`sid`) as the token has it; the SDK does not look inside.
    pub session_id: Option<Value>,
    /// Tasks are left before the user counts as signed in (`sts`).
    pub(super) pending: bool,
}

/// A short hash of a user id, to tell users apart where nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMark(String);

impl UserMark {
    /// The mark of whoever an unverified token says it is.
    pub(super) fn claimed_by(token: &Token<'_>) -> Option<Self> {
        token.text("sub").map(Self::of)
    }

    fn of(user_id: &str) -> Self {
        let mut mark = URL_SAFE_NO_PAD.encode(sha1(user_id.as_bytes()));
        mark.truncate(8);
        Self(mark)
    }

    /// The mark as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user of the Clerk instance. Only verifying a token makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    /// The id as Clerk has it, such as `user_2abc`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user's mark.
    #[must_use]
    pub fn mark(&self) -> UserMark {
        UserMark::of(&self.0)
    }
}
