//! The original application and ours on one table: each reads what the other
//! has written, in every time zone of the server.

use std::path::PathBuf;
use std::process::{Command, Output};

use dev::tools;
use serde_json::Value;
use tests::postgres::Database;
use tests::{App, Event};
use tokio::sync::OnceCell;

use crate::table::{FRESH_AGE, TEST_TIME_ZONE, age, create_in_time_zone};

const ORIGINAL_PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/original/original.mjs");

/// The folder in which Node finds what the original application is made of.
async fn packages() -> &'static PathBuf {
    static ORIGINAL_PACKAGES: OnceCell<PathBuf> = OnceCell::const_new();
    let fetched = async {
        let node_modules = tools::fetch_packages("tests/original", None);
        node_modules.await.unwrap().join("..")
    };
    ORIGINAL_PACKAGES.get_or_init(|| fetched).await
}

/// The original application with its sessions in this time zone.
struct Original<'a> {
    database: &'a Database,
    zone: &'a str,
}

impl Original<'_> {
    /// Does something and returns the user's row.
    async fn run(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments).await;
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        rows[0].clone()
    }

    async fn output(&self, arguments: &[&str]) -> Output {
        Command::new("node")
            .args(["--input-type=module", "-"])
            .args(arguments)
            .env("DATABASE_URL", &self.database.url)
            .env("PGSSLROOTCERT", &self.database.ca)
            .env("TIMEZONE", self.zone)
            // The time zone of the program must not matter either.
            .env("TZ", "Asia/Tokyo")
            .current_dir(packages().await)
            .stdin(std::fs::File::open(ORIGINAL_PROGRAM).unwrap())
            .output()
            .unwrap()
    }
}

#[tokio::test]
async fn a_row_of_ours_is_read_by_the_original_with_its_time() {
    let database = create_in_time_zone(true).await;
    let app = App::deployed_on(&database);
    let user = app.user();
    let saved = app.send(Event::put_quote("ours").bearer(&user.token)).await;
    for zone in ["UTC", TEST_TIME_ZONE] {
        let original = Original {
            database: &database,
            zone,
        };
        let row = original.run(&["find", &user.id]).await;
        assert_eq!(row["message"], "ours");
        assert_eq!(row["created"], saved.json()["savedAt"], "{zone}");
    }
}

#[tokio::test]
async fn a_row_of_the_original_is_read_by_us_with_its_time() {
    let database = create_in_time_zone(true).await;
    let client = database.connect().await;
    let app = App::deployed_on(&database);
    for zone in ["UTC", TEST_TIME_ZONE] {
        let user = app.user();
        let original = Original {
            database: &database,
            zone,
        };
        let row = original.run(&["save", &user.id, "theirs"]).await;
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        assert_eq!(found.json()["message"], "theirs");
        assert_eq!(found.json()["savedAt"], row["created"], "{zone}");
        // It writes the local time of its session without a time zone: that is
        // right only in UTC, which is the time zone of Neon's sessions.
        if zone == "UTC" {
            let age = age(&client, &found.json()["savedAt"]).await;
            assert!((-FRESH_AGE..FRESH_AGE).contains(&age), "{age}");
        }
    }
}

#[tokio::test]
async fn the_original_saves_nothing_for_a_deleted_user_either() {
    let database = create_in_time_zone(true).await;
    let app = App::deployed_on(&database);
    let user = app.user();
    let original = Original {
        database: &database,
        zone: "UTC",
    };
    let row = original.run(&["save", &user.id, "theirs"]).await;
    assert_eq!(row["message"], "theirs");

    let deleted = Event::user_deleted(app.instance, &user);
    assert_eq!(app.send(deleted).await.status, 204);
    assert_eq!(original.run(&["find", &user.id]).await, Value::Null);
    let refused = original.output(&["save", &user.id, "again"]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("UD001"), "{said}");
    assert_eq!(original.run(&["find", &user.id]).await, Value::Null);
}
