//! A stand-in for Clerk on a developer's machine: what clerk-js, a browser and
//! the functions need of the Frontend API and of the account portal, with a
//! few demo users and no passwords. It is never deployed.
//!
//! - [`Config`]: where it lives and what it stands in for
//! - [`StandIn`]: one instance; [`StandIn::respond`] answers a request, and
//!   `StandIn::token` and `StandIn::sign` (in `tokens`) make tokens
//! - [`keys`]: the signing key and publishable keys
//! - `store`: the demo users and who is signed in, kept in a folder
//! - `frontend_api`, `resources`, `environment`: the calls of clerk-js
//! - `handshake`, `cookies`: how a sign-in reaches the application's cookies
//! - `portal`, `pages`: the account portal, for people
//! - `scripts`: clerk-js and its components from npm
//! - [`server`]: HTTP and HTTPS on loopback, for tests
//!
//! `main.rs` is the Lambda function that `cargo lambda watch` serves, and
//! `bin/clerk-stand-in-server.rs` starts [`server`].

mod call;
mod config;
mod cookies;
mod environment;
mod frontend_api;
mod handshake;
pub mod keys;
mod pages;
mod portal;
mod redirect;
mod reply;
mod resources;
mod routes;
mod scripts;
pub mod server;
mod store;
mod tokens;

#[cfg(test)]
mod fixture;

pub use config::Config;
pub use store::{User, users};

use keys::{Instance, SigningKey};
use store::Store;

/// One Clerk instance: its key, its demo users and who is signed in.
pub struct StandIn {
    config: Config,
    instance: Instance,
    key: SigningKey,
    store: Store,
}

impl StandIn {
    /// Opens the instance whose key and sign-ins are kept in `config.dir`, and
    /// makes both on first use.
    ///
    /// # Errors
    /// A publishable key or an address that is not one, or a folder that
    /// cannot be read or written.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let config = config.checked()?;
        let instance = Instance::of(&config.publishable_key)?;
        let store = Store::open(&config.dir)?;
        let key = SigningKey::open(&store)?;
        Ok(Self {
            config,
            instance,
            key,
            store,
        })
    }

    /// The public key as PEM (SPKI), for `CLERK_JWT_KEY`.
    #[must_use]
    pub fn jwt_key(&self) -> String {
        self.key.public_pem.clone()
    }

    /// The key set, as `/.well-known/jwks.json` serves it.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.key.jwks.clone()
    }
}
