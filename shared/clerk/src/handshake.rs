//! The handshake: a redirect to the Frontend API and back that brings new
//! cookies.
//!
//! A session cookie lives 60 seconds. A browser that comes back later is sent
//! to the Frontend API, which knows whether the user is still signed in and
//! sends the answer back as signed cookies.

use std::borrow::Cow;

use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::key::PublicKeys;
use crate::names::{
    API_VERSION, API_VERSION_PARAMETER, DEV_BROWSER, DEV_SESSION_PARAMETER, HANDSHAKE,
    HANDSHAKE_NONCE, HANDSHAKE_REASON_PARAMETER, HELP_PARAMETER, REDIRECT_COUNT_COOKIE,
    REDIRECT_URL_PARAMETER, REDIRECTS_PARAMETER, SESSION_COOKIE, SUFFIXED_COOKIES_PARAMETER,
};
use crate::reason::{Obstacle, Reason};
use crate::request::{AuthContext, RequestView};
use crate::token::{Session, Token};

/// Redirects in a row after which something is wrong with the configuration.
const REDIRECT_LIMIT: u64 = 3;

/// Seconds that the redirect counter lives, as in the SDK: longer than one
/// redirect takes, shorter than a person takes to try again.
const REDIRECT_COUNT_MAX_AGE: u64 = 2;

impl RequestView<'_> {
    /// Whether the request may be redirected to a handshake: only a page load. A
    /// script's request would fail on the other origin, and a form post would be
    /// repeated against it.
    pub(crate) fn is_eligible_for_handshake(&self) -> bool {
        self.method == "GET"
            && match self.sec_fetch_dest {
                Some("document" | "iframe") => true,
                None | Some("") => self
                    .accept
                    .is_some_and(|accept| accept.starts_with("text/html")),
                Some(_) => false,
            }
    }
}

impl AuthContext<'_> {
    /// Whether as many redirects have followed each other as may.
    pub(crate) fn is_in_a_loop(&self) -> bool {
        self.redirect_count() >= REDIRECT_LIMIT
    }

    /// Why redirects lead back here, as far as the request shows it.
    pub(crate) fn loop_obstacle(&self) -> Obstacle {
        if self.mark.is_none() {
            return Obstacle::Loop;
        }
        if self.request.cookie.is_none() {
            return Obstacle::CookiesOff;
        }
        let is_lost = if self.is_development() {
            self.cookies.session.is_none()
        } else {
            self.handshake.is_none() && self.nonce().is_none()
        };
        if is_lost && self.cookies.client_uat != 0 {
            Obstacle::CookieLost
        } else {
            Obstacle::Loop
        }
    }

    /// The `Set-Cookie` value that counts one more redirect.
    pub(crate) fn count_redirect(&self) -> String {
        redirect_count_cookie(self.redirect_count() + 1)
    }

    /// The value of [`REDIRECTS_PARAMETER`] that counts one more redirect.
    fn next_mark(&self) -> String {
        let seconds = self.now_ms.div_euclid(1000);
        format!("{}.{seconds}", self.redirect_count() + 1)
    }

    /// The URL that a redirect leads back to, without the tokens in it.
    pub(crate) fn way_back(&self) -> String {
        let request = self.request;
        if !self.instance.hardened {
            return request.url_without(&[DEV_BROWSER, DEV_SESSION_PARAMETER]);
        }
        let without = [
            DEV_BROWSER,
            DEV_SESSION_PARAMETER,
            HANDSHAKE,
            HANDSHAKE_NONCE,
            REDIRECTS_PARAMETER,
        ];
        request.url(&without, Some((REDIRECTS_PARAMETER, &self.next_mark())))
    }

    /// The URL of the request without what a handshake added to it. The mark stays
    /// where the cookie that counts did not come.
    pub(crate) fn clean_url(&self) -> String {
        let added = [HANDSHAKE, HELP_PARAMETER, DEV_BROWSER, HANDSHAKE_NONCE];
        match (self.mark, self.counted) {
            (Some(_), Some(_)) => {
                let added = [&added[..], &[REDIRECTS_PARAMETER]].concat();
                self.request.url_without(&added)
            }
            (Some(_), None) | (None, _) => self.request.url_without(&added),
        }
    }

    /// What refers to the payload of a handshake, by the stricter rules. In
    /// production only the cookie counts: a link must not sign anyone in.
    pub(crate) fn nonce(&self) -> Option<Cow<'_, str>> {
        let by_link = self.request.parameter(HANDSHAKE_NONCE);
        by_link
            .filter(|_| self.is_development())
            .or_else(|| self.request.cookies().get(HANDSHAKE_NONCE))
            .filter(|nonce| nonce.len() <= 128 && nonce.bytes().all(is_nonce_byte))
    }

    /// URL of the handshake at the Frontend API.
    pub(crate) fn handshake_location(&self, reason: Reason, header_token: Option<&str>) -> String {
        let return_url = self.way_back();
        let suffixed = self.cookies.suffixed.to_string();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair(REDIRECT_URL_PARAMETER, &return_url)
            .append_pair(API_VERSION_PARAMETER, API_VERSION)
            .append_pair(SUFFIXED_COOKIES_PARAMETER, &suffixed)
            .append_pair(HANDSHAKE_REASON_PARAMETER, reason.as_str());
        if self.instance.backend.is_some() {
            query.append_pair("format", "nonce");
        }
        if let Some(session) = self.cookies.session.as_deref().or(header_token) {
            query.append_pair(SESSION_COOKIE, session);
        }
        if self.is_development()
            && let Some(dev_browser) = &self.dev_browser
        {
            query.append_pair(DEV_BROWSER, dev_browser);
        }
        let frontend_api = self.instance.frontend_api(self.request.origin);
        format!("{frontend_api}/v1/client/handshake?{}", query.finish())
    }

    /// Reads what a handshake brought and the session in it; `None` where none came
    /// back.
    pub(crate) fn finish_handshake(&self, keys: &PublicKeys) -> Option<Return> {
        let payload = self.request.handshake_payload;
        if payload.is_none() && self.handshake.is_none() {
            return None;
        }
        if self.is_left_over() {
            return Some(Return::Ignored(None));
        }
        if let Some(payload) = payload {
            return Some(self.take_directives(payload, keys));
        }
        let Some(token) = Token::decode(self.handshake.as_deref()?) else {
            return Some(self.unreadable(Reason::TokenInvalid));
        };
        let directives = match token.handshake_directives(keys) {
            Ok(directives) => directives,
            Err(reason) => return Some(self.unreadable(reason)),
        };
        let skewed_ms = self.now_ms.saturating_sub(self.instance.clock_skew_ms);
        if self.instance.hardened && token.is_past(skewed_ms) {
            return Some(Return::Ignored(Some(Reason::SessionTokenExpired)));
        }
        Some(self.take_directives(directives, keys))
    }

    /// Whether this is a handshake cookie of production that outlived a sign-out.
    fn is_left_over(&self) -> bool {
        self.instance.hardened
            && !self.is_development()
            && !self.request.has_parameter(HANDSHAKE)
            && self.cookies.signed_out
            && self.cookies.session.is_none()
    }

    /// Nothing is emitted unless every directive can be: they are signed as a
    /// whole, and half of them would mix two sessions.
    fn take_directives(&self, directives: &[Value], keys: &PublicKeys) -> Return {
        let Some(directives) = header_values(directives) else {
            return Return::Ignored(None);
        };
        let session = match session_of(&directives) {
            // A session directive without a token says nothing.
            Some(None) => return Return::Ignored(None),
            None | Some(Some("")) => return Return::SignedOut(directives),
            Some(Some(session)) => session,
        };
        let Some(token) = Token::decode(session) else {
            return Return::Ignored(Some(Reason::TokenInvalid));
        };
        if self.instance.hardened && self.is_superseded(&token, keys) {
            return Return::Ignored(Some(Reason::SessionTokenIatBeforeClientUat));
        }
        match self.verify_session_of_handshake(&token, keys) {
            Ok(session) => Return::SignedIn(session, directives),
            Err(Reason::TokenInvalidAuthorizedParties)
                if self.instance.hardened && token.lacks_azp() =>
            {
                Return::AzpMissing(directives)
            }
            Err(reason) => Return::Ignored(Some(reason)),
        }
    }

    /// Whether the session of a handshake is older than what the cookies show:
    /// another sign-in, or the session cookie, which may have expired.
    fn is_superseded(&self, token: &Token<'_>, keys: &PublicKeys) -> bool {
        if token.is_issued_before(self.cookies.client_uat) {
            return true;
        }
        let known = self.cookies.session.as_deref().and_then(Token::decode);
        known.is_some_and(|known| {
            let is_genuine = known.check_class().is_ok() && known.check_signature(keys).is_ok();
            is_genuine && known.seconds("iat") > token.seconds("iat")
        })
    }

    /// In production another application on the same parent domain may own the
    /// cookie, so that it is passed over.
    fn unreadable(&self, reason: Reason) -> Return {
        if self.is_development() {
            Return::Unreadable
        } else {
            Return::Ignored(Some(reason))
        }
    }

    /// Verifies the session that a handshake brought.
    ///
    /// A developer's clock may be off by hours; the handshake is signed, so that
    /// a day is forgiven in development.
    fn verify_session_of_handshake(
        &self,
        token: &Token<'_>,
        keys: &PublicKeys,
    ) -> Result<Session, Reason> {
        let verify_with = |skew_ms| {
            let rules = self.instance.rules(self.request.origin, skew_ms);
            token.verify(keys, &rules, self.now_ms)
        };
        match verify_with(self.instance.clock_skew_ms) {
            Err(
                Reason::SessionTokenExpired
                | Reason::SessionTokenNbf
                | Reason::SessionTokenIatInTheFuture,
            ) if self.is_development() => verify_with(DEVELOPMENT_SKEW_MS),
            verified => verified,
        }
    }

    /// `Set-Cookie` values that delete what a handshake of production left, on
    /// every domain that may have set it.
    ///
    /// A handshake takes precedence over every other cookie: one that stays would
    /// sign a user in again right after signing out. One that another instance has
    /// signed is on its way to another application.
    pub(crate) fn expire_handshake(&self, keys: &PublicKeys) -> Vec<String> {
        if self.is_development() {
            return Vec::new();
        }
        let all = self.request.cookies();
        let is_foreign = |text: &str| {
            Token::decode(text).is_some_and(|token| token.check_signature(keys).is_err())
        };
        let token = all.all(HANDSHAKE).any(|text| !is_foreign(&text));
        let nonce = self.request.handshake_payload.is_some() && all.get(HANDSHAKE_NONCE).is_some();
        let left = [token.then_some(HANDSHAKE), nonce.then_some(HANDSHAKE_NONCE)];
        let expired = left.into_iter().flatten().flat_map(|name| {
            let expired = format!("{name}=; Path=/; Max-Age=0; Secure; HttpOnly");
            let domains = domains_of(self.request.origin).into_iter();
            let elsewhere = domains.map(|domain| format!("{expired}; Domain={domain}"));
            Vec::from_iter(std::iter::once(expired.clone()).chain(elsewhere))
        });
        expired.collect()
    }
}

/// The host of an origin and every domain above it that may have cookies.
fn domains_of(origin: &str) -> Vec<String> {
    let url = Url::parse(origin).ok();
    let host = url.as_ref().and_then(Url::domain).unwrap_or_default();
    let labels: Vec<_> = host.split('.').collect();
    let starts = 0..labels.len().saturating_sub(1);
    starts.map(|start| labels[start..].join(".")).collect()
}

pub(crate) fn redirect_count_cookie(count: u64) -> String {
    format!(
        "{REDIRECT_COUNT_COOKIE}={count}; SameSite=Lax; HttpOnly; Max-Age={REDIRECT_COUNT_MAX_AGE}"
    )
}

pub(crate) fn expired_redirect_count_cookie() -> String {
    format!("{REDIRECT_COUNT_COOKIE}=; SameSite=Lax; HttpOnly; Max-Age=0")
}

fn is_nonce_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// What a returning handshake brought.
pub(crate) enum Return {
    /// A session that verifies, and the cookies to set.
    SignedIn(Session, Vec<String>),
    /// No session any more, and the cookies to set.
    SignedOut(Vec<String>),
    /// No session without `azp` is accepted, and this one lacks nothing else. The
    /// cookies are to be set: clerk-js needs them to get another.
    AzpMissing(Vec<String>),
    /// Nothing to rely on: decide as if it had not been there. Why its session
    /// was refused, where it has one.
    Ignored(Option<Reason>),
    /// Development: not readable. Another instance's cookie on this host, or
    /// keys that were switched; a redirect would only bring it back.
    Unreadable,
}

/// Clock skew forgiven right after a handshake of a development instance.
const DEVELOPMENT_SKEW_MS: i64 = 86_400_000;

/// The directives as header values, or `None` if one of them is not legal: a
/// line break would begin a header of its own, and a `Set-Cookie` is ASCII.
fn header_values(directives: &[Value]) -> Option<Vec<String>> {
    directives
        .iter()
        .map(|directive| {
            let text = directive.as_str()?;
            let legal = text.bytes().all(|b| b == b'\t' || matches!(b, b' '..=b'~'));
            legal.then(|| text.to_owned())
        })
        .collect()
}

/// The last directive about a session cookie: its token, `""` where the cookie is
/// deleted, `None` where the name stands without a value.
///
/// As in the SDK the token ends at a second `=`.
fn session_of(directives: &[String]) -> Option<Option<&str>> {
    directives.iter().rev().find_map(|directive| {
        let pair = directive.split(';').next()?;
        let mut parts = pair.split('=');
        let is_session = parts.next()?.starts_with(SESSION_COOKIE);
        is_session.then(|| parts.next())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decision::{Decision, State, authenticate};
    use crate::instance::Instance;
    use crate::testing::{
        DEVELOPMENT, ISSUER, Issuer, NOW, NOW_MS, ORIGIN, PRODUCTION, claims, header, instance,
        keys, page_load, session, with, without,
    };

    fn decide(key: &str, request: &RequestView<'_>) -> Decision {
        authenticate(&instance(key), &keys(), request, NOW_MS)
    }

    /// Signed in elsewhere, no session here: what a handshake is for.
    fn waiting() -> RequestView<'static> {
        RequestView {
            cookie: Some("__client_uat=1".into()),
            ..page_load()
        }
    }

    fn is_redirected(request: &RequestView<'_>) -> bool {
        let decision = decide(PRODUCTION, request);
        let reason = Reason::ClientUatButNoSessionToken;
        let signed_out = State::SignedOut {
            reason,
            obstacle: None,
        };
        let redirected = decision.state != signed_out;
        assert_eq!(decision.location().is_some(), redirected);
        assert_eq!(decision.set_cookie.is_empty(), !redirected);
        redirected
    }

    #[test]
    fn only_page_loads_are_redirected() {
        let html = Some("text/html,application/xhtml+xml");
        for (sec_fetch_dest, accept, redirected) in [
            (Some("document"), None, true),
            (Some("iframe"), Some("*/*"), true),
            (Some("Document"), html, false),
            (Some("empty"), html, false),
            (Some("image"), html, false),
            (None, html, true),
            (Some(""), html, true),
            (None, Some("Text/html"), false),
            (None, Some("*/*, text/html"), false),
            (None, Some(""), false),
            (None, None, false),
            (Some(""), None, false),
        ] {
            let request = RequestView {
                sec_fetch_dest,
                accept,
                ..waiting()
            };
            assert_eq!(is_redirected(&request), redirected, "{request:?}");
            for method in ["HEAD", "POST", "OPTIONS", "get"] {
                assert!(!is_redirected(&RequestView {
                    method,
                    ..request.clone()
                }));
            }
        }
    }

    #[test]
    fn three_redirects_in_a_row_are_enough() {
        for (count, next) in [
            ("0", Some(1)),
            ("1", Some(2)),
            ("2", Some(3)),
            ("3", None),
            ("4", None),
            ("18446744073709551615", None),
            ("18446744073709551616", None),
            ("-3", Some(1)),
            ("3x", Some(1)),
            ("", Some(1)),
        ] {
            let cookie = format!("__client_uat=1; __clerk_redirect_count={count}");
            let request = RequestView {
                cookie: Some((&cookie).into()),
                ..waiting()
            };
            let decision = decide(PRODUCTION, &request);
            let reason = Reason::ClientUatButNoSessionToken;
            let counter = next.map(|next| {
                format!("__clerk_redirect_count={next}; SameSite=Lax; HttpOnly; Max-Age=2")
            });
            let loop_stopped = State::SignedOut {
                reason,
                obstacle: Some(Obstacle::Loop),
            };
            assert_eq!(decision.state == loop_stopped, next.is_none(), "{count}");
            assert_eq!(decision.location().is_some(), next.is_some());
            assert_eq!(decision.set_cookie, Vec::from_iter(counter));
        }
    }

    #[test]
    fn a_request_that_cannot_be_redirected_is_no_loop() {
        let request = RequestView {
            method: "POST",
            cookie: Some("__client_uat=1; __clerk_redirect_count=3".into()),
            ..waiting()
        };
        let state = State::SignedOut {
            reason: Reason::ClientUatButNoSessionToken,
            obstacle: None,
        };
        assert_eq!(decide(PRODUCTION, &request).state, state);
    }

    fn redirect(key: &str, request: &RequestView<'_>) -> String {
        decide(key, request).location().unwrap().to_owned()
    }

    #[test]
    fn the_way_out_names_the_way_back_and_the_reason() {
        let request = RequestView {
            target: "/a b?x=y z&__dev_session=1&__clerk_help=1",
            ..waiting()
        };
        assert_eq!(
            redirect(PRODUCTION, &request),
            "https://clerk.example.com/v1/client/handshake\
             ?redirect_url=https%3A%2F%2Fwww.example.com%2Fa+b%3Fx%3Dy%2Bz%26__clerk_help%3D1\
             &__clerk_api_version=2026-05-12&suffixed_cookies=false\
             &__clerk_hs_reason=client-uat-but-no-session-token"
        );
    }

    #[test]
    fn the_way_out_carries_the_session_and_in_development_the_browser() {
        let request = |cookie: &'static str| RequestView {
            cookie: Some(cookie.into()),
            ..waiting()
        };
        let development = redirect(
            DEVELOPMENT,
            &request(
                "__session_MWTw9P_R=a/b; __client_uat_MWTw9P_R=0; __clerk_db_jwt_MWTw9P_R=dvb; __client_uat=0",
            ),
        );
        assert!(
            development
                .starts_with("https://happy-hippo-1.clerk.accounts.dev/v1/client/handshake?")
        );
        assert!(development.ends_with(
            "&suffixed_cookies=true&__clerk_hs_reason=session-token-but-no-client-uat\
             &__session=a%2Fb&__clerk_db_jwt=dvb"
        ));
        let production = redirect(PRODUCTION, &request("__session=a; __clerk_db_jwt=dvb"));
        assert!(production.ends_with("-no-client-uat&__session=a"));
    }

    #[test]
    fn the_way_back_carries_no_browser_token() {
        let request = RequestView {
            target: "/?__clerk_db_jwt=dvb&a=b&__clerk_db_jwt=dvb",
            ..page_load()
        };
        let location = redirect(DEVELOPMENT, &request);
        let back = "redirect_url=https%3A%2F%2Fwww.example.com%2F%3Fa%3Db&";
        assert!(location.contains(back));
        assert!(location.ends_with("=dev-browser-sync&__clerk_db_jwt=dvb"));
    }

    #[test]
    fn the_way_out_carries_the_header_token() {
        let expired = session(&with(claims(), "exp", NOW - 5));
        let authorization = format!("Bearer {expired}");
        let request = RequestView {
            authorization: Some((&authorization).into()),
            ..page_load()
        };
        let location = redirect(PRODUCTION, &request);
        assert!(location.ends_with(&format!("&__session={expired}")));

        let request = RequestView {
            cookie: Some("__session=cookie".into()),
            ..request
        };
        assert!(redirect(PRODUCTION, &request).ends_with("&__session=cookie"));
    }

    #[test]
    fn a_proxy_stands_for_the_frontend_api() {
        for (proxy, base) in [
            ("/__clerk", "https://www.example.com/__clerk"),
            ("https://proxy.example/c/", "https://proxy.example/c"),
        ] {
            let instance = Instance {
                proxy_url: Some(proxy.to_owned()),
                ..instance(PRODUCTION)
            };
            let decision = authenticate(&instance, &keys(), &waiting(), NOW_MS);
            let location = decision.location().unwrap();
            assert!(location.starts_with(&format!("{base}/v1/client/handshake?")));
        }
    }

    fn handshake_token(header: &Value, directives: &Value) -> String {
        ISSUER.token(header, &json!({ "handshake": directives }))
    }

    fn bringing(session: &str) -> String {
        handshake_token(&header(), &json!([format!("__session={session}; Path=/")]))
    }

    /// The decision about a page load that a handshake comes back with.
    fn returned(key: &str, handshake: &str) -> Decision {
        let target = format!("/a?b=c&__clerk_handshake={handshake}&__clerk_help=1");
        let request = RequestView {
            target: &target,
            ..page_load()
        };
        decide(key, &request)
    }

    fn is_signed_in(decision: &Decision) -> bool {
        matches!(decision.state, State::SignedIn(_))
    }

    /// Decided as if the handshake had not been there.
    fn assert_ignored(key: &str, handshake: &str) {
        let decision = returned(key, handshake);
        if key == DEVELOPMENT {
            assert!(matches!(
                decision.state,
                State::Handshake {
                    reason: Reason::DevBrowserMissing,
                    ..
                }
            ));
            assert_eq!(decision.set_cookie.len(), 1);
            assert!(decision.set_cookie[0].starts_with("__clerk_redirect_count=1;"));
        } else {
            let reason = Reason::SessionTokenAndUatMissing;
            let state = State::SignedOut {
                reason,
                obstacle: None,
            };
            assert_eq!(decision.state, state);
            assert!(decision.set_cookie.is_empty() && decision.location().is_none());
        }
    }

    #[test]
    fn a_session_that_verifies_is_signed_in_with_all_directives() {
        let session_cookie = format!("__session={}; Path=/; Secure", session(&claims()));
        let directives = json!(["a=b; Path=/", session_cookie, "a=b; Path=/"]);
        let token = handshake_token(&header(), &directives);
        for key in [PRODUCTION, DEVELOPMENT] {
            let decision = returned(key, &token);
            assert!(is_signed_in(&decision));
            assert_eq!(json!(decision.set_cookie), directives);
        }
    }

    #[test]
    fn only_development_returns_to_the_bare_url() {
        let token = bringing(&session(&claims()));
        assert_eq!(returned(PRODUCTION, &token).location(), None);
        let returned = returned(DEVELOPMENT, &token);
        assert_eq!(returned.location(), Some("https://www.example.com/a?b=c"));

        let target = format!(
            "/?__clerk_handshake={token}&__clerk_db_jwt=d&__clerk_handshake_nonce=n&__dev_session=s"
        );
        let request = RequestView {
            target: &target,
            ..page_load()
        };
        let expected = format!("{ORIGIN}/?__dev_session=s");
        assert_eq!(decide(DEVELOPMENT, &request).return_url, Some(expected));
    }

    #[test]
    fn a_handshake_is_taken_whatever_the_method_and_from_a_cookie_too() {
        let cookie = format!("__clerk_handshake={}", bringing(&session(&claims())));
        for method in ["GET", "POST"] {
            let request = RequestView {
                method,
                cookie: Some((&cookie).into()),
                sec_fetch_dest: None,
                ..page_load()
            };
            for key in [PRODUCTION, DEVELOPMENT] {
                let decision = decide(key, &request);
                assert!(is_signed_in(&decision));
                assert_eq!(decision.set_cookie.len(), 1);
            }
        }
    }

    #[test]
    fn no_session_is_signed_out_with_all_directives() {
        for directives in [
            json!([]),
            json!(["__client_uat=0; Path=/", "a=b"]),
            json!(["__session=; Path=/; Max-Age=0"]),
            json!(["__session=one; Path=/", "__session_MWTw9P_R=; Path=/"]),
        ] {
            let token = handshake_token(&header(), &directives);
            for key in [PRODUCTION, DEVELOPMENT] {
                let decision = returned(key, &token);
                let reason = Reason::SessionTokenMissing;
                let state = State::SignedOut {
                    reason,
                    obstacle: None,
                };
                assert_eq!(decision.state, state, "{directives}");
                assert_eq!(json!(decision.set_cookie), directives);
                assert_eq!(decision.location().is_some(), key == DEVELOPMENT);
            }
        }
    }

    #[test]
    fn the_last_session_directive_counts_and_ends_at_a_second_equals_sign() {
        let assert_found = |directives: &[&str], expected: Option<Option<&str>>| {
            let directives: Vec<String> = directives.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(session_of(&directives), expected, "{directives:?}");
        };
        assert_found(&["__session=a; Path=/"], Some(Some("a")));
        assert_found(&["__session=a", "__session_x=b; Secure"], Some(Some("b")));
        assert_found(&["__session_x=b", "__session=a", "c=d"], Some(Some("a")));
        assert_found(&["__session=a=b=="], Some(Some("a")));
        assert_found(&["__sessionx=a"], Some(Some("a")));
        assert_found(&["__session=;a"], Some(Some("")));
        assert_found(&["__session; x=a"], Some(None));
        assert_found(&["__session=a", "__session"], Some(None));
        assert_found(&[" __session=a", "__client=b", "x__session=c"], None);
    }

    #[test]
    fn a_session_directive_without_a_token_is_passed_over() {
        let token = session(&claims());
        for directive in ["__session".to_owned(), format!("__session; x={token}")] {
            let handshake = handshake_token(&header(), &json!([directive]));
            for key in [PRODUCTION, DEVELOPMENT] {
                assert_ignored(key, &handshake);
            }
        }
    }

    #[test]
    fn a_session_that_does_not_verify_is_passed_over() {
        for bad in [
            session(&with(claims(), "azp", "https://evil.example")),
            session(&with(claims(), "iss", "https://evil.example")),
            session(&without(claims(), "sub")),
            Issuer::new().token(&header(), &claims()),
            ISSUER.token(&with(header(), "cat", "cl_B7d4PD222AAA"), &claims()),
            "no-token".to_owned(),
        ] {
            for key in [PRODUCTION, DEVELOPMENT] {
                assert_ignored(key, &bringing(&bad));
            }
        }
    }

    #[test]
    fn development_forgives_a_clock_that_is_a_day_off() {
        const DAY: i64 = 86_400;
        let timed = |name, seconds: i64| bringing(&session(&with(claims(), name, seconds)));
        for (name, forgiven, refused) in [
            ("exp", NOW - DAY + 1, NOW - DAY),
            ("nbf", NOW + DAY, NOW + DAY + 1),
            ("iat", NOW + DAY, NOW + DAY + 1),
        ] {
            assert!(is_signed_in(&returned(DEVELOPMENT, &timed(name, forgiven))));
            assert_ignored(DEVELOPMENT, &timed(name, refused));
            assert_ignored(PRODUCTION, &timed(name, forgiven));
        }
        // The second look checks the rest again.
        let stale = with(claims(), "exp", NOW - 60);
        let foreign = session(&with(stale, "azp", "https://evil.example"));
        assert_ignored(DEVELOPMENT, &bringing(&foreign));
    }

    #[test]
    fn a_handshake_token_has_no_times_to_check() {
        let mut claims_of_handshake = with(claims(), "exp", 1);
        claims_of_handshake["nbf"] = json!(NOW + 1_000);
        claims_of_handshake["handshake"] = json!([format!("__session={}", session(&claims()))]);
        let token = session(&claims_of_handshake);
        assert!(is_signed_in(&returned(PRODUCTION, &token)));
    }

    #[test]
    fn an_unreadable_handshake_is_an_error_in_development_alone() {
        let directives = json!([format!("__session={}", session(&claims()))]);
        let forged = json!({ "handshake": directives });
        for bad in [
            "no-token".to_owned(),
            Issuer::new().token(&header(), &forged),
            handshake_token(&with(header(), "cat", "cl_B7d4PD222AAA"), &directives),
            handshake_token(&with(header(), "typ", "at+jwt"), &directives),
            handshake_token(&with(header(), "alg", "RS512"), &directives),
        ] {
            let decision = returned(DEVELOPMENT, &bad);
            assert_eq!(decision.state, State::UnreadableHandshake);
            assert!(decision.set_cookie.is_empty() && decision.location().is_none());
            assert_ignored(PRODUCTION, &bad);
        }
    }

    #[test]
    fn a_directive_that_is_no_header_keeps_all_of_them_back() {
        let session_cookie = format!("__session={}", session(&claims()));
        for bad in [
            json!("a=b\r\nSet-Cookie: c=d"),
            json!("a=b\nc"),
            json!("a=b\r"),
            json!("a=\0"),
            json!("a=\u{1f}"),
            json!("a=\u{7f}"),
            json!("a=\u{85}"),
            json!("a=é"),
            json!(null),
            json!(1),
            json!(["a=b"]),
        ] {
            for directives in [json!([session_cookie, bad]), json!([bad, session_cookie])] {
                let token = handshake_token(&header(), &directives);
                for key in [PRODUCTION, DEVELOPMENT] {
                    assert_ignored(key, &token);
                }
            }
        }
        let fine = json!(["a=\t !~", session_cookie]);
        let decision = returned(PRODUCTION, &handshake_token(&header(), &fine));
        assert_eq!(json!(decision.set_cookie), fine);
    }
}
