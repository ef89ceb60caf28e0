//! The functions end to end: their own binaries against a real Postgres
//! over TLS, with really signed tokens.

#![expect(
    clippy::unwrap_used,
    reason = "clippy takes only functions marked #[test] for tests, and not their helpers"
)]

mod addresses;
mod bad_input;
mod conditions;
mod configuration;
mod crypto;
mod database_tls;
mod early_sasl;
mod flash;
mod form_posts;
mod handshake;
mod headers;
mod key_set;
mod log;
mod nonce;
mod original;
mod page;
mod pooler;
mod prepared;
mod privileges;
mod random_events;
mod readme;
mod refusals;
mod release_before;
mod repeats;
mod resilience;
mod roles;
mod round_trips;
mod routes;
mod same_origin;
mod sessions;
mod system_calls;
mod table;
mod webhook;
