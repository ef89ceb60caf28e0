//! The table: ours and that of the original application.

use serde_json::Value;
use tests::postgres::Database;
use tests::{App, Event, unique};
use tokio_postgres::Client;

/// How the original application (neondatabase/guide-neon-next-clerk) made it.
const ORIGINAL_TABLE: &str = r#"CREATE TABLE IF NOT EXISTS "user_messages" (
    "user_id" text PRIMARY KEY NOT NULL,
    "create_ts" timestamp DEFAULT now() NOT NULL,
    "message" text NOT NULL
)"#;

/// A time zone far from UTC, with daylight saving.
pub(crate) const TEST_TIME_ZONE: &str = "America/New_York";

/// How old a row that was just saved is at most, in seconds. Two clocks may
/// differ as much in the other direction.
pub(crate) const FRESH_AGE: f64 = 30.0;

/// Creates a database in another time zone, with the table of the original or
/// ours.
pub(crate) async fn create_in_time_zone(original: bool) -> Database {
    let database = Database::empty().await;
    let client = database.connect().await;
    let row = client
        .query_one("SELECT current_database()::text", &[])
        .await
        .unwrap();
    let name: String = row.get(0);
    let set_time_zone = format!("ALTER DATABASE {name} SET timezone TO '{TEST_TIME_ZONE}'");
    client.batch_execute(&set_time_zone).await.unwrap();
    if original {
        client.batch_execute(ORIGINAL_TABLE).await.unwrap();
    }
    database.migrate().await;
    let row = database
        .connect()
        .await
        .query_one("SHOW timezone", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), TEST_TIME_ZONE);
    database
}

/// Seconds from `saved_at` until now, as Postgres reads it.
pub(crate) async fn age(client: &Client, saved_at: &Value) -> f64 {
    let sql = "SELECT extract(epoch FROM clock_timestamp() - $1::text::timestamptz)::float8";
    let saved_at = saved_at.as_str().unwrap();
    client.query_one(sql, &[&saved_at]).await.unwrap().get(0)
}

#[track_caller]
fn assert_is_rfc_3339_in_utc(saved_at: &Value) {
    let text = saved_at.as_str().unwrap();
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let (seconds, fraction) = shape.split_at("0000-00-00T00:00:00".len());
    assert_eq!(seconds, "0000-00-00T00:00:00", "{text}");
    let digits = fraction.strip_suffix('Z').unwrap().trim_start_matches('.');
    assert!(digits.chars().all(|c| c == '0'), "{text}");
}

#[tokio::test]
async fn a_time_is_right_in_every_time_zone_on_both_tables() {
    for original in [false, true] {
        let database = create_in_time_zone(original).await;
        let client = database.connect().await;
        let app = App::deployed_on(&database);
        let user = app.user();
        let saved = app
            .send(Event::put_quote("quote").bearer(&user.token))
            .await;
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        for answer in [saved, found] {
            let saved_at = &answer.json()["savedAt"];
            assert_is_rfc_3339_in_utc(saved_at);
            let age = age(&client, saved_at).await;
            assert!(
                (-FRESH_AGE..FRESH_AGE).contains(&age),
                "{saved_at} is {age} s ago"
            );
        }
    }
}

#[tokio::test]
async fn a_row_of_ours_has_the_time_that_the_original_application_reads() {
    let database = create_in_time_zone(true).await;
    let app = App::deployed_on(&database);
    let user = app.user();
    app.send(Event::put_quote("quote").bearer(&user.token))
        .await;
    // Drizzle takes a timestamp without time zone for UTC.
    let sql = "SELECT extract(epoch FROM clock_timestamp() AT TIME ZONE 'UTC' - create_ts)::float8
               FROM user_messages WHERE user_id = $1";
    let row = database
        .connect()
        .await
        .query_one(sql, &[&user.id])
        .await
        .unwrap();
    let age: f64 = row.get(0);
    assert!((-FRESH_AGE..FRESH_AGE).contains(&age), "{age}");
}

#[tokio::test]
async fn a_row_of_the_original_application_is_read_with_its_time() {
    for original in [false, true] {
        let database = create_in_time_zone(original).await;
        let app = App::deployed_on(&database);
        let user = app.user();
        let insert = "INSERT INTO user_messages VALUES ($1, $2::text::timestamptz AT TIME ZONE 'UTC', 'old')";
        let insert = if original {
            insert
        } else {
            &insert.replace(" AT TIME ZONE 'UTC'", "")
        };
        let client = database.connect().await;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&user.id, &"2025-07-09T12:34:56Z"];
        client.execute(insert, &parameters).await.unwrap();

        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        let saved_at = found.json()["savedAt"].as_str().unwrap().to_owned();
        assert!(saved_at.starts_with("2025-07-09T12:34:56"), "{saved_at}");

        let same = app.send(Event::put_quote("old").bearer(&user.token)).await;
        assert_eq!(same.status, 200);
        assert_eq!(same.json()["savedAt"], saved_at);

        let new = app.send(Event::put_quote("new").bearer(&user.token)).await;
        let age = age(&client, &new.json()["savedAt"]).await;
        assert!((-FRESH_AGE..FRESH_AGE).contains(&age), "{age}");
    }
}

#[tokio::test]
async fn everything_works_on_the_table_of_the_original_application() {
    let app = App::deployed_on(&create_in_time_zone(true).await);
    let user = app.user();
    let get = || app.send(Event::get_quote().bearer(&user.token));
    let put = |text: &'static str| app.send(Event::put_quote(text).bearer(&user.token));
    get().await.problem(404);
    assert_eq!(put("first").await.status, 201);
    assert_eq!(put("second").await.status, 200);
    let page = app.send(Event::page("/").signed_in(&user)).await;
    assert!(page.page(200).contains("second"));
    let deleted = app.send(Event::delete_quote().bearer(&user.token)).await;
    assert_eq!(deleted.status, 204);
    get().await.problem(404);
}

#[tokio::test]
async fn migrating_twice_changes_nothing_the_second_time() {
    let database = Database::empty().await;
    assert!(
        !migrations::apply(&database.options())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        migrations::apply(&database.options())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        migrations::missing(&database.options())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn two_who_migrate_at_once_do_not_get_in_each_others_way() {
    for _ in 0..5 {
        let database = Database::empty().await;
        let options = database.options();
        let (one, other) = tokio::join!(migrations::apply(&options), migrations::apply(&options));
        let applied = one.unwrap().len() + other.unwrap().len();
        assert!(applied > 0);
        assert!(migrations::missing(&options).await.unwrap().is_empty());
        let sql = "SELECT count(*) FROM refinery_schema_history";
        let row = database.connect().await.query_one(sql, &[]).await.unwrap();
        assert_eq!(usize::try_from(row.get::<_, i64>(0)).unwrap(), applied);
    }
}

#[tokio::test]
async fn a_migration_that_was_interrupted_leaves_nothing_and_can_be_repeated() {
    for _ in 0..5 {
        let database = Database::empty().await;
        let (options, client) = (database.options(), database.connect().await);
        // A transaction that makes the same table blocks the migration half-way.
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute(ORIGINAL_TABLE).await.unwrap();
        let migrating = tokio::spawn(async move { migrations::apply(&options).await });
        let waiting = "SELECT pid FROM pg_stat_activity
                       WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let watcher = database.connect().await;
        let pid: i32 = loop {
            match watcher.query_opt(waiting, &[]).await.unwrap() {
                Some(row) => break row.get(0),
                None => assert!(!migrating.is_finished()),
            }
        };
        let terminate = "SELECT pg_terminate_backend($1)";
        watcher.execute(terminate, &[&pid]).await.unwrap();
        assert!(migrating.await.unwrap().is_err());
        client.batch_execute("ROLLBACK").await.unwrap();

        let options = database.options();
        let missing = migrations::missing(&options).await.unwrap();
        let sql = "SELECT to_regclass('user_messages') IS NULL";
        let row = client.query_one(sql, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0), "the table is there half-way");
        assert_eq!(migrations::apply(&options).await.unwrap(), missing);
        assert!(migrations::missing(&options).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn asking_what_is_missing_changes_nothing() {
    let database = Database::empty().await;
    let options = database.options();
    assert!(!migrations::missing(&options).await.unwrap().is_empty());
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let row = database.connect().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn migrating_the_original_applications_database_loses_nothing() {
    let database = Database::empty().await;
    let client = database.connect().await;
    client.batch_execute(ORIGINAL_TABLE).await.unwrap();
    let insert = "INSERT INTO user_messages SELECT 'user_' || n, now(), 'quote ' || n
                  FROM generate_series(1, 1000) n";
    client.batch_execute(insert).await.unwrap();
    let fingerprint =
        "SELECT count(*), md5(string_agg(m::text, ',' ORDER BY user_id)) FROM user_messages m";
    let state = async || {
        let row = client.query_one(fingerprint, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, String>(1))
    };
    let before = state().await;
    database.migrate().await;
    assert_eq!(state().await, before);
}

#[tokio::test]
async fn a_database_that_was_not_migrated_is_an_error_that_tells_nothing() {
    let app = App::deployed_on(&Database::empty().await);
    let user = app.user();
    let quote = format!("quote {}", unique());
    let answer = app.send(Event::put_quote(&quote).bearer(&user.token)).await;
    let problem = answer.problem(500);
    assert!(!problem.to_string().contains("user_messages"), "{problem}");
    assert!(app.log().contains("user_messages"), "{}", app.log());
    let page = app.send(Event::page("/").signed_in(&user)).await;
    assert!(!page.page(500).contains("user_messages"));
}
