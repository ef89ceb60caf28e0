//! `DELETE /api/quote`, and `POST /api/quote/delete` for forms: deletes the quote.

use shared::{App, Error, ExitCode, Request, Response, quote, response};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::serve(delete_quote).await
}

async fn delete_quote(app: &App, request: &Request) -> Result<Response, Error> {
    let user = app.auth.user(request).await?;
    quote::delete(&app.database, &user).await?;
    Ok(response::deleted(request))
}
