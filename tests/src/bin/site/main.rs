//! The whole site on loopback, for the browser tests: the functions behind a
//! gateway, a Postgres of its own, and the stand-in for Clerk.
//!
//! When it is ready it prints one line of JSON. Then it executes the commands on
//! standard input, one a line, and prints `{"done": …}` after each; it ends
//! with its input.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failure of the harness fails the test that started it"
)]

mod gateway;
mod network;
mod shape;
mod site;
mod watch;

use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use shape::Shape;
use site::Site;

/// The whole site on loopback, for the browser tests.
#[derive(Parser)]
struct Options {
    /// Where Clerk is.
    #[arg(long)]
    shape: Shape,
    /// Life of a session token, in seconds.
    #[arg(long, default_value_t = 60)]
    token_ttl: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::parse();
    let mut site = Site::start(options.shape, options.token_ttl).await;
    println!("{}", site.description());
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        site.execute(&line).await;
        println!("{}", json!({ "done": line }));
    }
}
