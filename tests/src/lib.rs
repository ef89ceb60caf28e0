//! The harness of the end-to-end tests: the functions' own binaries, run as
//! Lambda runs them, with a real Postgres and really signed tokens.
//!
//! | module | concern |
//! |---|---|
//! | [`app`] | the functions behind their routes |
//! | [`function`] | which functions there are; their binaries |
//! | [`environment`] | one function's process, as an execution environment |
//! | [`runtime_api`] | Lambda's side of that process |
//! | [`event`] | requests, as API Gateway and as `cargo lambda watch` send them |
//! | [`hosts`] | names with several addresses, some of which do not answer |
//! | [`response`] | what a function answered |
//! | [`clerk`] | Clerk instances, users and their tokens |
//! | [`postgres`] | the server that the tests share, and databases on it |
//! | [`pgbouncer`] | a pooler in front of a database |
//! | [`proxy`] | a network that counts, delays, closes and blackholes connections |
//! | [`random`] | names that no other test has; random input that can be had again |
//! | [`tls_proxy`] | a proxy that ends TLS: it refuses, or sees the messages |
//!
//! A harness that cannot do its work fails the test that uses it, so everything
//! here panics instead of returning errors.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failure of the harness fails the test"
)]
#![expect(missing_docs, reason = "only tests use it, and most names say it all")]

pub mod app;
pub mod clerk;
pub mod environment;
pub mod event;
pub mod function;
pub mod hosts;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod random;
pub mod response;
pub mod runtime_api;
pub mod tls_proxy;

pub use app::App;
pub use clerk::{Instance, User};
pub use environment::{Environment, Variables};
pub use event::Event;
pub use function::Function;
pub use hosts::Hosts;
pub use pgbouncer::PgBouncer;
pub use proxy::Proxy;
pub use random::{Random, unique};
pub use response::Response;
pub use tls_proxy::TlsProxy;
