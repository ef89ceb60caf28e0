//! Clerk's cookies: reading them, and choosing which set to believe.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::publishable_key::PublishableKey;
use super::token::Token;

/// The cookies of a request by name. Of several with one name the first wins.
pub(super) struct Cookies<'a>(HashMap<&'a str, &'a str>);

impl<'a> Cookies<'a> {
    /// Reads a `Cookie` header.
    pub(super) fn parse(header: &'a str) -> Self {
        let mut cookies = HashMap::new();
        for pair in header.split(';') {
            if let Some((name, value)) = pair.split_once('=') {
                cookies.entry(trim(name)).or_insert_with(|| trim(value));
            }
        }
        Self(cookies)
    }

    /// The value, percent-decoded; `None` when absent or empty.
    ///
    /// A value with a bad escape is taken as it is. Decoding happens after
    /// splitting, so that an encoded `;` cannot smuggle in a second cookie.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = *self.0.get(name)?;
        let decoded = if has_bad_escape(raw) {
            Cow::Borrowed(raw)
        } else {
            percent_decode_str(raw)
                .decode_utf8()
                .unwrap_or(Cow::Borrowed(raw))
        };
        (!decoded.is_empty()).then_some(decoded)
    }

    /// The instance's own cookies: the suffixed or the plain set.
    pub(super) fn of_instance(&self, key: &PublishableKey, now_ms: i64) -> InstanceCookies<'a> {
        let suffixed = self.uses_suffixed(key, now_ms);
        let chosen = |base: &str| {
            if suffixed {
                self.get(&suffixed_name(base, key))
            } else {
                self.get(base)
            }
        };
        InstanceCookies {
            suffixed,
            session: chosen("__session"),
            client_uat: chosen("__client_uat").map_or(0, |uat| decimal(&uat)),
            dev_browser: chosen("__clerk_db_jwt"),
        }
    }

    /// Whether the suffixed set is the one to believe.
    ///
    /// Applications of several instances on one domain overwrite each other's
    /// plain cookies, and an instance that has just begun to suffix still has
    /// plain ones: the rules find the set that this instance wrote last. They
    /// are `usesSuffixedCookies` of the SDK; nothing here is verified yet.
    fn uses_suffixed(&self, key: &PublishableKey, now_ms: i64) -> bool {
        let plain_session = self.get("__session");
        let plain_token = plain_session.as_deref().map(Token::decode);
        let suffixed_session = self.get(&suffixed_name("__session", key));
        let suffixed_token = suffixed_session.as_deref().and_then(Token::decode);
        let plain_uat = self.get("__client_uat");
        let suffixed_uat = self.get(&suffixed_name("__client_uat", key));
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
        if suffixed_active && plain_active && plain_iat > suffixed_iat {
            return false;
        }
        if !suffixed_active && plain_active {
            return false;
        }
        if key.is_development()
            && suffixed_active
            && !plain_active
            && suffixed_token.is_some_and(|token| token.is_past(now_ms))
        {
            return false;
        }
        suffixed_uat.is_some() || suffixed_session.is_none()
    }
}

/// What an instance's cookies say; nothing is verified.
pub(super) struct InstanceCookies<'a> {
    /// Whether they are the suffixed ones.
    pub(super) suffixed: bool,
    /// The session token.
    pub(super) session: Option<Cow<'a, str>>,
    /// When the client last signed in, in seconds; 0: nobody is signed in.
    pub(super) client_uat: u64,
    /// Development: the token that stands for this browser.
    pub(super) dev_browser: Option<Cow<'a, str>>,
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
            .is_some_and(|iss| iss.replace("http://", "").replace("https://", "") == host)
    }

    fn is_past(&self, now_ms: i64) -> bool {
        let now = now_ms.div_euclid(1000) as f64;
        self.seconds("exp").is_some_and(|exp| exp <= now)
    }
}

fn suffixed_name(base: &str, key: &PublishableKey) -> String {
    format!("{base}_{}", key.cookie_suffix())
}

/// A strict decimal number; anything else is 0.
///
/// The SDK's `parseInt` takes `12abc` for 12; a cookie that Clerk did not
/// write so says nothing about who is signed in.
pub(super) fn decimal(text: &str) -> u64 {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().unwrap_or(0)
    } else {
        0
    }
}

/// Blanks and tabs go, quotes stay: RFC 6265 gives them no meaning.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn has_bad_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes();
        digits.len() < 2 || !digits.iter().take(2).all(u8::is_ascii_hexdigit)
    })
}
