//! The commands behind `make dev`, `make token` and `make migrate`.

use std::{
    fmt::Display,
    io::{self, Write},
    process::{ExitCode, exit},
};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    about = "Runs the application on a developer's machine: make dev, make token, make migrate"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything; Ctrl-C ends it (PORT=9000, VERBOSE=1)
    Dev {
        /// The process to end with, when it is not the parent by now
        #[arg(long)]
        parent: Option<i32>,
    },
    /// Print a session token (USER_ID=, TTL= seconds, PORT=9000)
    Token,
    /// Apply the missing migrations to the database of the caller or of .env
    Migrate,
    /// Run an empty Postgres and print its URL; it ends with standard input
    #[command(hide = true)]
    ThrowawayPostgres,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        // At once: nothing is left that would have to be ended.
        Command::Dev { parent } => dev::up(parent).await.map(|status| exit(status.into())),
        Command::Token => dev::token().and_then(print),
        Command::Migrate => dev::migrate().await.and_then(print),
        Command::ThrowawayPostgres => throwaway_postgres().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For tests that are not written in Rust.
async fn throwaway_postgres() -> anyhow::Result<()> {
    let server = dev::postgres::Server::start_temporary(None).await?;
    print(server.url())?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    server.stop().await
}

fn print(result: impl Display) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{result}")?)
}
