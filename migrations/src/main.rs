//! What a deployment does to a database, without the rest of the workspace.
//!
//! - without an argument: applies the migrations that are missing, as `make migrate`
//! - `roles`: makes the roles that the functions connect as, and prints their URLs as
//!   the JSON of a stage's secret
//! - `empty`: fails if there are quotes, for a database that previews are made from

use std::process::ExitCode;

use anyhow::{bail, ensure};
use shared::config::{from_env, migration_database};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    match run(argument.as_deref()).await {
        Ok(said) => {
            say(&said);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let command = argument.as_deref().unwrap_or("migrate");
            eprintln!("{command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the argument says, and returns what to print.
async fn run(argument: Option<&str>) -> anyhow::Result<String> {
    match argument {
        None => {
            let applied = migrations::apply(&migration_database(&from_env)?).await?;
            Ok(migrations::summary(&applied))
        }
        Some("roles") => {
            let made = migrations::roles::make(&from_env).await?;
            eprintln!("roles: {}", made.summary);
            Ok(made.secret.to_string())
        }
        Some("empty") => {
            let quotes = migrations::has_quotes(&migration_database(&from_env)?).await?;
            ensure!(
                !quotes,
                "user_messages has rows; previews should be made from a branch without data"
            );
            Ok("user_messages has no rows".to_owned())
        }
        Some(_) => {
            bail!(
                "is no command of this program; it should be roles or empty, or nothing to migrate"
            )
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}
