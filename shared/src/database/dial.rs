//! Opening a connection to a database that may be waking up.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Client;

use super::{Failure, Target};

/// First pause between two attempts to connect; each is twice as long as the
/// one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Longest wait for TCP with one of a host's addresses. Neon's hosts have
/// several; one that does not answer must not use up the time of the others. A
/// lost packet is sent again after a second.
const ADDRESS: Duration = Duration::from_millis(1_500);

/// Opens a connection, trying again until `limit` has passed: the client, and
/// the task that drives it.
///
/// # Errors
/// [`Failure::Unavailable`] when `limit` passed, [`Failure::Unreachable`] when
/// another attempt would not help.
pub(super) async fn open(
    target: &Target,
    limit: Duration,
) -> Result<(Client, JoinHandle<()>), Failure> {
    let begin = Instant::now();
    let deadline = begin + limit;
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        let Ok(attempt) = timeout_at(deadline, attempt(target)).await else {
            return Err(last.unwrap_or_else(|| Failure::timed_out("connecting", limit)));
        };
        match attempt {
            Ok(connection) => {
                if last.is_some() {
                    let waited = begin.elapsed().as_millis();
                    tracing::info!("the database accepted after {waited} ms");
                }
                return Ok(connection);
            }
            Err(failure) if failure.may_pass() && Instant::now() + pause < deadline => {
                last = Some(failure);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(failure) => return Err(failure),
        }
    }
}

async fn attempt(target: &Target) -> Result<(Client, JoinHandle<()>), Failure> {
    let stream = dial(target).await?;
    // A connection that is given up must not deliver a statement later, when
    // another one has carried it out already.
    stream.set_zero_linger().map_err(failed)?;
    let (client, connection) = target
        .config
        .connect_raw(stream, target.tls())
        .await
        .map_err(Failure::while_connecting)?;
    let driver = tokio::spawn(async {
        if let Err(error) = connection.await {
            tracing::info!("connection ended: {}", Failure::from(error));
        }
    });
    Ok((client, driver))
}

/// A TCP connection to the first of the host's addresses that answers.
pub(super) async fn dial(target: &Target) -> Result<TcpStream, Failure> {
    let addresses = lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(failed)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed(last))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: io::Error) -> Failure {
    Failure::Unavailable(format!("connecting: {error}"))
}
