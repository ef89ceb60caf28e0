//! Fetches what `make dev` and `make test` need into `.dev/`.
//!
//! Versions are pinned by lock files. What is there already is not fetched
//! again, and then the network is not needed.

mod cargo_lambda;
mod npm;

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

pub use npm::Packages;

use crate::{guard::Mark, lock, workspace::Workspace};

/// The program cargo-lambda, fetched if need be. `lambda` is its first
/// argument. A fetch carries the mark, if there is one.
///
/// # Errors
/// If it cannot be fetched.
pub async fn cargo_lambda(mark: Option<&Mark>) -> anyhow::Result<PathBuf> {
    let workspace = Workspace::find()?;
    let _lock = lock(&workspace).await?;
    cargo_lambda::ensure(&workspace, mark).await
}

/// The folder `node_modules` with the packages of `dev/npm`, fetched if need
/// be: clerk-js, its components, and a Postgres for this machine. A fetch
/// carries the mark, if there is one.
///
/// # Errors
/// If they cannot be fetched.
pub async fn npm_packages(mark: Option<&Mark>) -> anyhow::Result<PathBuf> {
    let packages = Packages {
        folder: "dev/npm",
        contents: "clerk-js and Postgres",
    };
    from_npm(&packages, mark).await
}

/// The folder `node_modules` with other packages, fetched if need be.
///
/// # Errors
/// If they cannot be fetched.
pub async fn npm(packages: &Packages) -> anyhow::Result<PathBuf> {
    from_npm(packages, None).await
}

async fn from_npm(packages: &Packages, mark: Option<&Mark>) -> anyhow::Result<PathBuf> {
    let workspace = Workspace::find()?;
    let _lock = lock(&workspace).await?;
    npm::ensure(&workspace, mark, packages).await
}

/// A program that fetches something. Its messages go to standard error:
/// standard output stays free for results.
fn fetcher(program: impl AsRef<OsStr>, mark: Option<&Mark>) -> Command {
    let mut command = Command::new(program);
    if let Some(mark) = mark {
        mark.put_on(&mut command);
    }
    command.stdin(Stdio::null()).stdout(io::stderr());
    command
}

/// One process at a time fetches; the others wait and find it done.
async fn lock(workspace: &Workspace) -> anyhow::Result<File> {
    let message = "waiting for another fetch of the tools";
    lock::acquire(&workspace.dev_path("tools.lock"), message).await
}
