//! What is new each time: ids and the time.

use std::time::{SystemTime, UNIX_EPOCH};

use openssl::rand::rand_bytes;

use crate::keys::hex;

/// An id like Clerk's: what it is, then what nobody can guess.
pub(crate) fn new_id(kind: &str) -> anyhow::Result<String> {
    let mut random = [0; 16];
    rand_bytes(&mut random)?;
    Ok(format!("{kind}_{}", hex(&random)))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis())
    })
}
