//! Clerk's cookies: reading them, and choosing which set to use.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::instance::PublishableKey;
use crate::names::{CLIENT_UAT_COOKIE, DEV_BROWSER, SESSION_COOKIE};
use crate::token::Token;

/// Most values of one name that are looked at: limits what a request can cost.
pub(crate) const MAX_CANDIDATES: usize = 8;

/// The cookies of a request by name. Of several with one name the first wins.
pub(crate) struct Cookies<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Cookies<'a> {
    /// Reads a `Cookie` header.
    pub(crate) fn parse(header: &'a str) -> Self {
        let mut cookies: HashMap<_, Vec<_>> = HashMap::new();
        for pair in header.split(';') {
            if let Some((name, value)) = pair.split_once('=') {
                cookies.entry(trim(name)).or_default().push(trim(value));
            }
        }
        Self(cookies)
    }

    /// Puts the first value that is a token of this kind before the others of its
    /// name; returns whether there is one.
    ///
    /// Two applications under one registrable domain may set cookies of one name
    /// on different domains, and a browser sends both.
    pub(crate) fn prefer(&mut self, name: &str, mut is: impl FnMut(&Token<'_>) -> bool) -> bool {
        let Some(values) = self.0.get_mut(name).filter(|values| values.len() > 1) else {
            return false;
        };
        let mut candidates = values.iter().take(MAX_CANDIDATES);
        let found = candidates.position(|raw| Token::decode(&decode(raw)).is_some_and(|t| is(&t)));
        if let Some(index) = found {
            values[..=index].rotate_right(1);
        }
        found.is_some()
    }

    /// The values of a name, decoded, without empty ones.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let values = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        let decoded = values.iter().take(MAX_CANDIDATES).map(|raw| decode(raw));
        decoded.filter(|value| !value.is_empty())
    }

    /// The value, percent-decoded; `None` when absent or empty.
    ///
    /// A value with a bad escape is taken as it is. Decoding happens after
    /// splitting, so that an encoded `;` cannot smuggle in a second cookie.
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let decoded = decode(self.0.get(name)?.first()?);
        (!decoded.is_empty()).then_some(decoded)
    }

    /// The instance's own cookies: the suffixed or the plain set.
    pub(crate) fn of_instance(&self, key: &PublishableKey, now_ms: i64) -> InstanceCookies<'a> {
        let suffixed = self.uses_suffixed(key, now_ms);
        let chosen = |base: &str| {
            if suffixed {
                self.get(&suffixed_name(base, key))
            } else {
                self.get(base)
            }
        };
        let uat = chosen(CLIENT_UAT_COOKIE);
        InstanceCookies {
            suffixed,
            session: chosen(SESSION_COOKIE),
            client_uat: uat.as_deref().map_or(0, decimal),
            signed_out: uat.as_deref() == Some("0"),
            dev_browser: chosen(DEV_BROWSER),
        }
    }

    /// Whether the suffixed set is the one to use.
    ///
    /// Applications of several instances on one domain overwrite each other's
    /// plain cookies, and an instance that has just begun to suffix still has
    /// plain ones: the rules find the set that this instance wrote last. They
    /// are `usesSuffixedCookies` of the SDK; nothing here is verified yet.
    fn uses_suffixed(&self, key: &PublishableKey, now_ms: i64) -> bool {
        let plain_session = self.get(SESSION_COOKIE);
        let plain_token = plain_session.as_deref().map(Token::decode);
        let suffixed_session = self.get(&suffixed_name(SESSION_COOKIE, key));
        let suffixed_token = suffixed_session.as_deref().and_then(Token::decode);
        let plain_uat = self.get(CLIENT_UAT_COOKIE);
        let suffixed_uat = self.get(&suffixed_name(CLIENT_UAT_COOKIE, key));
        let plain_active = plain_uat.as_deref() != Some("0");
        let suffixed_active = suffixed_uat.as_deref() != Some("0");

        match &plain_token {
            Some(None) => return false,
            Some(Some(token)) if !token.names_an_issuer() => return false,
            Some(Some(token)) if !token.is_issued_by(key.frontend_api_host()) => return true,
            Some(Some(_)) | None => {}
        }
        if suffixed_uat.is_none() && suffixed_session.is_none() {
            return false;
        }
        let issued_at = |token: Option<&Token<'_>>| token.and_then(|t| t.seconds("iat"));
        let plain_iat = issued_at(plain_token.as_ref().and_then(Option::as_ref)).unwrap_or(0.0);
        let suffixed_iat = issued_at(suffixed_token.as_ref()).unwrap_or(0.0);
        if plain_active && (!suffixed_active || plain_iat > suffixed_iat) {
            return false;
        }
        if key.is_development()
            && suffixed_active
            && !plain_active
            && suffixed_token.is_some_and(|token| token.is_past(now_ms))
        {
            return false;
        }
        suffixed_uat.is_some()
    }
}

/// What an instance's cookies say; nothing is verified.
pub(crate) struct InstanceCookies<'a> {
    /// Whether they are the suffixed ones.
    pub(crate) suffixed: bool,
    /// The session token.
    pub(crate) session: Option<Cow<'a, str>>,
    /// When the client last signed in, in seconds; 0: nobody is signed in.
    pub(crate) client_uat: u64,
    /// Whether they say that nobody is signed in; not so where they say nothing.
    pub(crate) signed_out: bool,
    /// Development: the token that stands for this browser.
    pub(crate) dev_browser: Option<Cow<'a, str>>,
}

impl Token<'_> {
    /// Whether `iss` is there and truthy, as JavaScript sees it.
    fn names_an_issuer(&self) -> bool {
        use serde_json::Value;
        match self.claim("iss") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Bool(true) | Value::Array(_) | Value::Object(_)) => true,
        }
    }

    /// Whether `iss` without its scheme is this host.
    fn is_issued_by(&self, host: &str) -> bool {
        self.text("iss")
            .is_some_and(|iss| without_schemes(iss) == host)
    }

    pub(crate) fn is_past(&self, now_ms: i64) -> bool {
        let now = now_ms.div_euclid(1000) as f64;
        self.seconds("exp").is_some_and(|exp| exp <= now)
    }
}

pub(crate) fn suffixed_name(base: &str, key: &PublishableKey) -> String {
    format!("{base}_{}", key.cookie_suffix())
}

/// Every `http://` and `https://` removed, in any case and in one pass: what
/// only then becomes one stays.
fn without_schemes(text: &str) -> String {
    let parts = text.split_inclusive("://");
    let strip = |part: &str, scheme: &str| {
        let (rest, end) = part.split_at_checked(part.len().checked_sub(scheme.len())?)?;
        end.eq_ignore_ascii_case(scheme).then(|| rest.to_owned())
    };
    let kept = parts.map(|part| {
        let stripped = strip(part, "https://").or_else(|| strip(part, "http://"));
        stripped.unwrap_or_else(|| part.to_owned())
    });
    kept.collect()
}

/// A strict decimal number, or the largest one; anything else is 0.
///
/// The SDK's `parseInt` takes `12abc` for 12; a cookie that Clerk did not
/// write so says nothing about who is signed in.
pub(crate) fn decimal(text: &str) -> u64 {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().unwrap_or(u64::MAX)
    } else {
        0
    }
}

/// Blanks and tabs go, quotes stay: RFC 6265 gives them no meaning.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn decode(raw: &str) -> Cow<'_, str> {
    if has_bad_escape(raw) {
        return Cow::Borrowed(raw);
    }
    percent_decode_str(raw)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(raw))
}

fn has_bad_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes();
        digits.len() < 2 || !digits.iter().take(2).all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{DEVELOPMENT, NOW, NOW_MS, PRODUCTION};

    const DEVELOPMENT_ISSUER: &str = "https://happy-hippo-1.clerk.accounts.dev";
    const PRODUCTION_ISSUER: &str = "https://clerk.example.com";

    /// Choosing looks at tokens that nobody has verified yet.
    fn unsigned(claims: &Value) -> String {
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("{}.{claims}.c2ln", URL_SAFE_NO_PAD.encode("{}"))
    }

    fn issued_by(issuer: &str, iat: i64) -> String {
        unsigned(&json!({ "iss": issuer, "iat": iat, "exp": iat + 60 }))
    }

    /// Whether these cookies make the suffixed set the one to use. In their
    /// names `*` stands for the instance's suffix.
    fn suffixed_at(now_ms: i64, key: &str, cookies: &[(&str, &str)]) -> bool {
        let key = PublishableKey::parse(key).unwrap();
        let pairs = cookies
            .iter()
            .map(|(name, value)| format!("{}={value}", name.replace('*', key.cookie_suffix())));
        let header = pairs.collect::<Vec<_>>().join("; ");
        Cookies::parse(&header).of_instance(&key, now_ms).suffixed
    }

    fn production(cookies: &[(&str, &str)]) -> bool {
        suffixed_at(NOW_MS, PRODUCTION, cookies)
    }

    #[test]
    fn rule_1_a_plain_session_without_an_issuer_means_plain() {
        let ours = issued_by(PRODUCTION_ISSUER, NOW);
        let rest = [("__session_*", ours.as_str()), ("__client_uat_*", "5")];
        let chosen = |plain: &str| production(&[&[("__session", plain)][..], &rest].concat());

        assert!(chosen(&ours), "by itself the rest means suffixed");
        assert!(!chosen("no-token"));
        assert!(!chosen(&unsigned(&json!({}))));
        for falsy in [json!(null), json!(false), json!(0), json!(-0.0), json!("")] {
            assert!(!chosen(&unsigned(&json!({ "iss": falsy }))), "{falsy}");
        }
        for truthy in [json!(true), json!(1), json!([]), json!({}), json!(" ")] {
            assert!(chosen(&unsigned(&json!({ "iss": truthy }))), "{truthy}");
        }
    }

    #[test]
    fn rule_2_a_plain_session_of_another_instance_means_suffixed() {
        // Without this rule no suffixed cookie at all would mean plain.
        let chosen = |iss: Value| production(&[("__session", &unsigned(&json!({ "iss": iss })))]);
        for foreign in [
            json!("https://clerk.example.org"),
            json!("https://clerk.example.com/"),
            json!("ftp://clerk.example.com"),
            json!("hthttp://tp://clerk.example.com"),
            json!(true),
            json!(["clerk.example.com"]),
        ] {
            assert!(chosen(foreign.clone()), "{foreign}");
        }
        for own in [
            "https://clerk.example.com",
            "http://clerk.example.com",
            "clerk.example.com",
            "https://http://clerk.example.com",
            "Http://clerk.example.com",
            "clerk.HTTPS://example.com",
        ] {
            assert!(!chosen(json!(own)), "{own}");
        }
    }

    #[test]
    fn rule_3_without_suffixed_cookies_the_plain_ones_are_meant() {
        let ours = issued_by(PRODUCTION_ISSUER, NOW);
        assert!(!production(&[]));
        assert!(!production(&[("__client_uat", "0")]));
        assert!(!production(&[("__client_uat", "0"), ("__session", &ours)]));
    }

    #[test]
    fn rule_4_the_newer_session_wins_while_both_are_active() {
        let older = issued_by(PRODUCTION_ISSUER, NOW - 1);
        let newer = issued_by(PRODUCTION_ISSUER, NOW);
        let undated = unsigned(&json!({ "iss": PRODUCTION_ISSUER }));
        let chosen = |plain: &str, suffixed: &str, uat: &str| {
            production(&[
                ("__session", plain),
                ("__session_*", suffixed),
                ("__client_uat", uat),
                ("__client_uat_*", "5"),
            ])
        };
        assert!(!chosen(&newer, &older, "5"));
        assert!(!chosen(&newer, &older, ""), "an absent uat is not 0");
        assert!(!chosen(&newer, &older, "00"), "only the text 0 is 0");
        assert!(!chosen(&newer, &undated, "5"), "no date is the oldest");
        assert!(!chosen(&newer, "no-token", "5"));
        assert!(!chosen(&newer, "", "5"));
        assert!(chosen(&older, &newer, "5"));
        assert!(chosen(&newer, &newer, "5"), "a tie keeps the suffixed one");
        assert!(chosen(&undated, &undated, "5"));
        assert!(chosen(&newer, &older, "0"), "the plain client signed out");
    }

    #[test]
    fn rule_5_a_suffixed_client_that_signed_out_yields_to_a_plain_one() {
        assert!(!production(&[
            ("__client_uat_*", "0"),
            ("__client_uat", "5")
        ]));
        assert!(!production(&[("__client_uat_*", "0")]));
        assert!(production(&[
            ("__client_uat_*", "0"),
            ("__client_uat", "0")
        ]));
        assert!(production(&[
            ("__client_uat_*", "5"),
            ("__client_uat", "0")
        ]));
    }

    #[test]
    fn rule_6_in_development_an_expired_suffixed_session_yields_to_a_plain_sign_out() {
        let expiring = |exp: i64| unsigned(&json!({ "iss": DEVELOPMENT_ISSUER, "exp": exp }));
        let cookies = |session: &str, suffixed_uat: &str, uat: &str, key: &str| {
            let cookies = [
                ("__session_*", session),
                ("__client_uat_*", suffixed_uat),
                ("__client_uat", uat),
            ];
            suffixed_at(NOW_MS + 999, key, &cookies)
        };
        assert!(!cookies(&expiring(NOW - 1), "5", "0", DEVELOPMENT));
        assert!(!cookies(&expiring(NOW), "5", "0", DEVELOPMENT));
        assert!(cookies(&expiring(NOW + 1), "5", "0", DEVELOPMENT));
        assert!(cookies(&expiring(NOW), "5", "0", PRODUCTION));
        assert!(cookies(&expiring(NOW), "5", "5", DEVELOPMENT));
        assert!(cookies(&expiring(NOW), "0", "0", DEVELOPMENT));
        assert!(cookies(&unsigned(&json!({})), "5", "0", DEVELOPMENT));
        assert!(cookies("no-token", "5", "0", DEVELOPMENT));
    }

    #[test]
    fn rule_7_a_suffixed_session_alone_is_not_believed() {
        let ours = issued_by(PRODUCTION_ISSUER, NOW);
        assert!(!production(&[("__session_*", &ours)]));
        assert!(!production(&[
            ("__session_*", &ours),
            ("__client_uat", "0")
        ]));
        assert!(!production(&[
            ("__session_*", &ours),
            ("__client_uat_*", "")
        ]));
    }

    #[test]
    fn rule_8_otherwise_the_suffixed_ones_are_meant() {
        let ours = issued_by(PRODUCTION_ISSUER, NOW);
        assert!(production(&[("__client_uat_*", "5")]));
        assert!(production(&[
            ("__client_uat_*", "5"),
            ("__session_*", &ours)
        ]));
    }

    #[test]
    fn all_cookies_come_from_the_chosen_set() {
        let key = PublishableKey::parse(DEVELOPMENT).unwrap();
        let header = "__session_MWTw9P_R=S; __client_uat_MWTw9P_R=7; __clerk_db_jwt_MWTw9P_R=D; \
                      __client_uat=0; __clerk_db_jwt=d";
        let suffixed = Cookies::parse(header).of_instance(&key, NOW_MS);
        assert!(suffixed.suffixed);
        assert_eq!(suffixed.session.as_deref(), Some("S"));
        assert_eq!(suffixed.client_uat, 7);
        assert_eq!(suffixed.dev_browser.as_deref(), Some("D"));

        let header = "__clerk_db_jwt=d; __session=s; __client_uat=8; __clerk_db_jwt_MWTw9P_R=D; \
                      __session_MWTw9P_R=S; __client_uat_MWTw9P_R=7";
        let plain = Cookies::parse(header).of_instance(&key, NOW_MS);
        assert!(!plain.suffixed);
        assert_eq!(plain.session.as_deref(), Some("s"));
        assert_eq!(plain.client_uat, 8);
        assert_eq!(plain.dev_browser.as_deref(), Some("d"));
    }

    #[test]
    fn a_cookie_header_is_read_as_the_sdk_reads_it() {
        let read = |header: &'static str| {
            Cookies::parse(header)
                .get("a")
                .map(std::borrow::Cow::into_owned)
        };
        for (header, value) in [
            ("a=1", "1"),
            (" \ta \t= \t1 \t;b=2", "1"),
            ("a=1; a=2", "1"),
            ("b=0;;a=1", "1"),
            ("a=b=c", "b=c"),
            ("a=\"1\"", "\"1\""),
            ("a=%31%3b+", "1;+"),
            ("a=1%3B%20a%3D2", "1; a=2"),
            ("a=%C3%A9", "é"),
            ("a=%zz%31", "%zz%31"),
            ("a=%31%", "%31%"),
            ("a=%3", "%3"),
            ("a=%ff%31", "%ff%31"),
            ("a", ""),
            ("A=1", ""),
            ("a=", ""),
            ("a=;a=1", ""),
            ("%61=1", ""),
            ("a\u{a0}=1", ""),
        ] {
            assert_eq!(read(header).unwrap_or_default(), value, "{header}");
        }
    }

    #[test]
    fn only_plain_decimal_numbers_count() {
        assert_eq!(decimal("0"), 0);
        assert_eq!(decimal("007"), 7);
        assert_eq!(decimal("1700000000"), 1_700_000_000);
        assert_eq!(decimal("18446744073709551615"), u64::MAX);
        assert_eq!(decimal("18446744073709551616"), u64::MAX);
        assert_eq!(decimal(&"9".repeat(100)), u64::MAX);
        for other in [
            "", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "1abc", "\"1\"", "١",
        ] {
            assert_eq!(decimal(other), 0, "{other}");
        }
    }
}
