//! `PUT /api/quote` with JSON, `POST /api/quote` with a form: saves the quote.

use std::process::ExitCode;

use lambda_http::{Body, Request, Response};
use shared::{App, Error, http, quote};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::serve(save_quote).await
}

async fn save_quote(app: &App, request: &Request) -> Result<Response<Body>, Error> {
    let user = app.clerk.user(request).await?;
    let message = http::message(request)?;
    let saved = quote::save(&app.database, &user, &message).await?;
    Ok(http::saved(request, &saved))
}
