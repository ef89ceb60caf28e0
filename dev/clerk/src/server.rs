//! HTTP and HTTPS for tests, on an address of loopback.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use native_tls::Identity;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_native_tls::TlsAcceptor;

use crate::stand_in::StandIn;

/// TLS with a certificate chain and its PKCS#8 key, both PEM files.
///
/// # Errors
/// Files that cannot be read, or that do not fit together.
pub fn tls(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
    let identity = Identity::from_pkcs8(&read(certificate)?, &read(key)?)
        .context("the certificate and the PKCS#8 key do not fit together")?;
    Ok(native_tls::TlsAcceptor::new(identity)?.into())
}

/// Answers every connection until the caller drops this future.
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
        tokio::spawn(connection(Arc::clone(&stand_in), stream, tls.clone()));
    }
}

/// Errors of a connection are the peer's: browsers give up handshakes and
/// requests all the time.
async fn connection(stand_in: Arc<StandIn>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    match tls {
        None => requests(stand_in, stream).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                requests(stand_in, stream).await;
            }
        }
    }
}

async fn requests(stand_in: Arc<StandIn>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let answer = service_fn(|request| {
        let stand_in = Arc::clone(&stand_in);
        async move { respond(&stand_in, request).await }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    drop(served.await);
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
