//! The whole site on loopback, for the browser tests: the functions behind a
//! gateway, a Postgres of its own, and the stand-in for Clerk.
//!
//! When it is ready it prints one line of JSON. Then it executes the commands on
//! standard input, one a line, and prints `{"done": …, "result": …}` after each;
//! it ends with its input.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failure of the harness fails the test that started it"
)]

mod application;
mod cookies;
mod gateway;
mod network;
mod options;
mod shape;
mod site;
mod watch;

use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use options::Options;
use site::Site;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut site = Site::start(&Options::parse()).await;
    println!("{}", site.description());
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let result = site.execute(&line).await;
        println!("{}", json!({ "done": line, "result": result }));
    }
}
