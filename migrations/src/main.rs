//! What a deployment does to a database, without the rest of the workspace.
//!
//! - without an argument: applies the migrations that are missing, as `make migrate`
//! - `roles`: makes the roles that the functions connect as, and prints their URLs as
//!   the JSON of a stage's secret; `--replace` gives those that exist new passwords
//! - `empty`: fails if there are quotes, for a database that previews are made from
//! - `check TEMPLATE`: judges a stage, whose secret it reads from standard input and whose
//!   settings are in the environment, and prints the template's parameters as JSON

use std::fs;
use std::io::{Read, stdin};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail, ensure};
use migrations::check::parameters;
use serde_json::Value;
use shared::config::{from_env, migration_database};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (command, result) = match arguments[..] {
        [] => ("migrate", migrate().await),
        ["roles"] => ("roles", roles(false).await),
        ["roles", "--replace"] => ("roles", roles(true).await),
        ["empty"] => ("empty", empty().await),
        // It speaks for the command that calls it.
        ["check", template] => ("deploy", check(template).await),
        _ => (
            "migrations",
            Err(anyhow!(
                "the arguments are wrong; they should be none, roles, roles --replace, empty, or check TEMPLATE"
            )),
        ),
    };
    match result {
        Ok(said) => {
            say(&said);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> Result<String> {
    let applied = migrations::apply(&migration_database(&from_env)?).await?;
    Ok(migrations::summary(&applied))
}

async fn roles(replace: bool) -> Result<String> {
    let made = migrations::roles::make(&from_env, replace).await?;
    eprintln!("roles: {}", made.summary);
    Ok(made.secret.to_string())
}

async fn empty() -> Result<String> {
    let quotes = migrations::has_quotes(&migration_database(&from_env)?).await?;
    ensure!(
        !quotes,
        "user_messages has rows; previews should be made from a branch without data"
    );
    Ok("user_messages has no rows".to_owned())
}

async fn check(template: &str) -> Result<String> {
    let template = fs::read_to_string(template).context("the template cannot be read")?;
    let mut secret = String::new();
    stdin()
        .read_to_string(&mut secret)
        .context("the secret cannot be read")?;
    let found = migrations::check::check(&secret, &from_env).await;
    for warning in &found.warnings {
        eprintln!("deploy: warning: {warning}");
    }
    if !found.errors.is_empty() {
        bail!(found.errors.join("\ndeploy: "));
    }
    Ok(Value::from(parameters(&template, &from_env)).to_string())
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(text: &str) {
    println!("{text}");
}
