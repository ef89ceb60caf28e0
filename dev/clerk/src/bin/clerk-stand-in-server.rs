//! The stand-in on a port of its own, for tests: an instance at its own hosts
//! over HTTPS, or over HTTP behind a test's application.
//!
//! Once it listens it prints one line of JSON: `address`, and `jwt_key`, the
//! public key for `CLERK_JWT_KEY`.

use std::{
    io::{self, Write as _},
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Parser;
use clerk_stand_in::{Config, StandIn, server};
use tokio::net::TcpListener;

/// A stand-in for Clerk, on loopback.
#[derive(Parser)]
struct Options {
    /// Port of 127.0.0.1; 0 for any that is free.
    #[arg(long)]
    port: u16,
    /// Certificate chain (PEM); without it the server speaks plain HTTP.
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// Key of the certificate (PEM, PKCS#8).
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
    /// Folder of the signing key and the sign-ins.
    #[arg(long)]
    dir: PathBuf,
    /// Folder in which npm put @clerk/clerk-js and @clerk/ui.
    #[arg(long)]
    node_modules: PathBuf,
    /// The publishable key that the application is configured with.
    #[arg(long)]
    publishable_key: String,
    /// Public address of the Frontend API.
    #[arg(long)]
    frontend_api: String,
    /// Public address of the account portal.
    #[arg(long)]
    accounts: String,
    /// Origin of the application.
    #[arg(long)]
    app_origin: String,
    /// Life of a session token, in seconds.
    #[arg(long, default_value_t = 60)]
    token_ttl: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let tls = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => Some(server::tls(cert, key)?),
        _ => None,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .await
        .with_context(|| format!("port {} cannot be used", options.port))?;
    let stand_in = StandIn::open(Config {
        dir: options.dir,
        publishable_key: options.publishable_key,
        frontend_api: options.frontend_api,
        accounts: options.accounts,
        app_origin: options.app_origin,
        node_modules: options.node_modules,
        token_ttl_secs: options.token_ttl,
    })?;
    let ready = serde_json::json!({
        "address": listener.local_addr()?,
        "jwt_key": stand_in.jwt_key(),
    });
    writeln!(io::stdout(), "{ready}")?;
    server::serve(Arc::new(stand_in), listener, tls).await
}
