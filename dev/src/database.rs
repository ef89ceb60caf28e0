//! The database of `make dev`: a local Postgres, or the one of `.env`.

use std::path::Path;

use anyhow::{Context, anyhow};
use shared::database::ConnectOptions;

use crate::{
    console, files,
    guard::RunId,
    postgres::{Options, Server},
    settings::Settings,
    workspace::Workspace,
};

/// Starts the local Postgres; prints where its data is if not in the clone.
///
/// # Errors
/// If it does not start.
pub(crate) async fn start(
    workspace: &Workspace,
    node_modules: &Path,
    run_id: &RunId,
) -> anyhow::Result<Server> {
    let wanted = workspace.dev_path("postgres");
    let server = Server::start(&Options {
        node_modules: node_modules.to_owned(),
        major: None,
        folder: wanted.clone(),
        durable: true,
        run_id: run_id.clone(),
    })
    .await?;
    if server.folder() != wanted {
        console::print(format_args!(
            "Postgres may not run as root and no other account can enter this folder: its data is in {}",
            server.folder().display()
        ));
    }
    files::write_private(&workspace.dev_path("database-url"), server.url().as_bytes())?;
    Ok(server)
}

/// Applies the migrations to the local database. A real one is not changed:
/// what is missing is printed.
///
/// # Errors
/// If a migration of the local database fails.
pub(crate) async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let url = settings.get("DATABASE_URL").context("no database")?;
    let options = ConnectOptions::parse(url, settings.get("PGSSLROOTCERT"))
        .map_err(|error| anyhow!(error))?;
    if settings.local_database {
        let applied = migrations::apply(&options).await?;
        if !applied.is_empty() {
            console::print(format_args!("applied {}", applied.join(", ")));
        }
        return Ok(());
    }
    match migrations::missing(&options).await {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => console::print(format_args!(
            "the database of .env lacks {}: run make migrate",
            missing.join(", ")
        )),
        Err(error) => console::print(format_args!("the database of .env: {error:#}")),
    }
    Ok(())
}
