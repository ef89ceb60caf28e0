//! `migrations roles`, which makes what infra/README.md documents.

use std::ffi::OsString;

use migrations::roles::{Made, make};
use serde_json::json;
use tests::postgres::Database;
use tests::{App, Function, Response};

/// What `make` is given: the owner's URL.
async fn make_on(url: &str) -> Result<Made, String> {
    make_with(url, true).await
}

async fn make_with(url: &str, replace: bool) -> Result<Made, String> {
    let lookup = |name: &str| (name == "MIGRATION_DATABASE_URL").then(|| OsString::from(url));
    let made = make(&lookup, replace).await;
    made.map_err(|error| format!("{error:#}"))
}

/// All in one test: the roles belong to the server.
#[tokio::test]
async fn the_roles_are_made_and_have_the_rights_that_they_need() {
    let database = Database::empty().await;
    let missing = make_on(&database.url).await.err().unwrap();
    assert!(
        missing.starts_with("V1__create_user_messages, "),
        "{missing}"
    );
    assert!(missing.ends_with(" must be applied first: run make migrate"));
    database.migrate().await;

    let first = make_with(&database.url, false).await.unwrap();
    let created = "quotes_app was created, quotes_reader was created, quotes_eraser was created";
    assert_eq!(first.summary, created);
    let [all, reads, forgets] = [
        json!({ "user_messages": ["SELECT", "INSERT", "UPDATE", "DELETE"], "deleted_users": [] }),
        json!({ "user_messages": ["SELECT"], "deleted_users": [] }),
        json!({ "user_messages": ["DELETE"], "deleted_users": ["SELECT", "INSERT", "DELETE"] }),
    ];
    // What was granted in excess is taken away.
    let client = database.connect().await;
    let excess = "GRANT ALL ON user_messages, deleted_users TO quotes_reader;
                  GRANT UPDATE (message) ON user_messages TO quotes_reader";
    client.batch_execute(excess).await.unwrap();
    let refused = make_with(&database.url, false).await.err().unwrap();
    assert!(
        refused.starts_with("quotes_app exists already, "),
        "{refused}"
    );
    let second = make_on(&database.url).await.unwrap();
    assert!(second.summary.contains("quotes_reader has a new password"));
    for (key, rights) in [("url", all), ("readOnlyUrl", reads), ("eraserUrl", forgets)] {
        let url = |made: &Made| made.secret[key].as_str().unwrap().to_owned();
        let (old, new) = (url(&first), url(&second));
        assert_ne!(old, new);
        let answer = check(&database, old).await;
        assert_eq!(answer.problem(503)["code"], "database-refused", "{key}");
        assert_eq!(check(&database, new).await.json(), rights, "{key}");
    }

    // Only an owner can do it.
    let reader = second.secret["readOnlyUrl"].as_str().unwrap();
    let error = make_on(reader).await.err().unwrap();
    assert!(error.contains("permission denied"), "{error}");

    // By way of another role.
    client
        .batch_execute("GRANT quotes_app TO quotes_reader")
        .await
        .unwrap();
    let error = make_on(&database.url).await.err().unwrap();
    assert_eq!(
        error,
        "quotes_reader can change user_messages, and must only read"
    );
    client
        .batch_execute("REVOKE quotes_app FROM quotes_reader")
        .await
        .unwrap();
}

/// What a function answers that has this URL.
async fn check(database: &Database, url: String) -> Response {
    let ca = database.ca.clone();
    let app = App::deployed_on(&Database { url, ca });
    let question = json!({ "check": "database" });
    app.invoke(Function::GET_QUOTE, question, &[]).await
}
