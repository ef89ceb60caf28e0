//! Migrations are applied while the release before them runs, and stay when a
//! deployment goes back to it: its statements work on the new tables too.

use tests::postgres::Database;
use tests::unique;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::privileges::create_roles;

/// The statements of a release, as `shared/src/quote.rs` had them.
struct Statements {
    find: &'static str,
    save: &'static str,
    delete: &'static str,
}

/// For each migration after the first, its name and the statements of the release
/// before it. Whoever adds a migration copies those of `shared/src/quote.rs` here.
const BEFORE: [(&str, Statements); 1] = [(
    "V2__forget_deleted_users",
    Statements {
        find: r#"SELECT message, to_char(to_timestamp(extract(epoch FROM create_ts)) AT TIME ZONE 'UTC',
                                         'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                 FROM user_messages WHERE user_id = $1"#,
        save: r#"INSERT INTO user_messages (user_id, message, create_ts)
                 SELECT user_id, message, create_ts FROM json_populate_record(
                     NULL::user_messages,
                     json_build_object('user_id', $1, 'message', $2, 'create_ts',
                         to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
                 ON CONFLICT (user_id) DO UPDATE SET
                     message = excluded.message,
                     create_ts = CASE WHEN user_messages.message = excluded.message
                                      THEN user_messages.create_ts ELSE excluded.create_ts END
                 RETURNING message, to_char(to_timestamp(extract(epoch FROM create_ts)) AT TIME ZONE 'UTC',
                                            'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), xmax = 0"#,
        delete: "DELETE FROM user_messages WHERE user_id = $1",
    },
)];

async fn run(client: &Client, statement: &str, parameters: &[&str]) -> Vec<Row> {
    let typed: Vec<_> = parameters
        .iter()
        .map(|value| (value as _, Type::TEXT))
        .collect();
    client.query_typed(statement, &typed).await.unwrap()
}

#[tokio::test]
async fn every_migration_names_the_statements_before_it() {
    let empty = Database::empty().await;
    let all = migrations::missing(&empty.options()).await.unwrap();
    let named: Vec<_> = BEFORE.iter().map(|(name, _)| *name).collect();
    assert_eq!(all[1..], named);
}

#[tokio::test]
async fn the_statements_of_a_release_before_work_on_the_tables_of_today() {
    let [app, reader, _] = create_roles().await;
    let (writing, reading) = (app.connect().await, reader.connect().await);
    for (_, statements) in &BEFORE {
        let user = &*format!("user_{}", unique());
        for (message, is_new) in [("one", true), ("two", false)] {
            let saved = run(&writing, statements.save, &[user, message]).await;
            assert_eq!(saved[0].get::<_, &str>(0), message);
            assert_eq!(saved[0].get::<_, bool>(2), is_new);
            let found = run(&reading, statements.find, &[user]).await;
            assert_eq!(found[0].get::<_, &str>(0), message);
        }
        run(&writing, statements.delete, &[user]).await;
        assert!(run(&reading, statements.find, &[user]).await.is_empty());
    }
}
