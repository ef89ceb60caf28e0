//! The decision with what it needs of the world: the clock and the keys.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lambda_http::Request;

use super::instance::{Instance, Keys};
use super::jwks::{KeySet, KeySetUnavailable};
use super::sign_in::sign_in_location;
use super::signature::Key;
use super::token::{Token, UserId, UserMark};
use super::view::{RequestView, Visit};
use super::{Decision, Reason, State, authenticate};
use crate::error::Error;
use crate::http::same_origin::{is_change, is_same_origin};
use crate::http::{header, is_form, origin};

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
        // A browser always says where a form comes from.
        if foreign && is_form(request) {
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
