//! Origins and URLs of the application and of Clerk, as configuration has them.

use url::{Host, Url};

/// The origin that browsers see, such as `https://quotes.example.com`.
///
/// Written as browsers write it (lower case, no default port, no slash at the
/// end), because `Origin` headers and `azp` are compared with it as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Parses an https origin, or an http one on loopback.
    ///
    /// Returns `None` for anything else, also for an origin in another spelling
    /// than a browser's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = parse_secure_url(text)?;
        (url.origin().ascii_serialization() == text).then(|| Self(text.to_owned()))
    }

    /// A placeholder for a request whose origin is not known.
    ///
    /// The top-level domain `invalid` is reserved (RFC 6761, section 6.4).
    #[must_use]
    pub fn unknown() -> Self {
        Self("https://unknown.invalid".to_owned())
    }

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is https, so that cookies can be `Secure`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether a URL is on this origin.
    #[must_use]
    pub fn contains(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| url.origin().ascii_serialization() == self.0)
    }
}

/// Parses an https URL, or an http one on loopback, without user, password and
/// fragment.
///
/// Returns `None` for anything else, and for a URL that contains a character
/// that is not visible ASCII: [`Url::parse`] would drop a line break, but a
/// header that is made from the text cannot be sent.
#[must_use]
pub fn parse_secure_url(text: &str) -> Option<Url> {
    let url = text
        .bytes()
        .all(|b| b.is_ascii_graphic())
        .then(|| Url::parse(text).ok())??;
    let allowed = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => url.host().is_some_and(|host| is_loopback(&host)),
        _ => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (allowed && plain).then_some(url)
}

/// Whether only programs on this machine can be behind the host.
pub(crate) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in [
            "https://quotes.example.com",
            "http://localhost:9000",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert_eq!(Origin::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "https://quotes.example.com/",
            "https://Quotes.example.com",
            "https://quotes.example.com:443",
            "http://quotes.example.com",
            "https://user@quotes.example.com",
            "https://quotes.example.com\n",
            "capacitor://localhost",
            "quotes.example.com",
            "null",
            "",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_https_is_secure() {
        let is_secure = |text| Origin::parse(text).unwrap().is_secure();
        assert!(is_secure("https://quotes.example.com"));
        assert!(!is_secure("http://localhost:9000"));
    }

    #[test]
    fn a_url_is_on_an_origin_by_scheme_host_and_port() {
        let origin = Origin::parse("https://quotes.example.com").unwrap();
        for own in [
            "https://quotes.example.com/a?b",
            "https://quotes.example.com:443",
        ] {
            assert!(origin.contains(own), "{own}");
        }
        for other in [
            "http://quotes.example.com/",
            "https://quotes.example.com.evil.example/",
            "https://quotes.example.com:8443/",
            "/relative",
        ] {
            assert!(!origin.contains(other), "{other}");
        }
    }

    #[test]
    fn a_url_has_no_character_that_a_header_cannot_carry() {
        for bad in [
            "https://a.example/sign-in\n",
            "https://a.example/sign in",
            "https://a.example/é",
            "https://a.example/#fragment",
            "http://a.example/",
            "javascript:alert(1)",
        ] {
            assert_eq!(parse_secure_url(bad), None, "{bad:?}");
        }
        assert!(parse_secure_url("https://a.example/sign-in?a=b").is_some());
    }
}
