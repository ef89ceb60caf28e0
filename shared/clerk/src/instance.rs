//! A Clerk instance: the publishable key that names it, and what an application
//! is configured to expect of its tokens.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use openssl::sha::sha1;
use url::Host;

use crate::backend::BackendApi;
use crate::origin;
use crate::token::{AuthorizedParties, Rules};

/// Standard base64 with optional padding, as Clerk prints its keys.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A parsed `pk_test_…` or `pk_live_…` key.
///
/// It names the instance's Frontend API and, through its hash, the instance's
/// own cookies.
#[derive(Clone, Debug)]
pub struct PublishableKey {
    text: String,
    frontend_api_host: String,
    cleartext: bool,
    development: bool,
    cookie_suffix: String,
}

impl PublishableKey {
    /// Parses a key: `pk_test_` or `pk_live_`, then base64 of `<host>$`.
    ///
    /// Stricter than Clerk's SDK in one point: the host must be a bare
    /// `host[:port]`. The SDK takes a scheme or a path along, which turns every
    /// URL built from it into something else. The one exception is
    /// `http://` before a loopback address, see [`Self::is_cleartext`].
    ///
    /// Returns `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (development, encoded) = match text.split('_').collect::<Vec<_>>()[..] {
            ["pk", "test", encoded] => (true, encoded),
            ["pk", "live", encoded] => (false, encoded),
            _ => return None,
        };
        let decoded = String::from_utf8(KEY_BASE64.decode(encoded).ok()?).ok()?;
        let url = decoded.strip_suffix('$')?;
        let (cleartext, host) = match url.strip_prefix("http://") {
            Some(host) => (true, host),
            None => (false, url),
        };
        let valid = is_bare_host(host) && (!cleartext || is_loopback_address(host));
        valid.then(|| Self {
            text: text.to_owned(),
            frontend_api_host: host.to_owned(),
            cleartext,
            development,
            cookie_suffix: cookie_suffix(text),
        })
    }

    /// The key as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host of the instance's Frontend API, with the port if the key has one.
    #[must_use]
    pub fn frontend_api_host(&self) -> &str {
        &self.frontend_api_host
    }

    /// Whether the key names a Frontend API on loopback without TLS.
    ///
    /// Only an application that is itself on loopback without TLS may use it.
    #[must_use]
    pub fn is_cleartext(&self) -> bool {
        self.cleartext
    }

    /// Base URL of the Frontend API, without a slash at the end.
    #[must_use]
    pub fn frontend_api(&self) -> String {
        let scheme = if self.cleartext { "http" } else { "https" };
        format!("{scheme}://{}", self.frontend_api_host)
    }

    /// Whether this is a development instance (`pk_test_`).
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.development
    }

    /// What Clerk appends to this instance's cookie names, without the `_`.
    ///
    /// Applications on one domain tell their cookies apart by it.
    #[must_use]
    pub fn cookie_suffix(&self) -> &str {
        &self.cookie_suffix
    }

    /// Origin of the instance's account portal, where users sign in.
    #[must_use]
    pub fn accounts_origin(&self) -> String {
        let host = &self.frontend_api_host;
        let dropped = ["clerk.accounts.", "clerk.accountsstage."];
        let accounts = match dropped.iter().find(|part| host.contains(**part)) {
            Some(part) => host.replacen(part, &part["clerk.".len()..], 1),
            None => host.replacen("clerk.", "accounts.", 1),
        };
        format!("https://{accounts}")
    }
}

/// Whether this is `host[:port]`: labels of letters, digits and hyphens, at
/// least two of them, and a port of digits.
fn is_bare_host(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.contains('.')
        && host.split('.').all(is_label)
        && port.is_none_or(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
        })
}

fn is_loopback_address(host: &str) -> bool {
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    host.parse()
        .is_ok_and(|ip| origin::is_loopback(&Host::Ipv4(ip)))
}

/// First 8 characters of the base64url SHA-1 of the whole key, padding included.
fn cookie_suffix(key: &str) -> String {
    let mut suffix = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha1(key.as_bytes()));
    suffix.truncate(8);
    suffix
}

/// Clock skew allowed by default, in milliseconds.
///
/// `DEFAULT_CLOCK_SKEW_IN_MS` of `@clerk/backend`; jsonwebtoken would allow 60 s.
pub const DEFAULT_CLOCK_SKEW_MS: i64 = 5_000;

/// A Clerk instance, and what its tokens must say.
///
/// ```
/// use clerk_auth::{Instance, PublishableKey};
///
/// let key = PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
/// let instance = Instance::new(key);
/// assert_eq!(instance.frontend_api("https://www.example.com"), "https://clerk.example.com");
/// ```
#[derive(Clone, Debug)]
pub struct Instance {
    /// Names the instance.
    pub publishable_key: PublishableKey,
    /// Replaces `https://<frontend api host>`; a path is below the public origin.
    pub proxy_url: Option<String>,
    /// Values allowed in `azp`.
    pub authorized_parties: AuthorizedParties,
    /// The `iss` expected; `None`: not checked.
    pub issuer: Option<String>,
    /// How far the clocks may be apart, in milliseconds.
    pub clock_skew_ms: i64,
    /// Whether the rules apply that go beyond Clerk's SDK. The README lists them.
    pub hardened: bool,
    /// Where the nonce of a handshake is exchanged; `None`: the form with a token
    /// is asked for, which a cookie can hold if the session has few claims.
    pub backend: Option<BackendApi>,
}

impl Instance {
    /// The instance that a key names, with the safe defaults: tokens of its own
    /// issuer, for the public origin, by the stricter rules.
    #[must_use]
    pub fn new(publishable_key: PublishableKey) -> Self {
        Self {
            issuer: Some(publishable_key.frontend_api()),
            publishable_key,
            proxy_url: None,
            authorized_parties: AuthorizedParties::PublicOrigin,
            clock_skew_ms: DEFAULT_CLOCK_SKEW_MS,
            hardened: true,
            backend: None,
        }
    }

    /// Base URL of the Frontend API, without a slash at the end.
    #[must_use]
    pub fn frontend_api(&self, public_origin: &str) -> String {
        match self
            .proxy_url
            .as_deref()
            .map(|url| url.trim_end_matches('/'))
        {
            Some(path) if path.starts_with('/') => format!("{public_origin}{path}"),
            Some(url) => url.to_owned(),
            None => self.publishable_key.frontend_api(),
        }
    }

    pub(crate) fn rules<'a>(&'a self, origin: &'a str, clock_skew_ms: i64) -> Rules<'a> {
        Rules {
            authorized_parties: &self.authorized_parties,
            origin,
            party_last: self.hardened,
            issuer: self.issuer.as_deref(),
            clock_skew_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PRODUCTION, instance};

    #[test]
    fn a_proxy_replaces_the_frontend_api() {
        let base = |proxy_url: Option<&str>| {
            let instance = Instance {
                proxy_url: proxy_url.map(str::to_owned),
                ..instance(PRODUCTION)
            };
            instance.frontend_api("https://www.example.com")
        };
        assert_eq!(base(None), "https://clerk.example.com");
        assert_eq!(base(Some("/__clerk/")), "https://www.example.com/__clerk");
        assert_eq!(base(Some("https://a.example/b")), "https://a.example/b");
        assert_eq!(base(Some("https://a.example/b//")), "https://a.example/b");
    }

    const KEY: &str = "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk";

    #[test]
    fn a_key_names_its_host_portal_and_cookies() {
        let key = PublishableKey::parse(KEY).unwrap();
        assert_eq!(key.frontend_api_host(), "happy-hippo-1.clerk.accounts.dev");
        assert_eq!(key.accounts_origin(), "https://happy-hippo-1.accounts.dev");
        assert_eq!(
            key.frontend_api(),
            "https://happy-hippo-1.clerk.accounts.dev"
        );
        assert_eq!(key.cookie_suffix(), "MWTw9P_R");
        assert!(key.is_development());
    }

    #[test]
    fn a_production_portal_is_beside_the_frontend_api() {
        let key = PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
        assert_eq!(key.accounts_origin(), "https://accounts.example.com");
        assert!(!key.is_development());
    }

    #[test]
    fn the_first_clerk_in_a_host_becomes_the_portal() {
        let portal = |host: &str| {
            let key = format!("pk_live_{}", KEY_BASE64.encode(format!("{host}$")));
            PublishableKey::parse(&key).unwrap().accounts_origin()
        };
        for (host, accounts) in [
            ("clerk.clerk.example.com", "accounts.clerk.example.com"),
            ("a.clerk.accounts.dev", "a.accounts.dev"),
            ("a.clerk.accountsstage.dev", "a.accountsstage.dev"),
            ("clerk.a.clerk.accounts.dev", "clerk.a.accounts.dev"),
            ("auth.example.com", "auth.example.com"),
            ("clerk.example.com:8443", "accounts.example.com:8443"),
        ] {
            assert_eq!(portal(host), format!("https://{accounts}"));
        }
    }

    #[test]
    fn padding_is_optional_and_part_of_the_cookie_suffix() {
        let key = |text| PublishableKey::parse(text).unwrap();
        let bare = key("pk_live_YS5iJA");
        let padded = key("pk_live_YS5iJA==");
        assert_eq!(bare.frontend_api_host(), "a.b");
        assert_eq!(padded.frontend_api_host(), "a.b");
        assert_ne!(bare.cookie_suffix(), padded.cookie_suffix());
        assert_eq!(padded.as_str(), "pk_live_YS5iJA==");
    }

    #[test]
    fn only_a_loopback_address_may_do_without_tls() {
        let parse = |url: &str| {
            let key = format!("pk_test_{}", KEY_BASE64.encode(format!("{url}$")));
            PublishableKey::parse(&key)
        };
        for host in ["127.0.0.1", "127.0.0.1:8443", "127.1.2.3"] {
            let key = parse(&format!("http://{host}")).unwrap();
            assert!(key.is_cleartext());
            assert_eq!(key.frontend_api_host(), host);
            assert_eq!(key.frontend_api(), format!("http://{host}"));
            let key = parse(host).unwrap();
            assert!(!key.is_cleartext());
            assert_eq!(key.frontend_api(), format!("https://{host}"));
        }
        for host in [
            "128.0.0.1",
            "10.0.0.1:80",
            "fapi.localhost",
            "127.0.0.1.evil.example",
        ] {
            assert!(parse(&format!("http://{host}")).is_none(), "{host}");
        }
    }

    #[test]
    fn only_bare_hosts_are_keys() {
        for host in [
            "localhost:8443$",
            "clerk.example.com",
            "clerk.example.com$$",
            "https://clerk.example.com$",
            "http://clerk.example.com$",
            "clerk.example.com/path$",
            "user@clerk.example.com$",
            "clerk.example.com:port$",
            "clerk.example.com:$",
            "clerk.example.com:65536$",
            "clerk.example.com:1:2$",
            "clerk.example.com:+80$",
            "..$",
            ".example.com$",
            "clerk.example.com.$",
            "clerk..example.com$",
            "clerk.example.com $",
            "clerk$.example.com$",
            "clerk_1.example.com$",
            "$",
            "",
        ] {
            let key = format!("pk_live_{}", KEY_BASE64.encode(host));
            assert!(PublishableKey::parse(&key).is_none(), "{host}");
        }
        for key in [
            "",
            "pk_test_",
            "pk_prod_YS5iJA",
            "sk_test_YS5iJA",
            "pk_test_YS5iJA_x",
            "PK_test_YS5iJA",
            "pk_test_YS5iJB",
            "pk_test_YS5 iJA",
            "pk_test__y4kJA",
        ] {
            assert!(PublishableKey::parse(key).is_none(), "{key}");
        }
    }
}
