//! The cookies that Clerk reads and sets.

use std::net::Ipv4Addr;

use http::{HeaderMap, header::COOKIE};

use crate::{
    config::{Config, host_of},
    keys::Instance,
};

/// Secret of a browser in a production instance; only the Frontend API and the
/// portal read it.
pub(crate) const CLIENT: &str = "__client";
/// Secret of a browser in a development instance; also a query parameter.
pub(crate) const DEV_BROWSER: &str = "__clerk_db_jwt";
/// Carries the handshake of a development instance as a query parameter, of a
/// production instance as a cookie.
pub(crate) const HANDSHAKE: &str = "__clerk_handshake";
/// In its place: an id for which the Backend API gives the cookies.
pub(crate) const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";

/// Removes the counter by which the application stops redirect loops, because
/// several quick sign-ins are no loop. It has an effect where the portal is on
/// the application's own origin.
pub(crate) const REDIRECT_COUNT_REMOVED: &str = "__clerk_redirect_count=; Path=/; Max-Age=0";

/// How long a browser keeps a cookie: a year, in seconds.
const COOKIE_AGE: u32 = 31_536_000;
/// How long a browser keeps a handshake: long enough for a redirect, in seconds.
const HANDSHAKE_AGE: u32 = 10;

/// Names and values of the cookies of a request.
#[must_use]
pub fn parse(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Makes the `Set-Cookie` values of one instance. Some cookies are set twice:
/// under the plain name and under the one with the instance's suffix. An empty
/// value removes a cookie.
pub(crate) struct Cookies {
    suffix: String,
    /// `; Domain=…` for the cookies that all hosts of the application share.
    domain: String,
    /// `; Secure` where the application is on https.
    secure: &'static str,
}

impl Cookies {
    pub(crate) fn new(config: &Config, instance: &Instance) -> Self {
        let app_host = host_of(&config.app_origin).unwrap_or_default();
        let domain = domain(&app_host, instance).map(|domain| format!("; Domain={domain}"));
        let is_https = config.app_origin.starts_with("https://");
        Self {
            suffix: instance.cookie_suffix.clone(),
            domain: domain.unwrap_or_default(),
            secure: if is_https { "; Secure" } else { "" },
        }
    }

    /// `__session`: a session token.
    pub(crate) fn session(&self, token: &str) -> [String; 2] {
        self.plain_and_suffixed("__session", token, "")
    }

    /// `__client_uat`: when this browser's sign-in last changed, in seconds
    /// since 1970; 0 when signed out.
    ///
    /// clerk-js writes it `SameSite=Strict` in development; here it has to be
    /// `Lax`, or the page that follows a sign-in elsewhere would not get it.
    pub(crate) fn client_uat(&self, seconds: u64) -> [String; 2] {
        self.plain_and_suffixed("__client_uat", &seconds.to_string(), &self.domain)
    }

    /// `__clerk_db_jwt`.
    pub(crate) fn dev_browser(&self, secret: &str) -> [String; 2] {
        self.plain_and_suffixed(DEV_BROWSER, secret, "")
    }

    /// `__client`, shared by the hosts of the Frontend API and the portal.
    pub(crate) fn client(&self, secret: &str) -> String {
        let cookie = self.cookie(CLIENT, secret, COOKIE_AGE, &self.domain);
        format!("{cookie}; HttpOnly")
    }

    /// [`HANDSHAKE`] or [`HANDSHAKE_NONCE`].
    pub(crate) fn handshake(&self, name: &str, value: &str) -> String {
        self.cookie(name, value, HANDSHAKE_AGE, &self.domain)
    }

    /// The suffixed name of a cookie.
    pub(crate) fn suffixed(&self, name: &str) -> String {
        format!("{name}_{}", self.suffix)
    }

    fn plain_and_suffixed(&self, name: &str, value: &str, domain: &str) -> [String; 2] {
        [name, &self.suffixed(name)].map(|name| self.cookie(name, value, COOKIE_AGE, domain))
    }

    fn cookie(&self, name: &str, value: &str, age: u32, domain: &str) -> String {
        let age = if value.is_empty() { 0 } else { age };
        let secure = self.secure;
        format!("{name}={value}; Path=/{domain}; Max-Age={age}; SameSite=Lax{secure}")
    }
}

/// The domain that the application shares with its other hosts, where cookies
/// can have one: what clerk-js finds out by trying (`getCookieDomain`).
fn domain<'a>(app_host: &'a str, instance: &'a Instance) -> Option<&'a str> {
    if instance.production {
        let host = &instance.host;
        return Some(host.strip_prefix("clerk.").unwrap_or(host));
    }
    if app_host.starts_with('[') || app_host.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    let (front, _top) = app_host.rsplit_once('.')?;
    Some(
        front
            .rfind('.')
            .map_or(app_host, |dot| &app_host[dot + 1..]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{development, production};

    #[test]
    fn localhost_has_no_cookie_domain_and_a_site_shares_its_apex() {
        let instance = &development().instance;
        for (app_host, expected) in [
            ("localhost", None),
            ("127.0.0.1", None),
            ("[::1]", None),
            ("www.example.test", Some("example.test")),
            ("example.test", Some("example.test")),
        ] {
            assert_eq!(domain(app_host, instance), expected);
        }
    }

    #[test]
    fn production_cookies_are_secure_and_for_the_apex() {
        assert_eq!(
            production().cookies.client_uat(7)[0],
            "__client_uat=7; Path=/; Domain=example.test; Max-Age=31536000; SameSite=Lax; Secure"
        );
    }
}
