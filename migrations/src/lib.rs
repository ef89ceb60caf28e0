//! The migrations: numbered SQL files, and the ledger of those applied.

pub mod check;
pub mod roles;

mod embedded {
    refinery::embed_migrations!("sql");
}

use anyhow::{Context, Result};
use refinery::Migration;
use shared::database::{ConnectOptions, connect};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// Key of the advisory lock that lets one person migrate at a time: the bytes
/// of `quotemig`, so that no other application is likely to use it.
const LOCK: i64 = i64::from_be_bytes(*b"quotemig");

/// Applies the migrations that are missing and returns their names.
///
/// Each runs in a transaction together with its line in the ledger, so that one
/// that is interrupted leaves nothing behind. A second caller waits for the
/// first and then finds nothing to do.
///
/// # Errors
/// The database cannot be reached, or a migration failed or was changed after
/// it had been applied.
pub async fn apply(options: &ConnectOptions) -> Result<Vec<String>> {
    let (mut client, driver) = connect(options)
        .await
        .context("cannot connect to the database")?;
    // The connection holds the lock, so that it is released when the connection ends.
    client
        .query_typed("SELECT pg_advisory_lock($1)", &[(&LOCK, Type::INT8)])
        .await
        .context("waiting for another migration")?;
    let report = embedded::migrations::runner()
        .run_async(&mut client)
        .await?;
    drop(client);
    driver.await.context("closing the connection")?;
    Ok(report.applied_migrations().iter().map(name).collect())
}

/// What to tell the person who called [`apply`].
#[must_use]
pub fn summary(applied: &[String]) -> String {
    match applied {
        [] => "nothing to do: every migration is applied".to_owned(),
        _ => format!("applied {}", applied.join(", ")),
    }
}

/// The names of the migrations that are not in the ledger. Changes nothing.
///
/// # Errors
/// The database cannot be reached.
pub async fn missing(options: &ConnectOptions) -> Result<Vec<String>> {
    let (client, _driver) = connect(options)
        .await
        .context("cannot connect to the database")?;
    let applied = applied_versions(&client).await?;
    let runner = embedded::migrations::runner();
    let missing = runner.get_migrations().iter();
    Ok(missing
        .filter(|migration| !applied.contains(&migration.version()))
        .map(name)
        .collect())
}

/// Whether anybody has saved a quote. Before the first migration nobody has.
///
/// # Errors
/// The database cannot be reached.
pub async fn has_quotes(options: &ConnectOptions) -> Result<bool> {
    let (client, _driver) = connect(options)
        .await
        .context("cannot connect to the database")?;
    if !has_table(&client, "user_messages").await? {
        return Ok(false);
    }
    let rows = client
        .query_typed("SELECT FROM user_messages LIMIT 1", &[])
        .await?;
    Ok(!rows.is_empty())
}

async fn has_table(client: &Client, name: &str) -> Result<bool> {
    let named = [(&name as &(dyn ToSql + Sync), Type::TEXT)];
    let found = client
        .query_typed("SELECT to_regclass($1) IS NOT NULL", &named)
        .await?;
    Ok(found.iter().any(|row| row.get(0)))
}

async fn applied_versions(client: &Client) -> Result<Vec<i32>> {
    if !has_table(client, "refinery_schema_history").await? {
        return Ok(Vec::new());
    }
    let rows = client
        .query_typed("SELECT version FROM refinery_schema_history", &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn name(migration: &Migration) -> String {
    migration.to_string()
}
