//! A small axum application: a page that sends signed-out users to sign in, and
//! an API route that answers 401.
//!
//! ```sh
//! CLERK_PUBLISHABLE_KEY=pk_test_… CLERK_JWT_KEY="$(cat key.pem)" cargo run --example axum
//! ```
//!
//! Then open <http://localhost:3000>.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use clerk_auth::{Authenticator, Instance, KeySource, PublicKeys, PublishableKey, RequestView};

/// What the handlers work with.
pub(crate) struct App {
    /// Authenticates requests.
    pub(crate) authenticator: Authenticator,
    /// The origin that browsers see: never taken from a request.
    pub(crate) origin: String,
}

/// The routes.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/api/me", get(me))
        .with_state(Arc::new(app))
}

/// A page: the browser may be redirected to a handshake or to sign in.
async fn page(State(app): State<Arc<App>>, parts: Parts) -> Response {
    let request = RequestView::new(&parts, &app.origin);
    let Ok(decision) = app.authenticator.decide(&request).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let headers = decision.response_headers();
    if decision.location().is_some() {
        return (StatusCode::TEMPORARY_REDIRECT, headers).into_response();
    }
    match decision.state {
        clerk_auth::State::SignedIn(session) => {
            (headers, format!("Hello {}\n", session.user.as_str())).into_response()
        }
        clerk_auth::State::SignedOut {
            reason,
            obstacle: None,
        } if !reason.is_unverifiable() => {
            let accounts = app
                .authenticator
                .instance()
                .publishable_key
                .accounts_origin();
            let sign_in_url = format!("{accounts}/sign-in");
            match app.authenticator.sign_in_location(&sign_in_url, &request) {
                Ok(location) => (
                    StatusCode::TEMPORARY_REDIRECT,
                    headers,
                    [(LOCATION, location)],
                )
                    .into_response(),
                Err(_) => explain(headers),
            }
        }
        // Another redirect would not help: something is configured wrongly.
        clerk_auth::State::SignedOut { .. }
        | clerk_auth::State::Handshake { .. }
        | clerk_auth::State::UnreadableHandshake => explain(headers),
    }
}

fn explain(headers: HeaderMap) -> Response {
    let text = "The session does not verify.\n";
    (StatusCode::UNAUTHORIZED, headers, text).into_response()
}

/// A route of the API: never a redirect, because a program has no use for one.
async fn me(State(app): State<Arc<App>>, parts: Parts) -> Response {
    let request = RequestView::new(&parts, &app.origin);
    match app.authenticator.session(&request).await {
        Ok(Ok(session)) => session.user.as_str().to_owned().into_response(),
        Ok(Err(reason)) => (StatusCode::UNAUTHORIZED, reason.as_str()).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let publishable_key = PublishableKey::parse(&std::env::var("CLERK_PUBLISHABLE_KEY")?)
        .ok_or("CLERK_PUBLISHABLE_KEY should be pk_test_… or pk_live_…")?;
    let keys = PublicKeys::from_pem(&std::env::var("CLERK_JWT_KEY")?)
        .ok_or("CLERK_JWT_KEY should be the instance's PEM public key")?;
    let instance = Instance::new(publishable_key);
    let app = App {
        authenticator: Authenticator::new(instance, KeySource::Fixed(keys)),
        origin: "http://localhost:3000".to_owned(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, router(app)).await?)
}
