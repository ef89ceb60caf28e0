//! The Lambda loop around a handler.

use std::process::ExitCode;

use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::{Body, Request, Response};
use lambda_runtime::{LambdaEvent, service_fn};

use crate::clerk::Clerk;
use crate::config::{Config, LogSettings};
use crate::database::Database;
use crate::error::Error;
use crate::http::{event, respond};
use crate::log;

/// What a handler works with, made once for each execution environment.
pub struct App {
    /// Who sent a request.
    pub clerk: Clerk,
    /// The quotes.
    pub database: Database,
    /// Where signed-out visitors go.
    pub sign_in_url: String,
    public_origin: Option<String>,
}

/// A request that failed, for whoever writes the answer.
pub struct Failed<'a> {
    /// What the handler worked with.
    pub app: &'a App,
    /// The request.
    pub request: &'a Request,
    /// Why.
    pub error: &'a Error,
    /// Lambda's id of the request, which the log has too.
    pub request_id: &'a str,
}

/// Runs an API function: errors are problem details.
pub async fn serve<H>(handler: H) -> ExitCode
where
    H: AsyncFn(&App, &Request) -> Result<Response<Body>, Error>,
{
    serve_pages(handler, respond::failure).await
}

/// Runs a function whose errors are written by `error_page`.
///
/// A configuration that is missing or malformed ends the process with one line.
pub async fn serve_pages<H, P>(handler: H, error_page: P) -> ExitCode
where
    H: AsyncFn(&App, &Request) -> Result<Response<Body>, Error>,
    P: Fn(&Failed<'_>) -> Response<Body>,
{
    log::start(&LogSettings::from_env());
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(invalid) => return fail(&invalid.to_string()),
    };
    let app = App {
        clerk: Clerk::new(config.clerk, config.jwt_key),
        database: Database::new(config.database),
        sign_in_url: config.sign_in_url,
        public_origin: config.public_origin,
    };
    // Awaited, so that nothing is frozen in the middle of a handshake.
    app.database.connect_at_start().await;

    let served = lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        answer(&app, &handler, &error_page, event)
    }));
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

async fn answer<H, P>(
    app: &App,
    handler: &H,
    error_page: &P,
    event: LambdaEvent<ApiGatewayV2httpRequest>,
) -> Result<ApiGatewayV2httpResponse, std::convert::Infallible>
where
    H: AsyncFn(&App, &Request) -> Result<Response<Body>, Error>,
    P: Fn(&Failed<'_>) -> Response<Body>,
{
    let LambdaEvent { payload, context } = event;
    let received = event::receive(payload, app.public_origin.as_deref());
    let request = &received.request;
    let result = match received.readable {
        Ok(()) => handler(app, request).await,
        Err(unreadable) => Err(unreadable),
    };
    let response = result.unwrap_or_else(|error| {
        log_failure(&error);
        error_page(&Failed {
            app,
            request,
            error: &error,
            request_id: &context.request_id,
        })
    });
    Ok(event::answer(respond::sealed(request, response)))
}

/// Logs what is not the client's doing, once.
fn log_failure(error: &Error) {
    if error.status().is_server_error() {
        match std::error::Error::source(error) {
            Some(cause) => tracing::error!("{error}: {cause}"),
            None => tracing::error!("{error}"),
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one line that Lambda logs of a failed start"
)]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
