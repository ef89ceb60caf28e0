//! `make migrate` without the rest of the workspace, for deployments: applies the
//! migrations that are missing.

use std::process::ExitCode;

use shared::config::{from_env, migration_database};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(applied) => {
            say(&migrations::summary(&applied));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("migrate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> anyhow::Result<Vec<String>> {
    migrations::apply(&migration_database(&from_env)?).await
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}
