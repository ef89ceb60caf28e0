//! Clerk request authentication, as Clerk's own server SDK does it.
//!
//! [`authenticate`] is the whole decision, pure and synchronous. [`Clerk`] adds
//! what it needs of the world: the clock and, where no key is configured, the
//! instance's key set.
//!
//! | file | concern |
//! |---|---|
//! | `publishable_key` | which instance this is: host, portal, cookie suffix |
//! | `instance` | the configuration of a decision; the keys |
//! | `view` | the parts of a request that matter |
//! | `cookies` | parsing; the suffixed or the plain set |
//! | `token` | a JWT taken apart |
//! | `verification` | its class, its signature, its claims |
//! | `session` | who it is, once verified |
//! | `signature` | the keys that may check a signature |
//! | `rs256` | the check, by OpenSSL |
//! | `handshake` | the redirect for fresh cookies, out and back |
//! | `decision` | the state machine |
//! | `reason` | why somebody is not signed in |
//! | `jwks`, `fetch` | the instance's key set, kept and fetched |
//! | `sign_in` | where signed-out visitors go |
//! | `service` | [`Clerk`]: a decision about an actual request, now |
//! | `testing` | what the tests of these have in common |

mod cookies;
mod decision;
mod fetch;
mod handshake;
mod instance;
mod jwks;
mod publishable_key;
mod reason;
mod rs256;
mod service;
mod session;
mod sign_in;
mod signature;
#[cfg(test)]
mod testing;
mod token;
mod verification;
mod view;

pub use decision::{Decision, State, authenticate};
pub use instance::{AuthorizedParties, DEFAULT_CLOCK_SKEW_MS, Instance, Keys};
pub use jwks::KeySetUnavailable;
pub use publishable_key::PublishableKey;
pub use reason::Reason;
pub use service::{Clerk, view};
pub use session::{Session, UserId, UserMark};
pub use signature::Key;
pub use view::RequestView;
