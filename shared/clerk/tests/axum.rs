//! The axum example, asked over HTTP.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::time::{Duration, UNIX_EPOCH};

use clerk_auth::{Authenticator, Instance, Key, KeySource, PublicKeys, PublishableKey};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[expect(dead_code, reason = "the test has no use for its main")]
#[path = "../examples/axum.rs"]
mod example;
mod issuer;

use issuer::Issuer;

const ORIGIN: &str = "https://www.example.com";

/// Longest wait for a response.
const EXAMPLE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a page load says of itself.
const PAGE_LOAD: &str = "Sec-Fetch-Dest: document\r\n";

/// Starts the example for an instance with this key; returns its address.
async fn start(issuer: &Issuer) -> String {
    let key = Key::from_jwk(&issuer.jwk("ins_1")).unwrap();
    let instance = Instance {
        issuer: None,
        ..Instance::new(PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap())
    };
    let app = example::App {
        authenticator: Authenticator::new(instance, KeySource::Fixed(PublicKeys::from(key))),
        origin: ORIGIN.to_owned(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async { axum::serve(listener, example::router(app)).await });
    address
}

/// The whole response to a GET with these header lines.
async fn get(address: &str, path: &str, headers: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    };
    timeout(EXAMPLE_TIMEOUT, exchange).await.unwrap()
}

fn cookie(issuer: &Issuer) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let session = issuer.token(
        &json!({ "alg": "RS256", "typ": "JWT" }),
        &json!({ "sub": "user_1", "azp": ORIGIN, "iat": now, "exp": now + 60 }),
    );
    format!("__session={session}; __client_uat=1")
}

#[tokio::test]
async fn a_strangers_api_call_is_401() {
    let address = start(&Issuer::new()).await;
    let response = get(&address, "/api/me", "").await;
    assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    assert!(response.ends_with("session-token-and-uat-missing"));
}

#[tokio::test]
async fn a_waiting_page_load_is_redirected_and_counted() {
    let address = start(&Issuer::new()).await;
    let headers = format!("{PAGE_LOAD}Cookie: __client_uat=1700000000\r\n");
    let response = get(&address, "/", &headers).await;
    assert!(response.starts_with("HTTP/1.1 307 "), "{response}");
    for line in [
        "location: https://clerk.example.com/v1/client/handshake?redirect_url=https%3A%2F%2Fwww",
        "set-cookie: __clerk_redirect_count=1; ",
        "x-clerk-auth-status: handshake\r\n",
        "x-clerk-auth-reason: client-uat-but-no-session-token\r\n",
        "cache-control: private, no-store\r\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
}

#[tokio::test]
async fn a_signed_out_page_load_is_redirected_to_sign_in() {
    let address = start(&Issuer::new()).await;
    let response = get(&address, "/", PAGE_LOAD).await;
    assert!(response.starts_with("HTTP/1.1 307 "), "{response}");
    assert!(response.contains("location: https://accounts.example.com/sign-in?redirect_url="));
}

#[tokio::test]
async fn a_valid_cookie_in_the_second_of_two_cookie_headers_is_signed_in() {
    let issuer = Issuer::new();
    let address = start(&issuer).await;
    let headers = format!("Cookie: theme=dark\r\nCookie: {}\r\n", cookie(&issuer));
    for (path, body) in [("/", "Hello user_1\n"), ("/api/me", "user_1")] {
        let response = get(&address, path, &headers).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        assert!(response.ends_with(body), "{response}");
    }
}

#[tokio::test]
async fn a_forged_session_is_explained_and_not_redirected() {
    let address = start(&Issuer::new()).await;
    let headers = format!("{PAGE_LOAD}Cookie: {}\r\n", cookie(&Issuer::new()));
    let response = get(&address, "/", &headers).await;
    assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    assert!(response.contains("x-clerk-auth-reason: token-invalid-signature\r\n"));
}
