//! The instance's key set, fetched and kept.
//!
//! Used where no key is configured. Anyone can send a token with a made-up key
//! id, so such tokens must neither cause a request each nor delay the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::fetch;
use crate::key::{KeySetUnavailable, PublicKeys};

/// Age after which the set is fetched anew (the SDK's `CACHE_TTL`).
const JWKS_MAX_AGE: Duration = Duration::from_secs(300);

/// Age up to which a known set is used while it cannot be fetched.
const STALE_JWKS_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest time between two fetches while keys are known: limits what made-up
/// key ids can cause, and how often an unreachable host delays a request.
const JWKS_REFETCH_INTERVAL: Duration = Duration::from_secs(30);

/// Shortest time between two fetches while nothing is known.
const JWKS_RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Longest wait for a fetch.
const JWKS_FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// The key set of one instance. Nothing is fetched before a token needs it.
#[derive(Default)]
pub struct JwksCache {
    /// Locked while fetching: requests that need the same fetch wait for it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Arc<PublicKeys>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    error: Option<Arc<str>>,
}

impl JwksCache {
    /// The set, fetched from `url` if it is old or lacks one of these keys.
    ///
    /// With no ids to look up nothing is fetched. An id that is still unknown
    /// afterwards is not an error: its token is refused.
    ///
    /// # Errors
    /// Nothing could be fetched, now or in the last 24 hours.
    pub(crate) async fn fetch_for(
        &self,
        ids: &[String],
        url: &str,
    ) -> Result<Arc<PublicKeys>, KeySetUnavailable> {
        let mut state = self.state.lock().await;
        if !ids.is_empty() && state.needs_fetch(ids) {
            state.refresh(url).await;
        }
        match &state.error {
            Some(error) if !ids.is_empty() && !state.is_usable() => {
                Err(KeySetUnavailable(Arc::clone(error)))
            }
            _ => Ok(Arc::clone(&state.keys)),
        }
    }
}

impl State {
    fn is_usable(&self) -> bool {
        age(self.fetched) < STALE_JWKS_MAX_AGE
    }

    fn needs_fetch(&self, ids: &[String]) -> bool {
        let is_unknown = |id: &String| self.keys.candidates(Some(id)).next().is_none();
        let interval = if self.is_usable() {
            JWKS_REFETCH_INTERVAL
        } else {
            JWKS_RETRY_INTERVAL
        };
        (ids.iter().any(is_unknown) || age(self.fetched) >= JWKS_MAX_AGE)
            && age(self.attempted) >= interval
    }

    async fn refresh(&mut self, url: &str) {
        let result = match timeout(JWKS_FETCH_TIMEOUT, fetch::get(url)).await {
            Ok(Ok(body)) => PublicKeys::from_jwks(&body).map_err(str::to_owned),
            Ok(Err(error)) => Err(error),
            Err(_) => Err("no answer in time".to_owned()),
        };
        self.attempted = Some(Instant::now());
        match result {
            Ok(keys) => {
                self.keys = Arc::new(keys);
                self.fetched = self.attempted;
                self.error = None;
            }
            Err(error) => {
                tracing::warn!(url, error, "the key set was not fetched");
                self.error = Some(error.into());
            }
        }
    }
}

/// Time since then; what never happened is as old as can be.
fn age(then: Option<Instant>) -> Duration {
    then.map_or(Duration::MAX, |then| then.elapsed())
}
