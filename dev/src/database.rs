//! The database of `make dev`: a local Postgres, or the one of `.env`.

use std::path::Path;

use anyhow::{Context, anyhow};
use shared::database::ConnectOptions;
use url::Url;

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
/// what is missing is printed. Returns the name and the host of the database.
///
/// # Errors
/// If the database does not answer, or a migration of the local one fails.
pub(crate) async fn migrate(settings: &Settings) -> anyhow::Result<String> {
    let url = settings.get("DATABASE_URL").context("no database")?;
    let options = ConnectOptions::parse(url, settings.get("PGSSLROOTCERT"))
        .map_err(|error| anyhow!(error))?;
    let name = describe(url)?;
    if settings.local_database {
        let applied = migrations::apply(&options).await?;
        if !applied.is_empty() {
            console::print(format_args!("applied {}", applied.join(", ")));
        }
    } else {
        let missing = migrations::missing(&options).await;
        let missing = missing.with_context(|| format!("the database of .env, {name}"))?;
        if !missing.is_empty() {
            console::print(format_args!(
                "the database of .env lacks {}: run make migrate",
                missing.join(", ")
            ));
        }
    }
    Ok(name)
}

/// The name of the database and its host, never the password.
fn describe(url: &str) -> anyhow::Result<String> {
    let url = Url::parse(url).context("DATABASE_URL is no URL")?;
    let parameter = url.query_pairs().find(|(name, _)| name == "dbname");
    let name = match (parameter, url.path().trim_matches('/')) {
        (Some((_, name)), _) => name.into_owned(),
        (None, "") => url.username().to_owned(),
        (None, path) => path.to_owned(),
    };
    Ok(format!("{name} at {}", url.host_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports;

    #[test]
    fn a_database_is_described_without_its_password() {
        for (url, expected) in [
            (
                "postgresql://u:p@h.neon.tech/d?sslmode=require",
                "d at h.neon.tech",
            ),
            ("postgres://u:p@h:5433", "u at h"),
            ("postgres://u:p@h/a?dbname=b", "b at h"),
        ] {
            assert_eq!(describe(url).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_database_of_env_that_does_not_answer_is_named_in_one_line() {
        let port = ports::find_free().unwrap();
        let url = format!("postgres://u:secret@127.0.0.1:{port}/d");
        let settings = Settings::from_variables([("DATABASE_URL".to_owned(), url)].into(), 9000);

        let error = migrate(&settings.unwrap()).await.unwrap_err();

        let error = format!("{error:#}");
        let expected = "the database of .env, d at 127.0.0.1: cannot connect to the database: ";
        assert!(error.starts_with(expected), "{error}");
        assert!(
            error.lines().count() == 1 && !error.contains("secret"),
            "{error}"
        );
    }
}
