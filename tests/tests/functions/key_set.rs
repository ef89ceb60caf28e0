//! Without a configured key: the key set of the Frontend API.

use std::net::Ipv4Addr;
use std::sync::Arc;

use clerk_stand_in::server;
use tests::{App, Event, Instance};
use tokio::net::TcpListener;

/// The Frontend API of the production instance: an address on loopback that
/// answers only once [`FrontendApi::serve`] is called.
struct FrontendApi(TcpListener);

impl FrontendApi {
    async fn bind() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn serve(self) {
        let stand_in = Arc::clone(Instance::production().stand_in());
        tokio::spawn(server::serve(stand_in, self.0, None));
    }
}

async fn app_with(frontend_api: &str) -> App {
    let app = App::deployed().await.without("CLERK_JWT_KEY");
    app.with("CLERK_PROXY_URL", frontend_api)
}

#[tokio::test]
async fn tokens_verify_with_the_key_set() {
    let frontend_api = FrontendApi::bind().await;
    let app = app_with(&frontend_api.url()).await;
    frontend_api.serve();
    let user = app.user();
    let saved = app
        .send(Event::put_quote("quote").bearer(&user.token))
        .await;
    assert_eq!(saved.status, 201);
    let page = app.send(Event::page("/").signed_in(&user)).await;
    assert!(page.page(200).contains("quote"));
}

#[tokio::test]
async fn a_key_that_is_not_in_the_set_is_nobodys() {
    let frontend_api = FrontendApi::bind().await;
    let app = app_with(&frontend_api.url()).await;
    frontend_api.serve();
    let stranger = Instance::impostor().user();
    let answer = app.send(Event::get_quote().bearer(&stranger.token)).await;
    assert_eq!(answer.problem(401)["reason"], "jwk-kid-mismatch");
    let known = app.user();
    app.send(Event::get_quote().bearer(&known.token))
        .await
        .problem(404);
}

#[tokio::test]
async fn a_key_set_that_cannot_be_reached_is_503_until_it_can() {
    // The kernel accepts connections, and nothing answers.
    let frontend_api = FrontendApi::bind().await;
    let app = app_with(&frontend_api.url()).await;
    let user = app.user();

    let answer = app.send(Event::get_quote().bearer(&user.token)).await;
    answer.problem(503);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let page = app.send(Event::page("/").signed_in(&user)).await;
    page.page(503);
    assert!(page.header("retry-after").is_some());

    frontend_api.serve();
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    app.send(Event::get_quote().bearer(&user.token))
        .await
        .problem(404);
}

#[tokio::test]
async fn who_brings_no_token_needs_no_key_set() {
    let app = app_with("http://127.0.0.1:9").await;
    app.send(Event::get_quote()).await.problem(401);
    assert_eq!(app.send(Event::page("/")).await.status, 307);
    app.send(Event::page("/nothing")).await.page(404);
}
