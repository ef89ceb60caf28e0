//! The Lambda loop around a handler.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::ExitCode;
use std::task::Poll;

use http::StatusCode;
use lambda_runtime::{LambdaEvent, service_fn};
use tokio::task::spawn_local;

use crate::auth::{Auth, is_same_origin};
use crate::config::{Config, ConfigError, LogConfig, Lookup, from_env};
use crate::database::Database;
use crate::error::Error;
use crate::request::{Event, Request};
use crate::response::{self, Response};
use crate::{flash, log, quote};

/// What a handler works with, made once for each execution environment.
pub struct App<C = ()> {
    /// Authenticates requests.
    pub auth: Auth,
    /// The database, connected to at the start or with the first statement.
    pub database: Database,
    /// What only this function is configured with.
    pub config: C,
}

/// Runs a function of the API: its errors are problem details or, for a form,
/// the way back to the page.
pub async fn serve<H>(handler: H) -> ExitCode
where
    H: AsyncFn(&App, &Request) -> Result<Response, Error> + 'static,
{
    serve_with(|_, _| Ok(()), handler, error_response).await
}

/// Runs a function that has a configuration of its own and whose errors are
/// answered by `error_response`, on tokio's local runtime.
///
/// A configuration that is missing or malformed ends the process with one line.
pub async fn serve_with<C, H, E>(
    parse: impl Fn(Lookup<'_>, &mut Config) -> Result<C, ConfigError>,
    handler: H,
    error_response: E,
) -> ExitCode
where
    C: 'static,
    H: AsyncFn(&App<C>, &Request) -> Result<Response, Error> + 'static,
    E: Fn(&App<C>, &Request, &Error) -> Response + 'static,
{
    log::start(&LogConfig::parse(&from_env));
    let config =
        Config::from_env().and_then(|mut config| Ok((parse(&from_env, &mut config)?, config)));
    let (own, config) = match config {
        Ok(config) => config,
        Err(error) => return exit(&error.to_string()),
    };
    let origin = config.public_origin;
    let app = App {
        auth: Auth::new(config.clerk, config.keys),
        database: Database::new(config.database),
        config: own,
    };
    if config.connects_at_start {
        // Awaited, so that nothing is frozen in the middle of a TLS handshake.
        app.database.connect_at_start().await;
    }

    let serving = async move {
        let answer = async |event: LambdaEvent<Event>| {
            if event.payload.is_database_check() {
                return response::into_event_answer(check_database(&app.database).await);
            }
            let id = event.context.request_id;
            let (request, readable) = Request::from_event(event.payload, origin.as_ref(), id);
            let result = match readable {
                Ok(()) => handler(&app, &request).await,
                Err(unreadable) => Err(unreadable),
            };
            let response = result.unwrap_or_else(|error| {
                log_error(&error);
                error_response(&app, &request, &error)
            });
            let function = &event.context.env_config.function_name;
            let response = response::with_default_headers(&request, function, response);
            response::into_event_answer(response)
        };
        match lambda_runtime::run(service_fn(|event| catch_panic(answer(event)))).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => exit(&error.to_string()),
        }
    };
    // As a task of its own: tokio asks the system for events each time that another
    // task wakes the future of `main`.
    spawn_local(serving).await.unwrap_or(ExitCode::FAILURE)
}

/// The output of a future, or an error when it panics.
///
/// lambda_runtime catches panics too, but reports their message to Lambda, and
/// that can contain what a client sent.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, &'static str> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err("the handler panicked")),
        }
    })
    .await
}

/// What the role of this function may do, for the deployment.
async fn check_database(database: &Database) -> Response {
    quote::rights(database).await.map_or_else(
        |error| {
            let error = error.into();
            log_error(&error);
            response::problem(&error)
        },
        response::rights,
    )
}

/// Problem details or, for a form of this application, the way back to the
/// page with what was typed.
fn error_response(_: &App, request: &Request, error: &Error) -> Response {
    if !request.is_form() || !is_same_origin(request) {
        return response::problem(error);
    }
    let mut response = response::redirect(StatusCode::SEE_OTHER, "/");
    let cookie = flash::keep(request, error);
    response::set_cookie(&mut response, &cookie);
    response
}

/// Logs what is not the client's fault, once.
fn log_error(error: &Error) {
    if error.status().is_server_error() {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(code = error.code(), error = cause, "{error}");
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one line that Lambda logs of a failed start"
)]
fn exit(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
