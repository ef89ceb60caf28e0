//! Making a database.

use std::{
    fs,
    io::{Seek, Write},
    path::Path,
    process::Command,
};

use anyhow::Context;
use openssl::rand::rand_bytes;

use super::cluster::Cluster;
use crate::{child, files};

impl Cluster {
    /// Makes the database beside its place and moves it there when it is
    /// complete, so that an interruption leaves nothing half done.
    pub(super) async fn create(&self) -> anyhow::Result<()> {
        let unfinished = self.home.join("data.new");
        files::remove_folder(&unfinished)?;
        fs::create_dir(&unfinished)?;
        self.account.own(&unfinished)?;
        let mut initdb = self.maker("initdb");
        initdb
            .args(["--username=postgres", "--auth=reject", "--encoding=UTF8"])
            .args(["--locale=C", "--no-instructions", "--pgdata"])
            .arg(&unfinished);
        self.logged(&mut initdb)?;
        child::run(&mut initdb)
            .await
            .with_context(|| self.advice())?;

        let mut random = [0; 16];
        rand_bytes(&mut random)?;
        let password = files::hex(&random);
        files::write_private(&self.password_file(), password.as_bytes())?;
        // An ordinary role that owns its database, as on Neon.
        let statements = format!(
            "CREATE ROLE quotes LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n\
             CREATE DATABASE quotes OWNER quotes;\n"
        );
        self.execute(&unfinished, &statements).await?;
        fs::rename(&unfinished, self.data())?;
        Ok(())
    }

    /// Executes statements without a server, one a line.
    async fn execute(&self, data: &Path, statements: &str) -> anyhow::Result<()> {
        let mut postgres = self.maker("postgres");
        postgres
            .args(["--single", "-c", "exit_on_error=on", "-D"])
            .arg(data)
            .arg("postgres");
        self.logged(&mut postgres)?;
        let mut input = tempfile::tempfile()?;
        input.write_all(statements.as_bytes())?;
        input.rewind()?;
        child::run(postgres.stdin(input))
            .await
            .with_context(|| self.advice())
    }

    /// A program that makes the database: an interruption starts it over.
    fn maker(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        self.account.put_on(&mut command);
        self.run_id.kill_at_end(&mut command);
        command
    }
}
