//! HTTP and HTTPS for tests, on an address of loopback.

use std::sync::Arc;

use anyhow::ensure;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_native_tls::TlsAcceptor;

use crate::stand_in::StandIn;

/// Answers every connection, over TLS where that is given, until the caller
/// drops this future.
///
/// # Errors
/// A listener that other machines can reach, or that fails.
pub async fn serve(
    stand_in: Arc<StandIn>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<()> {
    ensure!(
        listener.local_addr()?.ip().is_loopback(),
        "the stand-in for Clerk listens on loopback only"
    );
    loop {
        let (stream, _peer) = listener.accept().await?;
        // Errors of a connection are not reported, because browsers give up
        // handshakes and requests all the time.
        tokio::spawn(serve_connection(Arc::clone(&stand_in), stream, tls.clone()));
    }
}

async fn serve_connection(
    stand_in: Arc<StandIn>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<()> {
    let service = service_fn(|request| respond(&stand_in, request));
    let http = http1::Builder::new();
    match tls {
        None => http.serve_connection(TokioIo::new(stream), service).await?,
        Some(tls) => {
            let stream = tls.accept(stream).await?;
            http.serve_connection(TokioIo::new(stream), service).await?;
        }
    }
    Ok(())
}

async fn respond(
    stand_in: &StandIn,
    request: Request<Incoming>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let request = Request::from_parts(parts, body);
    Ok(stand_in.respond(request).map(Full::from))
}
