//! Finding a Postgres to run: npm's, or one of the system.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

use super::account::{self, Account};
use crate::{child, files};

/// The oldest Postgres that will do: nothing here needs more.
const OLDEST_POSTGRES: u32 = 15;

/// The `bin` folder of a Postgres that `account` can run, of this major
/// version if there is one asked for.
///
/// # Errors
/// If there is none.
pub(super) async fn find(
    node_modules: &Path,
    major: Option<u32>,
    account: Account,
) -> anyhow::Result<PathBuf> {
    let will_do = |found: u32| major.map_or(found >= OLDEST_POSTGRES, |wanted| found == wanted);
    let package = node_modules.join(npm_package()).join("native");
    let bundled = package.join("bin");
    if works(&bundled, account).is_some_and(will_do) {
        return Ok(bundled);
    }
    // Runs for us, only not for the account: it cannot reach the clone.
    if major_of(&bundled).is_some_and(will_do) {
        return copied(&package, account).await;
    }
    system_folders()
        .into_iter()
        .find(|folder| works(folder, account).is_some_and(will_do))
        .with_context(|| match major {
            Some(major) => format!("PostgreSQL {major} is not installed"),
            None => {
                "no Postgres for this machine on npm or installed: install PostgreSQL 15 or later"
                    .to_owned()
            }
        })
}

/// The npm package with the Postgres for this machine.
fn npm_package() -> PathBuf {
    let system = match env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("@embedded-postgres/{system}-{processor}").into()
}

/// A copy of npm's Postgres where `account` can reach it.
async fn copied(package: &Path, account: Account) -> anyhow::Result<PathBuf> {
    let folder = account::elsewhere(package)?;
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    let version = fs::read(package.join("../package.json"))?;
    let copy = folder.join(files::short_name(&version));
    let bin = copy.join("bin");
    if works(&bin, account).is_none() {
        let unfinished = folder.join("unfinished");
        files::remove_folder(&unfinished)?;
        files::remove_folder(&copy)?;
        child::run(Command::new("cp").arg("-R").arg(package).arg(&unfinished)).await?;
        child::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&unfinished)).await?;
        fs::rename(&unfinished, &copy)?;
    }
    Ok(bin)
}

/// Where systems keep Postgres: Debian's and Red Hat's folders, newest first,
/// then PATH.
fn system_folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable();
    let path = env::var_os("PATH").unwrap_or_default();
    versions
        .into_iter()
        .rev()
        .map(|(_version, folder)| folder)
        .chain(env::split_paths(&path))
        .collect()
}

/// The major version of the Postgres in `folder`, if `account` can run it.
fn works(folder: &Path, account: Account) -> Option<u32> {
    let of = |program: &str| {
        let mut command = Command::new(folder.join(program));
        account.apply_to(&mut command);
        version(command.arg("--version"))
    };
    of("initdb").and(of("postgres"))
}

/// The major version of the Postgres in `folder`, if it runs here.
pub(super) fn major_of(folder: &Path) -> Option<u32> {
    version(Command::new(folder.join("postgres")).arg("--version"))
}

fn version(command: &mut Command) -> Option<u32> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    major(&output.stdout)
}

/// The major version in the answer to `--version`.
fn major(answer: &[u8]) -> Option<u32> {
    let answer = std::str::from_utf8(answer).ok()?;
    let version = answer.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|character: char| !character.is_ascii_digit());
    version[..digits.unwrap_or(version.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_every_kind_of_answer() {
        assert_eq!(major(b"postgres (PostgreSQL) 18.4\n"), Some(18));
        assert_eq!(
            major(b"postgres (PostgreSQL) 15.18 (Debian 15.18-0)\n"),
            Some(15)
        );
        assert_eq!(major(b"initdb (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major(b"something else"), None);
    }
}
