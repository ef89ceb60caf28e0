//! Asking a server to end a statement (CancelRequest), and waiting until it
//! has received that.
//!
//! The server closes the connection when it has passed the request on. If the
//! client closes first, as the driver does, PgBouncer 1.18 drops the request.
//! libpq waits too.

use std::net::SocketAddr;

use tokio::sync::watch;
use tokio_postgres::CancelToken;

use super::connect::connect_tcp;
use super::error::DatabaseError;
use super::options::ConnectOptions;
use super::tls::{Connector, Stage};

/// Asks for the end of the statement that runs on the token's connection, on a
/// connection of its own to the same address: another one of the host may be a
/// server that knows nothing of the statement.
pub(super) async fn send_cancel_request(
    options: &ConnectOptions,
    address: SocketAddr,
    token: &CancelToken,
) -> Result<(), DatabaseError> {
    let stream = connect_tcp(address).await?;
    let tls = Connector {
        tls: options.tls(),
        early_sasl: false,
        stage: watch::Sender::new(Stage::Begun),
        awaits_end: true,
    };
    Ok(token.cancel_query_raw(stream, tls).await?)
}
