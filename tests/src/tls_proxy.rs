//! A server that ends TLS itself, as Neon's proxy and PgBouncer do: it refuses
//! with an error of its own, or forwards to Postgres and sees the messages.

use std::sync::{Arc, Mutex};

use dev::certificates::Authority;
use native_tls::Identity;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::postgres::Database;

/// SSLRequest: its length, and a code in place of a version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// An error of a server, with the fields that proxies send.
#[derive(Clone, Copy, Debug)]
pub struct ServerError {
    pub severity: &'static str,
    pub code: &'static str,
    pub message: &'static str,
}

/// What is done with connections.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// They go to Postgres.
    Forward,
    /// Each one ends with this error, before it is ready.
    Refuse(ServerError),
    /// The next statement of one is answered with this error, and it ends.
    /// Everything else is forwarded.
    FailNextStatement(ServerError),
}

/// The proxy. Its connections end when it is dropped.
pub struct TlsProxy {
    /// The database behind it, as its clients see it.
    pub database: Database,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
    _folder: TempDir,
}

struct State {
    behaviour: Behaviour,
    connections: usize,
    flights: Vec<String>,
}

impl TlsProxy {
    /// Starts one in front of a database.
    pub async fn start(server: &Database, behaviour: Behaviour) -> Self {
        let authority = Authority::new().unwrap();
        let identity = authority.issue(&["localhost"]).unwrap();
        let identity = Identity::from_pkcs8(&identity.certificate, &identity.key).unwrap();
        let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.pem().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Postgres is bound to another certificate than the client.
        let url = server
            .through(port)
            .with_parameter("channel_binding=disable");
        let url = url.url;
        let database = Database {
            url: url.replace(&*server.ca.to_string_lossy(), &ca.to_string_lossy()),
            ca,
        };
        let state = Arc::new(Mutex::new(State {
            behaviour,
            connections: 0,
            flights: Vec::new(),
        }));
        let accept = accept(listener, acceptor.into(), server.port(), Arc::clone(&state));
        Self {
            database,
            state,
            task: tokio::spawn(accept),
            _folder: folder,
        }
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour = behaviour;
    }

    /// How many connections were opened since the last call.
    pub fn take_connections(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().connections)
    }

    /// What clients have sent after authentication since the last call: a text
    /// for each flight, a letter for each message.
    pub fn take_flights(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().flights)
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: tokio_native_tls::TlsAcceptor,
    server: u16,
    state: Arc<Mutex<State>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        state.lock().unwrap().connections += 1;
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        connections.spawn(async move {
            // A client may give up at any time.
            drop(serve(client, &acceptor, server, &state).await);
        });
    }
}

async fn serve(
    mut client: TcpStream,
    acceptor: &tokio_native_tls::TlsAcceptor,
    server: u16,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    client.read_exact(&mut [0; SSL_REQUEST.len()]).await?;
    client.write_all(b"S").await?;
    let accepted = acceptor.accept(client).await;
    let mut client = accepted.map_err(std::io::Error::other)?;
    let mut startup = vec![0; 4];
    client.read_exact(&mut startup).await?;
    let length = u32::from_be_bytes(startup[..].try_into().unwrap());
    startup.resize(length as usize, 0);
    client.read_exact(&mut startup[4..]).await?;

    let behaviour = state.lock().unwrap().behaviour;
    if let Behaviour::Refuse(error) = behaviour {
        return send_error(&mut client, error).await;
    }
    let mut server = connect(server).await;
    server.write_all(&startup).await?;
    forward(client, server, state).await
}

/// Opens a connection to Postgres, whose certificate is not this module's matter.
async fn connect(port: u16) -> tokio_native_tls::TlsStream<TcpStream> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    server.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'S');
    let mut connector = native_tls::TlsConnector::builder();
    connector.danger_accept_invalid_certs(true);
    let connector = tokio_native_tls::TlsConnector::from(connector.build().unwrap());
    connector.connect("localhost", server).await.unwrap()
}

async fn forward(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let (mut request, mut response) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            length = client.read(&mut request) => {
                let request = &request[..length?];
                if request.is_empty() {
                    return Ok(());
                }
                if let Some(error) = record(request, state) {
                    return send_error(&mut client, error).await;
                }
                server.write_all(request).await?;
            }
            length = server.read(&mut response) => {
                let response = &response[..length?];
                if response.is_empty() {
                    return Ok(());
                }
                client.write_all(response).await?;
            }
        }
    }
}

/// Notes the messages of a flight, which is short enough to arrive at once.
/// Returns the error that it is to be answered with.
fn record(request: &[u8], state: &Mutex<State>) -> Option<ServerError> {
    let kinds = message_kinds(request);
    if kinds.starts_with('p') {
        return None;
    }
    let mut state = state.lock().unwrap();
    state.flights.push(kinds);
    if let Behaviour::FailNextStatement(error) = state.behaviour {
        state.behaviour = Behaviour::Forward;
        return Some(error);
    }
    None
}

/// The first letters of messages: `P` for Parse, `B` for Bind, `p` for a password.
fn message_kinds(mut messages: &[u8]) -> String {
    let mut kinds = String::new();
    while let [kind, a, b, c, d, ..] = *messages {
        kinds.push(kind.into());
        let length = 1 + u32::from_be_bytes([a, b, c, d]) as usize;
        messages = messages.get(length..).expect("a whole message");
    }
    kinds
}

async fn send_error(
    client: &mut (impl AsyncWrite + Unpin),
    error: ServerError,
) -> std::io::Result<()> {
    let mut fields = Vec::new();
    for (field, value) in [
        (b'S', error.severity),
        (b'C', error.code),
        (b'M', error.message),
    ] {
        fields.push(field);
        fields.extend_from_slice(value.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    client.write_u8(b'E').await?;
    client
        .write_u32(u32::try_from(fields.len() + 4).unwrap())
        .await?;
    client.write_all(&fields).await?;
    client.shutdown().await
}
