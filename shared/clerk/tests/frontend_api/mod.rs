//! A Frontend API whose only page is the key set, and which may misbehave.
//! Like some hosts, it refuses every request without a User-Agent.
//!
//! It runs in threads of its own, because it sleeps where it hangs.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::ssl::SslAcceptor;
use serde_json::{Value, json};

/// How requests are answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// With these bytes.
    Bytes(Vec<u8>),
    /// With a body that never ends, a byte at a time.
    Trickle,
    /// Not at all.
    Silence,
}

impl Answer {
    /// A key set.
    pub(crate) fn keys(keys: &[Value]) -> Self {
        Self::ok(&json!({ "keys": keys }).to_string())
    }

    /// 200 with this body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::status("200 OK", body)
    }

    /// A redirect.
    pub(crate) fn redirect(status: &str, location: &str) -> Self {
        Self::status(&format!("{status}\r\nLocation: {location}"), "")
    }

    /// Another status line, with more headers before the body if it has some.
    pub(crate) fn status(status: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
        Self::Bytes([head.as_bytes(), body.as_bytes()].concat())
    }
}

/// A server on loopback.
pub(crate) struct FrontendApi {
    /// Where it is: `127.0.0.1:port`.
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
}

struct State {
    answer: Answer,
    /// Precedes `answer`, once.
    next: Option<Answer>,
    requests: Vec<String>,
}

impl FrontendApi {
    pub(crate) fn start(tls: SslAcceptor, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Vec::new();
        let state = Arc::new(Mutex::new(State {
            answer,
            next: None,
            requests,
        }));
        let shared = Arc::clone(&state);
        let tls = Arc::new(tls);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, state) = (Arc::clone(&tls), Arc::clone(&shared));
                // A client that goes away is none of the server's business.
                std::thread::spawn(move || serve(&tls, stream, &state));
            }
        });
        Self { host, state }
    }

    /// Answers differently from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    /// Answers the next request differently.
    pub(crate) fn answer_once(&self, answer: Answer) {
        self.state.lock().unwrap().next = Some(answer);
    }

    /// How many requests there have been.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    /// The last request: its line and headers.
    pub(crate) fn last(&self) -> String {
        self.state.lock().unwrap().requests.last().unwrap().clone()
    }
}

fn serve(tls: &SslAcceptor, stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut stream = BufReader::new(tls.accept(stream).ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let answer = {
        let mut state = state.lock().unwrap();
        let answer = match state.next.take() {
            _ if !names_a_user_agent(&head) => Answer::status("403 Forbidden", ""),
            Some(next) => next,
            None => state.answer.clone(),
        };
        state.requests.push(head);
        answer
    };
    let stream = stream.get_mut();
    match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).ok(),
        Answer::Trickle => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
            stream.write_all(head).ok()?;
            loop {
                stream.write_all(b" ").ok()?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Answer::Silence => {
            std::thread::sleep(Duration::from_secs(30));
            None
        }
    }
}

fn names_a_user_agent(head: &str) -> bool {
    head.to_ascii_lowercase().contains("\r\nuser-agent: ")
}
