//! The functions under `cargo lambda watch`.

use std::{
    env,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use reqwest::{Client, Method, header::X_CONTENT_TYPE_OPTIONS, redirect};

use crate::{
    child, console,
    guard::RunId,
    local_clerk::origin,
    routes::{self, first_of_each_function},
    settings::Settings,
    workspace::Workspace,
};

/// The stand-in for Clerk is a function as well.
const CLERK_FUNCTION: &str = "clerk-stand-in";

/// Starts the functions without a variable that cargo-lambda sets, because of which
/// each prints a warning at its start.
const FUNCTION_RUNNER: &str =
    r#"target."cfg(unix)".runner = ["env", "-u", "AWS_LAMBDA_MAX_CONCURRENCY"]"#;

/// Longest time until a function answers, once it is built.
const FUNCTION_START_TIMEOUT: Duration = Duration::from_secs(90);

/// Longest time for one request. A function that is being started answers late,
/// and one that has just been replaced never does.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two requests to a function that does not answer yet.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Returns the command that builds the functions in the clone at `root`, with
/// or without the stand-in for Clerk.
///
/// # Errors
/// If the routes cannot be read.
pub fn build_command(root: &Path, with_clerk: bool) -> anyhow::Result<Command> {
    let mut cargo = Command::new("cargo");
    cargo.arg("build").current_dir(root).stdin(Stdio::null());
    // By binary, as cargo-lambda builds them: by package they would have other
    // features, and cargo-lambda would build them again.
    let routes = routes::read(root)?;
    let functions = first_of_each_function(&routes).into_iter();
    let names = functions.map(|route| route.function.as_str());
    for name in names.chain(with_clerk.then_some(CLERK_FUNCTION)) {
        cargo.args(["--bin", name]);
    }
    Ok(cargo)
}

/// Returns the command `cargo lambda watch`: it starts each function at its
/// first request, and again when a source file changes.
pub fn watch_command(cargo_lambda: &Path, root: &Path, port: u16) -> Command {
    let mut watch = Command::new(cargo_lambda);
    watch
        .args(["lambda", "watch", "--disable-cors"])
        .args(["--invoke-address", "127.0.0.1", "--invoke-port"])
        .arg(port.to_string())
        .current_dir(root)
        .stdin(Stdio::null());
    watch
}

/// Builds the functions; cargo prints its own progress.
///
/// # Errors
/// If they do not compile.
pub(crate) async fn build(
    workspace: &Workspace,
    settings: &Settings,
    run_id: &RunId,
) -> anyhow::Result<()> {
    let mut cargo = build_command(workspace.root(), settings.local_clerk)?;
    settings.apply_to(&mut cargo);
    run_id.kill_at_end(&mut cargo);
    child::run(&mut cargo).await
}

/// Starts `cargo lambda watch`. Of what it, cargo and the functions print, only
/// warnings and errors are shown, unless `VERBOSE` is set.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn watch(
    cargo_lambda: &Path,
    workspace: &Workspace,
    port: u16,
    settings: &Settings,
    run_id: &RunId,
) -> anyhow::Result<Child> {
    let mut watch = watch_command(cargo_lambda, workspace.root(), port);
    settings.apply_to(&mut watch);
    if !is_verbose() {
        watch.arg("--quiet").args(["--config", FUNCTION_RUNNER]);
        if env::var_os("RUST_LOG").is_none() {
            watch.env("RUST_LOG", "warn");
        }
    }
    run_id.kill_at_end(&mut watch);
    watch.spawn().context("cannot start cargo-lambda")
}

/// Waits until each of the functions has answered.
///
/// The requests go out one after the other: cargo starts the functions one by
/// one anyway.
///
/// # Errors
/// If a function does not answer in time.
pub(crate) async fn wait_until_ready(root: &Path, port: u16) -> anyhow::Result<()> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PROBE_TIMEOUT)
        .build()?;
    for route in first_of_each_function(&routes::read(root)?) {
        let method = route.method.as_deref().unwrap_or("GET").parse()?;
        let url = format!("{}{}", origin(port), route.path);
        probe(&client, &route.function, method, &url).await?;
        if is_verbose() {
            console::print(format_args!("{} answers", route.function));
        }
    }
    Ok(())
}

fn is_verbose() -> bool {
    env::var_os("VERBOSE").is_some_and(|value| !value.is_empty())
}

async fn probe(client: &Client, function: &str, method: Method, url: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + FUNCTION_START_TIMEOUT;
    loop {
        let problem = match client.request(method.clone(), url).send().await {
            // The functions send this header with every response, cargo-lambda
            // itself with none.
            Ok(response) if response.headers().contains_key(X_CONTENT_TYPE_OPTIONS) => {
                return Ok(());
            }
            Ok(response) => anyhow!("it got status {}", response.status()),
            Err(error) => error.into(),
        };
        if Instant::now() > deadline {
            bail!("{function} does not answer: {problem}");
        }
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}
