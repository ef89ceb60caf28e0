//! `GET /`: the page; and everything that no other route answers.

mod pages;
mod routes;

use clerk_auth::Session;
use http::StatusCode;
use pages::App;
use shared::auth::PageAccess;
use shared::config::PageConfig;
use shared::flash::{self, Flash};
use shared::response::{empty, redirect, set_cookie};
use shared::{Error, ExitCode, Request, Response, quote};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    shared::serve_with(PageConfig::parse, render_page, pages::error).await
}

async fn render_page(app: &App, request: &Request) -> Result<Response, Error> {
    if let Some(file) = pages::file(request) {
        return Ok(file);
    }
    routes::check(request)?;
    let sign_in_url = &app.config.sign_in_url;
    let decision = app.auth.decide_page(request, sign_in_url).await?;
    let mut response = match decision.access {
        PageAccess::SignedIn(session) => page(app, request, &session).await?,
        PageAccess::Handshake => empty(StatusCode::TEMPORARY_REDIRECT),
        PageAccess::SignIn(location) => redirect(StatusCode::TEMPORARY_REDIRECT, &location),
        PageAccess::Renew => pages::renew(app, request)?,
        PageAccess::Refused(refusal) => pages::refused(&refusal),
        PageAccess::UnreadableHandshake => pages::switched_keys(),
    };
    for (name, value) in &decision.headers {
        response.headers_mut().append(name, value.clone());
    }
    Ok(response)
}

async fn page(app: &App, request: &Request, session: &Session) -> Result<Response, Error> {
    let quote = quote::find(&app.database, &session.user).await?;
    let flash = Flash::read(request).filter(|flash| flash.is_for(&session.user));
    let mut response = pages::quote(app, request, session, quote.as_ref(), flash.as_ref())?;
    if flash.is_some() && request.is_navigation() {
        set_cookie(&mut response, &flash::clear(request));
    }
    Ok(response)
}
