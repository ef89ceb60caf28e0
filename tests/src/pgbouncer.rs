//! PgBouncer in transaction mode between the functions and Postgres, with TLS
//! on both sides, as Neon's pooler is.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dev::certificates::Authority;
use dev::guard::{Guard, RunId};
use dev::ports;
use dev::postgres::Account;
use tokio::time::sleep;

use crate::postgres::Database;

/// Longest time for a start.
const PGBOUNCER_START_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two attempts to connect to a PgBouncer that is being started.
const PGBOUNCER_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// How long it refuses clients once it could not reach Postgres; its own
/// default is 15 seconds.
pub const LOGIN_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Where it may be: Debian's folder is not on the PATH of every account.
const PGBOUNCER_PATHS: [&str; 2] = ["/usr/sbin/pgbouncer", "pgbouncer"];

/// A running PgBouncer. Its guard ends it when it is dropped.
pub struct PgBouncer {
    child: Child,
    folder: PathBuf,
    run_id: RunId,
    account: Account,
    port: u16,
    /// The database behind it, as its clients see it.
    pub database: Database,
    _guard: Guard,
}

impl PgBouncer {
    /// Starts one in front of a database, with this many connections to it.
    pub async fn start(direct: &Database, pool: usize) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let run_id = RunId::new(&folder);
        let guard = Guard::start(&run_id, None, Some(&folder)).unwrap();
        let port = ports::find_free().unwrap();
        let account = Account::choose().unwrap();
        write_files(&folder, direct, port, pool, account);

        let ca = folder.join("ca.pem");
        let url = direct.through(port).url;
        let database = Database {
            url: url.replace(&*direct.ca.to_string_lossy(), &ca.to_string_lossy()),
            ca,
        };
        Self {
            child: launch(&folder, &run_id, account, port).await,
            folder,
            run_id,
            account,
            port,
            database,
            _guard: guard,
        }
    }

    /// What it has printed since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Kills it and starts it again.
    pub async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = launch(&self.folder, &self.run_id, self.account, self.port).await;
    }
}

async fn launch(folder: &Path, run_id: &RunId, account: Account, port: u16) -> Child {
    let program = PGBOUNCER_PATHS
        .iter()
        .find(|program| Path::new(program).exists());
    let mut command = Command::new(program.unwrap_or(&PGBOUNCER_PATHS[1]));
    account.apply_to(&mut command);
    run_id.kill_at_end(&mut command);
    let mut child = command
        .arg(folder.join("pgbouncer.ini"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .expect("PgBouncer is installed: apt-get install pgbouncer");
    let deadline = Instant::now() + PGBOUNCER_START_TIMEOUT;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let running = child.try_wait().unwrap().is_none() && Instant::now() < deadline;
        let log = fs::read_to_string(folder.join("log")).unwrap();
        assert!(running, "PgBouncer does not start: {log}");
        sleep(PGBOUNCER_RETRY_INTERVAL).await;
    }
    child
}

fn write_files(folder: &Path, direct: &Database, port: u16, pool: usize, account: Account) {
    let authority = Authority::new().unwrap();
    let url = url::Url::parse(&direct.url).unwrap();
    let settings = format!(
        "[databases]\n\
         * = host=127.0.0.1 port={postgres}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         pool_mode = transaction\n\
         default_pool_size = {pool}\n\
         server_login_retry = {login_retry}\n\
         auth_type = scram-sha-256\n\
         auth_file = {folder}/users\n\
         client_tls_sslmode = require\n\
         client_tls_cert_file = {folder}/server.crt\n\
         client_tls_key_file = {folder}/server.key\n\
         server_tls_sslmode = verify-full\n\
         server_tls_ca_file = {folder}/postgres.pem\n\
         log_connections = 0\n\
         log_disconnections = 0\n",
        postgres = direct.port(),
        login_retry = LOGIN_RETRY_DELAY.as_secs(),
        folder = folder.display(),
    );
    let user = format!("\"{}\" \"{}\"\n", url.username(), url.password().unwrap());
    let certificate = authority.issue(&["localhost"]).unwrap();
    // The functions read the authority as well.
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    for (name, contents) in [
        ("ca.pem", authority.pem().unwrap()),
        ("server.crt", certificate.certificate),
        ("server.key", certificate.key),
        ("postgres.pem", fs::read(&direct.ca).unwrap()),
        ("users", user.into_bytes()),
        ("pgbouncer.ini", settings.into_bytes()),
    ] {
        let file = folder.join(name);
        fs::write(&file, contents).unwrap();
        account.chown(&file).unwrap();
    }
}
