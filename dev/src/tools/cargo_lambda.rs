//! cargo-lambda, from PyPI (prebuilt) or from source.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

use super::fetcher;
use crate::{child, console, files, guard::Mark, workspace::Workspace};

/// The version, also in `dev/requirements.txt`.
const CARGO_LAMBDA_VERSION: &str = "1.9.2";

/// The program, fetched if it is not there in the right version.
pub(super) async fn ensure(workspace: &Workspace, mark: Option<&Mark>) -> anyhow::Result<PathBuf> {
    let folder = workspace.dev_path("cargo-lambda");
    let program = folder.join("bin/cargo-lambda");
    // Written last, so that an interrupted fetch is repeated.
    let complete = folder.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|version| version == CARGO_LAMBDA_VERSION)
        && runs(&program)
    {
        return Ok(program);
    }
    files::remove_folder(&folder)?;
    if !from_pypi(workspace, mark, &folder, &program).await {
        console::print(format_args!(
            "building cargo-lambda {CARGO_LAMBDA_VERSION} from source: this takes some minutes"
        ));
        files::remove_folder(&folder)?;
        from_source(mark, &folder).await?;
    }
    fs::write(&complete, CARGO_LAMBDA_VERSION)?;
    Ok(program)
}

/// Whether PyPI has it for this machine and python3 can install it.
async fn from_pypi(
    workspace: &Workspace,
    mark: Option<&Mark>,
    folder: &Path,
    program: &Path,
) -> bool {
    let mut venv = fetcher("python3", mark);
    venv.args(["-m", "venv"]).arg(folder);
    // Some systems have a python3 that cannot do this, or none.
    if child::run(venv.stdout(Stdio::null()).stderr(Stdio::null()))
        .await
        .is_err()
    {
        return false;
    }
    console::print(format_args!("fetching cargo-lambda {CARGO_LAMBDA_VERSION}"));
    let mut pip = fetcher(folder.join("bin/pip"), mark);
    pip.args(["install", "--disable-pip-version-check", "--require-hashes"])
        .args(["--only-binary=:all:", "--progress-bar=on", "-r"])
        .arg(workspace.root().join("dev/requirements.txt"));
    child::run(&mut pip).await.is_ok() && runs(program)
}

async fn from_source(mark: Option<&Mark>, folder: &Path) -> anyhow::Result<()> {
    let mut cargo = fetcher("cargo", mark);
    cargo
        .args([
            "install",
            "--locked",
            "cargo-lambda",
            "--version",
            CARGO_LAMBDA_VERSION,
            "--root",
        ])
        .arg(folder);
    child::run(&mut cargo)
        .await
        .with_context(|| format!("cannot fetch cargo-lambda {CARGO_LAMBDA_VERSION}"))
}

fn runs(program: &Path) -> bool {
    Command::new(program)
        .args(["lambda", "--version"])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(CARGO_LAMBDA_VERSION))
}
