//! The functions work with roles that may do no more than they need, made as
//! infra/README.md says.

use migrations::roles::ROLES;
use serde_json::json;
use tests::postgres::Database;
use tests::{App, Event, Function, unique};
use tokio_postgres::error::SqlState;

const INFRA_README: &str = include_str!("../../../infra/README.md");

/// The password of all roles.
const ROLE_PASSWORD: &str = "of-the-roles";

/// Creates a database with the roles of infra/README.md. Returns it for each of them.
pub(crate) async fn create_roles() -> [Database; 3] {
    let database = Database::empty().await;
    database.migrate().await;
    let blocks = INFRA_README.split("```sql\n").skip(1);
    let blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0));
    let mut sql: String = blocks
        .filter(|block| block.contains("CREATE ROLE"))
        .map(|block| block.replace('…', ROLE_PASSWORD))
        .collect();
    // Roles belong to the server, and other tests make theirs.
    let names = ROLES.map(|role| format!("{}_{}", role.name, unique()));
    for (role, name) in ROLES.iter().zip(&names) {
        assert!(sql.contains(role.name));
        sql = sql.replace(role.name, name);
    }
    database.connect().await.batch_execute(&sql).await.unwrap();
    names.map(|role| database.as_role(&role, ROLE_PASSWORD))
}

#[test]
fn what_is_documented_is_what_the_program_grants() {
    let documented = INFRA_README.lines().map(str::trim);
    let documented: Vec<_> = documented
        .filter(|line| line.starts_with("GRANT "))
        .collect();
    let granted: Vec<_> = ROLES
        .iter()
        .flat_map(|role| {
            role.grants
                .iter()
                .map(|(p, on)| format!("GRANT {p} ON {on} TO {};", role.name))
        })
        .collect();
    assert_eq!(documented, granted);
}

#[tokio::test]
async fn every_function_works_with_the_role_for_it() {
    let [app, reader, eraser] = create_roles().await;
    let (changing, reading) = (App::deployed_on(&app), App::deployed_on(&reader));
    let erasing = App::deployed_on(&eraser);
    let user = changing.user();
    for status in [201, 200] {
        let saved = Event::put_quote(&status.to_string()).bearer(&user.token);
        assert_eq!(changing.send(saved).await.status, status);
    }
    let found = reading.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.json()["message"], "200");
    let page = reading.send(Event::page("/").signed_in(&user)).await;
    assert!(page.page(200).contains("200"));
    let deleted = changing.send(Event::delete_quote().bearer(&user.token));
    assert_eq!(deleted.await.status, 204);
    reading
        .send(Event::get_quote().bearer(&user.token))
        .await
        .problem(404);

    let put = || changing.send(Event::put_quote("quote").bearer(&user.token));
    assert_eq!(put().await.status, 201);
    for _ in 0..2 {
        let deleted = Event::user_deleted(erasing.instance, &user);
        assert_eq!(erasing.send(deleted).await.status, 204);
        let found = reading.send(Event::get_quote().bearer(&user.token));
        found.await.problem(404);
        assert_eq!(put().await.problem(401)["code"], "user-deleted");
    }
}

#[tokio::test]
async fn the_reading_role_changes_nothing() {
    let [app, reader, _] = create_roles().await;
    let user = App::deployed_on(&app).user();
    for event in [
        Event::put_quote("quote").bearer(&user.token),
        Event::delete_quote().bearer(&user.token),
        Event::user_deleted(App::deployed().await.instance, &user),
    ] {
        App::deployed_on(&reader).send(event).await.problem(500);
    }
}

#[tokio::test]
async fn every_function_says_what_its_role_may_do() {
    let [app, reader, eraser] = create_roles().await;
    let all = json!(["SELECT", "INSERT", "UPDATE", "DELETE"]);
    let forgets = json!(["SELECT", "INSERT", "DELETE"]);
    for (role, on_messages, on_deleted) in [
        (app, all, json!([])),
        (reader, json!(["SELECT"]), json!([])),
        // It may select the ids only, which is no privilege on the table.
        (eraser, json!(["DELETE"]), forgets),
    ] {
        let app = App::deployed_on(&role);
        for function in Function::all() {
            let check = json!({ "check": "database" });
            let answer = app.invoke(function, check, &[]).await;
            assert_eq!(answer.status, 200);
            let told = json!({ "user_messages": on_messages, "deleted_users": on_deleted });
            assert_eq!(answer.json(), told, "{}", function.name());
        }
    }
}

#[tokio::test]
async fn a_table_that_is_missing_is_no_privilege() {
    let database = Database::empty().await;
    let app = App::deployed_on(&database);
    let check = json!({ "check": "database" });
    let answer = app.invoke(Function::GET_QUOTE, check, &[]).await;
    let told = json!({ "user_messages": [], "deleted_users": [] });
    assert_eq!((answer.status, answer.json()), (200, told));
}

#[tokio::test]
async fn a_check_of_a_database_that_refuses_says_so_without_a_secret() {
    let database = Database::empty().await;
    let database = database.as_role(&format!("nobody_{}", unique()), ROLE_PASSWORD);
    let app = App::deployed_on(&database);
    for function in Function::all() {
        let check = json!({ "check": "database" });
        let answer = app.invoke(function, check, &[]).await;
        assert_eq!(answer.problem(503)["code"], "database-refused");
        assert!(!format!("{answer:?}").contains(ROLE_PASSWORD));
    }
}

/// Fails unless a role may do none of this.
async fn assert_denied(role: &Database, all: &[&str]) {
    let client = role.connect().await;
    for sql in all {
        let error = client.batch_execute(sql).await.unwrap_err();
        let denied = Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        assert_eq!(error.code(), denied, "{sql}");
    }
}

#[tokio::test]
async fn no_role_reaches_anything_else() {
    for role in create_roles().await {
        let all = [
            "CREATE TABLE more (n int)",
            "DROP TABLE user_messages",
            "TRUNCATE user_messages",
            "ALTER TABLE user_messages ADD n int",
            "ALTER TABLE user_messages DISABLE TRIGGER refuse_deleted_user",
            "DROP FUNCTION refuse_deleted_user CASCADE",
            "UPDATE deleted_users SET until = now()",
            "TRUNCATE deleted_users",
            "SELECT * FROM refinery_schema_history",
            "CREATE ROLE another",
            "COPY (SELECT 1) TO PROGRAM 'true'",
        ];
        assert_denied(&role, &all).await;
    }
}

#[tokio::test]
async fn the_roles_of_the_quotes_do_not_see_who_was_deleted() {
    let [app, reader, _] = create_roles().await;
    for role in [app, reader] {
        let all = [
            "SELECT user_id FROM deleted_users",
            "INSERT INTO deleted_users VALUES ('x', now())",
            "DELETE FROM deleted_users",
            "SELECT forget_user('x')",
        ];
        assert_denied(&role, &all).await;
    }
}

#[tokio::test]
async fn the_erasing_role_reads_no_quote_and_changes_none() {
    let [_, _, eraser] = create_roles().await;
    let all = [
        "SELECT message FROM user_messages",
        "SELECT * FROM user_messages",
        "SELECT create_ts FROM user_messages",
        "DELETE FROM user_messages RETURNING message",
        "DELETE FROM user_messages WHERE message LIKE 'a%'",
        "COPY user_messages TO STDOUT",
        "INSERT INTO user_messages VALUES ('x', now(), 'x')",
        "UPDATE user_messages SET message = 'x'",
        "UPDATE user_messages SET user_id = 'x'",
        "SELECT FROM user_messages FOR UPDATE",
    ];
    assert_denied(&eraser, &all).await;
}

#[tokio::test]
async fn a_table_of_the_session_does_not_hide_who_was_deleted() {
    let [app, _, eraser] = create_roles().await;
    let eraser = eraser.connect().await;
    eraser
        .batch_execute("SELECT forget_user('user_gone')")
        .await
        .unwrap();
    let client = app.connect().await;
    let hide = "CREATE TEMP TABLE deleted_users (user_id text, until timestamptz)";
    client.batch_execute(hide).await.unwrap();
    let insert = "INSERT INTO user_messages VALUES ('user_gone', now(), 'x')";
    let error = client.batch_execute(insert).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "UD001");
}
