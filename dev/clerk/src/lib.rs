//! A stand-in for Clerk on a developer's machine: what clerk-js, a browser and
//! the functions need of the Frontend API and of the account portal, with a
//! few demo users and no passwords. It is never deployed.
//!
//! A module uses only modules above it:
//!
//! - [`Config`]: where the stand-in is, and which application it is for;
//!   [`Switches`]: what tests turn on
//! - `store`: the demo users and who is signed in, kept in a folder
//! - [`keys`]: the publishable key, the secret key and the signing key
//! - [`cookies`]: the cookies that Clerk reads and sets
//! - `web`: requests and responses
//! - [`StandIn`]: one instance; it makes tokens and knows the browsers
//! - `handshake`: brings a sign-in into the application's cookies, by a token or
//!   by a nonce and the Backend API
//! - [`webhook`]: tells the application that a user was deleted
//! - `frontend_api`: the calls of clerk-js
//! - `portal`: the account portal, for people
//! - `scripts`: clerk-js and its components, from npm
//! - `routes`: [`StandIn::respond`], which answers a request
//! - [`server`]: HTTP and HTTPS on loopback, for tests
//!
//! `main.rs` is the Lambda function that `cargo lambda watch` serves, and
//! `bin/clerk-stand-in-server.rs` starts [`server`].

mod config;
pub mod cookies;
mod frontend_api;
mod handshake;
pub mod keys;
mod portal;
mod routes;
mod scripts;
pub mod server;
mod stand_in;
mod store;
mod web;
pub mod webhook;

#[cfg(test)]
mod fixture;

pub use config::{Config, Switches};
pub use stand_in::StandIn;
pub use store::{User, users};
