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

use crate::unique;

/// The functions' timeout, as the template sets it.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer that Lambda takes, in bytes.
const LARGEST_ANSWER: usize = 6 * 1024 * 1024;

/// What became of an invocation.
#[derive(Debug)]
pub enum Outcome {
    /// The function's answer.
    Answer(Value),
    /// An invocation error: the client would see a 500 of the gateway.
    Error(String),
}

/// A Runtime API on loopback for one process. It ends when it is dropped.
pub struct RuntimeApi {
    address: SocketAddr,
    lambda: Arc<Lambda>,
    server: JoinHandle<()>,
}

struct Lambda {
    hand_in: mpsc::UnboundedSender<Invocation>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocations that the function works on.
    running: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    /// How often the function has asked for an invocation.
    asked: watch::Sender<usize>,
    /// How many it has got.
    handed_in: AtomicUsize,
}

struct Invocation {
    event: Value,
    outcome: oneshot::Sender<Outcome>,
}

impl RuntimeApi {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (hand_in, waiting) = mpsc::unbounded_channel();
        let lambda = Arc::new(Lambda {
            hand_in,
            waiting: tokio::sync::Mutex::new(waiting),
            running: Mutex::default(),
            asked: watch::Sender::new(0),
            handed_in: AtomicUsize::new(0),
        });
        Self {
            address: listener.local_addr().unwrap(),
            lambda: Arc::clone(&lambda),
            server: tokio::spawn(serve(listener, lambda)),
        }
    }

    /// `AWS_LAMBDA_RUNTIME_API` of the process.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the function has initialized: it asks for an invocation.
    pub async fn initialized(&self) {
        self.asked(1).await;
    }

    /// Waits until the function has done with all it got and asks for more.
    pub async fn idle(&self) {
        self.asked(self.lambda.handed_in.load(Ordering::SeqCst) + 1)
            .await;
    }

    async fn asked(&self, times: usize) {
        let mut asked = self.lambda.asked.subscribe();
        asked.wait_for(|asked| *asked >= times).await.unwrap();
    }

    /// Hands an event to the function and waits for what becomes of it.
    ///
    /// # Panics
    /// When the function's timeout passes.
    pub async fn invoke(&self, event: Value) -> Outcome {
        let (sender, outcome) = oneshot::channel();
        let invocation = Invocation {
            event,
            outcome: sender,
        };
        self.lambda.handed_in.fetch_add(1, Ordering::SeqCst);
        self.lambda.hand_in.send(invocation).ok().unwrap();
        tokio::time::timeout(FUNCTION_TIMEOUT, outcome)
            .await
            .expect("the function exceeded its timeout")
            .unwrap()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, lambda: Arc<Lambda>) {
    while let Ok((stream, _)) = listener.accept().await {
        let lambda = Arc::clone(&lambda);
        let service = service_fn(move |request| {
            let lambda = Arc::clone(&lambda);
            async move { Ok::<_, Infallible>(lambda.respond(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Lambda {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let steps: Vec<&str> = path.split('/').skip(1).collect();
        match (request.method(), steps.as_slice()) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => self.next().await,
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, end]) => {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let outcome = match *end {
                    "response" if body.len() > LARGEST_ANSWER => {
                        return status(StatusCode::PAYLOAD_TOO_LARGE);
                    }
                    "response" => Outcome::Answer(serde_json::from_slice(&body).unwrap()),
                    "error" => Outcome::Error(String::from_utf8_lossy(&body).into_owned()),
                    _ => return status(StatusCode::NOT_FOUND),
                };
                let waiting = self.running.lock().unwrap().remove(*id).unwrap();
                // A test that has given up no longer listens.
                drop(waiting.send(outcome));
                status(StatusCode::ACCEPTED)
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                status(StatusCode::ACCEPTED)
            }
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.asked.send_modify(|asked| *asked += 1);
        let Some(invocation) = self.waiting.lock().await.recv().await else {
            return status(StatusCode::GONE);
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
            .body(Full::from(invocation.event.to_string()))
            .unwrap()
    }
}

fn status(code: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = code;
    response
}
