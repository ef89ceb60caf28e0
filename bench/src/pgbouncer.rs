//! PgBouncer in transaction mode between the functions and Postgres, with TLS
//! on both sides, as Neon's pooler is.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use dev::certificates::Authority;
use dev::ports;
use nix::unistd::{User, geteuid};
use tempfile::TempDir;
use tests::postgres::Database;

use crate::world::World;

/// Connections to Postgres that all environments share.
pub(crate) const POOL: usize = 4;

/// How long the start may take.
const START: Duration = Duration::from_secs(10);

/// How often it is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Where Debian has it; not on the PATH of every account.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A running PgBouncer. It ends when it is dropped.
pub(crate) struct PgBouncer {
    child: Child,
    database: Database,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one in front of the world's database.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub(crate) async fn start(world: &World) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = ports::free()?;
        write_files(folder.path(), port, world)?;
        let log = folder.path().join("log");
        let mut command = Command::new(PROGRAM);
        command.arg(folder.path().join("pgbouncer.ini"));
        world.mark.put_on(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        hand_over(folder.path(), &mut command)?;
        let mut child = command
            .spawn()
            .context("cannot start PgBouncer: apt-get install pgbouncer")?;

        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let running = child.try_wait()?.is_none() && Instant::now() < deadline;
            let words = fs::read_to_string(&log).unwrap_or_default();
            ensure!(running, "PgBouncer does not start: {words}");
            tokio::time::sleep(PAUSE).await;
        }
        let direct = world.database();
        let ca = folder.path().join("ca.pem");
        let url = direct.through(port).url;
        Ok(Self {
            database: Database {
                url: url.replace(&*direct.ca.to_string_lossy(), &ca.to_string_lossy()),
                ca,
            },
            child,
            _folder: folder,
        })
    }

    /// The database, through this PgBouncer.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_files(folder: &Path, port: u16, world: &World) -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let identity = authority.issue(&["localhost"])?;
    fs::write(folder.join("ca.pem"), authority.pem()?)?;
    fs::write(folder.join("server.crt"), identity.certificate)?;
    fs::write(folder.join("server.key"), identity.key)?;
    fs::copy(world.roots(), folder.join("postgres.pem"))?;
    let user = format!("\"quotes\" \"{}\"\n", world.password()?);
    fs::write(folder.join("users"), user)?;
    let settings = format!(
        "[databases]\n\
         quotes = host=127.0.0.1 port={postgres}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         pool_mode = transaction\n\
         default_pool_size = {POOL}\n\
         auth_type = scram-sha-256\n\
         auth_file = {folder}/users\n\
         client_tls_sslmode = require\n\
         client_tls_cert_file = {folder}/server.crt\n\
         client_tls_key_file = {folder}/server.key\n\
         server_tls_sslmode = verify-full\n\
         server_tls_ca_file = {folder}/postgres.pem\n\
         log_connections = 0\n\
         log_disconnections = 0\n",
        postgres = world.database().port(),
        folder = folder.display(),
    );
    fs::write(folder.join("pgbouncer.ini"), settings)?;
    Ok(())
}

/// PgBouncer refuses to be root: then it runs as nobody, who gets its files.
fn hand_over(folder: &Path, command: &mut Command) -> anyhow::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let nobody = User::from_name("nobody")?.context("there is no account named nobody")?;
    let (user, group) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    command.uid(user).gid(group);
    // The functions read the authority as well.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for file in fs::read_dir(folder)? {
        chown(file?.path(), Some(user), Some(group))?;
    }
    Ok(())
}
