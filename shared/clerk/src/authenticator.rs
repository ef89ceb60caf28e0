//! The decision with what it needs of the world: the clock and the keys.

#[cfg(feature = "jwks")]
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::decision::Decision;
use crate::instance::Instance;
#[cfg(feature = "jwks")]
use crate::jwks::JwksCache;
use crate::key::{KeySetUnavailable, PublicKeys};
use crate::names::HANDSHAKE;
use crate::request::{AuthContext, RequestView};
use crate::token::{Token, UserHash};

/// Authenticates the requests to one application.
///
/// ```
/// # use clerk_auth::{Authenticator, Instance, KeySource, PublicKeys, RequestView, State};
/// # async fn respond(instance: Instance, pem: &str, request: http::Request<()>) -> Option<String> {
/// let keys = PublicKeys::from_pem(pem)?;
/// let authenticator = Authenticator::new(instance, KeySource::Fixed(keys));
///
/// let (parts, _body) = request.into_parts();
/// let view = RequestView::new(&parts, "https://www.example.com");
/// let decision = authenticator.decide(&view).await.ok()?;
/// match decision.state {
///     State::SignedIn(session) => Some(session.user.as_str().to_owned()),
///     State::SignedOut { .. } | State::Handshake { .. } | State::UnreadableHandshake => None,
/// }
/// # }
/// ```
pub struct Authenticator {
    instance: Instance,
    keys: KeySource,
}

/// Where the instance's public keys come from.
pub enum KeySource {
    /// The configuration: nothing is ever fetched.
    Fixed(PublicKeys),
    /// The key set of the Frontend API, when the first token needs it.
    #[cfg(feature = "jwks")]
    Jwks(JwksCache),
}

impl Authenticator {
    /// For this instance, with these keys.
    #[must_use]
    pub fn new(instance: Instance, keys: KeySource) -> Self {
        Self { instance, keys }
    }

    /// The instance, as configured.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Decides about a request, now.
    ///
    /// # Errors
    /// The key set is needed and nothing of it is known.
    pub async fn decide(&self, request: &RequestView<'_>) -> Result<Decision, KeySetUnavailable> {
        self.decide_at(request, now_ms()).await
    }

    /// Decides about a request at the time `now_ms`, in milliseconds since 1970.
    /// The age of the key set is measured by it too.
    ///
    /// # Errors
    /// The key set is needed and nothing of it is known.
    pub async fn decide_at(
        &self,
        request: &RequestView<'_>,
        now_ms: i64,
    ) -> Result<Decision, KeySetUnavailable> {
        let context = AuthContext::new(&self.instance, request, now_ms);
        let mut decision = match &self.keys {
            KeySource::Fixed(keys) => context.decide(keys),
            #[cfg(feature = "jwks")]
            KeySource::Jwks(cache) => {
                let url = self.instance.frontend_api(request.origin) + "/.well-known/jwks.json";
                let keys: Arc<_> = cache.fetch_for(&context.key_ids(), &url, now_ms).await?;
                context.decide(&keys)
            }
        };
        decision.set_cookie.extend(self.expire_handshake(request));
        Ok(decision)
    }

    /// The user that the session cookie names, without any proof: it may have
    /// expired, or be forged.
    #[must_use]
    pub fn claimed_user(&self, request: &RequestView<'_>) -> Option<UserHash> {
        let context = self.context(request);
        UserHash::claimed_by(&Token::decode(context.cookies.session.as_deref()?)?)
    }

    /// URL of the sign-in page, which will lead back to this request.
    #[must_use]
    pub fn sign_in_location(&self, sign_in_url: &str, request: &RequestView<'_>) -> String {
        self.context(request).sign_in_location(sign_in_url)
    }

    /// `Set-Cookie` values that delete a handshake cookie of production.
    ///
    /// A handshake takes precedence over every other cookie: one that stays would
    /// sign a user in again right after signing out.
    fn expire_handshake(&self, request: &RequestView<'_>) -> Vec<String> {
        let key = &self.instance.publishable_key;
        if key.is_development() || request.cookies().get(HANDSHAKE).is_none() {
            return Vec::new();
        }
        let host = key.frontend_api_host();
        let domain = host.strip_prefix("clerk.").unwrap_or(host);
        let expired = format!("{HANDSHAKE}=; Path=/; Max-Age=0; Secure; HttpOnly");
        vec![expired.clone(), format!("{expired}; Domain={domain}")]
    }

    fn context<'a>(&'a self, request: &'a RequestView<'a>) -> AuthContext<'a> {
        AuthContext::new(&self.instance, request, now_ms())
    }
}

#[cfg(feature = "jwks")]
impl AuthContext<'_> {
    /// The key ids that the request's tokens name.
    fn key_ids(&self) -> Vec<String> {
        let tokens = match self.request.header_token() {
            Some(token) => [Some(token), None],
            None => [self.handshake.as_deref(), self.cookies.session.as_deref()],
        };
        let ids = tokens
            .into_iter()
            .flatten()
            .filter_map(|token| Token::decode(token)?.key_id().map(str::to_owned));
        ids.collect()
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
    use serde_json::json;

    use super::*;
    use crate::testing::{
        DEVELOPMENT, ISSUER, ORIGIN, PRODUCTION, claims, instance, keys, page_load, session, with,
    };

    fn authenticator(publishable_key: &str) -> Authenticator {
        Authenticator::new(instance(publishable_key), KeySource::Fixed(keys()))
    }

    fn with_cookie(cookie: &str) -> RequestView<'_> {
        RequestView {
            cookie: Some(cookie.into()),
            ..page_load()
        }
    }

    #[test]
    fn a_handshake_cookie_of_production_is_deleted_on_both_domains() {
        let expired =
            |key: &str, cookie: &str| authenticator(key).expire_handshake(&with_cookie(cookie));
        let cookie = "a=b; __clerk_handshake=token";
        assert_eq!(
            expired(PRODUCTION, cookie),
            [
                "__clerk_handshake=; Path=/; Max-Age=0; Secure; HttpOnly",
                "__clerk_handshake=; Path=/; Max-Age=0; Secure; HttpOnly; Domain=example.com",
            ]
        );
        assert!(expired(PRODUCTION, "a=b").is_empty());
        assert!(expired(DEVELOPMENT, cookie).is_empty());
    }

    #[test]
    fn the_session_cookie_names_a_user_even_when_it_has_expired() {
        let claimed = |cookie: &str| {
            let hash = authenticator(PRODUCTION).claimed_user(&with_cookie(cookie))?;
            Some(hash.as_str().to_owned())
        };
        let session = |sub: &str| {
            let token = session(&with(claims(), "sub", sub));
            format!("__session={token}; __client_uat=1")
        };
        let one = claimed(&session("user_1")).unwrap();
        assert_eq!(one.len(), 8);
        assert_eq!(claimed(&session("user_1")), Some(one.clone()));
        assert_ne!(claimed(&session("user_2")), Some(one));
        for nobody in ["", "__session=bad; __client_uat=1"] {
            assert_eq!(claimed(nobody), None);
        }
    }

    #[cfg(feature = "jwks")]
    #[test]
    fn the_keys_that_a_request_needs_are_those_of_its_tokens() {
        let ids = |authorization: Option<&str>, target: &str, cookie: &str| {
            let view = RequestView {
                authorization,
                target,
                ..with_cookie(cookie)
            };
            authenticator(PRODUCTION).context(&view).key_ids()
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

    #[test]
    fn the_sign_in_page_leads_back() {
        let request = RequestView {
            target: "/api/quote?a=b",
            ..page_load()
        };
        let location = authenticator(PRODUCTION).sign_in_location("https://a.example/in", &request);
        let return_url = "https%3A%2F%2Fwww.example.com%2Fapi%2Fquote%3Fa%3Db";
        assert_eq!(request.origin, ORIGIN);
        assert_eq!(
            location,
            format!("https://a.example/in?redirect_url={return_url}")
        );
    }
}
