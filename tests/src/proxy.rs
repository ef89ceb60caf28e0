//! A network between a function and Postgres that counts, delays, closes and
//! blackholes connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// How long a blackholed connection stays open. TCP's keepalives end one too,
/// but they take longer.
const BLACKHOLE_TIMEOUT: Duration = Duration::from_secs(10);

/// A TCP proxy on loopback in front of one server. When it is dropped its
/// connections end.
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Network {
    server: u16,
    connections: AtomicUsize,
    round_trips: AtomicUsize,
    refuses_connections: AtomicBool,
    loses_next_response: AtomicBool,
    delay_ms: AtomicU64,
    fault: watch::Sender<Fault>,
}

/// What happens to the connections that are open, by their number.
#[derive(Clone, Copy, Debug, Default)]
struct Fault {
    last_connection: usize,
    kind: FaultKind,
}

#[derive(Clone, Copy, Debug, Default)]
enum FaultKind {
    /// The connection is closed on both sides.
    #[default]
    Close,
    /// The connection stays open, and nothing passes any more.
    Blackhole,
}

/// What passed, TCP's handshake included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Connections opened.
    pub connections: usize,
    /// One for each connection, and one each time that the server sends after
    /// the client has.
    pub round_trips: usize,
}

impl Proxy {
    /// Starts one in front of a port on 127.0.0.1.
    pub async fn start(server: u16) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), server).await
    }

    /// As [`Proxy::start`], on another address of this machine.
    pub async fn start_on(address: IpAddr, server: u16) -> Self {
        Self::start_at((address, 0).into(), server).await
    }

    /// As [`Proxy::start_on`], on a port of that address.
    pub async fn start_at(address: SocketAddr, server: u16) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let network = Arc::new(Network {
            server,
            ..Network::default()
        });
        Self {
            port: listener.local_addr().unwrap().port(),
            network: Arc::clone(&network),
            task: tokio::spawn(accept(listener, network)),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What has passed so far.
    pub fn traffic(&self) -> Traffic {
        let connections = self.network.connections.load(Ordering::SeqCst);
        Traffic {
            connections,
            round_trips: connections + self.network.round_trips.load(Ordering::SeqCst),
        }
    }

    /// Closes all open connections.
    pub fn close_connections(&self) {
        self.inject(FaultKind::Close);
    }

    /// Lets nothing through any more on the open connections, as when a
    /// machine in between has forgotten them. New ones work.
    pub fn blackhole_connections(&self) {
        self.inject(FaultKind::Blackhole);
    }

    /// Closes new connections at once, or no longer.
    pub fn refuse_connections(&self, refuse: bool) {
        let refuses_connections = &self.network.refuses_connections;
        refuses_connections.store(refuse, Ordering::SeqCst);
    }

    /// Closes the connection on which the server sends next, and drops what it
    /// has sent.
    pub fn lose_next_response(&self) {
        let loses_next_response = &self.network.loses_next_response;
        loses_next_response.store(true, Ordering::SeqCst);
    }

    /// Makes each round trip take at least this long.
    pub fn delay(&self, round_trip: Duration) {
        let milliseconds = u64::try_from(round_trip.as_millis()).unwrap();
        self.network.delay_ms.store(milliseconds, Ordering::SeqCst);
    }

    fn inject(&self, kind: FaultKind) {
        let last_connection = self.network.connections.load(Ordering::SeqCst);
        self.network.fault.send_replace(Fault {
            last_connection,
            kind,
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if network.refuses_connections.load(Ordering::SeqCst) {
            continue;
        }
        let number = network.connections.fetch_add(1, Ordering::SeqCst) + 1;
        connections.spawn(forward(Arc::clone(&network), client, number));
    }
}

/// Forwards one connection until it ends or is ended.
async fn forward(network: Arc<Network>, mut client: TcpStream, number: usize) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, network.server)).await else {
        return;
    };
    let mut fault = network.fault.subscribe();
    let (mut request, mut response) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut client_sent_last = false;
    loop {
        let passed = tokio::select! {
            kind = wait_for_fault(number, &mut fault) => match kind {
                FaultKind::Close => return,
                FaultKind::Blackhole => {
                    sleep(BLACKHOLE_TIMEOUT).await;
                    return;
                }
            },
            length = client.read(&mut request) => {
                client_sent_last = true;
                send(&request[..length.unwrap_or(0)], &mut server).await
            }
            length = server.read(&mut response) => {
                let length = length.unwrap_or(0);
                if network.loses_next_response.swap(false, Ordering::SeqCst) {
                    return;
                }
                if std::mem::take(&mut client_sent_last) && length > 0 {
                    network.round_trips.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(network.delay_ms.load(Ordering::SeqCst))).await;
                }
                send(&response[..length], &mut client).await
            }
        };
        if !passed {
            return;
        }
    }
}

/// Waits until a fault is injected into a connection.
async fn wait_for_fault(number: usize, fault: &mut watch::Receiver<Fault>) -> FaultKind {
    let fault = fault
        .wait_for(|fault| number <= fault.last_connection)
        .await;
    // The network, which owns the sender, is there as long as a connection is.
    fault.map_or(FaultKind::Close, |fault| fault.kind)
}

/// Whether the bytes could be sent on; none mean that the sender has finished.
async fn send(bytes: &[u8], receiver: &mut TcpStream) -> bool {
    !bytes.is_empty() && receiver.write_all(bytes).await.is_ok()
}
