//! Opening a connection to a database that may be waking up.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Client;

use super::error::{ConnectFailure, DatabaseError};
use super::options::ConnectOptions;

/// Delay before the second attempt to connect; each further delay is twice as
/// long as the one before, up to [`MAX_RECONNECT_DELAY`].
const FIRST_RECONNECT_DELAY: Duration = Duration::from_millis(50);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(400);

/// Longest wait for TCP with one of a host's addresses. Neon's hosts have
/// several; one that does not answer must not use up the time of the others. A
/// lost packet is sent again after a second.
const ADDRESS_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Longest wait for the connection of a tool.
const TOOL_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// One connection for a tool that keeps it, such as the migrations: the client,
/// and the task that drives it. A database that is waking up is waited for.
///
/// # Errors
/// The database cannot be reached within 15 s, or refuses.
pub async fn connect(options: &ConnectOptions) -> Result<(Client, JoinHandle<()>), DatabaseError> {
    connect_within(options, TOOL_CONNECT_TIMEOUT).await
}

/// Opens a connection, trying again until `timeout` has passed: the client, and
/// the task that drives it.
///
/// # Errors
/// [`DatabaseError::Unavailable`] when `timeout` passed, or when another attempt
/// should wait longer than that,
/// [`DatabaseError::Refused`] when another attempt would not help.
pub(super) async fn connect_within(
    options: &ConnectOptions,
    timeout: Duration,
) -> Result<(Client, JoinHandle<()>), DatabaseError> {
    let begin = Instant::now();
    let deadline = begin + timeout;
    let mut next_delay = FIRST_RECONNECT_DELAY;
    let mut last = None;
    let mut has_met_unknown = false;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let failure = match timeout_at(deadline, try_connect(options)).await {
            Ok(Ok(connection)) => {
                if last.is_some() {
                    let waited_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                    tracing::info!(waited_ms, attempt, "the database accepted a connection");
                }
                return Ok(connection);
            }
            Ok(Err(failure)) => failure,
            Err(_) => {
                return Err(last.map_or_else(
                    || DatabaseError::timed_out("connecting", timeout),
                    DatabaseError::from,
                ));
            }
        };
        let delay = match &failure {
            ConnectFailure::Transient(_) => {
                let delay = next_delay;
                next_delay = (delay * 2).min(MAX_RECONNECT_DELAY);
                delay
            }
            // A second time it is taken for an answer.
            ConnectFailure::Unknown(_) if !has_met_unknown => {
                has_met_unknown = true;
                MAX_RECONNECT_DELAY
            }
            ConnectFailure::Unknown(_)
            | ConnectFailure::Limited(_)
            | ConnectFailure::Permanent(_) => return Err(failure.into()),
        };
        if Instant::now() + delay >= deadline {
            return Err(failure.into());
        }
        last = Some(failure);
        sleep(delay).await;
    }
}

async fn try_connect(options: &ConnectOptions) -> Result<(Client, JoinHandle<()>), ConnectFailure> {
    let stream = connect_tcp(options).await?;
    // A connection that is given up must not deliver a statement later, when
    // another one has carried it out already.
    stream.set_zero_linger().map_err(DatabaseError::from)?;
    let (client, connection) = options
        .config
        .connect_raw(stream, options.tls())
        .await
        .map_err(|error| ConnectFailure::of(&error))?;
    let driver = tokio::spawn(async {
        if let Err(error) = connection.await {
            let error = DatabaseError::from(error).to_string();
            tracing::info!(error, "the connection to the database ended");
        }
    });
    Ok((client, driver))
}

/// A TCP connection to the first of the host's addresses that answers.
pub(super) async fn connect_tcp(options: &ConnectOptions) -> Result<TcpStream, DatabaseError> {
    let addresses = lookup_host((options.host.as_str(), options.port))
        .await
        .map_err(DatabaseError::of_lookup)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(ADDRESS_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last.into())
}
