//! The instance's key set, fetched and kept.
//!
//! Used where no key is configured. Anyone can send a token with a made-up key
//! id, so such tokens must neither cause a request each nor hold anyone up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::fetch;
use super::instance::Keys;
use super::signature::Key;

/// Age after which the set is fetched anew (the SDK's `CACHE_TTL`).
const MAX_AGE: Duration = Duration::from_secs(300);

/// Age up to which a known set is used while it cannot be fetched.
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest time between two fetches while keys are known: what made-up key ids
/// can cause, and how often an unreachable host may hold anyone up.
const PAUSE: Duration = Duration::from_secs(30);

/// Shortest time between two fetches while nothing is known.
const URGENT_PAUSE: Duration = Duration::from_secs(2);

/// Longest wait for a fetch.
const FETCH: Duration = Duration::from_secs(2);

/// Most keys taken from a set; Clerk's have one or, while rotating, two.
const MAX_KEYS: usize = 32;

/// The key set could not be fetched and none is known.
#[derive(Debug, thiserror::Error)]
#[error("the key set cannot be fetched: {0}")]
pub struct KeySetUnavailable(Arc<str>);

/// The key set of one instance.
pub(super) struct KeySet {
    /// Locked while fetching: requests that need the same fetch wait for it.
    state: Mutex<State>,
}

struct State {
    keys: Arc<Keys>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    failure: Option<Arc<str>>,
}

impl KeySet {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                keys: Arc::new(Keys::Set(HashMap::new())),
                fetched: None,
                attempted: None,
                failure: None,
            }),
        }
    }

    /// The set, fetched from `url` if it is old or lacks one of these keys.
    ///
    /// With no ids to look up nothing is fetched. An id that is still unknown
    /// afterwards is not an error: its token is refused.
    ///
    /// # Errors
    /// Nothing could be fetched, now or in the last 24 hours.
    pub(super) async fn containing(
        &self,
        ids: &[String],
        url: &str,
    ) -> Result<Arc<Keys>, KeySetUnavailable> {
        let mut state = self.state.lock().await;
        if !ids.is_empty() && state.needs_fetch(ids) {
            state.refresh(url).await;
        }
        match &state.failure {
            Some(failure) if !ids.is_empty() && !state.is_usable() => {
                Err(KeySetUnavailable(Arc::clone(failure)))
            }
            _ => Ok(Arc::clone(&state.keys)),
        }
    }
}

impl State {
    fn is_usable(&self) -> bool {
        age(self.fetched) < MAX_STALE
    }

    fn needs_fetch(&self, ids: &[String]) -> bool {
        let Keys::Set(keys) = &*self.keys else {
            return false;
        };
        let lacking = ids.iter().any(|id| !keys.contains_key(id));
        let pause = if self.is_usable() {
            PAUSE
        } else {
            URGENT_PAUSE
        };
        (lacking || age(self.fetched) >= MAX_AGE) && age(self.attempted) >= pause
    }

    async fn refresh(&mut self, url: &str) {
        let result = match timeout(FETCH, fetch::get(url)).await {
            Ok(result) => result.and_then(|body| parse(&body)),
            Err(_) => Err("no answer in time".to_owned()),
        };
        self.attempted = Some(Instant::now());
        match result {
            Ok(keys) => {
                self.keys = Arc::new(Keys::Set(keys));
                self.fetched = self.attempted;
                self.failure = None;
            }
            Err(failure) => {
                tracing::warn!("the key set at {url} was not fetched: {failure}");
                self.failure = Some(failure.into());
            }
        }
    }
}

/// Time since then; what never happened is as old as can be.
fn age(then: Option<Instant>) -> Duration {
    then.map_or(Duration::MAX, |then| then.elapsed())
}

/// The sound RSA keys of a JSON Web Key Set (RFC 7517) by id.
fn parse(body: &[u8]) -> Result<HashMap<String, Key>, String> {
    let set: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let entries = set["keys"].as_array().ok_or("no key set")?;
    let keys: HashMap<String, Key> = entries
        .iter()
        .take(MAX_KEYS)
        .filter_map(|jwk| Some((jwk["kid"].as_str()?.to_owned(), Key::from_jwk(jwk)?)))
        .collect();
    if keys.is_empty() {
        return Err("no RS256 key in it".to_owned());
    }
    Ok(keys)
}
