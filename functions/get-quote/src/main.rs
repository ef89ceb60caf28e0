//! `GET /api/quote`: the user's quote, or 404; 304 where the client has it.

use shared::{App, Error, ExitCode, Request, Response, quote, response};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    shared::serve(get_quote).await
}

async fn get_quote(app: &App, request: &Request) -> Result<Response, Error> {
    let user = app.auth.user(request).await?;
    let quote = quote::find(&app.database, &user)
        .await?
        .ok_or(Error::NoQuote)?;
    Ok(response::found(request, &quote))
}
