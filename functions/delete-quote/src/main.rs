//! `DELETE /api/quote`, and `POST /api/quote/delete` for forms: deletes the quote.

use std::process::ExitCode;

use lambda_http::{Body, Request, Response};
use shared::{App, Error, http, quote};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::serve(delete_quote).await
}

async fn delete_quote(app: &App, request: &Request) -> Result<Response<Body>, Error> {
    let user = app.clerk.user(request).await?;
    quote::delete(&app.database, &user).await?;
    Ok(http::deleted(request))
}
