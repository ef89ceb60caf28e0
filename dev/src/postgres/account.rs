//! The account that Postgres runs under: it refuses to run as root, as PgBouncer
//! does.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use nix::unistd::{Gid, Uid, User};

use crate::files;

/// Accounts that root can hand Postgres to, best first.
const POSTGRES_ACCOUNTS: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// The account of Postgres: the current one or, for root, one without privileges.
#[derive(Clone, Copy)]
pub struct Account(Option<(Uid, Gid)>);

impl Account {
    /// Chooses the account.
    ///
    /// # Errors
    /// If this is root and there is none to hand over to.
    pub fn choose() -> anyhow::Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let user = POSTGRES_ACCOUNTS
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .context("Postgres refuses to run as root, and there is no account named nobody")?;
        Ok(Self(Some((user.uid, user.gid))))
    }

    /// Makes `command` run under this account, without our environment variables.
    pub fn apply_to(self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        if let Some((user, group)) = self.0 {
            command.uid(user.as_raw()).gid(group.as_raw());
        }
    }

    /// Makes this account the owner of a file or folder.
    ///
    /// # Errors
    /// If the owner may not be changed.
    pub fn chown(self, path: &Path) -> io::Result<()> {
        match self.0 {
            Some((user, group)) => chown(path, Some(user.as_raw()), Some(group.as_raw())),
            None => Ok(()),
        }
    }

    /// A folder that this account can reach: `wanted`, or one in /var/tmp when
    /// `wanted` lies in a private folder of root's. It exists afterwards.
    pub(super) fn reachable(self, wanted: &Path) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(wanted).with_context(|| format!("cannot make {}", wanted.display()))?;
        if self.can_enter(wanted) {
            return Ok(wanted.to_owned());
        }
        let elsewhere = elsewhere(wanted)?;
        if !self.can_enter(&elsewhere) {
            bail!(
                "Postgres cannot run as root, and no other account can reach {} or {}",
                wanted.display(),
                elsewhere.display()
            );
        }
        Ok(elsewhere)
    }

    fn can_enter(self, folder: &Path) -> bool {
        let mut command = Command::new("sh");
        self.apply_to(&mut command);
        command
            .args(["-c", r#"cd -- "$1""#, "sh"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Our own folder in /var/tmp that stands for `wanted`.
///
/// Every account can write to /var/tmp, so a folder of this name that belongs to
/// another account is refused.
pub(super) fn elsewhere(wanted: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;

    let name = files::short_name(wanted.as_os_str().as_encoded_bytes());
    let folder = Path::new("/var/tmp").join(format!("quotes-dev-{name}"));
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {}", folder.display()));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    ensure!(
        found.is_dir() && found.uid() == Uid::effective().as_raw(),
        "{} belongs to another account: remove it",
        folder.display()
    );
    files::create_open_folder(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_of_roots_is_left_for_another() {
        use std::os::unix::fs::PermissionsExt;

        let private = tempfile::tempdir().unwrap();
        fs::set_permissions(private.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let wanted = private.path().join("clone/.dev/postgres");
        let reachable = Account::choose().unwrap().reachable(&wanted).unwrap();
        if Uid::effective().is_root() {
            assert!(reachable.starts_with("/var/tmp"));
            fs::remove_dir(reachable).unwrap();
        } else {
            assert_eq!(reachable, wanted);
        }
    }
}
