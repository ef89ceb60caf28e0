//! `DELETE /api/quote`, and `POST /api/quote/delete` for forms: deletes the quote.

use shared::condition::condition;
use shared::{App, Error, ExitCode, Request, Response, quote, response};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    shared::serve(delete_quote).await
}

async fn delete_quote(app: &App, request: &Request) -> Result<Response, Error> {
    let user = app.auth.user(request).await?;
    let condition = condition(request)?;
    let deleted = quote::delete(&app.database, &user, &condition).await?;
    Ok(response::deleted(request, deleted.as_ref()))
}
