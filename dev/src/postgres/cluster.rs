//! The files of a database: made once, kept between runs.

use std::{
    fs::{self, File},
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use openssl::rand::rand_bytes;

use super::{account::Account, binaries};
use crate::{certificates::Authority, child, files, guard::RunId};

/// Only over TLS, only with a password; all else is refused.
const HOST_RULES: &str = "\
hostssl all all 127.0.0.1/32 scram-sha-256
";

/// A database folder and what is needed to work on it.
pub(super) struct Cluster {
    pub(super) binaries: PathBuf,
    /// Holds `data`, `password`, `ca.pem` and `log`.
    pub(super) folder: PathBuf,
    pub(super) account: Account,
    pub(super) run_id: RunId,
}

impl Cluster {
    /// Postgres' own folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The authority that signed the server's certificate, as PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What Postgres prints.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Says which server runs on the data, if one does.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// A program of Postgres under its account, which prints to the log.
    pub(super) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let log = File::create(self.log())?;
        let mut command = Command::new(self.binaries.join(program));
        self.account.apply_to(&mut command);
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// Makes what is missing: the database, a certificate, the password of
    /// the role `quotes`, which is returned.
    pub(super) async fn prepare(&self) -> anyhow::Result<String> {
        let password = self.folder.join("password");
        if self.data().exists() {
            self.check_version()?;
        } else {
            self.create(&password).await?;
        }
        let password = fs::read_to_string(&password)
            .with_context(|| format!("cannot read {}", password.display()))?;
        self.write_certificates()?;
        fs::write(self.data().join("pg_hba.conf"), HOST_RULES)?;
        Ok(password)
    }

    fn check_version(&self) -> anyhow::Result<()> {
        let made_by = fs::read_to_string(self.data().join("PG_VERSION"))
            .with_context(|| format!("{} is not a database", self.data().display()))?;
        if Some(made_by.trim().parse()?) != binaries::major_of(&self.binaries) {
            bail!(
                "{} is of PostgreSQL {}, this is another version: remove it to begin with an empty database",
                self.data().display(),
                made_by.trim()
            );
        }
        Ok(())
    }

    /// Makes the database beside its place and moves it there when it is
    /// complete, so that an interruption leaves nothing half done.
    async fn create(&self, password_file: &Path) -> anyhow::Result<()> {
        let unfinished = self.folder.join("data.new");
        files::remove_folder(&unfinished)?;
        fs::create_dir(&unfinished)?;
        self.account.chown(&unfinished)?;
        let mut initdb = self.command("initdb")?;
        initdb
            .args(["--username=postgres", "--auth=reject", "--encoding=UTF8"])
            .args(["--locale=C", "--no-instructions", "--pgdata"])
            .arg(&unfinished);
        self.run(&mut initdb).await?;

        let mut random = [0; 16];
        rand_bytes(&mut random)?;
        let password = format!("{:032x}", u128::from_ne_bytes(random));
        files::write_private(password_file, password.as_bytes())?;
        // An ordinary role that owns its database, as on Neon. Without a
        // server Postgres reads one statement a line.
        let mut statements = tempfile::tempfile()?;
        writeln!(
            statements,
            "CREATE ROLE quotes LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n\
             CREATE DATABASE quotes OWNER quotes;"
        )?;
        statements.rewind()?;
        let mut postgres = self.command("postgres")?;
        postgres
            .args(["--single", "-c", "exit_on_error=on", "-D"])
            .arg(&unfinished)
            .arg("postgres")
            .stdin(statements);
        self.run(&mut postgres).await?;
        fs::rename(&unfinished, self.data())?;
        Ok(())
    }

    /// Runs a program that may be killed: the next start makes the database anew.
    async fn run(&self, command: &mut Command) -> anyhow::Result<()> {
        self.run_id.kill_at_end(command);
        child::run(command)
            .await
            .with_context(|| self.explain_failure())
    }

    fn write_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new()?;
        let identity = authority.issue(&["localhost", "127.0.0.1", "::1"])?;
        let key = self.data().join("server.key");
        files::write_private(&key, &identity.key)?;
        self.account.chown(&key)?;
        fs::write(self.data().join("server.crt"), identity.certificate)?;
        fs::write(self.ca(), authority.pem()?)?;
        Ok(())
    }

    /// Postgres' own error message, and where the rest is.
    pub(super) fn explain_failure(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let message = log
            .lines()
            .rev()
            .find(|line| line.contains("FATAL") || line.contains("ERROR") || line.contains("PANIC"))
            .or_else(|| log.lines().last())
            .unwrap_or("it printed nothing");
        format!("Postgres failed: {message} (see {})", self.log().display())
    }
}
