//! The decision with what it needs of the world: the clock and the keys.

#[cfg(feature = "jwks")]
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::decision::{Decision, State};
use crate::instance::Instance;
#[cfg(feature = "jwks")]
use crate::jwks::JwksCache;
use crate::key::{KeySetUnavailable, PublicKeys};
use crate::reason::{Obstacle, Reason};
use crate::request::{AuthContext, RequestView};
use crate::token::Session;
#[cfg(feature = "jwks")]
use crate::token::Token;

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
        let payload = self.handshake_payload(request, now_ms).await;
        let request = RequestView {
            handshake_payload: payload.as_deref().or(request.handshake_payload),
            ..request.clone()
        };
        let keys = self.keys(&request, now_ms, true).await?;
        let context = AuthContext::new(&self.instance, &request, Some(keys.as_ref()), now_ms);
        Ok(context.decide(keys.as_ref()))
    }

    /// The session of a request that cannot be redirected, such as one to an API,
    /// now; or Clerk's reason why there is none.
    ///
    /// Handshakes are ignored. They are for page loads, and one that a sibling
    /// domain planted would make a user's request act for another.
    ///
    /// # Errors
    /// The key set is needed and nothing of it is known.
    pub async fn session(
        &self,
        request: &RequestView<'_>,
    ) -> Result<Result<Session, Reason>, KeySetUnavailable> {
        let now_ms = now_ms();
        let keys = self.keys(request, now_ms, false).await?;
        let mut context = AuthContext::new(&self.instance, request, Some(keys.as_ref()), now_ms);
        context.handshake = None;
        Ok(match context.decide(keys.as_ref()).state {
            State::SignedIn(session) => Ok(session),
            State::SignedOut { reason, .. } | State::Handshake { reason, .. } => Err(reason),
            State::UnreadableHandshake => Err(Reason::TokenInvalid),
        })
    }

    /// URL of the sign-in page, which will lead back to this request.
    ///
    /// # Errors
    /// Too many redirects have followed each other: the sign-in page leads back
    /// without a session.
    pub fn sign_in_location(
        &self,
        sign_in_url: &str,
        request: &RequestView<'_>,
    ) -> Result<String, Obstacle> {
        AuthContext::new(&self.instance, request, None, now_ms()).sign_in_location(sign_in_url)
    }

    /// What the Backend API has for the nonce of a handshake, where one came back
    /// to a page load. Without it the decision is made as if none had.
    #[cfg(feature = "jwks")]
    async fn handshake_payload(
        &self,
        request: &RequestView<'_>,
        now_ms: i64,
    ) -> Option<Vec<Value>> {
        let backend = self.instance.backend.as_ref()?;
        let context = AuthContext::new(&self.instance, request, None, now_ms);
        let is_return = context.redirect_count() > 0 || !self.instance.hardened;
        if context.header_token.is_some() || !request.is_eligible_for_handshake() || !is_return {
            return None;
        }
        match backend.handshake_payload(&context.nonce()?).await {
            Ok(payload) => Some(payload),
            Err(error) => {
                tracing::warn!(error, "the payload of a handshake was not fetched");
                None
            }
        }
    }

    #[cfg(not(feature = "jwks"))]
    async fn handshake_payload(&self, _: &RequestView<'_>, _: i64) -> Option<Vec<Value>> {
        None
    }

    #[cfg_attr(
        not(feature = "jwks"),
        expect(
            unused_variables,
            reason = "keys that are configured suit every request"
        )
    )]
    async fn keys(
        &self,
        request: &RequestView<'_>,
        now_ms: i64,
        takes_handshakes: bool,
    ) -> Result<Keys<'_>, KeySetUnavailable> {
        match &self.keys {
            KeySource::Fixed(keys) => Ok(Keys::Fixed(keys)),
            #[cfg(feature = "jwks")]
            KeySource::Jwks(cache) => {
                let url = self.instance.frontend_api(request.origin) + "/.well-known/jwks.json";
                let context = AuthContext::new(&self.instance, request, None, now_ms);
                let ids = context.key_ids(takes_handshakes);
                let keys = cache.fetch_for(&ids, &url, now_ms).await?;
                Ok(Keys::Fetched(keys))
            }
        }
    }
}

/// The keys for one decision.
enum Keys<'a> {
    Fixed(&'a PublicKeys),
    #[cfg(feature = "jwks")]
    Fetched(Arc<PublicKeys>),
}

impl AsRef<PublicKeys> for Keys<'_> {
    fn as_ref(&self) -> &PublicKeys {
        match self {
            Self::Fixed(keys) => keys,
            #[cfg(feature = "jwks")]
            Self::Fetched(keys) => keys,
        }
    }
}

#[cfg(feature = "jwks")]
impl AuthContext<'_> {
    /// The key ids that the request's tokens name.
    fn key_ids(&self, takes_handshakes: bool) -> Vec<String> {
        let tokens = self.tokens(takes_handshakes);
        let ids = tokens
            .iter()
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
        ISSUER, PRODUCTION, claims, header, instance, keys, page_load, session, with,
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

    #[tokio::test]
    async fn an_api_ignores_handshakes() {
        let other = session(&with(claims(), "sub", "user_2"));
        let directives = json!([format!("__session={other}; Path=/")]);
        let handshake = ISSUER.token(&header(), &json!({ "handshake": directives }));
        let own = session(&live(claims()));
        let target = format!("/?__clerk_handshake={handshake}");
        let cookie = format!("__clerk_handshake={handshake}");
        let signed_in = format!("{cookie}; __session={own}; __client_uat=1");
        let session = async |cookie: &str, target| {
            let view = RequestView {
                target,
                sec_fetch_dest: Some("empty"),
                ..with_cookie(cookie)
            };
            authenticator(PRODUCTION).session(&view).await.unwrap()
        };
        for target in ["/", &target] {
            let user = session(&signed_in, target).await.unwrap().user;
            assert_eq!(user.as_str(), "user_1");
            assert!(session(&cookie, target).await.is_err());
        }
    }

    /// The claims of a session that lives now, by the clock of this machine.
    fn live(mut claims: Value) -> Value {
        let now = now_ms() / 1000;
        claims["iat"] = (now - 10).into();
        claims["nbf"] = (now - 20).into();
        claims["exp"] = (now + 600).into();
        claims
    }

    #[cfg(feature = "jwks")]
    #[test]
    fn the_keys_that_a_request_needs_are_those_of_its_tokens() {
        let ids = |authorization: Option<&str>, target: &str, cookie: &str| {
            let view = RequestView {
                authorization: authorization.map(Into::into),
                target,
                ..with_cookie(cookie)
            };
            let instance = instance(PRODUCTION);
            AuthContext::new(&instance, &view, None, 0).key_ids(true)
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
