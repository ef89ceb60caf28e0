//! What all programs work with: one database, one instance, three users.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{bail, ensure};
use dev::guard::{Guard, RunId};
use dev::postgres::Server;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use shared::quote::FIND_QUOTE_SQL;
use tempfile::TempDir;
use tests::event::{API_DOMAIN, Sender};
use tests::postgres::Database;
use tests::{Event, Instance, User, Variables, unique};
use tokio_postgres::Client;

/// How long tokens are valid, in seconds: longer than the benchmark takes.
const BENCH_TOKEN_AGE: u64 = 3600;

/// How often it is looked whether a backend has ended, and how often at most.
const BACKEND_POLL_INTERVAL: Duration = Duration::from_millis(2);
const MAX_BACKEND_POLLS: usize = 2_000;

/// The quote that users have.
pub(crate) const BENCH_QUOTE: &str = "Be yourself; everyone else is already taken.";

pub(crate) struct World {
    server: Server,
    instance: &'static Instance,
    database: Database,
    admin: Client,
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
            admin: client,
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

    /// The events of a user's request, each with another token.
    pub(crate) fn events(
        &self,
        user: &User,
        tokens: usize,
        request: impl Fn(&User) -> Event,
    ) -> anyhow::Result<Rc<[String]>> {
        let events = (0..tokens).map(|_| {
            let token = self.instance.stand_in().token(&user.id, BENCH_TOKEN_AGE)?;
            let user = User {
                id: user.id.clone(),
                token,
            };
            Ok(payload(request(&user)))
        });
        events.collect()
    }

    /// CPU time of the backends that work for the programs, since they began.
    pub(crate) async fn postgres_cpu(&self) -> anyhow::Result<Duration> {
        let mut sum = Duration::ZERO;
        for backend in self.backends().await? {
            let clock = clock_getcpuclockid(Pid::from_raw(backend))?;
            sum += Duration::from(clock_gettime(clock)?);
        }
        Ok(sum)
    }

    /// Waits until the backends of the program before have ended.
    pub(crate) async fn wait_for_backends(&self) -> anyhow::Result<()> {
        for _ in 0..MAX_BACKEND_POLLS {
            if self.backends().await?.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(BACKEND_POLL_INTERVAL).await;
        }
        bail!("a program has ended, and its backend has not")
    }

    /// The processes that serve other connections than our own.
    async fn backends(&self) -> anyhow::Result<Vec<i32>> {
        let sql = "SELECT pid FROM pg_stat_activity
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let rows = self.admin.query_typed(sql, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The environment variables as the template sets them, for a way to the
    /// database, and one that only the peers read.
    pub(crate) fn variables_for(&self, database: &Database) -> Variables {
        let roots = database.ca.to_string_lossy().into_owned();
        let mut variables = self.instance.variables();
        variables.insert("DATABASE_URL", database.url.clone());
        variables.insert("PGSSLROOTCERT", roots.clone());
        variables.insert("SSL_CERT_FILE", roots);
        // The peers read the statement from here, so that they always run that of get-quote.
        variables.insert("FIND_QUOTE_SQL", FIND_QUOTE_SQL.to_owned());
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
pub(crate) fn payload(event: Event) -> String {
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
    full.payload(Sender::ApiGateway).to_string()
}
