//! The stand-in as a server, for tests that run without `cargo lambda watch`.
//!
//! It reads the same variables as the Lambda function and listens at the host
//! and port of `CLERK_PROXY_URL`. Once it does, it prints one line of JSON:
//! `jwt_key`, the public key for `CLERK_JWT_KEY`.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use anyhow::Context as _;
use clerk_stand_in::{Config, StandIn, server};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = Config::from_env()?;
    let address = config.frontend_api.clone();
    let authority = address.split('/').nth(2).unwrap_or_default();
    let listener = TcpListener::bind(authority)
        .await
        .with_context(|| format!("cannot listen at {address}"))?;
    let stand_in = StandIn::open(config)?;
    let ready = serde_json::json!({ "jwt_key": stand_in.jwt_key() });
    writeln!(io::stdout(), "{ready}")?;
    server::serve(Arc::new(stand_in), listener, None).await
}
