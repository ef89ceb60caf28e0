//! Clerk's request authentication for Rust servers: the decision that
//! `authenticateRequest` of `@clerk/backend` makes, handshakes included.
//!
//! [`authenticate`] is the whole decision, without clock and network: instance, keys,
//! request and time go in, a [`Decision`] comes out that depends on nothing else.
//! [`Authenticator`] adds the clock and, where no key is configured, the instance's key
//! set.
//!
//! ```
//! use clerk_auth::{
//!     Instance, PublicKeys, PublishableKey, Reason, RequestView, State, authenticate,
//! };
//!
//! let key = PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
//! let instance = Instance::new(key);
//! let keys = PublicKeys::default();
//! let request = RequestView {
//!     method: "GET",
//!     target: "/",
//!     origin: "https://www.example.com",
//!     cookie: Some("__client_uat=1700000000".into()),
//!     sec_fetch_dest: Some("document"),
//!     ..RequestView::default()
//! };
//!
//! // Signed in at the instance, no session on this host yet: a page load is
//! // redirected to get one.
//! let decision = authenticate(&instance, &keys, &request, 1_700_000_100_000);
//! let State::Handshake { reason, location } = &decision.state else {
//!     panic!("{decision:?}");
//! };
//! assert_eq!(*reason, Reason::ClientUatButNoSessionToken);
//! assert!(location.starts_with("https://clerk.example.com/v1/client/handshake?"));
//!
//! let headers = decision.response_headers();
//! assert_eq!(headers["location"], **location);
//! assert_eq!(headers["x-clerk-auth-status"], "handshake");
//! ```
//!
//! # Modules, from the bottom
//!
//! | module | concern |
//! |---|---|
//! | `names` | the names of Clerk's cookies, parameters and headers |
//! | `origin` | origins and URLs that configuration may name |
//! | `reason` | why a user is not signed in |
//! | `verified` | the tokens whose signature is known to be valid |
//! | `key` | public keys, and the RS256 check by AWS-LC |
//! | `token` | a JWT taken apart, then verified; who it says it is, and for whom |
//! | `claims` | what a session says: actor, organization, what the user may do |
//! | `instance` | which instance this is, and what its tokens must say |
//! | `cookies` | parsing; the suffixed or the plain set |
//! | `request` | the parts of a request that matter, read for an instance |
//! | `handshake` | the redirect for new cookies, and what it brings back |
//! | `sign_in`, `csp` | the sign-in page's URL; a page's policy for clerk-js |
//! | `decision` | the state machine |
//! | `webhook` | whether a webhook's message was sent by Clerk |
//! | `fetch`, `jwks` | the instance's key set, fetched and kept (feature `jwks`) |
//! | `backend` | the Backend API, for the nonce form of the handshake |
//! | `authenticator` | a decision about an actual request, now |

mod authenticator;
mod backend;
mod claims;
mod cookies;
mod csp;
mod decision;
#[cfg(feature = "jwks")]
mod fetch;
mod handshake;
mod instance;
#[cfg(feature = "jwks")]
mod jwks;
mod key;
pub mod names;
mod origin;
mod reason;
mod request;
mod sign_in;
#[cfg(test)]
#[path = "../tests/unit/testing.rs"]
mod testing;
mod token;
mod verified;
mod webhook;

pub use authenticator::{Authenticator, KeySource};
pub use backend::{BACKEND_API_URL, BackendApi};
pub use claims::{
    Check, Claims, Organization, Reverification, ReverificationLevel, UnreadableClaim,
};
pub use decision::{Decision, State, authenticate};
pub use instance::{DEFAULT_CLOCK_SKEW_MS, Instance, PublishableKey};
#[cfg(feature = "jwks")]
pub use jwks::JwksCache;
pub use key::{Key, KeySetUnavailable, PublicKeys};
pub use origin::{Origin, parse_secure_url};
pub use reason::{Obstacle, Reason};
pub use request::RequestView;
pub use token::{AuthorizedParties, Session, UserId};
pub use webhook::{WebhookError, WebhookMessage, WebhookSecrets};
