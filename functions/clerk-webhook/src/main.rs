//! `POST /api/webhooks/clerk`: forgets a user whom Clerk deleted.

use shared::config::WebhookConfig;
use shared::{Error, ExitCode, Request, Response, StatusCode, quote, response, webhook};

type App = shared::App<WebhookConfig>;

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    shared::serve_with(WebhookConfig::parse, clerk_webhook, |_, _, error| {
        response::problem(error)
    })
    .await
}

async fn clerk_webhook(app: &App, request: &Request) -> Result<Response, Error> {
    if let Some(user) = webhook::deleted_user(&app.config.secrets, request)? {
        quote::forget(&app.database, &user).await?;
    }
    Ok(response::empty(StatusCode::NO_CONTENT))
}
