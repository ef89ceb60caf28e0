//! Lambda's side of an execution environment: the Runtime API (2018-06-01).
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::random::unique;

/// The functions' timeout, as the template sets it; render-page has 2 s more.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for a response while something is wrong with the database: the
/// function must answer before Lambda ends it.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(9);

/// Largest response that Lambda takes, in bytes.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// How an invocation ended.
#[derive(Debug)]
pub enum Outcome {
    /// With the function's response.
    Response(Value),
    /// With an invocation error: the client would see a 500 of the gateway.
    Error(String),
}

/// A Runtime API on loopback for one process. It ends when it is dropped.
pub struct RuntimeApi {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    queue: mpsc::UnboundedSender<Invocation>,
    queued: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocations that the function works on, by their id.
    running: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    /// How often the function has asked for the next invocation.
    next_requests: watch::Sender<usize>,
    /// How many invocations were queued.
    invocations: AtomicUsize,
    /// What the function has reported as errors.
    error_reports: Mutex<String>,
}

struct Invocation {
    event: Bytes,
    outcome: oneshot::Sender<Outcome>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (queue, queued) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            queue,
            queued: tokio::sync::Mutex::new(queued),
            running: Mutex::default(),
            next_requests: watch::Sender::new(0),
            invocations: AtomicUsize::new(0),
            error_reports: Mutex::default(),
        });
        Self {
            address: listener.local_addr().unwrap(),
            state: Arc::clone(&state),
            server: tokio::spawn(serve(listener, state)),
        }
    }

    /// The environment variables by which Lambda tells a function where this
    /// API is and what the function is called.
    pub fn variables(&self, function: &str) -> [(&'static str, String); 4] {
        [
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ]
    }

    /// Waits until the function has initialized: it asks for an invocation.
    pub async fn wait_until_initialized(&self) {
        self.wait_for_next_requests(1).await;
    }

    /// Waits until the function has done all its invocations and asks for more.
    pub async fn wait_until_idle(&self) {
        let invocations = self.state.invocations.load(Ordering::SeqCst);
        self.wait_for_next_requests(invocations + 1).await;
    }

    async fn wait_for_next_requests(&self, count: usize) {
        let mut requests = self.state.next_requests.subscribe();
        requests.wait_for(|seen| *seen >= count).await.unwrap();
    }

    /// Invokes the function with an event. Panics when its timeout passes.
    pub async fn invoke(&self, event: Value) -> Outcome {
        self.invoke_bytes(event.to_string().into()).await
    }

    /// Invokes the function with what may be no JSON.
    pub async fn invoke_bytes(&self, event: Bytes) -> Outcome {
        let (sender, outcome) = oneshot::channel();
        let invocation = Invocation {
            event,
            outcome: sender,
        };
        self.state.invocations.fetch_add(1, Ordering::SeqCst);
        self.state.queue.send(invocation).ok().unwrap();
        tokio::time::timeout(FUNCTION_TIMEOUT, outcome)
            .await
            .expect("the function exceeded its timeout")
            .unwrap()
    }

    /// What the function has reported as errors, one after another.
    pub fn error_reports(&self) -> String {
        self.state.error_reports.lock().unwrap().clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| {
            let state = Arc::clone(&state);
            async move { Ok::<_, Infallible>(state.respond(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl State {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => self.next().await,
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, end]) => {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let outcome = match *end {
                    "response" if body.len() > MAX_RESPONSE_BYTES => {
                        return empty(StatusCode::PAYLOAD_TOO_LARGE);
                    }
                    "response" => Outcome::Response(serde_json::from_slice(&body).unwrap()),
                    "error" => Outcome::Error(self.keep_report(&body)),
                    _ => return empty(StatusCode::NOT_FOUND),
                };
                let sender = self.running.lock().unwrap().remove(*id).unwrap();
                // Fails if the test has stopped waiting.
                drop(sender.send(outcome));
                empty(StatusCode::ACCEPTED)
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                self.keep_report(&body);
                empty(StatusCode::ACCEPTED)
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn keep_report(&self, body: &[u8]) -> String {
        let report = String::from_utf8_lossy(body).into_owned();
        self.error_reports.lock().unwrap().push_str(&report);
        report
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.next_requests.send_modify(|requests| *requests += 1);
        let Some(invocation) = self.queued.lock().await.recv().await else {
            return empty(StatusCode::GONE);
        };
        let id = unique();
        let mut running = self.running.lock().unwrap();
        running.insert(id.clone(), invocation.outcome);
        let deadline = SystemTime::now() + FUNCTION_TIMEOUT;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
        Response::builder()
            .header("Lambda-Runtime-Aws-Request-Id", id)
            .header("Lambda-Runtime-Deadline-Ms", deadline_ms.to_string())
            .header(
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:eu-central-1:123456789012:function:quotes",
            )
            .body(Full::from(invocation.event))
            .unwrap()
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
