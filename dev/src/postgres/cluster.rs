//! The files of a database: made once, kept between runs.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
    process::Command,
};

use anyhow::{Context, bail};

use super::account::Account;
use crate::{certificates::Authority, files, guard::RunId};

/// Only over TLS, only with a password; all else is refused.
const HOST_RULES: &str = "\
hostssl all all 127.0.0.1/32 scram-sha-256
";

/// A database folder and what is needed to work on it.
pub(super) struct Cluster {
    pub(super) binaries: PathBuf,
    /// Holds `data`, `password`, `ca.pem` and `log`.
    pub(super) home: PathBuf,
    pub(super) account: Account,
    pub(super) run_id: RunId,
}

impl Cluster {
    /// Postgres' own folder.
    pub(super) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The authority that signed the server's certificate, as PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.home.join("ca.pem")
    }

    /// What the server has to say.
    pub(super) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The server, ready to run under its account.
    pub(super) fn server(&self) -> Command {
        let mut command = Command::new(self.binaries.join("postgres"));
        self.account.put_on(&mut command);
        self.run_id.interrupt_at_end(&mut command);
        command.arg("-D").arg(self.data());
        command
    }

    /// Makes what is missing: the database, a certificate, the password of
    /// the role `quotes`, which is returned.
    pub(super) async fn prepare(&self) -> anyhow::Result<String> {
        if self.data().exists() {
            self.check_version()?;
        } else {
            self.create().await?;
        }
        let password = fs::read_to_string(self.password_file())
            .with_context(|| format!("cannot read {}", self.password_file().display()))?;
        self.write_certificates()?;
        let rules = self.data().join("pg_hba.conf");
        fs::write(&rules, HOST_RULES)?;
        Ok(password)
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.home.join("password")
    }

    fn check_version(&self) -> anyhow::Result<()> {
        let made_by = fs::read_to_string(self.data().join("PG_VERSION"))
            .with_context(|| format!("{} is not a database", self.data().display()))?;
        let ours = super::binaries::major_of(&self.binaries);
        if Some(made_by.trim().parse()?) != ours {
            bail!(
                "{} is of PostgreSQL {}, this is another version: remove it to begin with an empty database",
                self.data().display(),
                made_by.trim()
            );
        }
        Ok(())
    }

    fn write_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new()?;
        let identity = authority.issue(&["localhost", "127.0.0.1", "::1"])?;
        let key = self.data().join("server.key");
        files::write_private(&key, &identity.key)?;
        self.account.own(&key)?;
        fs::write(self.data().join("server.crt"), identity.certificate)?;
        fs::write(self.ca(), authority.pem()?)?;
        Ok(())
    }

    /// Sends what `command` prints to the log.
    pub(super) fn logged(&self, command: &mut Command) -> anyhow::Result<()> {
        match fs::remove_file(self.log()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let log = File::create(self.log())?;
        command.stdout(log.try_clone()?).stderr(log);
        Ok(())
    }

    /// What to say when Postgres failed: its own last words.
    pub(super) fn advice(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let said = log
            .lines()
            .rev()
            .find(|line| line.contains("FATAL") || line.contains("ERROR") || line.contains("PANIC"))
            .or_else(|| log.lines().last())
            .unwrap_or("it said nothing");
        format!("Postgres failed: {said} (see {})", self.log().display())
    }
}
