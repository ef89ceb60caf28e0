//! The functions under `cargo lambda watch`.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use reqwest::{Client, Method, header::X_CONTENT_TYPE_OPTIONS, redirect};

use crate::{
    child, console, guard::RunId, local_clerk::origin, settings::Settings, workspace::Workspace,
};

/// One route of each function, to see that it runs.
const FUNCTION_PROBES: [(&str, Method, &str); 4] = [
    ("render-page", Method::GET, "/"),
    ("get-quote", Method::GET, "/api/quote"),
    ("save-quote", Method::PUT, "/api/quote"),
    ("delete-quote", Method::DELETE, "/api/quote"),
];

/// The stand-in for Clerk is a function as well.
const CLERK_FUNCTION: &str = "clerk-stand-in";

/// Longest time until a function answers, once it is built.
const FUNCTION_START_TIMEOUT: Duration = Duration::from_secs(90);

/// Longest time for one request. A function that is being started answers late,
/// and one that has just been replaced never does.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two requests to a function that does not answer yet.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Builds the functions, with cargo's own progress in view.
///
/// # Errors
/// If they do not compile.
pub(crate) async fn build(
    workspace: &Workspace,
    settings: &Settings,
    run_id: &RunId,
) -> anyhow::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.arg("build").current_dir(workspace.root());
    // By binary, not by package: so does cargo-lambda, and packages would be
    // built with other features and then once more.
    for (function, ..) in FUNCTION_PROBES {
        cargo.args(["--bin", function]);
    }
    if settings.local_clerk {
        cargo.args(["--bin", CLERK_FUNCTION]);
    }
    settings.apply_to(&mut cargo);
    run_id.kill_at_end(&mut cargo);
    child::run(cargo.stdin(Stdio::null())).await
}

/// Starts `cargo lambda watch`: it starts each function when it is first
/// asked, and again when a source file changes.
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
    let mut command = Command::new(cargo_lambda);
    command
        .args(["lambda", "watch", "--disable-cors"])
        .args(["--invoke-address", "127.0.0.1", "--invoke-port"])
        .arg(port.to_string())
        .current_dir(workspace.root())
        .stdin(Stdio::null());
    settings.apply_to(&mut command);
    run_id.kill_at_end(&mut command);
    command.spawn().context("cannot start cargo-lambda")
}

/// Waits until each of the four functions has answered.
///
/// They are asked one after the other: cargo starts them one by one anyway.
///
/// # Errors
/// If one of them does not.
pub(crate) async fn answer(port: u16) -> anyhow::Result<()> {
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PROBE_TIMEOUT)
        .build()?;
    for (function, method, path) in FUNCTION_PROBES {
        let address = format!("{}{path}", origin(port));
        one_answers(&client, function, method, &address).await?;
        console::print(format_args!("{function} answers"));
    }
    Ok(())
}

async fn one_answers(
    client: &Client,
    function: &str,
    method: Method,
    address: &str,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + FUNCTION_START_TIMEOUT;
    loop {
        let problem = match client.request(method.clone(), address).send().await {
            // The functions send this header with everything, cargo-lambda
            // itself with nothing.
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
