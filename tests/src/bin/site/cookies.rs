//! Cookies that some browsers do not store.

use clap::ValueEnum;
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};

/// Which cookies the gateway passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cookies {
    All,
    /// Those without `Secure`: Safari stores no others from http://localhost.
    NotSecure,
    /// None, as with cookies turned off.
    None,
}

impl Cookies {
    /// Removes the others from the headers of a request or response.
    pub(crate) fn filter(self, headers: &mut HeaderMap) {
        if self == Self::None {
            headers.remove(COOKIE);
        }
        let set = headers.get_all(SET_COOKIE).iter();
        let kept: Vec<_> = set.filter(|set| self.keeps(set)).cloned().collect();
        headers.remove(SET_COOKIE);
        for set in kept {
            headers.append(SET_COOKIE, set);
        }
    }

    fn keeps(self, set: &HeaderValue) -> bool {
        let mut attributes = set.to_str().unwrap().split(';').skip(1);
        match self {
            Self::All => true,
            Self::NotSecure => !attributes.any(|name| name.trim().eq_ignore_ascii_case("secure")),
            Self::None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(cookies: Cookies) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (COOKIE, "a=1"),
            (SET_COOKIE, "secure=1; Path=/"),
            (SET_COOKIE, "b=2; Path=/; secure"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        cookies.filter(&mut headers);
        headers
    }

    #[test]
    fn all_cookies_are_passed_on() {
        assert_eq!(filtered(Cookies::All).len(), 3);
    }

    #[test]
    fn secure_cookies_are_removed() {
        let headers = filtered(Cookies::NotSecure);
        assert_eq!(headers[SET_COOKIE], "secure=1; Path=/");
        assert_eq!(headers[COOKIE], "a=1");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn with_cookies_off_none_is_sent_or_set() {
        assert!(filtered(Cookies::None).is_empty());
    }
}
