//! A GET over TLS, for the key set and the Backend API.
//!
//! The connector loads the system's bundle as well, whatever `SSL_CERT_FILE`
//! says: an application may name other roots there, for its database. It is
//! made when it is needed, because loading the bundle takes tens of milliseconds.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, LOCATION, USER_AGENT};
use hyper_util::rt::TokioIo;
use native_tls::{Certificate, Protocol, TlsConnector};
use tcp_race::{Memory, Race};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use url::Url;

use crate::names::API_VERSION;

/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Longest wait for TLS with one of a host's addresses while there are others,
/// whose time a silent one must not use up.
const FETCH_TLS_TIMEOUT: Duration = Duration::from_millis(500);

/// Value of `User-Agent`. Some hosts refuse a request that has none.
const PRODUCT: &str = concat!("clerk-auth/", env!("CARGO_PKG_VERSION"));

/// Where Linux distributions keep their bundle: Amazon Linux, Debian, Alpine.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
];

/// What a server answers, if it is not an error.
enum Answer {
    Body(Vec<u8>),
    Redirect(Url),
}

/// The body at an `https` or, on loopback, `http` URL. `secret_key` is sent to
/// Clerk's Backend API.
///
/// One redirect is followed, to the same origin only: the configuration says
/// whose keys are trusted, and the host of a redirect is not in it. `addresses`
/// remembers which of the host's addresses was good.
///
/// # Errors
/// What went wrong, in words for the log.
pub(crate) async fn get(
    url: &str,
    secret_key: Option<&str>,
    addresses: &Memory,
) -> Result<Vec<u8>, String> {
    let url = Url::parse(url).map_err(|_| "not a URL")?;
    let target = match request(&url, secret_key, addresses).await? {
        Answer::Body(body) => return Ok(body),
        Answer::Redirect(target) => target,
    };
    if target.origin() != url.origin() {
        let origin = target.origin().ascii_serialization();
        return Err(format!("redirected to another origin, {origin}"));
    }
    match request(&target, secret_key, addresses).await? {
        Answer::Body(body) => Ok(body),
        Answer::Redirect(_) => Err("redirected twice".to_owned()),
    }
}

async fn request(
    url: &Url,
    secret_key: Option<&str>,
    addresses: &Memory,
) -> Result<Answer, String> {
    let host = url.host_str().ok_or("a URL without host")?;
    let port = url.port_or_known_default().ok_or("a URL without port")?;
    let host = host.trim_matches(['[', ']']);
    // Before anything is waited for: it may take long.
    let connector = match url.scheme() {
        "http" => None,
        _ => Some(tokio_native_tls::TlsConnector::from(connector()?)),
    };
    let mut race = Race::start(host, port, addresses).await.map_err(text)?;
    loop {
        let (stream, address) = race.next().await.map_err(text)?;
        let Some(connector) = &connector else {
            let answer = exchange(stream, url, secret_key).await?;
            race.won(address);
            return Ok(answer);
        };
        let limit = if race.goes_on() {
            FETCH_TLS_TIMEOUT
        } else {
            Duration::MAX
        };
        let reason = match timeout(limit, connector.connect(host, stream)).await {
            Ok(Ok(stream)) => {
                let answer = exchange(stream, url, secret_key).await?;
                race.won(address);
                return Ok(answer);
            }
            Ok(Err(error)) => text(error),
            Err(_) => "no TLS in time".to_owned(),
        };
        race.lost(address, reason);
    }
}

fn connector() -> Result<TlsConnector, String> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    let bundle = SYSTEM_BUNDLES.iter().find(|path| Path::new(path).exists());
    if let Some(pem) = bundle.and_then(|path| std::fs::read(path).ok()) {
        let certificates = Certificate::stack_from_pem(&pem).map_err(text)?;
        for certificate in certificates {
            builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(text)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

async fn exchange<S>(stream: S, url: &Url, secret_key: Option<&str>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::get(target)
        .header(HOST, authority)
        .header(USER_AGENT, PRODUCT)
        .header(ACCEPT, "application/json");
    if let Some(secret_key) = secret_key {
        request = request
            .header(AUTHORIZATION, format!("Bearer {secret_key}"))
            .header("clerk-api-version", API_VERSION);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(text)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(text)?;
        let status = response.status();
        if status.is_redirection()
            && let Some(location) = response.headers().get(LOCATION)
        {
            let location = location.to_str().map_err(text)?;
            return url.join(location).map(Answer::Redirect).map_err(text);
        }
        if status != StatusCode::OK {
            return Err(format!("status {}", status.as_u16()));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        Ok(Answer::Body(body.map_err(text)?.to_bytes().to_vec()))
    };
    let answer = answer.await;
    driver.abort();
    answer
}
