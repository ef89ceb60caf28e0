//! What API Gateway's HTTP API does: a request becomes an event for the
//! function of its route, and what that answers becomes the response. Requests
//! to Clerk are answered by the stand-in.

use std::convert::Infallible;
use std::sync::Arc;

use clerk_stand_in::cookies;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{COOKIE, HOST, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tests::Event;
use tests::response::SetCookie;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_native_tls::TlsAcceptor;

use crate::application::Application;
use crate::cookies::Cookies;

/// Applications and their Clerk instances, told apart by host and path.
pub(crate) struct Gateway {
    pub(crate) applications: Vec<Application>,
    pub(crate) cookies: Cookies,
}

/// Serves connections without end.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve_connection(Arc::clone(&gateway), stream, tls.clone()));
    }
}

/// Serves one connection. Errors are ignored: browsers close connections at any time.
async fn serve_connection(gateway: Arc<Gateway>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    match tls {
        None => serve_requests(gateway, stream).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve_requests(gateway, stream).await;
            }
        }
    }
}

async fn serve_requests(gateway: Arc<Gateway>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(|request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(gateway.respond(request).await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    drop(served.await);
}

impl Gateway {
    pub(crate) fn addresses(&self) -> Vec<&str> {
        let applications = self.applications.iter();
        applications
            .flat_map(|application| application.addresses.all())
            .collect()
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (mut parts, body) = request.into_parts();
        self.cookies.filter(&mut parts.headers);
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let host = parts.headers[HOST].to_str().unwrap();
        let target = format!("{host}{}", parts.uri.path());
        let mut applications = self.applications.iter();
        let application = applications
            .find(|application| application.addresses.contain(&target))
            .expect("a host that the resolver rules name");
        let mut response = if application.addresses.is_clerk(&target) {
            let request = Request::from_parts(parts, body);
            application.stand_in.respond(request).map(Full::from)
        } else {
            let functions = application.functions.read().await;
            to_http(functions.send(to_event(&parts, &body)).await)
        };
        self.cookies.filter(response.headers_mut());
        response
    }
}

fn to_event(parts: &Parts, body: &[u8]) -> Event {
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut event = Event::new(known_method(&parts.method), target);
    if !body.is_empty() {
        event = event.body("application/octet-stream", body);
    }
    for (name, value) in &parts.headers {
        // The event has the host name of the deployed API.
        if ![COOKIE, HOST].contains(name) {
            event = event.header(name.as_str(), value.to_str().unwrap());
        }
    }
    for (name, value) in cookies::parse(&parts.headers) {
        event = event.cookie(&name, &value);
    }
    event
}

fn known_method(method: &Method) -> &'static str {
    ["GET", "HEAD", "PUT", "POST", "DELETE"]
        .into_iter()
        .find(|known| method == known)
        .expect("a method that a browser sends")
}

fn to_http(answer: tests::Response) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    for cookie in &answer.cookies {
        response = response.header(SET_COOKIE, to_header(cookie));
    }
    response.body(answer.body.into()).unwrap()
}

fn to_header(cookie: &SetCookie) -> String {
    let pair = format!("{}={}", cookie.name, cookie.value);
    [&[pair], cookie.attributes.as_slice()].concat().join("; ")
}
