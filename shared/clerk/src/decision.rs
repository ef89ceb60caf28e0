//! The decision: who sent this request, or what to do to find out.
//!
//! Without clock and network: configuration, keys, request and time go in, a
//! decision comes out.
//! The rows are those of the state machine of `authenticateRequest` in
//! `@clerk/backend`, without satellites and the calls that need a secret key.

use http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE};

use crate::handshake::{Return, expired_redirect_count_cookie, redirect_count_cookie};
use crate::instance::Instance;
use crate::key::PublicKeys;
use crate::names::{DEV_BROWSER, HANDSHAKE, HANDSHAKE_NONCE};
use crate::reason::{Obstacle, Reason};
use crate::request::{AuthContext, RequestView};
use crate::token::{Session, Token};

/// What a request is answered with, as far as authentication goes.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Whether the request is signed in.
    pub state: State,
    /// Development, after a handshake: the URL of the request without what the
    /// handshake added. The browser is redirected there, so that no token stays
    /// in its address bar and history.
    pub return_url: Option<String>,
    /// `Set-Cookie` values to send with any answer, in this order.
    pub set_cookie: Vec<String>,
    /// Why a handshake that came back was passed over, or the session in it refused.
    pub handshake_refused: Option<Reason>,
}

/// Whether a request is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Signed in, by this session, which was verified.
    SignedIn(Session),
    /// Not signed in, or by a session that does not verify.
    SignedOut {
        /// Clerk's reason.
        reason: Reason,
        /// What stands in the way, where more is known: signing in again will not
        /// help then.
        obstacle: Option<Obstacle>,
    },
    /// Not known yet: the browser is redirected to find out.
    Handshake {
        /// Why the cookies do not tell.
        reason: Reason,
        /// URL of the handshake at the Frontend API.
        location: String,
    },
    /// Development: a handshake came back that is not this instance's.
    UnreadableHandshake,
}

impl Decision {
    fn signed_out(reason: Reason) -> Self {
        Self::from(State::SignedOut {
            reason,
            obstacle: None,
        })
    }

    /// Where the browser must be redirected, if anywhere: to a handshake, or to
    /// [`Self::return_url`] after one.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        match &self.state {
            State::Handshake { location, .. } => Some(location),
            State::SignedIn(_) | State::SignedOut { .. } | State::UnreadableHandshake => {
                self.return_url.as_deref()
            }
        }
    }

    /// The headers of a response to a page load: the cookies to set,
    /// Clerk's status and reason and, where the browser must be redirected (by a
    /// 307), `Location` and what keeps the redirect out of every cache.
    ///
    /// A cached redirect would send the browser round for ever.
    #[must_use]
    pub fn response_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match &self.state {
            State::SignedOut { reason, .. } => headers.extend(reason.headers("signed-out")),
            State::Handshake { reason, .. } => headers.extend(reason.headers("handshake")),
            State::SignedIn(_) | State::UnreadableHandshake => {}
        }
        let mut append = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(name, value);
            }
        };
        for cookie in &self.set_cookie {
            append(SET_COOKIE, cookie);
        }
        if let Some(location) = self.location() {
            append(LOCATION, location);
            append(CACHE_CONTROL, "private, no-store");
        }
        headers
    }
}

impl From<State> for Decision {
    fn from(state: State) -> Self {
        Self {
            state,
            return_url: None,
            set_cookie: Vec::new(),
            handshake_refused: None,
        }
    }
}

/// Decides about a request at the time `now_ms`, in milliseconds since 1970.
///
/// A token in the `Authorization` header is believed or refused without a look
/// at the cookies; everything else depends on them.
#[must_use]
pub fn authenticate(
    instance: &Instance,
    keys: &PublicKeys,
    request: &RequestView<'_>,
    now_ms: i64,
) -> Decision {
    AuthContext::new(instance, request, Some(keys), now_ms).decide(keys)
}

/// A session that lacks only `azp`.
const AZP_MISSING: State = State::SignedOut {
    reason: Reason::TokenInvalidAuthorizedParties,
    obstacle: Some(Obstacle::AzpMissing),
};

impl AuthContext<'_> {
    /// The decision about the request.
    pub(crate) fn decide(&self, keys: &PublicKeys) -> Decision {
        let mut decision = match self.header_token {
            Some(token) => self.by_header(token, keys),
            None => self.by_cookies(keys),
        };
        if self.instance.hardened && self.header_token.is_none() {
            self.clean_up(&mut decision, keys);
        }
        // Tasks such as choosing an organization are left: for an application
        // nobody is signed in yet.
        if let State::SignedIn(Session { pending: true, .. }) = decision.state {
            decision.state = Decision::signed_out(Reason::SessionPending).state;
        }
        decision
    }

    fn by_header(&self, token: &str, keys: &PublicKeys) -> Decision {
        match self.verify(token, keys) {
            Ok(session) => State::SignedIn(session).into(),
            Err(reason) => self.unverified(reason, Some(token)),
        }
    }

    fn by_cookies(&self, keys: &PublicKeys) -> Decision {
        let handshake_refused = match self.finish_handshake(keys) {
            None => None,
            Some(Return::Ignored(reason)) => reason,
            Some(Return::Unreadable) => return State::UnreadableHandshake.into(),
            Some(Return::SignedIn(session, directives)) => {
                return self.returned(State::SignedIn(session), directives);
            }
            Some(Return::SignedOut(directives)) => {
                let state = Decision::signed_out(Reason::SessionTokenMissing).state;
                return self.returned(state, directives);
            }
            Some(Return::AzpMissing(directives)) => {
                return self.returned(AZP_MISSING, directives);
            }
        };
        Decision {
            handshake_refused,
            ..self.by_session(keys)
        }
    }

    fn by_session(&self, keys: &PublicKeys) -> Decision {
        if self.is_development() && self.request.has_parameter(DEV_BROWSER) {
            return self.handshake(Reason::DevBrowserSync, None);
        }
        if self.is_development() && self.dev_browser.is_none() {
            return self.handshake(Reason::DevBrowserMissing, None);
        }
        let session = match (self.cookies.client_uat, self.cookies.session.as_deref()) {
            (0, None) => return Decision::signed_out(Reason::SessionTokenAndUatMissing),
            (0, Some(_)) => return self.handshake(Reason::SessionTokenButNoClientUat, None),
            (_, None) => return self.handshake(Reason::ClientUatButNoSessionToken, None),
            (_, Some(session)) => session,
        };
        match self.verify_since_sign_in(session, keys) {
            Ok(_) if self.redirect_count() == 0 && self.comes_from_another_site() => {
                self.handshake(Reason::PrimaryDomainCrossOriginSync, None)
            }
            Ok(session) => State::SignedIn(session).into(),
            Err(Reason::TokenInvalidAuthorizedParties) if self.can_renew(session) => {
                AZP_MISSING.into()
            }
            Err(reason) => self.unverified(reason, None),
        }
    }

    /// Whether a session that is refused for its `azp` lacks nothing else, and a
    /// page can be shown that gets another.
    fn can_renew(&self, session: &str) -> bool {
        self.instance.hardened
            && self.request.is_eligible_for_handshake()
            && Token::decode(session).is_some_and(|token| token.lacks_azp())
    }

    /// The decision that a returning handshake makes.
    fn returned(&self, state: State, mut set_cookie: Vec<String>) -> Decision {
        // In development the token came in the URL: it must not stay there.
        let return_url = self.is_development().then(|| self.clean_url());
        if return_url.is_some() && self.mark.is_some() {
            // The count is taken off the URL, so that it must not expire now.
            set_cookie.extend(self.counted.map(redirect_count_cookie));
        }
        Decision {
            return_url,
            set_cookie,
            ..state.into()
        }
    }

    /// Takes off what has served its purpose: a handshake that was used up or
    /// passed over, and the count of redirects that led to a session. A sign-in in
    /// development takes as many as may be, and the next one may follow at once.
    fn clean_up(&self, decision: &mut Decision, keys: &PublicKeys) {
        decision.set_cookie.extend(self.expire_handshake(keys));
        if !matches!(decision.state, State::SignedIn(_)) || decision.return_url.is_some() {
            return;
        }
        let added = [HANDSHAKE, HANDSHAKE_NONCE];
        if self.is_development() && added.iter().any(|name| self.request.has_parameter(name)) {
            decision.return_url = Some(self.clean_url());
        } else if self.counted.is_some() {
            decision.set_cookie.push(expired_redirect_count_cookie());
        }
    }

    fn verify(&self, token: &str, keys: &PublicKeys) -> Result<Session, Reason> {
        let token = Token::decode(token).ok_or(Reason::TokenInvalid)?;
        self.verify_decoded(&token, keys)
    }

    /// Verifies a session cookie that must not be older than the last sign-in:
    /// after a change of accounts the old cookie may still be there.
    fn verify_since_sign_in(&self, token: &str, keys: &PublicKeys) -> Result<Session, Reason> {
        let token = Token::decode(token).ok_or(Reason::TokenInvalid)?;
        token.check_class()?;
        if token.is_issued_before(self.cookies.client_uat) {
            return Err(Reason::SessionTokenIatBeforeClientUat);
        }
        self.verify_decoded(&token, keys)
    }

    fn verify_decoded(&self, token: &Token<'_>, keys: &PublicKeys) -> Result<Session, Reason> {
        let rules = self
            .instance
            .rules(self.request.origin, self.instance.clock_skew_ms);
        token.verify(keys, &rules, self.now_ms)
    }

    /// A handshake for what it can mend, signed out for the rest.
    fn unverified(&self, reason: Reason, header_token: Option<&str>) -> Decision {
        if reason.is_unverifiable() {
            return Decision::signed_out(reason);
        }
        let expired = reason == Reason::SessionTokenExpired;
        let reason = if expired && self.request.method != "GET" {
            Reason::SessionTokenExpiredNonGet
        } else {
            reason
        };
        self.handshake(reason, header_token)
    }

    /// A handshake, if the request can be redirected and no loop is stopped.
    fn handshake(&self, reason: Reason, header_token: Option<&str>) -> Decision {
        if !self.request.is_eligible_for_handshake() {
            return Decision::signed_out(reason);
        }
        if self.is_in_a_loop() {
            let obstacle = Some(self.loop_obstacle());
            return State::SignedOut { reason, obstacle }.into();
        }
        let location = self.handshake_location(reason, header_token);
        Decision {
            set_cookie: vec![self.count_redirect()],
            ..State::Handshake { reason, location }.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        DEVELOPMENT, ISSUER, Issuer, NOW, NOW_MS, PRODUCTION, claims, header, instance, keys,
        page_load, session, with, without,
    };

    fn decide(key: &str, request: &RequestView<'_>) -> Decision {
        authenticate(&instance(key), &keys(), request, NOW_MS)
    }

    fn with_cookies(key: &str, cookie: &str) -> Decision {
        let request = RequestView {
            cookie: Some(cookie.into()),
            ..page_load()
        };
        decide(key, &request)
    }

    fn with_header(key: &str, token: &str) -> Decision {
        let authorization = format!("Bearer {token}");
        let request = RequestView {
            authorization: Some((&authorization).into()),
            ..page_load()
        };
        decide(key, &request)
    }

    fn signed_in_as(decision: &Decision) -> Option<&str> {
        match &decision.state {
            State::SignedIn(session) => Some(session.user.as_str()),
            State::SignedOut { .. } | State::Handshake { .. } | State::UnreadableHandshake => None,
        }
    }

    fn assert_signed_out(decision: &Decision, expected: Reason) {
        let state = State::SignedOut {
            reason: expected,
            obstacle: None,
        };
        assert_eq!(decision.state, state);
        assert!(decision.location().is_none() && decision.set_cookie.is_empty());
    }

    fn assert_handshake(decision: &Decision, expected: Reason) {
        let State::Handshake { reason, .. } = decision.state else {
            panic!("{decision:?}");
        };
        assert_eq!(reason, expected);
        assert_eq!(decision.set_cookie.len(), 1);
    }

    #[test]
    fn row_0_a_header_token_is_all_that_counts() {
        let good = session(&claims());
        let signed_in = with_header(DEVELOPMENT, &good);
        assert_eq!(signed_in_as(&signed_in), Some("user_1"));
        assert!(signed_in.location().is_none() && signed_in.set_cookie.is_empty());

        // Neither a good cookie nor a handshake helps a bad header token; row 15
        // and the last sign-in play no part.
        let handshake = ISSUER.token(&header(), &serde_json::json!({ "handshake": [] }));
        let cookie = format!("__session={good}; __client_uat=1; __clerk_handshake={handshake}");
        let request = RequestView {
            authorization: Some("Bearer bad".into()),
            cookie: Some((&cookie).into()),
            ..page_load()
        };
        assert_signed_out(&decide(PRODUCTION, &request), Reason::TokenInvalid);
        let authorization = format!("Bearer {good}");
        let cookie = format!("__client_uat={}", NOW + 1_000);
        let request = RequestView {
            authorization: Some((&authorization).into()),
            cookie: Some((&cookie).into()),
            referer: Some("https://search.example/"),
            ..page_load()
        };
        assert_eq!(signed_in_as(&decide(PRODUCTION, &request)), Some("user_1"));
    }

    #[test]
    fn another_scheme_leaves_it_to_the_cookies() {
        let cookie = format!("__session={}; __client_uat=1", session(&claims()));
        let request = RequestView {
            authorization: Some("Basic dXNlcg==".into()),
            cookie: Some((&cookie).into()),
            ..page_load()
        };
        assert_eq!(signed_in_as(&decide(PRODUCTION, &request)), Some("user_1"));
    }

    #[test]
    fn a_header_token_with_a_wrong_time_is_worth_a_handshake() {
        for (name, seconds, reason) in [
            ("exp", NOW - 5, Reason::SessionTokenExpired),
            ("nbf", NOW + 6, Reason::SessionTokenNbf),
            ("iat", NOW + 6, Reason::SessionTokenIatInTheFuture),
        ] {
            let token = session(&with(claims(), name, seconds));
            assert_handshake(&with_header(PRODUCTION, &token), reason);
        }
    }

    #[test]
    fn a_header_token_that_is_not_one_of_ours_is_signed_out() {
        for (token, reason) in [
            ("a.b".to_owned(), Reason::TokenInvalid),
            ("oat_opaque".to_owned(), Reason::TokenInvalid),
            (
                ISSUER.token(&with(header(), "cat", "cl_B7d4PD222AAA"), &claims()),
                Reason::TokenTypeMismatch,
            ),
            (
                Issuer::new().token(&header(), &claims()),
                Reason::TokenInvalidSignature,
            ),
            (
                session(&with(claims(), "azp", "https://a.example")),
                Reason::TokenInvalidAuthorizedParties,
            ),
        ] {
            assert_signed_out(&with_header(PRODUCTION, &token), reason);
        }
    }

    #[test]
    fn row_4_a_browser_token_in_the_query_is_taken_over_in_development() {
        let cookie = format!(
            "__session={}; __client_uat=1; __clerk_db_jwt=d",
            session(&claims())
        );
        for target in [
            "/?__clerk_db_jwt=d",
            "/?__clerk_db_jwt=",
            "/?a&__clerk_db_jwt",
        ] {
            let request = RequestView {
                target,
                cookie: Some((&cookie).into()),
                ..page_load()
            };
            let development = decide(DEVELOPMENT, &request);
            assert_handshake(&development, Reason::DevBrowserSync);
            assert_eq!(signed_in_as(&decide(PRODUCTION, &request)), Some("user_1"));
        }
    }

    #[test]
    fn row_5_a_development_instance_must_know_the_browser() {
        let token = session(&claims());
        let missing = Reason::DevBrowserMissing;
        assert_handshake(&with_cookies(DEVELOPMENT, ""), missing);
        let unknown = format!("__session_MWTw9P_R={token}; __client_uat_MWTw9P_R=1");
        assert_handshake(&with_cookies(DEVELOPMENT, &unknown), missing);
        let known = format!("{unknown}; __clerk_db_jwt_MWTw9P_R=d");
        let decision = with_cookies(DEVELOPMENT, &known);
        assert_eq!(signed_in_as(&decision), Some("user_1"));
        assert_eq!(signed_in_as(&with_session(&token, 1)), Some("user_1"));
    }

    #[test]
    fn rows_6_to_8_session_and_sign_in_must_both_be_there() {
        let token = session(&claims());
        let session = format!("__session={token}");
        let without_uat = Reason::SessionTokenButNoClientUat;
        for nobody in ["", "__client_uat=0", "__client_uat=x", "__session="] {
            let decision = with_cookies(PRODUCTION, nobody);
            assert_signed_out(&decision, Reason::SessionTokenAndUatMissing);
        }
        assert_handshake(&with_cookies(PRODUCTION, &session), without_uat);
        let signed_out = format!("{session}; __client_uat=0");
        assert_handshake(&with_cookies(PRODUCTION, &signed_out), without_uat);
        let no_session = with_cookies(PRODUCTION, "__client_uat=1");
        assert_handshake(&no_session, Reason::ClientUatButNoSessionToken);
    }

    /// The decision about a session cookie of a browser that signed in at `uat`.
    fn with_session(token: &str, uat: i64) -> Decision {
        with_cookies(
            PRODUCTION,
            &format!("__session={token}; __client_uat={uat}"),
        )
    }

    #[test]
    fn rows_9_and_10_a_session_is_a_session_token() {
        assert_signed_out(&with_session("no-token", 1), Reason::TokenInvalid);
        // The class comes before the date and before the signature.
        let template = with(header(), "cat", "cl_B7d4PD222AAA");
        let token = Issuer::new().token(&template, &claims());
        assert_signed_out(&with_session(&token, NOW), Reason::TokenTypeMismatch);
    }

    #[test]
    fn row_11_a_session_from_before_the_sign_in_is_old() {
        let issued = NOW - 10;
        let token = session(&claims());
        let old = Reason::SessionTokenIatBeforeClientUat;
        assert_eq!(signed_in_as(&with_session(&token, issued)), Some("user_1"));
        assert_handshake(&with_session(&token, issued + 1), old);
        let undated = session(&without(claims(), "iat"));
        assert_eq!(signed_in_as(&with_session(&undated, NOW)), Some("user_1"));
        // Before the signature and the times: a forged one is asked for again.
        let forged = Issuer::new().token(&header(), &with(claims(), "exp", 1));
        assert_handshake(&with_session(&forged, NOW), old);
    }

    #[test]
    fn rows_12_and_13_a_wrong_time_is_worth_a_handshake() {
        for (name, seconds, reason) in [
            ("exp", NOW - 5, Reason::SessionTokenExpired),
            ("nbf", NOW + 6, Reason::SessionTokenNbf),
            ("iat", NOW + 6, Reason::SessionTokenIatInTheFuture),
        ] {
            let token = session(&with(claims(), name, seconds));
            assert_handshake(&with_session(&token, 1), reason);
        }
    }

    #[test]
    fn row_12_says_why_nothing_was_refreshed() {
        let token = session(&with(claims(), "exp", NOW - 5));
        let suffix = instance(PRODUCTION).publishable_key;
        let suffix = suffix.cookie_suffix();
        let cookie = format!("__session={token}; __client_uat=1; __refresh_{suffix}=r");
        for (method, reason) in [
            ("GET", Reason::SessionTokenExpired),
            ("POST", Reason::SessionTokenExpiredNonGet),
            ("HEAD", Reason::SessionTokenExpiredNonGet),
        ] {
            let request = RequestView {
                method,
                cookie: Some((&cookie).into()),
                sec_fetch_dest: Some("empty"),
                ..page_load()
            };
            assert_signed_out(&decide(PRODUCTION, &request), reason);
        }
    }

    #[test]
    fn row_14_a_session_that_cannot_be_believed_is_signed_out() {
        for (token, reason) in [
            (
                Issuer::new().token(&header(), &claims()),
                Reason::TokenInvalidSignature,
            ),
            (
                ISSUER.token(&with(header(), "alg", "none"), &claims()),
                Reason::TokenInvalidAlgorithm,
            ),
            (
                session(&with(claims(), "azp", "https://evil.example")),
                Reason::TokenInvalidAuthorizedParties,
            ),
            (
                session(&without(claims(), "exp")),
                Reason::TokenVerificationFailed,
            ),
        ] {
            assert_signed_out(&with_session(&token, 1), reason);
        }
        let issued_elsewhere = with(claims(), "iss", "https://evil.example");
        let cookie = format!(
            "__session_{0}={1}; __client_uat_{0}=1",
            instance(PRODUCTION).publishable_key.cookie_suffix(),
            session(&issued_elsewhere)
        );
        let decision = with_cookies(PRODUCTION, &cookie);
        assert_signed_out(&decision, Reason::TokenInvalidIssuer);
    }

    #[test]
    fn row_15_a_signed_in_user_from_another_site_is_looked_up_once() {
        let cookie = format!("__session={}; __client_uat=1", session(&claims()));
        let referred = RequestView {
            cookie: Some((&cookie).into()),
            referer: Some("https://search.example/"),
            ..page_load()
        };
        let sync = Reason::PrimaryDomainCrossOriginSync;
        assert_handshake(&decide(PRODUCTION, &referred), sync);
        let counted = format!("{cookie}; __clerk_redirect_count=1");
        let again = RequestView {
            cookie: Some((&counted).into()),
            ..referred.clone()
        };
        assert_eq!(signed_in_as(&decide(PRODUCTION, &again)), Some("user_1"));
        // Only a session that verifies is worth it.
        let forged = Issuer::new().token(&header(), &claims());
        let forged = format!("__session={forged}; __client_uat=1");
        let request = RequestView {
            cookie: Some((&forged).into()),
            ..referred.clone()
        };
        let decision = decide(PRODUCTION, &request);
        assert_signed_out(&decision, Reason::TokenInvalidSignature);
    }

    #[test]
    fn row_16_a_session_that_verifies_is_signed_in_and_changes_nothing() {
        let decision = with_session(&session(&claims()), 1);
        assert_eq!(signed_in_as(&decision), Some("user_1"));
        assert!(decision.location().is_none() && decision.set_cookie.is_empty());
    }

    /// The nonce form of a handshake, and answers to satellite domains.
    #[test]
    fn what_is_out_of_scope_changes_nothing() {
        let suffixed = |name: &str, value: &str| format!("{name}_MWTw9P_R={value}; ");
        let cookie = suffixed("__session", &session(&claims()))
            + &suffixed("__client_uat", "1")
            + &suffixed("__clerk_db_jwt", "d")
            + "__clerk_handshake_nonce=n";
        let request = RequestView {
            target: "/?__clerk_handshake_nonce=n&__clerk_synced=false\
                     &__clerk_redirect_url=https%3A%2F%2Fevil.example",
            cookie: Some((&cookie).into()),
            ..page_load()
        };
        let decision = decide(DEVELOPMENT, &request);
        assert_eq!(signed_in_as(&decision), Some("user_1"));
        assert!(decision.location().is_none() && decision.set_cookie.is_empty());
    }

    #[test]
    fn a_pending_session_is_signed_out() {
        let token = session(&with(claims(), "sts", "pending"));
        assert_signed_out(&with_header(PRODUCTION, &token), Reason::SessionPending);
        assert_signed_out(&with_session(&token, 1), Reason::SessionPending);
        assert_eq!(Reason::SessionPending.to_string(), "session-pending");
    }

    #[test]
    fn a_pending_session_keeps_what_the_handshake_brought() {
        let token = session(&with(claims(), "sts", "pending"));
        let directives = serde_json::json!([format!("__session={token}")]);
        let handshake = ISSUER.token(&header(), &serde_json::json!({ "handshake": directives }));
        let decision = with_cookies(DEVELOPMENT, &format!("__clerk_handshake={handshake}"));
        let state = State::SignedOut {
            reason: Reason::SessionPending,
            obstacle: None,
        };
        assert_eq!(decision.state, state);
        assert_eq!(serde_json::json!(decision.set_cookie), directives);
        assert_eq!(decision.location(), Some("https://www.example.com/"));
    }
}
