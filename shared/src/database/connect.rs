//! Opening a connection to a database that may be waking up.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tcp_race::Race;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::config::SslNegotiation;

use super::error::{ConnectFailure, DatabaseError};
use super::negotiation::Manner;
use super::options::ConnectOptions;
use super::tls::{Connector, Stage};

/// Delay before the second attempt to connect; each further delay is twice as
/// long as the one before, up to [`MAX_RECONNECT_DELAY`].
const FIRST_RECONNECT_DELAY: Duration = Duration::from_millis(50);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(400);

/// Longest wait for TLS with one of a host's addresses while there are others,
/// whose time a silent one must not use up.
const TLS_ADDRESS_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for the connection of a tool.
const TOOL_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// An open connection: the client, the task that drives it, and the address of
/// the server.
type Opened = (Client, JoinHandle<()>, SocketAddr);

/// The client and the task that drives it, if there is a session.
type Session = Result<(Client, JoinHandle<()>), ConnectFailure>;

/// One connection for a tool that keeps it, such as the migrations: the client,
/// and the task that drives it. A database that is waking up is waited for.
///
/// # Errors
/// The database cannot be reached within 15 s, or refuses.
pub async fn connect(options: &ConnectOptions) -> Result<(Client, JoinHandle<()>), DatabaseError> {
    let (client, driver, _) = connect_within(options, TOOL_CONNECT_TIMEOUT).await?;
    Ok((client, driver))
}

/// Opens a connection, trying again until `timeout` has passed.
///
/// # Errors
/// [`DatabaseError::Unavailable`] when `timeout` passed, or when another attempt
/// should wait longer than that,
/// [`DatabaseError::Refused`] when another attempt would not help.
pub(super) async fn connect_within(
    options: &ConnectOptions,
    timeout: Duration,
) -> Result<Opened, DatabaseError> {
    let begin = Instant::now();
    let deadline = begin + timeout;
    let mut next_delay = FIRST_RECONNECT_DELAY;
    let mut last = None;
    let mut has_met_unknown = false;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let connecting = try_connect(options, has_met_unknown);
        let failure = match timeout_at(deadline, connecting).await {
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

/// One attempt, with each address in turn until one gets as far as TLS. `is_plain`
/// assumes nothing of the server, which may have been what it did not understand.
async fn try_connect(options: &ConnectOptions, is_plain: bool) -> Result<Opened, ConnectFailure> {
    let mut race = Race::start(&options.host, options.port, &options.addresses)
        .await
        .map_err(DatabaseError::of_lookup)?;
    let mut refused = None;
    loop {
        let (stream, address) = match race.next().await {
            Ok(connected) => connected,
            Err(error) => return Err(refused.unwrap_or_else(|| DatabaseError::from(error).into())),
        };
        let limit = if race.goes_on() {
            TLS_ADDRESS_TIMEOUT
        } else {
            Duration::MAX
        };
        let mut manner = options.negotiation.manner();
        manner.early_sasl &= !is_plain;
        let (result, stage) = connect_on(options, stream, address, manner, limit).await;
        let error = match result {
            Ok((client, driver)) => {
                race.won(address);
                return Ok((client, driver, address));
            }
            Err(error) => error,
        };
        if stage >= Stage::Encrypted || !race.goes_on() {
            race.end();
            return Err(match refused {
                Some(refused) if stage < Stage::Encrypted => refused,
                _ => error,
            });
        }
        race.lost(address, &error);
        if matches!(error, ConnectFailure::Permanent(_)) {
            refused = Some(error);
        }
    }
}

/// Opens a connection on one with TCP, and says how far it came. `limit` is the
/// longest wait for TLS.
async fn connect_on(
    options: &ConnectOptions,
    mut stream: TcpStream,
    address: SocketAddr,
    mut manner: Manner,
    limit: Duration,
) -> (Session, Stage) {
    loop {
        let (result, stage) = start_session(options, stream, manner, limit).await;
        let next = match &result {
            Ok(_) => {
                options.negotiation.remember(manner);
                None
            }
            Err(_) => options.negotiation.after_end(manner, stage),
        };
        let Some(next) = next else {
            return (result, stage);
        };
        if stage == Stage::OtherOffer {
            // The driver refuses it too, so that success cannot be waited for.
            options.negotiation.remember(next);
        }
        stream = match connect_tcp(address).await {
            Ok(stream) => stream,
            Err(error) => return (Err(error.into()), stage),
        };
        manner = next;
    }
}

async fn start_session(
    options: &ConnectOptions,
    stream: TcpStream,
    manner: Manner,
    limit: Duration,
) -> (Session, Stage) {
    let stage = watch::Sender::new(Stage::Begun);
    let tls = Connector {
        tls: options.tls(),
        early_sasl: manner.early_sasl,
        stage: stage.clone(),
        awaits_end: false,
    };
    let mut config = options.config.clone();
    config.ssl_negotiation(if manner.direct {
        SslNegotiation::Direct
    } else {
        SslNegotiation::Postgres
    });
    // A connection that is given up must not deliver a statement later, when
    // another one has carried it out already.
    let set = stream.set_nodelay(true);
    if let Err(error) = set.and_then(|()| stream.set_zero_linger()) {
        return (Err(DatabaseError::from(error).into()), Stage::Silent);
    }
    let mut connecting = pin!(config.connect_raw(stream, tls));
    let result = match timeout(limit, &mut connecting).await {
        Ok(result) => result,
        // One that has begun to answer is slow and not silent.
        Err(_) if *stage.borrow() >= Stage::Heard => connecting.await,
        Err(_) => {
            return (
                Err(DatabaseError::timed_out("TLS", limit).into()),
                Stage::Silent,
            );
        }
    };
    let result = result.map_err(|error| ConnectFailure::of(&error));
    let result = result.map(|(client, connection)| {
        let driver = tokio::spawn(async {
            if let Err(error) = connection.await {
                let error = DatabaseError::from(error).to_string();
                tracing::info!(error, "the connection to the database ended");
            }
        });
        (client, driver)
    });
    let stage = *stage.borrow();
    (result, stage)
}

/// A TCP connection to an address of the host.
pub(super) async fn connect_tcp(address: SocketAddr) -> Result<TcpStream, DatabaseError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
