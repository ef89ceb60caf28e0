//! `make migrate`: applies the migrations that are missing.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(applied) if applied.is_empty() => say("nothing to do: every migration is applied"),
        Ok(applied) => say(&format!("applied {}", applied.join(", "))),
        Err(error) => {
            eprintln!("migrate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> anyhow::Result<Vec<String>> {
    migrations::apply(&shared::config::migration_database()?).await
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
