//! A network between a function and Postgres that counts, delays, cuts and
//! swallows.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// How long both sides believe in a connection of which nothing arrives: as
/// with keepalives, but less patient.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// A TCP proxy on loopback in front of one server. When it is dropped its
/// connections end.
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
    task: JoinHandle<()>,
}

/// What happens to the connections that are open, by their number.
#[derive(Clone, Copy, Debug)]
struct Order {
    up_to: usize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The connection ends on both sides.
    Cut,
    /// Nothing passes any more, and for long nobody is told.
    Swallow,
}

struct Network {
    server: u16,
    connections: AtomicUsize,
    round_trips: AtomicUsize,
    refusing: AtomicBool,
    losing_answer: AtomicBool,
    /// Milliseconds.
    delay: AtomicU64,
    orders: watch::Sender<Order>,
}

/// How often what was waited for came, TCP's handshake included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Connections opened.
    pub connections: usize,
    /// Round trips: one for each connection, and one each time that the server
    /// speaks after the client has.
    pub round_trips: usize,
}

impl Proxy {
    /// Starts one in front of a port on 127.0.0.1.
    pub async fn start(server: u16) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), server).await
    }

    /// The same on another address of this machine.
    pub async fn start_on(address: IpAddr, server: u16) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let network = Arc::new(Network {
            server,
            connections: AtomicUsize::new(0),
            round_trips: AtomicUsize::new(0),
            refusing: AtomicBool::new(false),
            losing_answer: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            orders: watch::Sender::new(Order {
                up_to: 0,
                fate: Fate::Cut,
            }),
        });
        Self {
            port: listener.local_addr().unwrap().port(),
            network: Arc::clone(&network),
            task: tokio::spawn(accept(listener, network)),
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What has passed so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let connections = self.network.connections.load(Ordering::SeqCst);
        Traffic {
            connections,
            round_trips: connections + self.network.round_trips.load(Ordering::SeqCst),
        }
    }

    /// Ends all open connections.
    pub fn cut(&self) {
        self.order(Fate::Cut);
    }

    /// Lets nothing through any more on the open connections, as when a
    /// machine in between has forgotten them. New ones work.
    pub fn swallow(&self) {
        self.order(Fate::Swallow);
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refusing: bool) {
        self.network.refusing.store(refusing, Ordering::SeqCst);
    }

    /// Cuts the connection on which the server speaks next, and what it said
    /// is lost.
    pub fn lose_next_answer(&self) {
        self.network.losing_answer.store(true, Ordering::SeqCst);
    }

    /// Makes each round trip take at least this long.
    pub fn delay(&self, round_trip: Duration) {
        let milliseconds = u64::try_from(round_trip.as_millis()).unwrap();
        self.network.delay.store(milliseconds, Ordering::SeqCst);
    }

    fn order(&self, fate: Fate) {
        let up_to = self.network.connections.load(Ordering::SeqCst);
        self.network.orders.send_replace(Order { up_to, fate });
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
        if network.refusing.load(Ordering::SeqCst) {
            continue;
        }
        let number = network.connections.fetch_add(1, Ordering::SeqCst) + 1;
        connections.spawn(carry(Arc::clone(&network), client, number));
    }
}

/// Carries one connection until it ends or is ended.
async fn carry(network: Arc<Network>, mut client: TcpStream, number: usize) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, network.server)).await else {
        return;
    };
    let mut orders = network.orders.subscribe();
    let (mut said, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut client_spoke_last = false;
    loop {
        let passed = tokio::select! {
            fate = fate_of(number, &mut orders) => match fate {
                Fate::Cut => return,
                Fate::Swallow => {
                    sleep(FORGOTTEN).await;
                    return;
                }
            },
            length = client.read(&mut said) => {
                client_spoke_last = true;
                pass(&said[..length.unwrap_or(0)], &mut server).await
            }
            length = server.read(&mut answered) => {
                let length = length.unwrap_or(0);
                if network.losing_answer.swap(false, Ordering::SeqCst) {
                    return;
                }
                if std::mem::take(&mut client_spoke_last) && length > 0 {
                    network.round_trips.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(network.delay.load(Ordering::SeqCst))).await;
                }
                pass(&answered[..length], &mut client).await
            }
        };
        if !passed {
            return;
        }
    }
}

/// Waits until something is to happen to a connection.
async fn fate_of(number: usize, orders: &mut watch::Receiver<Order>) -> Fate {
    let order = orders.wait_for(|order| number <= order.up_to).await;
    // The network is there as long as a connection is.
    order.map_or(Fate::Cut, |order| order.fate)
}

/// Whether the bytes could be passed on; none mean that the sender is done.
async fn pass(bytes: &[u8], receiver: &mut TcpStream) -> bool {
    !bytes.is_empty() && receiver.write_all(bytes).await.is_ok()
}
