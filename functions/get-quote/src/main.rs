//! `GET /api/quote`: the user's quote, or 404.

use std::process::ExitCode;

use lambda_http::{Body, Request, Response};
use shared::{App, Error, http, quote};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::serve(get_quote).await
}

async fn get_quote(app: &App, request: &Request) -> Result<Response<Body>, Error> {
    let user = app.clerk.user(request).await?;
    let quote = quote::find(&app.database, &user)
        .await?
        .ok_or(Error::NoQuote)?;
    Ok(http::found(&quote))
}
