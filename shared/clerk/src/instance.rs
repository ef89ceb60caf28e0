//! A Clerk instance as an application is configured for it.

use std::borrow::Cow;

use crate::publishable_key::PublishableKey;
use crate::token::Rules;

/// Clock skew allowed by default, in milliseconds.
///
/// `DEFAULT_CLOCK_SKEW_IN_MS` of `@clerk/backend`; jsonwebtoken would allow 60 s.
pub const DEFAULT_CLOCK_SKEW_MS: i64 = 5_000;

/// A Clerk instance, and what its tokens must say.
///
/// ```
/// use clerk_auth::{AuthorizedParties, DEFAULT_CLOCK_SKEW_MS, Instance, PublishableKey};
///
/// let publishable_key = PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
/// let instance = Instance {
///     issuer: Some(publishable_key.frontend_api()),
///     publishable_key,
///     proxy_url: None,
///     authorized_parties: AuthorizedParties::PublicOrigin,
///     clock_skew_ms: DEFAULT_CLOCK_SKEW_MS,
/// };
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
}

/// The origins that a session token may have been made for, compared as text:
/// `capacitor://localhost` or `chrome-extension://<id>` are possible ones.
#[derive(Clone, Debug)]
pub enum AuthorizedParties {
    /// Only the public origin of the request.
    PublicOrigin,
    /// These; none means that `azp` is not checked.
    Listed(Vec<String>),
}

impl Instance {
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

    pub(crate) fn rules<'a>(&'a self, public_origin: &str, clock_skew_ms: i64) -> Rules<'a> {
        Rules {
            authorized_parties: match &self.authorized_parties {
                AuthorizedParties::PublicOrigin => Cow::Owned(vec![public_origin.to_owned()]),
                AuthorizedParties::Listed(listed) => Cow::Borrowed(listed),
            },
            issuer: self.issuer.as_deref(),
            clock_skew_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{DEVELOPMENT, PRODUCTION, instance};

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

    #[test]
    fn listed_parties_replace_the_public_origin() {
        let listed = |parties: &[&str]| {
            let parties = parties.iter().map(|&party| party.to_owned()).collect();
            let instance = Instance {
                authorized_parties: AuthorizedParties::Listed(parties),
                ..instance(DEVELOPMENT)
            };
            let rules = instance.rules("https://www.example.com", 0);
            rules.authorized_parties.into_owned()
        };
        assert!(listed(&[]).is_empty());
        assert_eq!(listed(&["https://a.example"]), ["https://a.example"]);
    }
}
