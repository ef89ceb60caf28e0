//! Clerk's Backend API, for the nonce form of the handshake.

use std::fmt;
#[cfg(feature = "jwks")]
use std::sync::Arc;
#[cfg(feature = "jwks")]
use std::time::Duration;

#[cfg(feature = "jwks")]
use serde_json::Value;
#[cfg(feature = "jwks")]
use tokio::{sync::Mutex, time::timeout};

#[cfg(feature = "jwks")]
use crate::fetch;

/// Clerk's own Backend API.
pub const BACKEND_API_URL: &str = "https://api.clerk.com";

/// Longest wait for the payload of a handshake, for another's fetch included.
#[cfg(feature = "jwks")]
const HANDSHAKE_PAYLOAD_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the nonce of a handshake is exchanged for what the handshake brings. A
/// cookie may be too small for that, a nonce is not.
#[derive(Clone)]
pub struct BackendApi {
    #[cfg(feature = "jwks")]
    secret_key: String,
    #[cfg(feature = "jwks")]
    url: String,
    /// Which of the host's addresses was good. Held while fetching: strangers can
    /// send nonces, and must not make this a hammer.
    #[cfg(feature = "jwks")]
    addresses: Arc<Mutex<tcp_race::Memory>>,
}

impl fmt::Debug for BackendApi {
    /// Without the secret key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BackendApi").finish_non_exhaustive()
    }
}

#[cfg(feature = "jwks")]
impl BackendApi {
    /// The API at this URL, such as [`BACKEND_API_URL`], with the instance's
    /// secret key.
    #[must_use]
    pub fn new(secret_key: String, url: String) -> Self {
        Self {
            secret_key,
            url,
            addresses: Arc::default(),
        }
    }

    /// What the handshake with this nonce brings: the values of its `directives`.
    /// One try, at most 2 s.
    ///
    /// # Errors
    /// What went wrong, in words for the log.
    pub(crate) async fn handshake_payload(&self, nonce: &str) -> Result<Vec<Value>, String> {
        let url = format!("{}/v1/clients/handshake_payload?nonce={nonce}", self.url);
        let fetch = async {
            let addresses = self.addresses.lock().await;
            fetch::get(&url, Some(&self.secret_key), &addresses).await
        };
        let body = timeout(HANDSHAKE_PAYLOAD_TIMEOUT, fetch)
            .await
            .map_err(|_| "no answer in time")??;
        let mut payload: Value =
            serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        if let Value::Array(directives) = payload["directives"].take() {
            Ok(directives)
        } else {
            Err("an answer without directives".to_owned())
        }
    }
}
