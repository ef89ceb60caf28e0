//! Statements have names only where nobody else gets the session.

use std::time::{Duration, Instant};

use tests::postgres::Database;
use tests::tls_proxy::Behaviour;
use tests::{App, Event, Function, PgBouncer, Response, TlsProxy, User, unique};
use tokio::time::sleep;
use tokio_postgres::Client;

/// Longest wait for a backend to end.
const BACKEND_END_TIMEOUT: Duration = Duration::from_secs(5);

/// How often is looked whether it has.
const BACKEND_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Parse, Bind, Describe, Execute, Sync: a statement without a name.
const UNNAMED: &str = "PBDES";

/// The same, with the preparation of a named one in the same flight.
const UNNAMED_AND_PREPARED: &str = "PBDESPDS";

/// The named one.
const NAMED: &str = "BES";

async fn get(app: &App, user: &User) -> Response {
    app.send(Event::get_quote().bearer(&user.token)).await
}

/// Starts a new database behind a proxy that sees the messages.
async fn start(parameter: &str) -> (App, TlsProxy, Client) {
    let database = Database::empty().await;
    database.migrate().await;
    let owner = database.connect().await;
    let proxy = TlsProxy::start(&database, Behaviour::Forward).await;
    let database = proxy.database.with_parameter(parameter);
    (App::deployed_on(&database), proxy, owner)
}

async fn insert(owner: &Client, user: &User) {
    let insert =
        "INSERT INTO user_messages (user_id, message, create_ts) VALUES ($1, 'kept', now())";
    owner.execute(insert, &[&user.id]).await.unwrap();
}

#[tokio::test]
async fn statements_have_no_name_where_the_session_may_be_shared() {
    for parameter in ["application_name=quotes", "prepared_statements=false"] {
        let (app, proxy, _owner) = start(parameter).await;
        let user = app.user();
        for _ in 0..3 {
            get(&app, &user).await.problem(404);
        }
        assert_eq!(proxy.take_flights(), [UNNAMED; 3]);
    }
}

#[tokio::test]
async fn a_statement_is_prepared_with_its_first_call_where_the_url_asks_for_it() {
    let (app, proxy, owner) = start("prepared_statements=true").await;
    let user = app.user();
    insert(&owner, &user).await;
    for flight in [UNNAMED_AND_PREPARED, NAMED, NAMED] {
        assert_eq!(get(&app, &user).await.json()["message"], "kept");
        assert_eq!(proxy.take_flights(), [flight]);
    }
    for (message, flight) in [("1", UNNAMED_AND_PREPARED), ("2", NAMED)] {
        let saved = app.send(Event::put_quote(message).bearer(&user.token));
        assert_eq!(saved.await.json()["message"], message);
        assert_eq!(proxy.take_flights(), [flight]);
    }
    for flight in [UNNAMED_AND_PREPARED, NAMED] {
        let deleted = app.send(Event::delete_quote().bearer(&user.token));
        assert_eq!(deleted.await.status, 204);
        assert_eq!(proxy.take_flights(), [flight]);
    }
}

#[tokio::test]
async fn a_migration_that_changes_the_table_leads_to_a_fresh_preparation() {
    let (app, proxy, owner) = start("prepared_statements=true").await;
    let user = app.user();
    insert(&owner, &user).await;
    get(&app, &user).await;
    for kind in ["varchar(600)", "text"] {
        let migrate = format!("ALTER TABLE user_messages ALTER COLUMN message TYPE {kind}");
        owner.batch_execute(&migrate).await.unwrap();
        proxy.take_flights();
        assert_eq!(get(&app, &user).await.json()["message"], "kept");
        assert_eq!(get(&app, &user).await.json()["message"], "kept");
        let mut flights = proxy.take_flights();
        // The old preparation is closed beside them.
        flights.retain(|flight| flight != "CS");
        assert_eq!(flights, [NAMED, UNNAMED_AND_PREPARED, NAMED]);
        let saved = app.send(Event::put_quote("kept").bearer(&user.token)).await;
        assert_eq!(saved.status, 200, "{saved:?}");
    }
    assert!(!app.log().contains("WARN"), "{}", app.log());
}

/// Ends the backends of a pooler, and waits until they are gone.
async fn end_backends(owner: &Client, application_name: &str) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    let begin = Instant::now();
    while !owner
        .query(end, &[&application_name])
        .await
        .unwrap()
        .is_empty()
    {
        assert!(begin.elapsed() < BACKEND_END_TIMEOUT);
        sleep(BACKEND_POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn a_preparation_that_is_gone_is_made_again() {
    let database = Database::shared().await;
    let owner = database.connect().await;
    let pooler = PgBouncer::start(&database, 1).await;
    let name = format!("prepared-{}", unique());
    let parameters = format!("application_name={name}&prepared_statements=true");
    let app = App::deployed_on(&pooler.database.with_parameter(&parameters));
    let user = app.user();
    insert(&owner, &user).await;
    for _ in 0..3 {
        assert_eq!(get(&app, &user).await.json()["message"], "kept");
        assert_eq!(get(&app, &user).await.json()["message"], "kept");
        end_backends(&owner, &name).await;
    }
}

/// The danger that names are off for: the driver counts them in each process, so
/// that what one function prepared as `s0` in a shared session may be another
/// one's DELETE.
#[tokio::test]
async fn no_read_deletes_in_a_session_that_two_functions_share() {
    let database = Database::shared().await;
    let owner = database.connect().await;
    let pooler = PgBouncer::start(&database, 1).await;
    let name = format!("shared-{}", unique());
    let parameter = format!("application_name={name}");
    let app = App::deployed_on(&pooler.database.with_parameter(&parameter));
    app.environment(Function::GET_QUOTE).await;
    app.environment(Function::DELETE_QUOTE).await;
    let user = app.user();
    let delete = async || {
        let deleted = app.send(Event::delete_quote().bearer(&user.token)).await;
        assert_eq!(deleted.status, 204);
    };
    for _ in 0..10 {
        insert(&owner, &user).await;
        assert_eq!(get(&app, &user).await.json()["message"], "kept");
        delete().await;
        get(&app, &user).await.problem(404);
        // The next session begins with the other one.
        end_backends(&owner, &name).await;
        delete().await;
        insert(&owner, &user).await;
        for _ in 0..2 {
            assert_eq!(get(&app, &user).await.json()["message"], "kept");
        }
        delete().await;
        end_backends(&owner, &name).await;
    }
}
