//! Through PgBouncer in transaction mode, where each statement may run on
//! another backend.

use tests::postgres::{Database, start_server};
use tests::{App, Event, Function, PgBouncer};
use tokio::task::JoinSet;

/// Connections to Postgres that all environments share.
const SHARED_CONNECTIONS: usize = 5;

/// Applications at once, of five environments each.
const CONCURRENT_APPS: usize = 5;

/// Requests to each environment.
const REQUESTS_EACH: usize = 40;

/// Starts a pooler in front of the shared database.
async fn start_pooler() -> PgBouncer {
    PgBouncer::start(&Database::shared().await, SHARED_CONNECTIONS).await
}

/// Saves, finds, shows and deletes a quote and forgets another user, again and
/// again.
async fn use_all_functions(app: App) {
    let user = app.user();
    for round in 0..REQUESTS_EACH {
        let message = format!("quote {round}");
        let saved = app.send(Event::put_quote(&message).bearer(&user.token));
        assert_eq!(saved.await.status, 201);
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        assert_eq!(found.json()["message"], message);
        let page = app.send(Event::page("/").signed_in(&user)).await;
        assert!(page.page(200).contains(&message));
        let deleted = app.send(Event::delete_quote().bearer(&user.token));
        assert_eq!(deleted.await.status, 204);
        let forgotten = Event::user_deleted(app.instance, &app.user());
        assert_eq!(app.send(forgotten).await.status, 204);
    }
}

#[tokio::test]
async fn a_thousand_requests_of_many_environments_share_five_connections() {
    assert_eq!(CONCURRENT_APPS * Function::all().len(), 25);
    assert_eq!(
        CONCURRENT_APPS * Function::all().len() * REQUESTS_EACH,
        1_000
    );
    let pooler = start_pooler().await;
    let name = format!("pooled-{}", tests::unique());
    let database = pooler
        .database
        .with_parameter(&format!("application_name={name}"));
    let mut working = JoinSet::new();
    for _ in 0..CONCURRENT_APPS {
        working.spawn(use_all_functions(App::deployed_on(&database)));
    }
    while let Some(done) = working.join_next().await {
        done.unwrap();
    }
    // No environment has connected past the pooler.
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let client = Database::shared().await.connect().await;
    let row = client.query_one(sql, &[&name]).await.unwrap();
    assert!((1..=5).contains(&row.get::<_, i64>(0)), "{row:?}");
}

#[tokio::test]
async fn a_pooler_that_was_restarted_loses_no_request() {
    let mut pooler = start_pooler().await;
    let app = App::deployed_on(&pooler.database);
    let user = app.user();
    for round in ["1", "2", "3"] {
        let saved = app.send(Event::put_quote(round).bearer(&user.token)).await;
        assert!(matches!(saved.status, 200 | 201), "{saved:?}");
        pooler.restart().await;
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        assert_eq!(found.json()["message"], round);
    }
}

#[tokio::test]
async fn a_database_restarted_behind_a_pooler_loses_no_request() {
    let mut server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    let pooler = PgBouncer::start(&database, SHARED_CONNECTIONS).await;
    let app = App::deployed_on(&pooler.database);
    let user = app.user();
    for round in ["1", "2", "3"] {
        let saved = app.send(Event::put_quote(round).bearer(&user.token)).await;
        assert!(matches!(saved.status, 200 | 201), "{saved:?}");
        server.halt().await.unwrap();
        server.resume().await.unwrap();
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        assert_eq!(found.json()["message"], round);
    }
}

#[tokio::test]
async fn a_pooler_without_channel_binding_is_refused_only_where_it_is_required() {
    let pooler = start_pooler().await;
    let required = pooler.database.with_parameter("channel_binding=require");
    let app = App::deployed_on(&required);
    let answer = app.send(Event::get_quote().bearer(&app.user().token)).await;
    answer.problem(503);
    assert!(app.log().contains("channel binding"), "{}", app.log());

    let app = App::deployed_on(&pooler.database);
    let answer = app.send(Event::get_quote().bearer(&app.user().token)).await;
    answer.problem(404);
}
