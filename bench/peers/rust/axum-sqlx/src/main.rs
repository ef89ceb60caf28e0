//! get-quote as the READMEs of axum, sqlx and lambda_http write it: a pool of
//! five connections behind a router, on all cores.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use common::{Quote, Verifier, variable};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

struct App {
    pool: PgPool,
    verifier: Verifier,
    find: String,
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(5)
        .connect(&variable("DATABASE_URL"))
        .await?;
    let app = App {
        pool,
        verifier: Verifier::from_env(),
        find: variable("FIND_QUOTE_SQL"),
    };
    let app = Router::new()
        .route("/api/quote", get(get_quote))
        .with_state(Arc::new(app));
    lambda_http::run(app).await
}

async fn get_quote(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let authorization = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let user = app.verifier.user(authorization);
    let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
    let row: Option<(String, String, String)> = sqlx::query_as(&app.find)
        .bind(user)
        .fetch_optional(&app.pool)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let (message, saved_at, version) = row.ok_or(StatusCode::NOT_FOUND)?;
    let tag = format!("\"{version}\"");
    let headers = [(CACHE_CONTROL, "private, no-store".to_owned()), (ETAG, tag)];
    Ok((headers, Json(Quote { message, saved_at })).into_response())
}
