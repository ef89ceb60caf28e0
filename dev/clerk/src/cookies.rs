//! The cookies that Clerk reads and sets.

use http::{HeaderMap, header::COOKIE};

use crate::{Config, StandIn, keys::Instance};

/// Secret of a browser in a production instance; only the Frontend API and the
/// portal read it.
pub(crate) const CLIENT: &str = "__client";
/// Secret of a browser in a development instance; also a query parameter.
pub(crate) const DEV_BROWSER: &str = "__clerk_db_jwt";
/// Carries the handshake of a development instance as a query parameter, of a
/// production instance as a cookie.
pub(crate) const HANDSHAKE: &str = "__clerk_handshake";
/// When this browser's sign-in last changed, in seconds; 0 when signed out.
pub(crate) const CLIENT_UAT: &str = "__client_uat";
/// The session token.
pub(crate) const SESSION: &str = "__session";

/// A year, in seconds.
const LONG: u32 = 31_536_000;

/// Names and values of the cookies of a request.
pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Makes the counter that stops redirect loops start anew. A portal on the
/// application's own origin can do that, and quick sign-ins need it.
pub(crate) fn redirect_count_cleared() -> String {
    "__clerk_redirect_count=; Path=/; Max-Age=0".to_owned()
}

impl StandIn {
    /// `__session`, or its removal. Plain and with the instance's suffix.
    pub(crate) fn session_cookies(&self, token: Option<&str>) -> [String; 2] {
        self.both(SESSION, token, None)
    }

    /// `__client_uat` for all hosts of the application. Plain and suffixed.
    ///
    /// clerk-js writes it `SameSite=Strict` in development; here it has to be
    /// `Lax`, or the page that follows a sign-in elsewhere would not get it.
    pub(crate) fn client_uat_cookies(&self, seconds: u64) -> [String; 2] {
        let domain = cookie_domain(&self.config, &self.instance);
        self.both(CLIENT_UAT, Some(&seconds.to_string()), domain)
    }

    /// `__clerk_db_jwt`. Plain and suffixed.
    pub(crate) fn dev_browser_cookies(&self, secret: &str) -> [String; 2] {
        self.both(DEV_BROWSER, Some(secret), None)
    }

    /// `__client`, shared by the hosts of the Frontend API and the portal.
    pub(crate) fn client_cookie(&self, secret: &str) -> String {
        let domain = cookie_domain(&self.config, &self.instance);
        format!("{}; HttpOnly", self.cookie(CLIENT, secret, LONG, domain))
    }

    /// `__clerk_handshake`: alive just long enough for the redirect.
    pub(crate) fn handshake_cookie(&self, token: &str) -> String {
        let domain = cookie_domain(&self.config, &self.instance);
        self.cookie(HANDSHAKE, token, 10, domain)
    }

    /// Removes `__clerk_handshake`: a lingering one signs in again.
    pub(crate) fn handshake_cookie_removed(&self) -> String {
        let domain = cookie_domain(&self.config, &self.instance);
        self.cookie(HANDSHAKE, "", 0, domain)
    }

    /// The suffixed name of a cookie.
    pub(crate) fn suffixed(&self, name: &str) -> String {
        format!("{name}_{}", self.instance.cookie_suffix)
    }

    fn both(&self, name: &str, value: Option<&str>, domain: Option<&str>) -> [String; 2] {
        let max_age = if value.is_some() { LONG } else { 0 };
        let value = value.unwrap_or_default();
        [name, &self.suffixed(name)].map(|name| self.cookie(name, value, max_age, domain))
    }

    fn cookie(&self, name: &str, value: &str, max_age: u32, domain: Option<&str>) -> String {
        let domain = domain.map_or(String::new(), |domain| format!("; Domain={domain}"));
        let secure = if self.config.app_is_https() {
            "; Secure"
        } else {
            ""
        };
        format!("{name}={value}; Path=/{domain}; Max-Age={max_age}; SameSite=Lax{secure}")
    }
}

/// The domain that the application shares with its other hosts, where cookies
/// can have one: what clerk-js finds out by trying (`getCookieDomain`).
fn cookie_domain<'a>(config: &'a Config, instance: &'a Instance) -> Option<&'a str> {
    if instance.production {
        let host = &instance.host;
        return Some(host.strip_prefix("clerk.").unwrap_or(host));
    }
    let host = config.app_host();
    let is_address = host.starts_with('[') || host.bytes().all(|b| b == b'.' || b.is_ascii_digit());
    if is_address {
        return None;
    }
    let (front, _top) = host.rsplit_once('.')?;
    Some(front.rfind('.').map_or(host, |dot| &host[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{development, production};

    #[test]
    fn localhost_has_no_cookie_domain_and_a_site_shares_its_apex() {
        let domain = |app_origin: &str| {
            let config = Config {
                app_origin: app_origin.into(),
                ..development().config.clone()
            };
            cookie_domain(&config, &development().instance).map(str::to_owned)
        };
        assert_eq!(domain("http://localhost:9000"), None);
        assert_eq!(domain("http://127.0.0.1:9000"), None);
        assert_eq!(domain("https://www.example.test").unwrap(), "example.test");
        assert_eq!(domain("https://example.test:8443").unwrap(), "example.test");
    }

    #[test]
    fn production_cookies_are_secure_and_for_the_apex() {
        assert_eq!(
            production().client_uat_cookies(7)[0],
            "__client_uat=7; Path=/; Domain=example.test; Max-Age=31536000; SameSite=Lax; Secure"
        );
    }
}
