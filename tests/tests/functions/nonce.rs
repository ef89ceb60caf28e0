//! The nonce form of the handshake: its payload comes from the Backend API.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tests::{App, Event, Instance, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET_KEY: &str = "sk_live_0123456789abcdef";

/// A Backend API that answers every nonce with this user's session, and the
/// requests that it got.
struct BackendApi {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl BackendApi {
    async fn start(user: &User) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let directive = format!("__session={}; Path=/; Secure", user.token);
        let body = json!({ "directives": [directive, "__client_uat=1700000000; Path=/"] });
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.to_string().len()
        );
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                log.lock().unwrap().push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    async fn app(&self) -> App {
        let app = App::deployed().await;
        app.with("CLERK_SECRET_KEY", SECRET_KEY)
            .with("CLERK_API_URL", &self.url)
    }
}

/// A page load that a redirect of this application leads to.
fn back() -> Event {
    Event::page(&format!("/?__clerk_redirects=1.{}", tests::clerk::now()))
}

#[tokio::test]
async fn with_a_secret_key_the_nonce_form_is_asked_for_and_exchanged() {
    let user = Instance::production().user();
    let backend = BackendApi::start(&user).await;
    let app = backend.app().await;
    let out = app
        .send(Event::page("/").cookie("__client_uat", "1700000000"))
        .await;
    assert_eq!(out.location_parameter("format").as_deref(), Some("nonce"));
    assert_eq!(backend.requests(), [""; 0]);

    let page = back().cookie("__client_uat", "1700000000");
    let back = app
        .send(page.cookie("__clerk_handshake_nonce", "nonce-1_a"))
        .await;
    back.page(200);
    assert_eq!(back.cookie("__session").unwrap().value, user.token);
    let [request] = &backend.requests()[..] else {
        panic!("one request");
    };
    let first = "GET /v1/clients/handshake_payload?nonce=nonce-1_a HTTP/1.1\r\n";
    assert!(request.starts_with(first), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {SECRET_KEY}\r\n")));
    let left = back.cookies.iter();
    let left = left.filter(|cookie| cookie.name == "__clerk_handshake_nonce");
    assert!(left.clone().count() > 1 && left.into_iter().all(|cookie| cookie.removes()));
    assert!(!app.log().contains(SECRET_KEY) && !app.log().contains("nonce-1_a"));
}

#[tokio::test]
async fn only_a_page_load_with_a_nonce_of_its_own_browser_asks_the_backend_api() {
    let backend = BackendApi::start(&Instance::production().user()).await;
    let app = backend.app().await;
    let long = "a".repeat(129);
    let with_cookie = |event: Event, nonce: &str| {
        event
            .cookie("__client_uat", "1700000000")
            .cookie("__clerk_handshake_nonce", nonce)
    };
    for event in [
        // A link must not sign anyone in.
        Event::page(&format!(
            "/?__clerk_handshake_nonce=planted&__clerk_redirects=1.{}",
            tests::clerk::now()
        ))
        .cookie("__client_uat", "1700000000"),
        with_cookie(back().with_method("HEAD"), "n"),
        with_cookie(back().header("sec-fetch-dest", "empty"), "n"),
        with_cookie(back(), &long),
        with_cookie(back(), "a b"),
        with_cookie(back(), "n%2F..%2F..%2Fusers"),
        with_cookie(back(), "n&limit=1"),
        // A nonce that stayed is not what this load waits for.
        with_cookie(Event::page("/"), "n"),
        with_cookie(Event::get_quote(), "n"),
        with_cookie(Event::put_quote("quote").same_origin(), "n"),
    ] {
        let answer = app.send(event.clone()).await;
        assert!([307, 401].contains(&answer.status), "{event:?} {answer:?}");
    }
    assert_eq!(backend.requests(), [""; 0]);
}

#[tokio::test]
async fn a_backend_api_that_does_not_answer_leads_to_another_handshake() {
    // The kernel accepts connections, and nothing answers.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = App::deployed().await;
    let app = app
        .with("CLERK_SECRET_KEY", SECRET_KEY)
        .with("CLERK_API_URL", &url);
    let page = back().cookie("__client_uat", "1700000000");
    let answer = app.send(page.cookie("__clerk_handshake_nonce", "n")).await;
    assert_eq!(answer.status, 307);
    assert!(answer.location().contains("/v1/client/handshake?"));
    assert!(
        app.log()
            .contains("the payload of a handshake was not fetched")
    );
}

#[tokio::test]
async fn without_a_secret_key_a_nonce_is_nothing() {
    for app in App::both().await {
        for event in [
            Event::page("/?__clerk_handshake_nonce=n"),
            Event::page("/").cookie("__clerk_handshake_nonce", "n"),
        ] {
            let event = event.cookie("__client_uat", "1700000000");
            let answer = app.send(event).await;
            assert_eq!(answer.status, 307);
            assert_eq!(answer.location_parameter("format"), None);
        }
    }
}
