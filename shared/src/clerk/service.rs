//! The decision with what it needs of the world: the clock and the keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lambda_http::Request;

use super::instance::{Instance, Keys};
use super::jwks::{KeySet, KeySetUnavailable};
use super::session::{UserId, UserMark};
use super::sign_in::sign_in_location;
use super::signature::Key;
use super::token::Token;
use super::view::{RequestView, Visit};
use super::{Decision, Reason, State, authenticate};
use crate::error::Error;
use crate::http::same_origin::{is_change, is_from_browser, is_same_origin};
use crate::http::{header, origin};

/// Authenticates the requests of one application.
pub struct Clerk {
    /// The instance, as configured.
    pub instance: Instance,
    keys: Source,
}

/// Where the keys come from.
enum Source {
    Configured(Arc<Keys>),
    KeySet(KeySet),
}

impl Clerk {
    /// With a `key` nothing is ever fetched; without one the instance's key
    /// set is, when the first token needs it.
    #[must_use]
    pub fn new(instance: Instance, key: Option<Key>) -> Self {
        let keys = match key {
            Some(key) => Source::Configured(Arc::new(Keys::Configured(key))),
            None => Source::KeySet(KeySet::new()),
        };
        Self { instance, keys }
    }

    /// Decides about a request, now.
    ///
    /// # Errors
    /// The key set is needed and nothing of it is known.
    pub async fn decide(&self, request: &Request) -> Result<Decision, KeySetUnavailable> {
        let view = view(request);
        let now_ms = now_ms();
        let keys = match &self.keys {
            Source::Configured(keys) => Arc::clone(keys),
            Source::KeySet(set) => {
                let url = self.instance.frontend_api(view.origin) + "/.well-known/jwks.json";
                set.containing(&self.key_ids(&view, now_ms), &url).await?
            }
        };
        Ok(authenticate(&self.instance, &keys, &view, now_ms))
    }

    /// The signed-in user of a request that is not a page load.
    ///
    /// Never a redirect: a program has no use for one. A change that is
    /// authenticated by cookie must come from a page of ours.
    ///
    /// # Errors
    /// Nobody is signed in, the request comes from another site, or the key
    /// set cannot be reached.
    pub async fn user(&self, request: &Request) -> Result<UserId, Error> {
        let by_header = view(request).header_token().is_some();
        let foreign = !by_header && is_change(request) && !is_same_origin(request);
        if foreign && is_from_browser(request) {
            return Err(Error::CrossSite);
        }
        match self.decide(request).await?.state {
            State::SignedIn(_) if foreign => Err(Error::CrossSite),
            State::SignedIn(session) => Ok(session.user),
            State::SignedOut { reason, .. } | State::Handshake(reason) => {
                Err(Error::Unauthorized { reason, by_header })
            }
            State::UnreadableHandshake => Err(Error::Unauthorized {
                reason: Reason::TokenInvalid,
                by_header,
            }),
        }
    }

    /// The user that the session cookie names, without any proof: it may have
    /// expired, or be made up.
    #[must_use]
    pub fn claimed_user(&self, request: &Request) -> Option<UserMark> {
        let view = view(request);
        let visit = Visit::new(&self.instance, &view, now_ms());
        UserMark::claimed_by(&Token::decode(visit.cookies.session.as_deref()?)?)
    }

    /// URL where the visitor who sent this signs in, with the way back.
    #[must_use]
    pub fn sign_in_location(&self, sign_in_url: &str, request: &Request) -> String {
        sign_in_location(&self.instance, sign_in_url, &view(request), now_ms())
    }

    /// `Set-Cookie` values that end a handshake cookie of production.
    ///
    /// It wins over every other cookie: one that lingers would sign a visitor
    /// in again right after signing out.
    #[must_use]
    pub fn ended_handshake(&self, request: &Request) -> Vec<String> {
        let key = &self.instance.publishable_key;
        let cookies = view(request).cookie.unwrap_or_default();
        if key.is_development() || !cookies.contains("__clerk_handshake=") {
            return Vec::new();
        }
        let host = key.frontend_api_host();
        let domain = host.strip_prefix("clerk.").unwrap_or(host);
        let ended = "__clerk_handshake=; Path=/; Max-Age=0; Secure; HttpOnly";
        vec![ended.to_owned(), format!("{ended}; Domain={domain}")]
    }

    /// The key ids that the request's tokens name.
    fn key_ids(&self, request: &RequestView<'_>, now_ms: i64) -> Vec<String> {
        let visit = Visit::new(&self.instance, request, now_ms);
        let tokens = match request.header_token() {
            Some(token) => [Some(token), None],
            None => [visit.handshake.as_deref(), visit.cookies.session.as_deref()],
        };
        let ids = tokens
            .into_iter()
            .flatten()
            .filter_map(|token| Token::decode(token)?.key_id().map(str::to_owned));
        ids.collect()
    }
}

/// What a decision looks at of a request.
#[must_use]
pub fn view(request: &Request) -> RequestView<'_> {
    RequestView {
        method: request.method().as_str(),
        target: request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str()),
        origin: origin(request),
        authorization: header(request, "authorization"),
        cookie: header(request, "cookie"),
        accept: header(request, "accept"),
        sec_fetch_dest: header(request, "sec-fetch-dest"),
        referer: header(request, "referer"),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;
    use lambda_http::http::request::Builder;
    use serde_json::{Value, json};

    use super::super::testing::{
        DEVELOPMENT, ISSUER, NOW, ORIGIN, PRODUCTION, claims, instance, keys, session, with,
    };
    use super::*;
    use crate::http::PublicOrigin;

    fn clerk(publishable_key: &str) -> Clerk {
        let Keys::Configured(key) = keys() else {
            unreachable!("the tests configure one");
        };
        Clerk::new(instance(publishable_key), Some(key))
    }

    /// Claims that are valid now, by the clock on the wall.
    fn fresh() -> Value {
        let elapsed = now_ms() / 1000 - NOW;
        let mut claims = claims();
        for name in ["iat", "nbf", "exp"] {
            claims[name] = json!(claims[name].as_i64().unwrap() + elapsed);
        }
        claims
    }

    fn to(method: &str) -> Builder {
        let origin = PublicOrigin(ORIGIN.to_owned());
        Builder::new()
            .method(method)
            .uri("/api/quote?a=b")
            .extension(origin)
    }

    fn cookie() -> String {
        format!("__session={}; __client_uat=1", session(&fresh()))
    }

    async fn answer(request: Builder) -> Result<String, Error> {
        let request = request.body(Body::Empty).unwrap();
        let user = clerk(PRODUCTION).user(&request).await?;
        Ok(user.as_str().to_owned())
    }

    fn is_foreign(answer: &Result<String, Error>) -> bool {
        matches!(answer, Err(Error::CrossSite))
    }

    #[test]
    fn a_decision_looks_at_these_parts_of_a_request() {
        let request = to("PUT")
            .header("authorization", "a")
            .header("cookie", "b")
            .header("accept", "c")
            .header("sec-fetch-dest", "d")
            .header("referer", "e")
            .body(Body::Empty)
            .unwrap();
        let view = view(&request);
        assert_eq!(view.method, "PUT");
        assert_eq!(view.target, "/api/quote?a=b");
        assert_eq!(view.origin, ORIGIN);
        assert_eq!(view.authorization, Some("a"));
        assert_eq!(view.cookie, Some("b"));
        assert_eq!(view.accept, Some("c"));
        assert_eq!(view.sec_fetch_dest, Some("d"));
        assert_eq!(view.referer, Some("e"));
    }

    #[tokio::test]
    async fn a_header_token_may_come_from_anywhere() {
        let bearer = format!("Bearer {}", session(&fresh()));
        for method in ["GET", "PUT", "DELETE"] {
            let request = to(method)
                .header("authorization", &bearer)
                .header("sec-fetch-site", "cross-site");
            assert_eq!(answer(request).await.unwrap(), "user_1");
        }
    }

    #[tokio::test]
    async fn a_change_by_cookie_comes_from_a_page_of_ours() {
        let sent = |method: &str| to(method).header("cookie", cookie());
        assert_eq!(answer(sent("GET")).await.unwrap(), "user_1");
        for method in ["PUT", "POST", "DELETE"] {
            let own = sent(method).header("origin", ORIGIN);
            assert_eq!(answer(own).await.unwrap(), "user_1");
            let own = sent(method).header("sec-fetch-site", "same-origin");
            assert_eq!(answer(own).await.unwrap(), "user_1");
            assert!(is_foreign(&answer(sent(method)).await));
            for site in ["same-site", "cross-site", "none"] {
                let foreign = sent(method)
                    .header("sec-fetch-site", site)
                    .header("origin", ORIGIN);
                assert!(is_foreign(&answer(foreign).await), "{site}");
            }
        }
    }

    #[tokio::test]
    async fn a_page_elsewhere_is_refused_and_a_program_is_told_to_sign_in() {
        let page = to("PUT").header("origin", "https://evil.example");
        assert!(is_foreign(&answer(page).await));
        assert!(matches!(
            answer(to("PUT")).await,
            Err(Error::Unauthorized {
                by_header: false,
                ..
            })
        ));
    }

    #[tokio::test]
    async fn a_form_from_elsewhere_is_refused_whoever_sent_it() {
        let form = to("POST")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", "https://evil.example");
        assert!(is_foreign(&answer(form).await));
    }

    #[tokio::test]
    async fn a_program_is_not_redirected() {
        let page = to("GET").header("sec-fetch-dest", "document");
        let waiting = page.header("cookie", "__client_uat=1");
        assert!(matches!(
            answer(waiting).await,
            Err(Error::Unauthorized {
                reason: Reason::ClientUatButNoSessionToken,
                by_header: false,
            })
        ));
        let stale = with(fresh(), "exp", NOW);
        let bearer = format!("Bearer {}", session(&stale));
        assert!(matches!(
            answer(to("GET").header("authorization", bearer)).await,
            Err(Error::Unauthorized {
                reason: Reason::SessionTokenExpired,
                by_header: true,
            })
        ));
    }

    #[tokio::test]
    async fn an_unreadable_handshake_is_an_invalid_token() {
        let request = to("GET").header("cookie", "__clerk_handshake=bad");
        let request = request.body(Body::Empty).unwrap();
        assert!(matches!(
            clerk(DEVELOPMENT).user(&request).await,
            Err(Error::Unauthorized {
                reason: Reason::TokenInvalid,
                by_header: false,
            })
        ));
    }

    #[test]
    fn a_lingering_handshake_of_production_is_ended_on_both_domains() {
        let ended = |key: &str, cookie: &str| {
            let request = to("GET")
                .header("cookie", cookie)
                .body(Body::Empty)
                .unwrap();
            clerk(key).ended_handshake(&request)
        };
        let cookie = "a=b; __clerk_handshake=token";
        assert_eq!(
            ended(PRODUCTION, cookie),
            [
                "__clerk_handshake=; Path=/; Max-Age=0; Secure; HttpOnly",
                "__clerk_handshake=; Path=/; Max-Age=0; Secure; HttpOnly; Domain=example.com",
            ]
        );
        assert!(ended(PRODUCTION, "a=b").is_empty());
        assert!(ended(DEVELOPMENT, cookie).is_empty());
    }

    #[test]
    fn the_session_cookie_names_a_user_even_when_it_has_expired() {
        let claimed = |cookie: &str| {
            let request = to("POST").header("cookie", cookie);
            let request = request.body(Body::Empty).unwrap();
            let mark = clerk(PRODUCTION).claimed_user(&request)?;
            Some(mark.as_str().to_owned())
        };
        let session = |sub: &str| {
            let token = session(&with(claims(), "sub", sub));
            format!("__session={token}; __client_uat=1")
        };
        let one = claimed(&session("user_1")).unwrap();
        assert_eq!(one.len(), 8);
        assert_eq!(claimed(&session("user_1")), Some(one.clone()));
        assert_ne!(claimed(&session("user_2")), Some(one.clone()));
        for nobody in ["", "__session=bad; __client_uat=1"] {
            assert_eq!(claimed(nobody), None);
        }
    }

    #[test]
    fn the_sign_in_page_learns_the_way_back() {
        let request = to("GET").body(Body::Empty).unwrap();
        assert_eq!(
            clerk(PRODUCTION).sign_in_location("https://a.example/", &request),
            "https://a.example/?redirect_url=https%3A%2F%2Fwww.example.com%2Fapi%2Fquote%3Fa%3Db"
        );
    }

    #[test]
    fn the_keys_that_a_request_needs_are_those_of_its_tokens() {
        let ids = |authorization: Option<&str>, target: &str, cookie: &str| {
            let view = RequestView {
                authorization,
                target,
                origin: ORIGIN,
                cookie: Some(cookie),
                ..RequestView::default()
            };
            clerk(PRODUCTION).key_ids(&view, 0)
        };
        let token = |id: &str| ISSUER.token(&json!({ "alg": "RS256", "kid": id }), &claims());
        let [header, handshake, session] = ["h", "s", "c"].map(token);
        let cookie = format!("__session={session}; __client_uat=1");
        let target = format!("/?__clerk_handshake={handshake}");
        let bearer = format!("Bearer {header}");
        assert_eq!(ids(Some(&bearer), &target, &cookie), ["h"]);
        assert_eq!(ids(None, &target, &cookie), ["s", "c"]);
        assert_eq!(ids(None, "/", &cookie), ["c"]);
        assert!(ids(None, "/", "__session=bad").is_empty());
        assert!(ids(None, "/", &format!("__session={}", token("a b"))).is_empty());
    }
}
