//! What the end-to-end tests stand on: the functions' own binaries, run as
//! Lambda runs them, with a real Postgres and really signed tokens.
//!
//! | module | concern |
//! |---|---|
//! | [`app`] | the four functions behind their routes |
//! | [`function`] | which functions there are; their binaries |
//! | [`environment`] | one function's process, as an execution environment |
//! | [`runtime_api`] | Lambda's side of that process |
//! | [`event`] | requests, as API Gateway and as `cargo lambda watch` send them |
//! | [`answer`] | what a function answered |
//! | [`clerk`] | Clerk instances, users and their tokens |
//! | [`postgres`] | the server that the tests share, and databases on it |
//! | [`pgbouncer`] | a pooler in front of a database |
//! | [`proxy`] | a network that counts, delays, cuts and swallows |
//!
//! A harness that cannot do its work fails the test that asked for it, so
//! everything here panics instead of returning errors.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failure of the harness fails the test"
)]

pub mod answer;
pub mod app;
pub mod clerk;
pub mod environment;
pub mod event;
pub mod function;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod runtime_api;

pub use answer::Answer;
pub use app::App;
pub use clerk::{Instance, User};
pub use environment::{Environment, Variables};
pub use event::Event;
pub use function::Function;
pub use pgbouncer::PgBouncer;
pub use proxy::Proxy;

/// A text that no other test has: 16 random hexadecimal digits.
#[must_use]
pub fn unique() -> String {
    let mut random = [0; 8];
    openssl::rand::rand_bytes(&mut random).expect("the system has randomness");
    format!("{:016x}", u64::from_ne_bytes(random))
}
