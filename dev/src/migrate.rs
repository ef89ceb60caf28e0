//! `make migrate`: the migrations on the database of the caller or of `.env`.

use std::{env, os::unix::process::CommandExt, process::Command};

use crate::{env_file, workspace::Workspace};

/// The variables that name a database.
const DATABASE_VARIABLES: [&str; 3] = ["DATABASE_URL", "MIGRATION_DATABASE_URL", "PGSSLROOTCERT"];

/// Becomes the program that migrates; returns only if it cannot be started.
///
/// If the caller's environment names a database, `.env` is not read: settings of
/// the two are never mixed.
///
/// # Errors
/// A malformed `.env`, or no cargo.
pub fn migrate() -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    let mut program = Command::new("cargo");
    program.args(["run", "--quiet", "--locked", "--package", "migrations"]);
    if DATABASE_VARIABLES
        .iter()
        .all(|name| env::var_os(name).is_none())
    {
        let settings = env_file::read(&workspace.root().join(".env"))?;
        let database = settings
            .iter()
            .filter(|(name, _)| DATABASE_VARIABLES.contains(&name.as_str()));
        program.envs(database);
    }
    Err(program.current_dir(workspace.root()).exec().into())
}
