//! A session token: taken apart, then verified, and who it says it is.
//!
//! The order of the checks and their boundaries are those of `verifyJwt` in
//! `@clerk/backend`; jsonwebtoken's own validation (60 s of leeway, no `nbf`,
//! no injected clock, no `azp`) is not used.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use openssl::sha::sha1;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::claims::{Check, Claims, Organization, UnreadableClaim};
use crate::key::{Key, PublicKeys};
use crate::reason::Reason;

/// Who sent a request, as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user (`sub`).
    pub user: UserId,
    /// The session (`sid`) as the token has it; the SDK does not look inside.
    pub session_id: Option<Value>,
    /// Tasks are left before the user counts as signed in (`sts`).
    pub(crate) pending: bool,
    claims: Claims,
}

impl Session {
    /// The token's claims as a type of the caller's, such as a struct with those
    /// that the instance adds.
    ///
    /// # Errors
    /// A claim that the type needs is missing or of another type.
    pub fn claims<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        self.claims.parse()
    }

    /// Who really acts, if the user is being impersonated, see [`Claims::actor`].
    #[must_use]
    pub fn actor(&self) -> Option<&Map<String, Value>> {
        self.claims.actor()
    }

    /// The active organization, if one is.
    ///
    /// # Errors
    /// A claim with its permissions cannot be read. The session is valid all the
    /// same.
    pub fn organization(&self) -> Result<Option<Organization>, UnreadableClaim> {
        self.claims.organization()
    }

    /// Whether the user has what is asked for, see [`Claims::has`].
    #[must_use]
    pub fn has(&self, check: Check<'_>) -> bool {
        self.claims.has(check)
    }
}

/// A user of the Clerk instance. Only verifying a token makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    /// The subject of a token that was verified.
    fn of_verified(sub: &str) -> Self {
        Self(sub.to_owned())
    }

    /// The id as Clerk has it, such as `user_2abc`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A short hash of the id, to tell users apart where nothing is verified: 8
    /// characters of base64url.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = URL_SAFE_NO_PAD.encode(sha1(self.0.as_bytes()));
        hash.truncate(8);
        hash
    }
}

/// base64url; padding is tolerated, as in the SDK, stray bits are not.
const TOKEN_BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token that was taken apart and not yet trusted.
pub(crate) struct Token<'a> {
    header: Map<String, Value>,
    claims: Claims,
    /// The first two parts: what the signature covers.
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a compact JWT apart; `None` if it is not one.
    pub(crate) fn decode(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        TOKEN_BASE64.decode(signature).ok()?;
        Some(Self {
            header: members(json(header)?)?,
            claims: members(json(claims)?)?.into(),
            signed,
            signature: signature.trim_end_matches('='),
        })
    }

    /// The key id of the header, if it is one to look up: at most 128 visible
    /// ASCII characters.
    pub(crate) fn key_id(&self) -> Option<&str> {
        let id = self.header.get("kid")?.as_str()?;
        let valid = id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
        valid.then_some(id)
    }

    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// A claim that is a number, in seconds.
    pub(crate) fn seconds(&self, name: &str) -> Option<f64> {
        self.claim(name)?.as_f64()
    }

    /// Whether the token was issued before `seconds`; unknown counts as no.
    ///
    /// `null` is 0, as in JavaScript, so that it cannot pass for fresh.
    pub(crate) fn is_issued_before(&self, seconds: u64) -> bool {
        let seconds = seconds as f64;
        match self.claim("iat") {
            Some(Value::Null) => 0.0 < seconds,
            Some(iat) => iat.as_f64().is_some_and(|iat| iat < seconds),
            None => false,
        }
    }
}

fn json(part: &str) -> Option<Value> {
    let bytes = TOKEN_BASE64.decode(part).ok()?;
    // The SDK's text decoder drops a byte order mark and replaces bad UTF-8.
    let text = String::from_utf8_lossy(&bytes);
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text)).ok()
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

/// Category (`cat`) of session tokens.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// Category of tokens that say to ignore the category.
const IGNORED_CATEGORY: &str = "cl_I7d4PD111III";

impl Token<'_> {
    /// Refuses tokens of another class than a session.
    ///
    /// Machine, OAuth and template tokens are signed with the same key. Without
    /// this check whoever can mint one of those could act as a user.
    ///
    /// # Errors
    /// [`Reason::TokenTypeMismatch`].
    pub(crate) fn check_class(&self) -> Result<(), Reason> {
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
    pub(crate) fn check_signature(&self, keys: &PublicKeys) -> Result<(), Reason> {
        let mut keys = keys.candidates(self.key_id()).peekable();
        if keys.peek().is_none() {
            return Err(Reason::JwkKidMismatch);
        }
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
        if !keys.any(|key| key.verifies(self.signed, self.signature)) {
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
    pub(crate) fn handshake_directives(&self, keys: &PublicKeys) -> Result<&[Value], Reason> {
        if self.has_foreign_category() {
            return Err(Reason::TokenTypeMismatch);
        }
        self.check_signature(keys)?;
        let directives = self.claim("handshake").and_then(Value::as_array);
        Ok(directives.map_or(&[], Vec::as_slice))
    }

    /// Verifies a session token at the time `now_ms`.
    ///
    /// # Errors
    /// The first check that failed, in the SDK's order.
    pub(crate) fn verify(
        &self,
        keys: &PublicKeys,
        rules: &Rules<'_>,
        now_ms: i64,
    ) -> Result<Session, Reason> {
        self.check_class()?;
        self.check_signature(keys)?;
        let user = match self.text("sub") {
            // No id of Clerk's has a NUL, and many stores cannot hold one.
            Some(sub) if !sub.is_empty() && !sub.contains('\0') => UserId::of_verified(sub),
            Some(_) | None => return Err(Reason::TokenVerificationFailed),
        };
        let party = self.check_authorized_party(rules);
        if !rules.party_last {
            party?;
        }
        if rules
            .issuer
            .is_some_and(|issuer| self.text("iss") != Some(issuer))
        {
            return Err(Reason::TokenInvalidIssuer);
        }
        self.check_times(rules.clock_skew_ms, now_ms)?;
        party?;
        Ok(Session {
            user,
            session_id: self.claim("sid").cloned(),
            pending: self.claims.is_pending(),
            claims: self.claims.clone(),
        })
    }

    /// `azp` keeps out tokens that another application on a sibling domain got
    /// for itself. Where parties are listed, leaving it out is no way around. Where
    /// they are not, a token without it is accepted: the Frontend API mints such
    /// tokens when a page load, which has no `Origin`, asks for a session.
    fn check_authorized_party(&self, rules: &Rules<'_>) -> Result<(), Reason> {
        let is = |party: &str| self.text("azp") == Some(party);
        let accepted = match rules.authorized_parties {
            AuthorizedParties::PublicOrigin => self.lacks_azp() || is(rules.origin),
            AuthorizedParties::Listed(listed) if listed.is_empty() => true,
            AuthorizedParties::Listed(listed) => {
                !self.lacks_azp() && listed.iter().any(|party| is(party))
            }
        };
        accepted
            .then_some(())
            .ok_or(Reason::TokenInvalidAuthorizedParties)
    }

    /// Whether `azp` is missing, null or empty.
    pub(crate) fn lacks_azp(&self) -> bool {
        self.claim("azp")
            .is_none_or(|azp| azp.is_null() || azp == "")
    }

    /// Expired at exactly `exp` plus the skew; valid at exactly `nbf` minus it.
    fn check_times(&self, skew_ms: i64, now_ms: i64) -> Result<(), Reason> {
        let exp = self
            .time_claim_ms("exp")?
            .ok_or(Reason::TokenVerificationFailed)?;
        if exp <= ms(now_ms.saturating_sub(skew_ms)) {
            return Err(Reason::SessionTokenExpired);
        }
        let latest = ms(now_ms.saturating_add(skew_ms));
        if self.time_claim_ms("nbf")?.is_some_and(|nbf| nbf > latest) {
            return Err(Reason::SessionTokenNbf);
        }
        if self.time_claim_ms("iat")?.is_some_and(|iat| iat > latest) {
            return Err(Reason::SessionTokenIatInTheFuture);
        }
        Ok(())
    }

    /// A time claim in milliseconds, cut to whole seconds as in the SDK.
    ///
    /// # Errors
    /// The claim is there and is not a number.
    fn time_claim_ms(&self, name: &str) -> Result<Option<f64>, Reason> {
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
    /// Only the signature; [`authenticate`](crate::authenticate) looks at the rest.
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

/// The origins that a session token may have been made for, compared as text:
/// `capacitor://localhost` or `chrome-extension://<id>` are possible ones.
#[derive(Clone, Debug)]
pub enum AuthorizedParties {
    /// Only the public origin of the request. A token that names none is accepted:
    /// the Frontend API mints one when a page load asks for a session.
    PublicOrigin,
    /// These; none means that `azp` is not checked.
    Listed(Vec<String>),
}

/// What a session token must say beside being genuine.
pub(crate) struct Rules<'a> {
    /// Values allowed in `azp`.
    pub(crate) authorized_parties: &'a AuthorizedParties,
    /// The public origin of the request.
    pub(crate) origin: &'a str,
    /// Whether `azp` is checked last. It then is all that a token lacks that is
    /// refused for it.
    pub(crate) party_last: bool,
    /// The `iss` expected; `None`: not checked.
    pub(crate) issuer: Option<&'a str>,
    /// How far the clocks may be apart, in milliseconds.
    pub(crate) clock_skew_ms: i64,
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::testing::{
        DEVELOPMENT, ISSUER, Issuer, NOW, NOW_MS, ORIGIN, claims, header, instance, session, with,
        without,
    };

    const ISSUER_URL: &str = "https://clerk.example.com";

    fn only(issuer: &Issuer) -> PublicKeys {
        Key::from_jwk(&issuer.jwk("ins_1")).unwrap().into()
    }

    fn keys() -> PublicKeys {
        only(&ISSUER)
    }

    static PARTIES: LazyLock<AuthorizedParties> =
        LazyLock::new(|| listed(&["https://a.example", "https://b.example", ORIGIN]));

    fn listed(parties: &[&str]) -> AuthorizedParties {
        AuthorizedParties::Listed(parties.iter().map(|&party| party.to_owned()).collect())
    }

    fn rules(skew_ms: i64) -> Rules<'static> {
        Rules {
            authorized_parties: &PARTIES,
            origin: ORIGIN,
            party_last: false,
            issuer: Some(ISSUER_URL),
            clock_skew_ms: skew_ms,
        }
    }

    fn verify(token: &str) -> Result<Session, Reason> {
        Token::decode(token)
            .ok_or(Reason::TokenInvalid)?
            .verify(&keys(), &rules(5_000), NOW_MS)
    }

    fn refusal(header: &Value, claims: &Value) -> Option<Reason> {
        verify(&ISSUER.token(header, claims)).err()
    }

    fn parts(parts: [&str; 3]) -> String {
        let [header, claims, signature] = parts;
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{signature}", encode(header), encode(claims))
    }

    #[test]
    fn a_genuine_token_names_user_and_session() {
        let session = verify(&session(&claims())).unwrap();
        assert_eq!(session.user.as_str(), "user_1");
        assert_eq!(session.session_id, Some(json!("sess_1")));
        assert!(!session.pending);
    }

    #[test]
    fn a_session_says_what_its_token_says() {
        let mut own = with(claims(), "act", json!({ "sub": "user_2" }));
        own["org_id"] = json!("org_1");
        own["org_role"] = json!("org:admin");
        let session = verify(&session(&own)).unwrap();
        assert_eq!(session.actor().unwrap()["sub"], "user_2");
        assert_eq!(session.organization().unwrap().unwrap().id, "org_1");
        assert!(session.has(Check::Role("admin")));
        assert!(!session.has(Check::Role("member")));
        assert_eq!(session.claims::<Value>().unwrap(), own);
        assert!(session.claims::<Vec<u8>>().is_err());
        let unreadable = with(with(claims(), "v", 2), "fea", "posts");
        let session = verify(&crate::testing::session(&with(unreadable, "o", 1))).unwrap();
        assert_eq!(session.organization(), Err(UnreadableClaim("fea")));
    }

    #[test]
    fn a_pending_session_says_so() {
        let pending = |sts: Value| {
            verify(&session(&with(claims(), "sts", sts)))
                .unwrap()
                .pending
        };
        assert!(pending(json!("pending")));
        for other in [json!("active"), json!("new"), json!(null), json!(true)] {
            assert!(!pending(other.clone()), "{other}");
        }
    }

    #[test]
    fn a_token_has_three_base64url_parts_and_the_first_two_are_objects() {
        assert!(Token::decode(&parts(["{}", "{}", "c2ln"])).is_some());
        assert!(Token::decode(&parts(["{}", "{}", ""])).is_some());
        assert!(Token::decode(&parts(["{}", "\u{feff}{}", ""])).is_some());
        for bad in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "e30.e30".to_owned(),
            "e30.e30.c2ln.c2ln".to_owned(),
            "e30.e30.c2ln.".to_owned(),
            ".e30.e30.c2ln".to_owned(),
            "e30.e30.c2lnc".to_owned(),
            "e30.e30.c2l+".to_owned(),
            "e30.e30.c2l/".to_owned(),
            "e30.e30.c2l\n".to_owned(),
            "e31.e30.c2ln".to_owned(),
            "e30.e31.c2ln".to_owned(),
            "e30.e30.c31".to_owned(),
            "e30. e30.c2ln".to_owned(),
            parts(["{}", "null", "c2ln"]),
            parts(["null", "{}", "c2ln"]),
            parts(["{}", "1", "c2ln"]),
            parts(["\"a\"", "{}", "c2ln"]),
            parts(["{}", "true", "c2ln"]),
            parts(["{}", "{\"exp\":1e400}", "c2ln"]),
            parts(["{}{}", "{}", "c2ln"]),
            parts(["{}", "\u{feff}\u{feff}{}", "c2ln"]),
            parts(["{}", &"[".repeat(5_000), "c2ln"]),
        ] {
            assert!(Token::decode(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn tokens_of_another_class_are_no_sessions() {
        let mismatch = Some(Reason::TokenTypeMismatch);
        for typ in ["at+jwt", "application/at+jwt"] {
            assert_eq!(refusal(&with(header(), "typ", typ), &claims()), mismatch);
        }
        let machine = with(claims(), "sub", "mch_1");
        assert_eq!(refusal(&header(), &machine), mismatch);
        for category in [
            json!("cl_B7d4PD222AAA"),
            json!("cl_B7d4PD333AAA"),
            json!("cl_b7d4pd111aaa"),
            json!(""),
            json!(null),
            json!(1),
        ] {
            let header = with(header(), "cat", category.clone());
            assert_eq!(refusal(&header, &claims()), mismatch, "{category}");
        }
        let ignored = with(header(), "cat", "cl_I7d4PD111III");
        assert_eq!(refusal(&ignored, &claims()), None);
        assert_eq!(refusal(&without(header(), "cat"), &claims()), None);
        let user = with(claims(), "sub", "user_mch_1");
        assert_eq!(refusal(&header(), &user), None);
    }

    /// Every row of the order of verification, each broken together with all
    /// the rows after it: the reason is that of the first.
    #[test]
    fn the_first_check_that_fails_gives_the_reason() {
        let foreign = Issuer::new();
        let genuine = |header: &Value, claims: &Value| ISSUER.token(header, claims);
        let mut bad_claims = with(claims(), "sub", 1);
        bad_claims["azp"] = json!("https://evil.example");
        bad_claims["iss"] = json!("https://evil.example");
        bad_claims["exp"] = json!(0);
        bad_claims["nbf"] = json!(NOW + 1_000);
        bad_claims["iat"] = json!(NOW + 1_000);
        let mut bad_header = with(header(), "cat", "cl_B7d4PD222AAA");
        bad_header["typ"] = json!("jwt");
        bad_header["alg"] = json!("HS256");

        let mut steps = vec![];
        let bad = foreign.token(&bad_header, &bad_claims);
        steps.push((format!("{bad}!"), Reason::TokenInvalid));
        steps.push((bad, Reason::TokenTypeMismatch));
        let header = with(bad_header, "cat", "cl_B7d4PD111AAA");
        steps.push((foreign.token(&header, &bad_claims), Reason::TokenInvalid));
        let header = with(header, "typ", "JWT");
        let token = foreign.token(&header, &bad_claims);
        steps.push((token, Reason::TokenInvalidAlgorithm));
        let other_hash = with(header.clone(), "alg", "RS512");
        let token = foreign.token(&other_hash, &bad_claims);
        steps.push((token, Reason::TokenVerificationFailed));
        let header = with(header, "alg", "RS256");
        let token = foreign.token(&header, &bad_claims);
        steps.push((token, Reason::TokenInvalidSignature));
        let token = genuine(&header, &bad_claims);
        steps.push((token, Reason::TokenVerificationFailed));
        let claims = with(bad_claims, "sub", "user_1");
        let token = genuine(&header, &claims);
        steps.push((token, Reason::TokenInvalidAuthorizedParties));
        let claims = with(claims, "azp", ORIGIN);
        steps.push((genuine(&header, &claims), Reason::TokenInvalidIssuer));
        let claims = with(claims, "iss", ISSUER_URL);
        steps.push((genuine(&header, &claims), Reason::SessionTokenExpired));
        let claims = with(claims, "exp", NOW + 50);
        steps.push((genuine(&header, &claims), Reason::SessionTokenNbf));
        let claims = with(claims, "nbf", NOW);
        let token = genuine(&header, &claims);
        steps.push((token, Reason::SessionTokenIatInTheFuture));
        for (token, reason) in &steps {
            assert_eq!(verify(token), Err(*reason), "{token}");
        }
        let claims = with(claims, "iat", NOW);
        assert!(verify(&genuine(&header, &claims)).is_ok());
    }

    #[test]
    fn without_the_key_nothing_else_of_the_header_matters() {
        let bad = with(with(header(), "typ", "jwt"), "alg", "none");
        let token = ISSUER.token(&bad, &claims());
        let token = Token::decode(&token).unwrap();
        let verified = token.verify(&PublicKeys::default(), &rules(0), NOW_MS);
        assert_eq!(verified, Err(Reason::JwkKidMismatch));
    }

    #[test]
    fn the_type_is_absent_or_exactly_jwt() {
        assert_eq!(refusal(&without(header(), "typ"), &claims()), None);
        for typ in [
            json!("jwt"),
            json!("JWT "),
            json!(""),
            json!(null),
            json!(["JWT"]),
        ] {
            let header = with(header(), "typ", typ.clone());
            assert_eq!(
                refusal(&header, &claims()),
                Some(Reason::TokenInvalid),
                "{typ}"
            );
        }
    }

    #[test]
    fn the_algorithm_is_rs256() {
        let refused = |alg: Value| refusal(&with(header(), "alg", alg), &claims());
        for alg in ["RS384", "RS512"] {
            assert_eq!(refused(json!(alg)), Some(Reason::TokenVerificationFailed));
        }
        for alg in [
            json!("none"),
            json!("HS256"),
            json!("PS256"),
            json!("ES256"),
            json!("EdDSA"),
            json!("rs256"),
            json!(""),
            json!(null),
            json!(["RS256"]),
        ] {
            assert_eq!(
                refused(alg.clone()),
                Some(Reason::TokenInvalidAlgorithm),
                "{alg}"
            );
        }
        let header = without(header(), "alg");
        let reason = refusal(&header, &claims());
        assert_eq!(reason, Some(Reason::TokenInvalidAlgorithm));
    }

    #[test]
    fn an_extension_that_must_be_understood_is_refused() {
        for crit in [json!(["b64"]), json!([]), json!(null)] {
            let header = with(header(), "crit", crit);
            assert_eq!(refusal(&header, &claims()), Some(Reason::TokenInvalid));
        }
    }

    #[test]
    fn a_user_is_a_text_that_is_not_empty() {
        let failed = Some(Reason::TokenVerificationFailed);
        for sub in [
            json!(""),
            json!(null),
            json!(1),
            json!(["user_1"]),
            json!("user_1\0"),
        ] {
            assert_eq!(refusal(&header(), &with(claims(), "sub", sub)), failed);
        }
        assert_eq!(refusal(&header(), &without(claims(), "sub")), failed);
    }

    #[test]
    fn the_audience_is_not_looked_at() {
        let claims = with(claims(), "aud", "https://elsewhere.example");
        assert_eq!(refusal(&header(), &claims), None);
    }

    #[test]
    fn the_authorized_party_is_exactly_one_of_ours() {
        let refused = Some(Reason::TokenInvalidAuthorizedParties);
        for own in [ORIGIN, "https://b.example"] {
            assert_eq!(refusal(&header(), &with(claims(), "azp", own)), None);
        }
        for foreign in [
            json!("https://www.example.com/"),
            json!("https://WWW.example.com"),
            json!("http://www.example.com"),
            json!("https://www.example.com.evil.example"),
            json!("www.example.com"),
            json!(""),
            json!(null),
            json!([ORIGIN]),
        ] {
            let claims = with(claims(), "azp", foreign.clone());
            assert_eq!(refusal(&header(), &claims), refused, "{foreign}");
        }
        assert_eq!(refusal(&header(), &without(claims(), "azp")), refused);
    }

    #[test]
    fn an_empty_party_matches_no_party() {
        let token = session(&with(claims(), "azp", ""));
        let parties = listed(&[""]);
        let mut rules = rules(0);
        rules.authorized_parties = &parties;
        let verified = Token::decode(&token)
            .unwrap()
            .verify(&keys(), &rules, NOW_MS);
        assert_eq!(verified, Err(Reason::TokenInvalidAuthorizedParties));
    }

    #[test]
    fn party_and_issuer_are_free_when_none_is_configured() {
        let token = session(&without(without(claims(), "azp"), "iss"));
        let parties = listed(&[]);
        let rules = Rules {
            authorized_parties: &parties,
            issuer: None,
            ..rules(0)
        };
        let token = Token::decode(&token).unwrap();
        assert!(token.verify(&keys(), &rules, NOW_MS).is_ok());
    }

    #[test]
    fn the_issuer_is_exactly_ours() {
        let refused = Some(Reason::TokenInvalidIssuer);
        for iss in [
            json!("https://clerk.example.com/"),
            json!("clerk.example.com"),
            json!(""),
            json!(null),
        ] {
            assert_eq!(refusal(&header(), &with(claims(), "iss", iss)), refused);
        }
        assert_eq!(refusal(&header(), &without(claims(), "iss")), refused);
    }

    fn at(now_ms: i64, skew_ms: i64, claims: &Value) -> Option<Reason> {
        let token = session(claims);
        let token = Token::decode(&token).unwrap();
        token.verify(&keys(), &rules(skew_ms), now_ms).err()
    }

    #[test]
    fn a_token_is_expired_at_exactly_its_expiry_plus_the_skew() {
        let claims = claims();
        let exp_ms = (NOW + 50) * 1000;
        let expired = Some(Reason::SessionTokenExpired);
        assert_eq!(at(exp_ms + 4_999, 5_000, &claims), None);
        assert_eq!(at(exp_ms + 5_000, 5_000, &claims), expired);
        assert_eq!(at(exp_ms - 1, 0, &claims), None);
        assert_eq!(at(exp_ms, 0, &claims), expired);
    }

    #[test]
    fn a_token_is_active_at_exactly_its_begin_minus_the_skew() {
        let claims = without(with(claims(), "nbf", NOW), "iat");
        let early = Some(Reason::SessionTokenNbf);
        assert_eq!(at(NOW_MS - 5_000, 5_000, &claims), None);
        assert_eq!(at(NOW_MS - 5_001, 5_000, &claims), early);
        assert_eq!(at(NOW_MS, 0, &claims), None);
        assert_eq!(at(NOW_MS - 1, 0, &claims), early);
    }

    #[test]
    fn a_token_is_issued_at_exactly_its_time_minus_the_skew() {
        let claims = without(with(claims(), "iat", NOW), "nbf");
        let future = Some(Reason::SessionTokenIatInTheFuture);
        assert_eq!(at(NOW_MS - 5_000, 5_000, &claims), None);
        assert_eq!(at(NOW_MS - 5_001, 5_000, &claims), future);
        assert_eq!(at(NOW_MS, 0, &claims), None);
        assert_eq!(at(NOW_MS - 1, 0, &claims), future);
    }

    #[test]
    fn times_are_cut_to_whole_seconds() {
        let second = NOW as f64;
        let expiring = with(claims(), "exp", second + 0.999);
        let expired = Some(Reason::SessionTokenExpired);
        assert_eq!(at(NOW_MS - 1, 0, &expiring), None);
        assert_eq!(at(NOW_MS, 0, &expiring), expired);
        for name in ["nbf", "iat"] {
            let beginning = with(claims(), name, second + 0.999);
            assert_eq!(at(NOW_MS, 0, &beginning), None, "{name}");
        }
    }

    #[test]
    fn times_are_numbers() {
        let failed = Some(Reason::TokenVerificationFailed);
        for name in ["exp", "nbf", "iat"] {
            for value in [
                json!(null),
                json!("1700000050"),
                json!(true),
                json!([NOW + 50]),
            ] {
                let claims = with(claims(), name, value);
                assert_eq!(refusal(&header(), &claims), failed, "{name}");
            }
        }
        assert_eq!(refusal(&header(), &without(claims(), "exp")), failed);
        for optional in ["nbf", "iat"] {
            assert_eq!(refusal(&header(), &without(claims(), optional)), None);
        }
    }

    #[test]
    fn times_at_the_ends_of_their_range_do_not_overflow() {
        let endless = with(claims(), "exp", 1e308);
        assert_eq!(refusal(&header(), &endless), None);
        let past = with(claims(), "exp", -1e308);
        assert_eq!(refusal(&header(), &past), Some(Reason::SessionTokenExpired));
        assert_eq!(at(i64::MAX, 5_000, &endless), None);
        let early = Some(Reason::SessionTokenNbf);
        assert_eq!(at(i64::MIN, 5_000, &claims()), early);
    }

    #[test]
    fn a_key_id_to_look_up_is_short_and_visible() {
        let key_id = |kid: Value| {
            let token = ISSUER.token(&with(header(), "kid", kid), &claims());
            Token::decode(&token).unwrap().key_id().map(str::to_owned)
        };
        let longest = "k".repeat(128);
        for id in ["ins_1", "!", "~", "a/b?c=d", &longest] {
            assert_eq!(key_id(json!(id)).as_deref(), Some(id));
        }
        for odd in [
            json!("a b"),
            json!("a\n"),
            json!("\u{7f}"),
            json!("é"),
            json!("k".repeat(129)),
            json!(1),
            json!(null),
        ] {
            assert_eq!(key_id(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn a_date_before_the_last_sign_in_is_old_and_an_unknown_one_is_not() {
        let before = |iat: Value, seconds: u64| {
            let token = session(&with(claims(), "iat", iat));
            Token::decode(&token).unwrap().is_issued_before(seconds)
        };
        assert!(before(json!(99), 100));
        assert!(before(json!(99.9), 100));
        assert!(!before(json!(100), 100));
        assert!(before(json!(null), 100));
        assert!(!before(json!(null), 0));
        assert!(!before(json!("99"), 100));
        let undated = session(&without(claims(), "iat"));
        assert!(!Token::decode(&undated).unwrap().is_issued_before(100));
    }

    #[test]
    fn only_the_instance_makes_handshakes() {
        let claims = json!({ "handshake": ["a=b"] });
        let directives = |header: &Value, keys: &PublicKeys| {
            let token = ISSUER.token(header, &claims);
            let token = Token::decode(&token).unwrap();
            token.handshake_directives(keys).map(<[Value]>::to_vec)
        };
        let own = [header(), without(header(), "cat")];
        for header in &own {
            assert_eq!(directives(header, &keys()), Ok(vec![json!("a=b")]));
        }
        for (name, value, reason) in [
            ("cat", json!("cl_B7d4PD222AAA"), Reason::TokenTypeMismatch),
            ("cat", json!(null), Reason::TokenTypeMismatch),
            ("typ", json!("at+jwt"), Reason::TokenInvalid),
            ("alg", json!("HS256"), Reason::TokenInvalidAlgorithm),
        ] {
            let header = with(header(), name, value);
            assert_eq!(directives(&header, &keys()), Err(reason));
        }
        let unknown = directives(&header(), &PublicKeys::default());
        assert_eq!(unknown, Err(Reason::JwkKidMismatch));
        let forged = directives(&header(), &only(&Issuer::new()));
        assert_eq!(forged, Err(Reason::TokenInvalidSignature));
    }

    #[test]
    fn a_handshake_without_an_array_is_empty() {
        for claims in [
            json!({}),
            json!({ "handshake": "a=b" }),
            json!({ "handshake": { "0": "a=b" } }),
        ] {
            let token = session(&claims);
            let token = Token::decode(&token).unwrap();
            assert_eq!(token.handshake_directives(&keys()), Ok(&[][..]));
        }
    }

    #[test]
    fn without_listed_parties_a_party_must_be_the_origin_and_may_be_missing() {
        let refused_for = |claims: &Value| {
            let parties = AuthorizedParties::PublicOrigin;
            let rules = Rules {
                authorized_parties: &parties,
                ..rules(0)
            };
            let token = session(claims);
            let token = Token::decode(&token).unwrap();
            token.verify(&keys(), &rules, NOW_MS).err()
        };
        assert_eq!(refused_for(&without(claims(), "azp")), None);
        for own in [json!(ORIGIN), json!(null), json!("")] {
            assert_eq!(refused_for(&with(claims(), "azp", own)), None);
        }
        let refused = Some(Reason::TokenInvalidAuthorizedParties);
        for foreign in [
            json!("https://b.example"),
            json!(" "),
            json!(false),
            json!([]),
            json!([ORIGIN]),
        ] {
            assert_eq!(refused_for(&with(claims(), "azp", foreign)), refused);
        }
    }

    #[test]
    fn a_party_that_is_checked_last_is_all_that_is_wrong() {
        let reason = |claims: Value| {
            let rules = Rules {
                party_last: true,
                ..rules(0)
            };
            let token = session(&without(claims, "azp"));
            let token = Token::decode(&token).unwrap();
            token.verify(&keys(), &rules, NOW_MS).err()
        };
        let party = Some(Reason::TokenInvalidAuthorizedParties);
        assert_eq!(reason(claims()), party);
        let expired = Some(Reason::SessionTokenExpired);
        assert_eq!(reason(with(claims(), "exp", NOW - 1)), expired);
        let foreign = Some(Reason::TokenInvalidIssuer);
        assert_eq!(reason(with(claims(), "iss", "https://a.example")), foreign);
    }

    #[test]
    fn the_rules_of_an_instance_default_to_the_public_origin() {
        let instance = instance(DEVELOPMENT);
        let rules = instance.rules("https://quotes.example.com", 1);
        assert_eq!(rules.origin, "https://quotes.example.com");
        assert_eq!(rules.issuer, Some(ISSUER_URL));
        assert_eq!(rules.clock_skew_ms, 1);
    }
}
