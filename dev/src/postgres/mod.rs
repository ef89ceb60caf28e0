//! A real Postgres with TLS on loopback.
//!
//! - `account`: the account that runs it, and the folders which that can reach
//! - `binaries`: which Postgres
//! - `cluster`: the database's files, certificate and password
//! - `server`: the server process
//!
//! Clients need TLS, the host name `localhost` and a password; there is no
//! Unix socket and no other address.

mod account;
mod binaries;
mod cluster;
mod server;

pub use account::Account;
pub use server::{Options, Server};
