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

/// How long the start may take.
const START: Duration = Duration::from_secs(10);

/// How often it is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Seconds for which it turns clients away once it could not reach Postgres;
/// its own default is 15.
pub const LOGIN_RETRY: u64 = 1;

/// Where it may be: Debian's folder is not on the PATH of every account.
const PROGRAMS: [&str; 2] = ["/usr/sbin/pgbouncer", "pgbouncer"];

/// A running PgBouncer. It ends when it is dropped.
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
    ///
    /// # Panics
    /// When it is not installed or does not start.
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

    /// What it has printed since it was started.
    ///
    /// # Panics
    /// When its log is gone.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Ends it, as a crash would, and starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = launch(&self.folder, &self.run_id, self.account, self.port).await;
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Fails when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn launch(folder: &Path, run_id: &RunId, account: Account, port: u16) -> Child {
    let program = PROGRAMS.iter().find(|program| Path::new(program).exists());
    let mut command = Command::new(program.unwrap_or(&PROGRAMS[1]));
    account.apply_to(&mut command);
    run_id.kill_at_end(&mut command);
    let mut child = command
        .arg(folder.join("pgbouncer.ini"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .expect("PgBouncer is installed: apt-get install pgbouncer");
    let deadline = Instant::now() + START;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let running = child.try_wait().unwrap().is_none() && Instant::now() < deadline;
        let words = fs::read_to_string(folder.join("log")).unwrap();
        assert!(running, "PgBouncer does not start: {words}");
        sleep(PAUSE).await;
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
         server_login_retry = {LOGIN_RETRY}\n\
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
