//! A statement that failed is repeated where that may help, and the answer
//! after a repeat is no matter of chance.

use std::time::{Duration, Instant};

use tests::postgres::Database;
use tests::tls_proxy::{Behaviour, ServerError};
use tests::{App, Event, Function, TlsProxy, User, unique};
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::resilience::put;

/// Longest wait for something that the functions do.
const ACTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How often is looked whether they have done it.
const ACTION_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A new database, for its owner and for a role that has this setting.
async fn create_with_setting(setting: &str) -> (Database, Database) {
    let database = Database::empty().await;
    database.migrate().await;
    let role = format!("role_{}", unique());
    let create = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'of-the-role';
         ALTER ROLE {role} SET {setting};
         GRANT SELECT, INSERT, UPDATE, DELETE ON user_messages TO {role}"
    );
    let owner = database.connect().await;
    owner.batch_execute(&create).await.unwrap();
    let of_role = database.as_role(&role, "of-the-role");
    (database, of_role)
}

async fn change_row(holder: &Client, user: &User) {
    let change = "UPDATE user_messages SET message = 'of the holder' WHERE user_id = $1";
    assert_eq!(holder.execute(change, &[&user.id]).await.unwrap(), 1);
}

/// Waits until `is_done`.
async fn wait_until(mut is_done: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_done().await {
        assert!(begin.elapsed() < ACTION_TIMEOUT);
        sleep(ACTION_POLL_INTERVAL).await;
    }
}

/// Waits until a statement waits for a lock in the client's database.
pub(crate) async fn wait_for_a_lock(watcher: &Client) {
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)";
    wait_until(async || watcher.query_one(waiting, &[]).await.unwrap().get(0)).await;
}

#[tokio::test]
async fn a_statement_that_met_a_timeout_of_its_role_is_repeated() {
    for setting in ["lock_timeout = '100ms'", "statement_timeout = '200ms'"] {
        let (database, of_role) = create_with_setting(setting).await;
        let app = App::deployed_on(&of_role);
        let user = app.user();
        assert_eq!(put(&app, &user, "held").await.status, 201);
        let mut holder = database.connect().await;
        let transaction = holder.transaction().await.unwrap();
        change_row(transaction.client(), &user).await;
        let release = async {
            wait_until(async || app.log().contains("the statement is repeated")).await;
            transaction.rollback().await.unwrap();
        };
        let (saved, ()) = tokio::join!(put(&app, &user, "after"), release);
        assert_eq!(saved.status, 200, "{saved:?}");
        assert_eq!(saved.json()["message"], "after");
        assert!(!app.log().contains("given up"), "{}", app.log());
    }
}

#[tokio::test]
async fn a_row_that_stays_locked_is_503_whatever_the_role_waits() {
    let (database, of_role) = create_with_setting("lock_timeout = '100ms'").await;
    let app = App::deployed_on(&of_role);
    let user = app.user();
    put(&app, &user, "held").await;
    let mut holder = database.connect().await;
    let transaction = holder.transaction().await.unwrap();
    change_row(transaction.client(), &user).await;
    let answer = put(&app, &user, "held up").await;
    assert_eq!(answer.problem(503)["code"], "database-down");
    assert_eq!(answer.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn a_conflict_with_another_transaction_is_repeated() {
    for level in ["repeatable read", "serializable"] {
        let setting = format!("default_transaction_isolation = '{level}'");
        let (database, of_role) = create_with_setting(&setting).await;
        let app = App::deployed_on(&of_role);
        let user = app.user();
        put(&app, &user, "held").await;
        let watcher = database.connect().await;
        let mut holder = database.connect().await;
        let transaction = holder.transaction().await.unwrap();
        change_row(transaction.client(), &user).await;
        let commit = async {
            wait_for_a_lock(&watcher).await;
            transaction.commit().await.unwrap();
        };
        let (saved, ()) = tokio::join!(put(&app, &user, "after"), commit);
        assert_eq!(saved.status, 200, "{saved:?}");
        assert_eq!(saved.json()["message"], "after");
        assert!(app.log().contains("40001"), "{}", app.log());
    }
}

#[tokio::test]
async fn a_fatal_error_of_any_code_is_one_new_connection() {
    let proxy = TlsProxy::start(&Database::shared().await, Behaviour::Forward).await;
    let app = App::deployed_on(&proxy.database);
    let user = app.user();
    app.environment(Function::SAVE_QUOTE).await;
    for severity in ["FATAL", "PANIC"] {
        for code in [
            "57P01", "57P05", "25P03", "XX000", "42P01", "40001", "P0001",
        ] {
            let user = app.user();
            proxy.take_connections();
            proxy.behave(Behaviour::FailNextStatement(ServerError {
                severity,
                code,
                message: "it is over",
            }));
            let saved = put(&app, &user, code).await;
            assert_eq!(saved.json()["message"], code);
            assert_eq!(proxy.take_connections(), 1, "{severity} {code}");
        }
    }
    // What is no end of the connection is no reason for a new one.
    let refused = app.send(Event::put_quote("").bearer(&user.token)).await;
    refused.problem(422);
    assert_eq!(proxy.take_connections(), 0);
}

#[tokio::test]
async fn a_save_that_a_read_only_server_refused_is_new_on_the_next_connection() {
    let (_database, of_role) = create_with_setting("default_transaction_read_only = on").await;
    let app = App::deployed_on(&of_role);
    // Connects, to a session that stays read-only.
    app.environment(Function::SAVE_QUOTE).await;
    let role = of_role.connect().await;
    for change in ["SET", "ALTER ROLE CURRENT_USER SET"] {
        let change = format!("{change} default_transaction_read_only = off");
        role.batch_execute(&change).await.unwrap();
    }
    assert_eq!(put(&app, &app.user(), "refused first").await.status, 201);
    assert!(app.log().contains("25006"), "{}", app.log());
}

#[tokio::test]
async fn a_server_that_stays_read_only_is_503_after_one_new_connection() {
    let (_database, of_role) = create_with_setting("default_transaction_read_only = on").await;
    let app = App::deployed_on(&of_role);
    let answer = put(&app, &app.user(), "refused").await;
    assert_eq!(answer.problem(503)["code"], "database-down");
    assert_eq!(app.log().matches("given up").count(), 2, "{}", app.log());
}
