//! The functions work with roles that may do no more than they need, made as
//! infra/README.md says.

use tests::postgres::Database;
use tests::{App, Event, unique};
use tokio_postgres::error::SqlState;

const INFRA_README: &str = include_str!("../../../infra/README.md");

/// The password of both roles.
const ROLE_PASSWORD: &str = "of-the-roles";

/// Creates a database with the roles of infra/README.md. Returns it for the role
/// that changes quotes, and for the one that only reads them.
async fn create_roles() -> [Database; 2] {
    let database = Database::empty().await;
    database.migrate().await;
    let (_, block) = INFRA_README.split_once("```sql\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    // Roles belong to the server, and other tests make theirs.
    let [app, reader] = ["quotes_app", "quotes_reader"].map(|role| {
        assert!(block.contains(role));
        (role, format!("{role}_{}", unique()))
    });
    let sql = block
        .replace(app.0, &app.1)
        .replace(reader.0, &reader.1)
        .replace('…', ROLE_PASSWORD);
    database.connect().await.batch_execute(&sql).await.unwrap();
    [app.1, reader.1].map(|role| database.as_role(&role, ROLE_PASSWORD))
}

#[tokio::test]
async fn every_function_works_with_the_role_for_it() {
    let [app, reader] = create_roles().await;
    let (changing, reading) = (App::deployed_on(&app), App::deployed_on(&reader));
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
}

#[tokio::test]
async fn the_reading_role_changes_nothing() {
    let [app, reader] = create_roles().await;
    let user = App::deployed_on(&app).user();
    for event in [
        Event::put_quote("quote").bearer(&user.token),
        Event::delete_quote().bearer(&user.token),
    ] {
        App::deployed_on(&reader).send(event).await.problem(500);
    }
}

#[tokio::test]
async fn neither_role_reaches_anything_else() {
    for role in create_roles().await {
        let client = role.connect().await;
        for sql in [
            "CREATE TABLE more (n int)",
            "DROP TABLE user_messages",
            "TRUNCATE user_messages",
            "ALTER TABLE user_messages ADD n int",
            "SELECT * FROM refinery_schema_history",
            "CREATE ROLE another",
            "COPY (SELECT 1) TO PROGRAM 'true'",
        ] {
            let error = client.batch_execute(sql).await.unwrap_err();
            assert_eq!(
                error.code(),
                Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                "{sql}"
            );
        }
    }
}
