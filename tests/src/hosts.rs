//! Names with several addresses, and addresses that do not answer.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long an address takes no connection before it counts as silent.
const SILENCE_DELAY: Duration = Duration::from_millis(300);

/// Most connections that fill a listener's queue.
const MAX_QUEUED: usize = 8;

/// Four addresses of this machine in the order in which a program gets them.
pub const LOOPBACK_ADDRESSES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 3),
    Ipv4Addr::new(127, 0, 0, 4),
    Ipv4Addr::new(127, 0, 0, 5),
];

/// An `/etc/hosts` for one program.
#[derive(Clone)]
pub struct Hosts(Arc<NamedTempFile>);

impl Hosts {
    /// In which this name has these addresses.
    pub fn new(name: &str, addresses: &[Ipv4Addr]) -> Self {
        let file = NamedTempFile::new().unwrap();
        let lines = addresses
            .iter()
            .map(|address| format!("{address} {name}\n"));
        fs::write(file.path(), lines.collect::<String>()).unwrap();
        Self(Arc::new(file))
    }

    /// Runs a program that sees it.
    pub fn command(&self, program: &Path) -> Command {
        with_replaced("/etc/hosts", self.0.path(), program)
    }
}

/// Runs a program in a mount namespace that has `replacement` in the place of a
/// file or folder; the process is the program's own.
pub fn with_replaced(place: &str, replacement: &Path, program: &Path) -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    if !geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "/bin/sh", "-c"])
        .arg(format!("/bin/mount --bind \"$0\" {place} && exec \"$1\""))
        .args([replacement, program]);
    command
}

/// An address that takes no connection and refuses none: the queue of its
/// listener is full.
pub struct SilentAddress {
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl SilentAddress {
    pub async fn bind(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = timeout(SILENCE_DELAY, TcpStream::connect(address)).await {
            queued.push(stream.unwrap());
            assert!(queued.len() < MAX_QUEUED, "{address} still answers");
        }
        Self {
            _listener: listener,
            _queued: queued,
        }
    }
}
