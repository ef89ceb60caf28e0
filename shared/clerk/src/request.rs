//! The parts of a request that authentication depends on, and what Clerk's
//! cookies and parameters in it say.

use std::borrow::Cow;

use http::HeaderName;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, REFERER};
use http::request::Parts;
use serde_json::Value;
use url::{Position, Url, form_urlencoded};

use crate::cookies::{Cookies, InstanceCookies, MAX_CANDIDATES, decimal, suffixed_name};
use crate::instance::Instance;
use crate::key::PublicKeys;
use crate::names::{
    DEV_BROWSER, HANDSHAKE, REDIRECT_COUNT_COOKIE, REDIRECTS_PARAMETER, SESSION_COOKIE,
};
use crate::token::Token;

/// The parts of a request that authentication depends on, as they came.
#[derive(Clone, Debug, Default)]
pub struct RequestView<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Raw path and query.
    pub target: &'a str,
    /// Public origin of the application. From the configuration, never from
    /// `Host` or `X-Forwarded-*`: a client chooses those.
    pub origin: &'a str,
    /// `Authorization`; several joined with `, `.
    pub authorization: Option<Cow<'a, str>>,
    /// `Cookie`; several joined with `; `.
    pub cookie: Option<Cow<'a, str>>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Sec-Fetch-Dest`.
    pub sec_fetch_dest: Option<&'a str>,
    /// `Referer`.
    pub referer: Option<&'a str>,
    /// What the Backend API answered to the nonce of a handshake: the values of
    /// its `directives`. It is trusted.
    pub handshake_payload: Option<&'a [Value]>,
}

impl<'a> RequestView<'a> {
    /// The view of a request to an application with this public origin.
    ///
    /// All `Cookie` headers count, joined: HTTP/2 may split them. Bytes that are
    /// no UTF-8 become U+FFFD, so that they damage only the cookie that they are
    /// in; in another header they make it absent.
    #[must_use]
    pub fn new(parts: &'a Parts, origin: &'a str) -> Self {
        let header = |name| std::str::from_utf8(parts.headers.get(name)?.as_bytes()).ok();
        let cookies: Vec<_> = parts
            .headers
            .get_all(COOKIE)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let join = |values: &[Cow<'a, str>], separator| match values {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(several.join(separator).into()),
        };
        let authorization = parts.headers.get_all(AUTHORIZATION).iter();
        let authorization: Vec<_> = authorization
            .filter_map(|value| {
                std::str::from_utf8(value.as_bytes())
                    .ok()
                    .map(Cow::Borrowed)
            })
            .collect();
        let target = parts.uri.path_and_query();
        Self {
            method: parts.method.as_str(),
            target: target.map_or("/", |target| target.as_str()),
            origin,
            authorization: join(&authorization, ", "),
            cookie: join(&cookies, "; "),
            accept: header(ACCEPT),
            sec_fetch_dest: header(HeaderName::from_static("sec-fetch-dest")),
            referer: header(REFERER),
            handshake_payload: None,
        }
    }

    /// The token in the `Authorization` header.
    ///
    /// As the SDK parses it: a value of one word is the token; `Bearer`, with a
    /// capital letter, must be followed by exactly one blank; another scheme is
    /// no token.
    #[must_use]
    pub fn header_token(&self) -> Option<&str> {
        token_of(self.authorization.as_deref()?)
    }

    /// The tokens in the values of the `Authorization` header, which a gateway
    /// joins with commas.
    pub fn header_tokens(&self) -> impl Iterator<Item = &str> {
        let values = self.authorization.as_deref().unwrap_or_default().split(',');
        values.filter_map(token_of).take(MAX_CANDIDATES)
    }

    pub(crate) fn cookies(&self) -> Cookies<'_> {
        Cookies::parse(self.cookie.as_deref().unwrap_or_default())
    }

    fn path(&self) -> &'a str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether the query has this parameter, even an empty one.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        form_urlencoded::parse(self.query().as_bytes()).any(|(key, _)| key == name)
    }

    /// The first value of a query parameter; `None` when absent or empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
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
        self.url(parameters, None)
    }

    /// The public URL without these query parameters and with this one added.
    pub(crate) fn url(&self, without: &[&str], added: Option<(&str, &str)>) -> String {
        let path = self.path();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(
            form_urlencoded::parse(self.query().as_bytes())
                .filter(|(key, _)| !without.contains(&key.as_ref())),
        );
        query.extend_pairs(added);
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{separator}{query}", self.origin)
    }
}

/// The token in one value of `Authorization`.
fn token_of(value: &str) -> Option<&str> {
    let value = value.trim_matches([' ', '\t']);
    let mut words = value.split(' ');
    let first = words.next().filter(|word| !word.is_empty())?;
    match words.next() {
        None => Some(first),
        Some("") if first == "Bearer" => Some(first),
        Some(token) if first == "Bearer" => Some(token),
        Some(_) => None,
    }
}

/// A request with its cookies read for one instance, at one time.
///
/// Nothing in it is verified. Everything that a decision needs works on it.
pub(crate) struct AuthContext<'a> {
    pub(crate) request: &'a RequestView<'a>,
    pub(crate) instance: &'a Instance,
    pub(crate) cookies: InstanceCookies<'a>,
    /// The token in the `Authorization` header.
    pub(crate) header_token: Option<&'a str>,
    /// The token of a handshake on its way back.
    pub(crate) handshake: Option<Cow<'a, str>>,
    /// Development: the token that stands for this browser.
    pub(crate) dev_browser: Option<Cow<'a, str>>,
    /// Handshakes in a row so far, as the cookie says.
    pub(crate) counted: Option<u64>,
    /// The same for redirects, as the URL says.
    pub(crate) mark: Option<Mark>,
    pub(crate) now_ms: i64,
}

/// What [`REDIRECTS_PARAMETER`] says, unless it is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) count: u64,
}

/// Age from which a mark is ignored, in seconds: it may be in a bookmark.
const MARK_MAX_AGE: u64 = 60;

impl Mark {
    fn parse(text: &str, now_ms: i64) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (count, seconds) = text.split_once('.')?;
        if !is_number(count) || !is_number(seconds) {
            return None;
        }
        let now = u64::try_from(now_ms.div_euclid(1000)).ok()?;
        let age_secs = now.checked_sub(seconds.parse().ok()?)?;
        (age_secs <= MARK_MAX_AGE).then(|| Self {
            count: decimal(count),
        })
    }
}

impl<'a> AuthContext<'a> {
    /// Of what occurs several times the first counts. With `keys`, by the stricter
    /// rules, it is the first that verifies.
    pub(crate) fn new(
        instance: &'a Instance,
        request: &'a RequestView<'a>,
        keys: Option<&PublicKeys>,
        now_ms: i64,
    ) -> Self {
        let mut all = request.cookies();
        let mut header_token = request.header_token();
        let mut mark = None;
        if instance.hardened {
            let rules = instance.rules(request.origin, instance.clock_skew_ms);
            let verifies = |token: &Token<'_>| {
                keys.is_some_and(|keys| token.verify(keys, &rules, now_ms).is_ok())
            };
            let is_signed =
                |token: &Token<'_>| keys.is_some_and(|keys| token.check_signature(keys).is_ok());
            let suffixed = suffixed_name(SESSION_COOKIE, &instance.publishable_key);
            for name in [SESSION_COOKIE, &suffixed] {
                // One that has expired names the session to renew.
                let _ = all.prefer(name, verifies) || all.prefer(name, is_signed);
            }
            all.prefer(HANDSHAKE, is_signed);
            let tokens: Vec<_> = request.header_tokens().collect();
            header_token = match tokens.as_slice() {
                // There is nothing to choose, and the decision verifies it.
                [] | [_] => tokens.first(),
                several => several
                    .iter()
                    .find(|text| Token::decode(text).is_some_and(|token| verifies(&token)))
                    .or(several.first()),
            }
            .copied();
            mark = request
                .parameter(REDIRECTS_PARAMETER)
                .and_then(|text| Mark::parse(&text, now_ms));
        }
        let cookies = all.of_instance(&instance.publishable_key, now_ms);
        Self {
            header_token,
            handshake: request.parameter(HANDSHAKE).or_else(|| all.get(HANDSHAKE)),
            dev_browser: request
                .parameter(DEV_BROWSER)
                .or_else(|| cookies.dev_browser.clone()),
            counted: all.get(REDIRECT_COUNT_COOKIE).map(|count| decimal(&count)),
            mark,
            request,
            instance,
            cookies,
            now_ms,
        }
    }

    /// Handshakes and, by the stricter rules, other redirects in a row so far.
    pub(crate) fn redirect_count(&self) -> u64 {
        let marked = self.mark.map_or(0, |mark| mark.count);
        self.counted.unwrap_or(0).max(marked)
    }

    /// The tokens that a decision may depend on.
    #[cfg(feature = "jwks")]
    pub(crate) fn tokens(&self, takes_handshakes: bool) -> Vec<Cow<'_, str>> {
        let header: Vec<_> = self.request.header_tokens().map(Cow::Borrowed).collect();
        if !header.is_empty() {
            return header;
        }
        let all = self.request.cookies();
        let suffixed = suffixed_name(SESSION_COOKIE, &self.instance.publishable_key);
        let session = if self.cookies.suffixed {
            &suffixed
        } else {
            SESSION_COOKIE
        };
        let handshakes = self.request.parameter(HANDSHAKE).into_iter();
        let handshakes = handshakes.chain(all.all(HANDSHAKE));
        handshakes
            .filter(|_| takes_handshakes)
            .chain(all.all(session))
            .collect()
    }

    pub(crate) fn is_development(&self) -> bool {
        self.instance.publishable_key.is_development()
    }

    /// Whether this is a page load by a link on another site.
    ///
    /// The user may have signed out or changed accounts there since. Clerk's own
    /// pages do not count: they have just sent the browser back.
    pub(crate) fn comes_from_another_site(&self) -> bool {
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
        let authority = |url: &Url| url[Position::BeforeHost..Position::AfterPort].to_owned();
        // Behind a proxy the Frontend API has the proxy's host.
        let frontend_api = Url::parse(&self.instance.frontend_api(self.request.origin));
        let host = url.host_str().unwrap_or_default();
        frontend_api.is_ok_and(|api| authority(&api) == authority(url))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{DEVELOPMENT, NOW_MS, PRODUCTION, instance, page_load};

    #[test]
    fn a_view_has_these_parts_of_a_request() {
        let (parts, ()) = http::Request::put("/api/quote?a=b")
            .header("authorization", "a")
            .header("cookie", "b=1")
            .header("accept", "c")
            .header("sec-fetch-dest", "d")
            .header("referer", "e")
            .body(())
            .unwrap()
            .into_parts();
        let view = RequestView::new(&parts, "https://www.example.com");
        assert_eq!(view.method, "PUT");
        assert_eq!(view.target, "/api/quote?a=b");
        assert_eq!(view.origin, "https://www.example.com");
        assert_eq!(view.authorization.as_deref(), Some("a"));
        assert_eq!(view.cookie.as_deref(), Some("b=1"));
        assert_eq!(view.accept, Some("c"));
        assert_eq!(view.sec_fetch_dest, Some("d"));
        assert_eq!(view.referer, Some("e"));
    }

    #[test]
    fn every_cookie_header_counts_and_damage_stays_in_its_own_cookie() {
        let cookie = |headers: &[&[u8]]| {
            let mut request = http::Request::get("/");
            for header in headers {
                request = request.header("cookie", *header);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let view = RequestView::new(&parts, "https://www.example.com");
            view.cookies().get("a").map(Cow::into_owned)
        };
        assert_eq!(cookie(&[]), None);
        assert_eq!(cookie(&[b"a=1"]).as_deref(), Some("1"));
        assert_eq!(cookie(&[b"b=0", b"a=1"]).as_deref(), Some("1"));
        assert_eq!(cookie(&[b"a=1; b=0", b"a=2"]).as_deref(), Some("1"));
        assert_eq!(cookie(&[b"name=Zo\xeb; a=1"]).as_deref(), Some("1"));
        assert_eq!(cookie(&[b"\xff", b"a=1"]).as_deref(), Some("1"));
        assert_eq!(cookie(&["name=Zoë; a=1".as_bytes()]).as_deref(), Some("1"));
    }

    #[test]
    fn the_header_token_is_found_as_the_sdk_finds_it() {
        let token = |value: Option<&str>| {
            let view = RequestView {
                authorization: value.map(Into::into),
                ..RequestView::default()
            };
            view.header_token().map(str::to_owned)
        };
        for (value, expected) in [
            ("Bearer tok", Some("tok")),
            ("  Bearer tok  ", Some("tok")),
            ("Bearer tok rest of it", Some("tok")),
            ("tok", Some("tok")),
            ("Bearer", Some("Bearer")),
            ("Bearer  tok", Some("Bearer")),
            ("Bearer\ttok", Some("Bearer\ttok")),
            ("Basic dXNlcg==", None),
            ("bearer tok", None),
            ("BEARER tok", None),
            ("Basic ", Some("Basic")),
            ("Basic  x", None),
            ("", None),
            ("   ", None),
            ("\u{a0}Bearer tok", None),
        ] {
            assert_eq!(token(Some(value)).as_deref(), expected, "{value:?}");
        }
        assert_eq!(token(None), None);
    }

    #[test]
    fn the_public_url_loses_the_named_parameters() {
        let url = |target| {
            let request = RequestView {
                target,
                ..page_load()
            };
            request.url_without(&["x", "y"])
        };
        for (target, expected) in [
            ("/", "/"),
            ("/?", "/"),
            ("/?x=1&y=2&x", "/"),
            ("/a?b=c&x=1", "/a?b=c"),
            ("/a?X=1&xx=2", "/a?X=1&xx=2"),
            ("/a?%78=1", "/a"),
            ("/a%20b/../c?d=%20&e", "/a%20b/../c?d=+&e="),
            ("/a?b=~'()!*", "/a?b=%7E%27%28%29%21*"),
            ("/a?b=c?d=e", "/a?b=c%3Fd%3De"),
            ("//evil.example/?x=1", "//evil.example/"),
            ("/a?b=%ff", "/a?b=%EF%BF%BD"),
        ] {
            let expected = format!("https://www.example.com{expected}");
            assert_eq!(url(target), expected, "{target}");
        }
    }

    #[test]
    fn a_parameter_counts_from_its_first_value() {
        let request = RequestView {
            target: "/?a=1&a=2&b=&b=3&c",
            ..page_load()
        };
        assert_eq!(request.parameter("a").as_deref(), Some("1"));
        assert_eq!(request.parameter("b"), None);
        assert_eq!(request.parameter("c"), None);
        assert_eq!(request.parameter("d"), None);
        assert!(request.has_parameter("a") && request.has_parameter("c"));
        assert!(!request.has_parameter("d"));
    }

    #[test]
    fn the_query_beats_the_cookies() {
        let cookie = "__clerk_handshake=cookie; __clerk_db_jwt=cookie; __clerk_redirect_count=2";
        let instance = instance(DEVELOPMENT);
        for (target, expected) in [
            ("/?__clerk_handshake=query&__clerk_db_jwt=query", "query"),
            ("/?__clerk_handshake=&__clerk_db_jwt=", "cookie"),
            ("/", "cookie"),
        ] {
            let request = RequestView {
                target,
                cookie: Some(cookie.into()),
                ..page_load()
            };
            let context = AuthContext::new(&instance, &request, None, NOW_MS);
            assert_eq!(context.handshake.as_deref(), Some(expected));
            assert_eq!(context.dev_browser.as_deref(), Some(expected));
            assert_eq!(context.redirect_count(), 2);
        }
        let request = page_load();
        let context = AuthContext::new(&instance, &request, None, NOW_MS);
        assert!(context.handshake.is_none() && context.dev_browser.is_none());
        assert_eq!(context.redirect_count(), 0);
    }

    fn comes_from(key: &str, request: &RequestView<'_>) -> bool {
        AuthContext::new(&instance(key), request, None, NOW_MS).comes_from_another_site()
    }

    #[test]
    fn a_link_on_another_origin_is_another_site() {
        let referred = |referer| RequestView {
            referer: Some(referer),
            ..page_load()
        };
        for other in [
            "https://search.example/?q=quotes",
            "https://example.com/",
            "http://www.example.com/",
            "https://www.example.com:8443/",
            "android-app://com.example/",
            "about:blank",
        ] {
            assert!(comes_from(PRODUCTION, &referred(other)), "{other}");
        }
        for own in [
            "https://www.example.com/a",
            "https://www.example.com:443/",
            "https://WWW.example.com/",
            "not a url",
            "/relative",
            "",
        ] {
            assert!(!comes_from(PRODUCTION, &referred(own)), "{own}");
        }
        assert!(!comes_from(PRODUCTION, &page_load()));
    }

    #[test]
    fn only_a_page_load_comes_from_another_site() {
        let referred = RequestView {
            referer: Some("https://search.example/"),
            ..page_load()
        };
        assert!(comes_from(PRODUCTION, &referred));
        for method in ["POST", "HEAD", "get"] {
            let request = RequestView {
                method,
                ..referred.clone()
            };
            assert!(!comes_from(PRODUCTION, &request));
        }
        for sec_fetch_dest in [None, Some(""), Some("iframe"), Some("empty")] {
            let request = RequestView {
                sec_fetch_dest,
                ..referred.clone()
            };
            assert!(!comes_from(PRODUCTION, &request));
        }
    }

    #[test]
    fn clerks_own_pages_are_not_another_site() {
        let from = |key, referer| {
            let request = RequestView {
                referer: Some(referer),
                ..page_load()
            };
            comes_from(key, &request)
        };
        for own in [
            "https://clerk.example.com/v1",
            "http://clerk.example.com/",
            "https://accounts.example.com/sign-in",
        ] {
            assert!(!from(PRODUCTION, own), "{own}");
        }
        for other in [
            "http://accounts.example.com/",
            "https://accounts.example.com:8443/",
            "https://clerk.example.com:8443/",
            "https://happy-hippo-1.accounts.dev/",
        ] {
            assert!(from(PRODUCTION, other), "{other}");
        }
        for portal in [
            "https://happy-hippo-1.accounts.dev/",
            "https://another.accounts.dev/",
            "https://another.accountsstage.dev/",
            "https://another.accounts.lclclerk.com/",
            "https://accounts.another.lcl.dev/",
            "https://accounts.another.lclstage.dev/",
            "https://accounts.another.lclclerk.com/",
            "https://happy-hippo-1.clerk.accounts.dev/",
        ] {
            assert!(!from(DEVELOPMENT, portal), "{portal}");
        }
        for other in [
            "https://another.clerk.accounts.dev/",
            "https://another.clerk.accountsstage.dev/",
            "https://another.clerk.accounts.lclclerk.com/",
            "https://accounts.dev/",
            "https://accounts.dev.evil.example/",
            "https://another.lcl.dev/",
            "https://another.lclstage.dev/",
        ] {
            assert!(from(DEVELOPMENT, other), "{other}");
        }
    }

    #[test]
    fn behind_a_proxy_the_host_of_the_proxy_is_clerks() {
        let instance = Instance {
            proxy_url: Some("/__clerk".to_owned()),
            ..instance(PRODUCTION)
        };
        let from = |referer| {
            let request = RequestView {
                referer: Some(referer),
                ..page_load()
            };
            AuthContext::new(&instance, &request, None, NOW_MS).comes_from_another_site()
        };
        assert!(!from("http://www.example.com/"));
        assert!(from("https://clerk.example.com/"));
    }

    #[test]
    fn the_port_of_the_frontend_api_is_part_of_it() {
        // 127.0.0.1:8443
        let key = "pk_live_MTI3LjAuMC4xOjg0NDMk";
        let from = |referer| {
            let request = RequestView {
                referer: Some(referer),
                ..page_load()
            };
            comes_from(key, &request)
        };
        assert!(!from("https://127.0.0.1:8443/"));
        assert!(from("https://127.0.0.1/"));
        assert!(from("https://127.0.0.1:8444/"));
    }
}
