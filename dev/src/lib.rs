//! Runs the functions on a developer's machine: with cargo-lambda, a real
//! Postgres, and a stand-in for Clerk. Never deployed.
//!
//! - [`up()`]: `make dev`, with `lock` (one for each clone), `settings` (from
//!   `env_file` and `local_clerk`), `real_clerk`, `database`, [`functions`]
//!   (`cargo lambda watch`) and `shutdown` (signals)
//! - [`token()`]: `make token`
//! - [`migrate()`]: `make migrate`
//! - [`postgres`]: a Postgres with TLS on loopback, for `make dev` and tests
//! - [`tools`]: cargo-lambda, and npm's packages, fetched into `.dev/`
//! - [`guard`]: ends what was started, however the program ends
//! - [`routes`]: which function answers which request
//! - [`certificates`], [`ports`]: for servers on this machine
//! - `workspace`: the clone of the project; `child`, `console` and `files` are
//!   what all of these use

pub mod certificates;
mod child;
mod console;
mod database;
mod env_file;
mod files;
pub mod functions;
pub mod guard;
mod local_clerk;
mod lock;
mod migrate;
pub mod ports;
pub mod postgres;
mod real_clerk;
pub mod routes;
mod settings;
mod shutdown;
mod token;
pub mod tools;
mod up;
mod workspace;

pub use migrate::migrate;
pub use token::token;
pub use up::up;
