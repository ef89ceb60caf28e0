//! `make dev`: everything the application needs, on this machine.

use std::{
    convert::Infallible, env, ffi::OsString, fs::File, future::pending, process::Child,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use clerk_auth::Instance;
use clerk_stand_in::users;
use nix::unistd::Pid;
use shared::config::{Config, PageConfig, WebhookConfig};
use tokio::time::timeout;

use crate::{
    child, console, database, functions,
    guard::{self, Guard, RunId},
    local_clerk::{self, LocalClerk},
    lock, ports,
    postgres::Server,
    real_clerk,
    settings::Settings,
    shutdown::Shutdown,
    tools,
    workspace::Workspace,
};

/// Longest wait for the end of an earlier `make dev`. Its guard, which holds the
/// lock as well, needs less.
const LOCK_TIMEOUT: Duration = Duration::from_secs(6);

/// Runs everything until a signal, a failure, or the end of the parent, then
/// ends it; returns the exit status that a signal asks for.
///
/// `parent` is the process id of `make`; default: the parent's.
///
/// # Errors
/// What failed, after the rest has been ended.
pub async fn up(parent: Option<i32>) -> anyhow::Result<u8> {
    let mut shutdown = Shutdown::watch(parent.map(Pid::from_raw))?;
    let workspace = Workspace::find()?;
    let port = env::var_os("PORT").map(|port| port.to_string_lossy().into_owned());
    let port = ports::parse(port.as_deref())?;
    let settings = Settings::read(&workspace, port)?;
    let run_id = RunId::new(workspace.root());

    let lock = tokio::select! {
        lock = lock(&workspace) => lock?,
        status = shutdown.wait() => return Ok(status),
    };
    guard::end_leftovers(&run_id).await?;
    let guard = Guard::start(&run_id, Some(lock.try_clone()?), None)?;
    let result = tokio::select! {
        Err(error) = run(&workspace, port, settings, &run_id) => Err(error),
        status = shutdown.wait() => Ok(status),
    };
    // With another guard, in case the first one was killed.
    guard::end_leftovers(&run_id).await?;
    guard.end().await?;
    result
}

/// Takes the lock of the clone.
async fn lock(workspace: &Workspace) -> anyhow::Result<File> {
    let path = workspace.dev_path("lock");
    let message = "another make dev runs here: waiting for its end";
    let acquired = timeout(LOCK_TIMEOUT, lock::acquire(&path, message)).await;
    acquired.ok().context(
        "make dev already runs in this clone: end it first (another clone can run beside it)",
    )?
}

/// Starts everything and waits for the end of a part.
async fn run(
    workspace: &Workspace,
    port: u16,
    mut settings: Settings,
    run_id: &RunId,
) -> anyhow::Result<Infallible> {
    ports::ensure_free(port)?;
    let cargo_lambda = tools::cargo_lambda(workspace.root());
    let node_modules = tools::fetch_packages(tools::DEV_PACKAGES, Some(run_id)).await?;
    settings.add_clerk(&LocalClerk::new(workspace, port))?;
    let mut server = None;
    if settings.local_database {
        let started = database::start(workspace, &node_modules, run_id).await?;
        settings.add_database(started.url());
        server = Some(started);
    }
    let clerk = check(&settings)?;
    let clerk = match settings.local_clerk {
        true => None,
        false => Some(real_clerk::check(clerk).await?),
    };
    let database = database::migrate(&settings).await?;

    console::print("building and starting the functions");
    functions::build(workspace, &settings, run_id).await?;
    let mut watch = functions::watch(&cargo_lambda, workspace, port, &settings, run_id)?;
    tokio::select! {
        ready = functions::wait_until_ready(workspace.root(), port) => ready?,
        Err(error) = wait_for_failure(&mut watch, &mut server) => return Err(error),
    }
    announce(port, &settings, &database, clerk.as_deref());
    wait_for_failure(&mut watch, &mut server).await
}

/// Lets the functions' own configuration judge the settings; returns the Clerk
/// instance in it.
fn check(settings: &Settings) -> anyhow::Result<Instance> {
    let lookup = |name: &str| settings.get(name).map(OsString::from);
    let parsed = Config::parse(&lookup).and_then(|mut config| {
        PageConfig::parse(&lookup, &mut config)?;
        WebhookConfig::parse(&lookup, &mut config)?;
        Ok(config.clerk)
    });
    parsed.map_err(|error| anyhow!(".env: {error}"))
}

/// `clerk` is the address of a real instance.
fn announce(port: u16, settings: &Settings, database: &str, clerk: Option<&str>) {
    eprintln!();
    console::print(format_args!("ready: {}", local_clerk::origin(port)));
    let access = match settings.local_database {
        true => "the local Postgres: psql \"$(cat .dev/database-url)\"",
        false => "from .env",
    };
    console::print(format_args!("database: {database}, {access}"));
    let clerk = clerk.map_or("the stand-in".to_owned(), |address| {
        format!("{address}, from .env")
    });
    console::print(format_args!("Clerk: {clerk}"));
    if settings.local_clerk {
        let names: Vec<String> = users()
            .iter()
            .map(|user| format!("{} <{}>", user.name(), user.email))
            .collect();
        console::print(format_args!("sign in as {}", names.join(", ")));
        console::print(format_args!(
            "what the webhook was told: {}/__clerk/webhook",
            local_clerk::origin(port)
        ));
    }
    console::print("Ctrl-C ends it");
}

/// Waits until one of the children ends, which they should not.
async fn wait_for_failure(
    watch: &mut Child,
    server: &mut Option<Server>,
) -> anyhow::Result<Infallible> {
    let postgres = async {
        match server {
            Some(server) => server
                .wait()
                .await
                .map(|_status| server.folder().join("log")),
            None => pending().await,
        }
    };
    tokio::select! {
        status = child::wait(watch) => bail!("cargo lambda watch has ended ({})", status?),
        log = postgres => bail!("Postgres has ended: see {}", log?.display()),
    }
}
