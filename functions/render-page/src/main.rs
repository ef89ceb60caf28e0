//! `GET /`: the page; and everything that no other route answers.

mod pages;
mod routes;

use std::process::ExitCode;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use shared::clerk::{Decision, Session, State};
use shared::http::{draft, redirect, set_cookie};
use shared::{App, Error, quote};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::serve_pages(render_page, pages::error).await
}

async fn render_page(app: &App, request: &Request) -> Result<Response<Body>, Error> {
    routes::check(request)?;
    let decision = app.clerk.decide(request).await?;
    let mut response = answer(app, request, &decision).await?;
    for cookie in decision
        .set_cookie
        .iter()
        .chain(&app.clerk.ended_handshake(request))
    {
        set_cookie(&mut response, cookie);
    }
    Ok(response)
}

async fn answer(
    app: &App,
    request: &Request,
    decision: &Decision,
) -> Result<Response<Body>, Error> {
    if let Some(location) = &decision.location {
        return Ok(pages::detour(decision, location));
    }
    match &decision.state {
        State::SignedIn(session) => page(app, request, session).await,
        State::SignedOut {
            reason,
            loop_stopped,
        } if reason.is_unverifiable() || *loop_stopped => {
            tracing::warn!(
                "a session does not verify: {reason}; do the keys, the origin and the clock belong together?"
            );
            Err(Error::Unauthorized {
                reason: *reason,
                by_header: false,
            })
        }
        State::SignedOut { .. } | State::Handshake(_) => {
            let location = app.clerk.sign_in_location(&app.sign_in_url, request);
            Ok(redirect(StatusCode::TEMPORARY_REDIRECT, &location))
        }
        State::UnreadableHandshake => Ok(pages::switched_keys()),
    }
}

async fn page(app: &App, request: &Request, session: &Session) -> Result<Response<Body>, Error> {
    let quote = quote::find(&app.database, &session.user).await?;
    let draft = draft::of(request);
    let shown = draft.as_ref().filter(|draft| draft.is_for(&session.user));
    let mut response = pages::quote(app, request, quote.as_ref(), shown)?;
    if draft.is_some() {
        set_cookie(&mut response, &draft::forget(request));
    }
    Ok(response)
}
