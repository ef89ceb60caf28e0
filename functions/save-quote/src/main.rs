//! `PUT /api/quote` with JSON, `POST /api/quote` with a form: saves the quote.

use shared::condition::condition;
use shared::{App, Error, ExitCode, Request, Response, quote, response};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    shared::serve(save_quote).await
}

async fn save_quote(app: &App, request: &Request) -> Result<Response, Error> {
    let user = app.auth.user(request).await?;
    let message = request.message()?;
    let condition = condition(request)?;
    let saved = quote::save(&app.database, &user, &message, &condition).await?;
    Ok(response::saved(request, &saved))
}
