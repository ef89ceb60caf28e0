//! What all programs work with: one database, one instance, one user.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use dev::guard::{Guard, RunId};
use dev::postgres::Server;
use serde_json::Value;
use tempfile::TempDir;
use tests::event::{API_DOMAIN, Sender};
use tests::postgres::Database;
use tests::{Event, Instance, User, Variables, unique};
use tokio_postgres::Client;

/// How long tokens are valid, in seconds: longer than the benchmark takes.
const BENCH_TOKEN_AGE: u64 = 3600;

/// The quote that users have.
pub(crate) const BENCH_QUOTE: &str = "Be yourself; everyone else is already taken.";

pub(crate) struct World {
    server: Server,
    instance: &'static Instance,
    database: Database,
    /// A user whose quote is read.
    pub(crate) reader: User,
    /// A user whose quote is saved repeatedly.
    pub(crate) writer: User,
    /// A user without a quote.
    pub(crate) stranger: User,
    /// The run at whose end all programs are ended.
    pub(crate) run_id: RunId,
    guard: Guard,
    folder: TempDir,
    programs: PathBuf,
}

impl World {
    /// Starts a Postgres with the table and the users' quotes in it.
    /// `programs` is the folder with what was built.
    pub(crate) async fn begin(programs: &Path) -> anyhow::Result<Self> {
        let server = Server::start_temporary(None).await?;
        let folder = tempfile::tempdir()?;
        let run_id = RunId::new(folder.path());
        let guard = Guard::start(&run_id, None, None)?;
        let database = Database::of(&server);
        database.migrate().await;
        let instance = Instance::production();
        let client = database.connect().await;
        Ok(Self {
            reader: create_user(instance, &client, Some(BENCH_QUOTE)).await?,
            writer: create_user(instance, &client, Some(BENCH_QUOTE)).await?,
            stranger: create_user(instance, &client, None).await?,
            server,
            instance,
            database,
            run_id,
            guard,
            folder,
            programs: programs.to_owned(),
        })
    }

    /// Ends what was started.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.guard.end().await?;
        self.server.stop().await
    }

    /// Creates a user with this quote.
    pub(crate) async fn create_user_with(&self, quote: &str) -> anyhow::Result<User> {
        let client = self.database.connect().await;
        create_user(self.instance, &client, Some(quote)).await
    }

    /// The environment variables as the template sets them.
    pub(crate) fn variables(&self) -> Variables {
        self.variables_for(&self.database)
    }

    /// The same for another way to the database.
    pub(crate) fn variables_for(&self, database: &Database) -> Variables {
        let roots = database.ca.to_string_lossy().into_owned();
        let mut variables = self.instance.variables();
        variables.insert("DATABASE_URL", database.url.clone());
        variables.insert("PGSSLROOTCERT", roots.clone());
        variables.insert("SSL_CERT_FILE", roots);
        variables
    }

    /// A file of a program: its executable, or what an interpreter runs.
    pub(crate) fn built(&self, name: &str, file: &str) -> anyhow::Result<PathBuf> {
        let path = self.programs.join(name).join(file);
        ensure!(
            path.exists(),
            "{} is missing: run make bench",
            path.display()
        );
        Ok(path)
    }

    /// The zip that would be uploaded of a program.
    pub(crate) fn zip(&self, name: &str) -> PathBuf {
        self.programs.join(format!("{name}.zip"))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// A place for a file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

async fn create_user(
    instance: &Instance,
    client: &Client,
    quote: Option<&str>,
) -> anyhow::Result<User> {
    let id = format!("user_{}", unique());
    let token = instance.stand_in().token(&id, BENCH_TOKEN_AGE)?;
    if let Some(quote) = quote {
        let insert = "INSERT INTO user_messages VALUES ($1, now(), $2)";
        client.execute(insert, &[&id, &quote]).await?;
    }
    Ok(User { id, token })
}

/// The event of a request, with the headers that API Gateway adds.
pub(crate) fn payload(event: Event) -> Value {
    let headers = [
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("content-length", "0"),
        ("host", API_DOMAIN),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "x-amzn-trace-id",
            "Root=1-68b0c5f2-5d1c0f3a2b4e6f7081920a3b",
        ),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
    ];
    let full = headers
        .iter()
        .fold(event, |event, (name, value)| event.header(name, value));
    full.payload(Sender::ApiGateway)
}
