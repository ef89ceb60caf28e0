//! What all functions share.
//!
//! A request goes one way: event → authenticate → one statement → response.
//!
//! From the bottom, each module using only those above it:
//!
//! | module | concern |
//! |---|---|
//! | [`database`] | one TLS connection, reopened when it has died |
//! | [`config`] | the only reader of the environment |
//! | `log` | lines on standard output |
//! | [`quote`] | the quote and all the SQL there is |
//! | [`error`] | why a request could not be answered, and what is said about it |
//! | `request` | an event of the HTTP API as a request, and its body |
//! | [`condition`] | what a request asks for, depending on what is saved |
//! | [`auth`] | the policy: who the user is, and the same-origin rule |
//! | [`flash`] | the cookie that keeps what a form could not do, or deleted |
//! | [`response`] | responses and their headers |
//! | [`webhook`] | which user a message of Clerk's says is deleted |
//! | `app` | the Lambda loop around a handler |
//!
//! Request authentication itself is the crate `clerk-auth`, in `clerk/`.

mod app;
pub mod auth;
pub mod condition;
pub mod config;
pub mod database;
pub mod error;
pub mod flash;
mod log;
pub mod quote;
mod request;
pub mod response;
#[cfg(test)]
#[path = "../tests/unit/testing.rs"]
mod testing;
pub mod webhook;

pub use app::{App, serve, serve_with};
pub use error::Error;
pub use http::StatusCode;
pub use request::{Event, Request};
pub use response::Response;
pub use std::process::ExitCode;
