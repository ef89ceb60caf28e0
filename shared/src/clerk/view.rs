//! What a decision looks at of a request.

use std::borrow::Cow;

use url::{Url, form_urlencoded};

use super::cookies::{Cookies, InstanceCookies, decimal};
use super::instance::Instance;

/// The parts of a request that authentication depends on, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestView<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Raw path and query.
    pub target: &'a str,
    /// Public origin of the application. From the configuration, never from
    /// `Host` or `X-Forwarded-*`: a client chooses those.
    pub origin: &'a str,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Cookie`; several joined with `; `.
    pub cookie: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Sec-Fetch-Dest`.
    pub sec_fetch_dest: Option<&'a str>,
    /// `Referer`.
    pub referer: Option<&'a str>,
}

impl<'a> RequestView<'a> {
    /// The token in the `Authorization` header.
    ///
    /// As the SDK parses it: a value of one word is the token; `Bearer`, with a
    /// capital letter, must be followed by exactly one blank; another scheme is
    /// no token.
    #[must_use]
    pub fn header_token(&self) -> Option<&'a str> {
        let value = self.authorization?.trim();
        let mut words = value.split(' ');
        let first = words.next().filter(|word| !word.is_empty())?;
        match words.next() {
            None => Some(first),
            Some("") if first == "Bearer" => Some(first),
            Some(token) if first == "Bearer" => Some(token),
            Some(_) => None,
        }
    }

    pub(super) fn cookies(&self) -> Cookies<'a> {
        Cookies::parse(self.cookie.unwrap_or_default())
    }

    fn path(&self) -> &'a str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether the query has this parameter, even an empty one.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        form_urlencoded::parse(self.query().as_bytes()).any(|(key, _)| key == name)
    }

    /// The first value of a query parameter; `None` when absent or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        form_urlencoded::parse(self.query().as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// The public URL of the request without these query parameters.
    ///
    /// The query is serialised anew, as the SDK's `URLSearchParams` does.
    #[must_use]
    pub fn url_without(&self, parameters: &[&str]) -> String {
        let path = self.path();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(
            form_urlencoded::parse(self.query().as_bytes())
                .filter(|(key, _)| !parameters.contains(&key.as_ref())),
        );
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{separator}{query}", self.origin)
    }
}

/// A request with its cookies read for one instance.
pub(super) struct Visit<'a> {
    pub(super) request: &'a RequestView<'a>,
    pub(super) instance: &'a Instance,
    pub(super) cookies: InstanceCookies<'a>,
    /// The token of a handshake on its way back.
    pub(super) handshake: Option<Cow<'a, str>>,
    /// Development: the token that stands for this browser.
    pub(super) dev_browser: Option<Cow<'a, str>>,
    /// Handshakes in a row so far.
    pub(super) redirect_count: u64,
    pub(super) now_ms: i64,
}

impl<'a> Visit<'a> {
    pub(super) fn new(instance: &'a Instance, request: &'a RequestView<'a>, now_ms: i64) -> Self {
        let all = request.cookies();
        let cookies = all.of_instance(&instance.publishable_key, now_ms);
        Self {
            handshake: request
                .parameter("__clerk_handshake")
                .or_else(|| all.get("__clerk_handshake")),
            dev_browser: request
                .parameter("__clerk_db_jwt")
                .or_else(|| cookies.dev_browser.clone()),
            redirect_count: all
                .get("__clerk_redirect_count")
                .map_or(0, |count| decimal(&count)),
            request,
            instance,
            cookies,
            now_ms,
        }
    }

    pub(super) fn is_development(&self) -> bool {
        self.instance.publishable_key.is_development()
    }

    /// Whether this is a page load by a link on another site.
    ///
    /// The visitor may have signed out or changed accounts there since. Clerk's
    /// own pages are not meant: they have just brought the visitor back.
    pub(super) fn comes_from_another_site(&self) -> bool {
        let request = self.request;
        if request.method != "GET" || request.sec_fetch_dest != Some("document") {
            return false;
        }
        let Some(referer) = request.referer.and_then(|referer| Url::parse(referer).ok()) else {
            return false;
        };
        let own = Url::parse(request.origin).map(|url| url.origin());
        own != Ok(referer.origin()) && !self.is_clerk(&referer)
    }

    fn is_clerk(&self, url: &Url) -> bool {
        let key = &self.instance.publishable_key;
        let host = url.host_str().unwrap_or_default();
        let host_and_port = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        host_and_port == key.frontend_api_host()
            || url.origin().ascii_serialization() == key.accounts_origin()
            || (self.is_development() && is_development_portal(host))
    }
}

/// Host names of Clerk's account portals for development instances
/// (`isCurrentDevAccountPortalOrigin`, `isLegacyDevAccountPortalOrigin`).
fn is_development_portal(host: &str) -> bool {
    let current = [
        ".accounts.dev",
        ".accountsstage.dev",
        ".accounts.lclclerk.com",
    ];
    let legacy = [".lcl.dev", ".lclstage.dev", ".lclclerk.com"];
    current.iter().any(|suffix| {
        host.strip_suffix(suffix)
            .is_some_and(|name| !name.ends_with(".clerk"))
    }) || (host.starts_with("accounts.") && legacy.iter().any(|suffix| host.ends_with(suffix)))
}
