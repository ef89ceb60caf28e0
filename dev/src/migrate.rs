//! `make migrate`: the migrations on the database of the caller or of `.env`.

use std::{collections::BTreeMap, env, ffi::OsString};

use shared::config::migration_database;

use crate::{env_file, workspace::Workspace};

/// The variables that name a database.
const DATABASE_VARIABLES: [&str; 3] = ["DATABASE_URL", "MIGRATION_DATABASE_URL", "PGSSLROOTCERT"];

/// Applies the missing migrations; returns what it did.
///
/// If the caller's environment names a database, `.env` is not read: settings of
/// the two are never mixed.
///
/// # Errors
/// A malformed `.env`, no database, or one that refuses.
pub async fn migrate() -> anyhow::Result<String> {
    let workspace = Workspace::find()?;
    let is_set = |name: &&str| env::var_os(name).is_some();
    let file = if DATABASE_VARIABLES.iter().any(is_set) {
        BTreeMap::new()
    } else {
        env_file::read(&workspace.root().join(".env"))?
    };
    let lookup = |name: &str| env::var_os(name).or_else(|| file.get(name).map(OsString::from));
    let applied = migrations::apply(&migration_database(&lookup)?).await?;
    Ok(migrations::summary(&applied))
}
