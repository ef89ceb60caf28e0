//! Asking a server to end a statement (CancelRequest), and waiting until it
//! has received that.
//!
//! The server closes the connection when it has passed the request on. If the
//! client closes first, as the driver does, PgBouncer 1.18 drops the request.
//! libpq waits too.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::CancelToken;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::connect::connect_tcp;
use super::error::DatabaseError;
use super::options::ConnectOptions;

/// Asks for the end of the statement that runs on the token's connection, on a
/// connection of its own to the same address: another one of the host may be a
/// server that knows nothing of the statement.
pub(super) async fn send_cancel_request(
    options: &ConnectOptions,
    address: SocketAddr,
    token: &CancelToken,
) -> Result<(), DatabaseError> {
    let stream = connect_tcp(address).await?;
    Ok(token
        .cancel_query_raw(stream, Connector(options.tls()))
        .await?)
}

struct Connector(postgres_native_tls::TlsConnector);

impl TlsConnect<TcpStream> for Connector {
    type Stream = Stream;
    type Error = native_tls::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, native_tls::Error>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move { self.0.connect(stream).await.map(Stream) })
    }
}

/// A TLS connection that is shut down by waiting for the server to do it.
struct Stream(postgres_native_tls::TlsStream<TcpStream>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            // An error means the same as an end: the server has hung up.
            let read = ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
