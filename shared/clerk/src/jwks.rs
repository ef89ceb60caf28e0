//! The instance's key set, fetched and kept.
//!
//! Used where no key is configured. Anyone can send a token with a made-up key
//! id, so such tokens must neither cause a request each nor delay the others.
//!
//! Ages are measured by the wall clock: an environment may be frozen for hours
//! between two requests, and the monotonic clock may stand still meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

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

/// Age up to which a request's time, read before it waited for another's fetch,
/// is taken for the present. An event further ahead than that shows that the
/// clock was set back.
const REQUEST_TIME_MAX_AGE: Duration = Duration::from_secs(10);

/// The key set of one instance. Nothing is fetched before a token needs it.
#[derive(Default)]
pub struct JwksCache {
    /// Locked while fetching: requests that need the same fetch wait for it.
    state: Mutex<State>,
}

/// Times are in milliseconds since 1970.
#[derive(Default)]
struct State {
    keys: Arc<PublicKeys>,
    fetched_ms: Option<i64>,
    attempted_ms: Option<i64>,
    error: Option<Arc<str>>,
    /// Which of the host's addresses was good.
    addresses: tcp_race::Memory,
}

impl JwksCache {
    /// The set, fetched from `url` if at the time `now_ms` it is old or lacks
    /// one of these keys.
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
        now_ms: i64,
    ) -> Result<Arc<PublicKeys>, KeySetUnavailable> {
        let mut state = self.state.lock().await;
        if !ids.is_empty() && state.needs_fetch(ids, now_ms) {
            state.refresh(url, now_ms).await;
        }
        match &state.error {
            Some(error) if !ids.is_empty() && !state.is_usable(now_ms) => {
                Err(KeySetUnavailable(Arc::clone(error)))
            }
            _ => Ok(Arc::clone(&state.keys)),
        }
    }
}

impl State {
    fn is_usable(&self, now_ms: i64) -> bool {
        age(self.fetched_ms, now_ms) < STALE_JWKS_MAX_AGE
    }

    fn needs_fetch(&self, ids: &[String], now_ms: i64) -> bool {
        let is_unknown = |id: &String| self.keys.candidates(Some(id)).next().is_none();
        let interval = if self.is_usable(now_ms) {
            JWKS_REFETCH_INTERVAL
        } else {
            JWKS_RETRY_INTERVAL
        };
        (ids.iter().any(is_unknown) || age(self.fetched_ms, now_ms) >= JWKS_MAX_AGE)
            && age(self.attempted_ms, now_ms) >= interval
    }

    async fn refresh(&mut self, url: &str, now_ms: i64) {
        let began = Instant::now();
        let result = match timeout(JWKS_FETCH_TIMEOUT, fetch::get(url, None, &self.addresses)).await
        {
            Ok(Ok(body)) => PublicKeys::from_jwks(&body).map_err(str::to_owned),
            Ok(Err(error)) => Err(error),
            Err(_) => Err("no answer in time".to_owned()),
        };
        let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.attempted_ms = Some(now_ms.saturating_add(took_ms));
        match result {
            Ok(keys) => {
                self.keys = Arc::new(keys);
                self.fetched_ms = Some(now_ms);
                self.error = None;
            }
            Err(error) => {
                tracing::warn!(url, error, "the key set was not fetched");
                self.error = Some(error.into());
            }
        }
    }
}

/// Time since then. What never happened is infinitely old, and so is what
/// happened before the clock was set back: its age is not known.
fn age(then_ms: Option<i64>, now_ms: i64) -> Duration {
    let Some(then_ms) = then_ms else {
        return Duration::MAX;
    };
    let apart = Duration::from_millis(now_ms.abs_diff(then_ms));
    if then_ms <= now_ms {
        apart
    } else if apart <= REQUEST_TIME_MAX_AGE {
        Duration::ZERO
    } else {
        Duration::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_known_unless_the_clock_was_set_back() {
        let now_ms = 1_800_000_000_000;
        for (then_ms, expected) in [
            (now_ms - 7_200_000, Duration::from_secs(2 * 60 * 60)),
            (now_ms - 1, Duration::from_millis(1)),
            (now_ms, Duration::ZERO),
            (now_ms + 1, Duration::ZERO),
            (now_ms + 10_000, Duration::ZERO),
            (now_ms + 10_001, Duration::MAX),
            (i64::MAX, Duration::MAX),
        ] {
            assert_eq!(age(Some(then_ms), now_ms), expected, "{then_ms}");
        }
        assert_eq!(age(None, now_ms), Duration::MAX);
        assert!(age(Some(i64::MIN), i64::MAX) > STALE_JWKS_MAX_AGE);
    }
}
