//! Saves one number after the other and checks that none is lost.

use std::fmt;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use tests::postgres::Database;
use tests::runtime_api::RESPONSE_TIMEOUT;
use tests::{App, Event, User, unique};

/// Records every change of a quote, in the order in which they happen.
const RECORD_CHANGES_SQL: &str = "
    CREATE TABLE changes (n bigserial PRIMARY KEY, user_id text, message text);
    CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_user LIKE 'slow%' THEN
            PERFORM pg_sleep(0.02);
        END IF;
        IF TG_OP = 'INSERT' OR OLD.message <> NEW.message THEN
            INSERT INTO changes (user_id, message) VALUES (NEW.user_id, NEW.message);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER record AFTER INSERT OR UPDATE ON user_messages
        FOR EACH ROW EXECUTE FUNCTION record();";

/// Has a database record every change.
pub(crate) async fn record_changes(database: &Database) {
    database
        .connect()
        .await
        .batch_execute(RECORD_CHANGES_SQL)
        .await
        .unwrap();
}

/// What a save takes with [`with_slow_saves`], also in [`RECORD_CHANGES_SQL`].
pub(crate) const SAVE_DELAY: Duration = Duration::from_millis(20);

/// The database for a role whose saves take long enough to be interrupted.
pub(crate) async fn with_slow_saves(database: &Database) -> Database {
    let role = format!("slow_{}", unique());
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'slowly';
         GRANT {role} TO CURRENT_USER;
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
    );
    database.connect().await.batch_execute(&sql).await.unwrap();
    database.as_role(&role, "slowly")
}

/// How the saves ended.
#[derive(Default)]
pub(crate) struct Counted {
    saved: usize,
    /// Answered with 503, and done or not.
    pub(crate) unavailable: usize,
    longest: Duration,
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.saved += other.saved;
        self.unavailable += other.unavailable;
        self.longest = self.longest.max(other.longest);
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            saved, unavailable, ..
        } = self;
        let longest = self.longest.as_millis();
        write!(
            f,
            "{saved} saved in their order, none lost; {unavailable} answers were 503; longest answer {longest} ms"
        )
    }
}

pub(crate) struct Writer {
    app: App,
    user: User,
    database: Database,
    /// Begins every message, so that a number is found nowhere else.
    prefix: String,
    /// The last number that was sent.
    sent: usize,
    /// The numbers that were answered as saved.
    confirmed: Vec<usize>,
    counted: Counted,
}

impl Writer {
    /// A new user who saves with `app`, in `database`.
    pub(crate) fn new(app: App, database: &Database) -> Self {
        Self {
            user: app.user(),
            app,
            database: database.clone(),
            prefix: unique(),
            sent: 0,
            confirmed: Vec::new(),
            counted: Counted::default(),
        }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Saves the next number and reads it again. Returns whether both were
    /// answered, and not with 503.
    pub(crate) async fn save(&mut self) -> bool {
        self.sent += 1;
        let message = format!("{} {}", self.prefix, self.sent);
        let event = Event::put_quote(&message).bearer(&self.user.token);
        let Some(body) = self.send(event).await else {
            return false;
        };
        assert_eq!(body["message"], message);
        self.confirmed.push(self.sent);
        let event = Event::get_quote().bearer(&self.user.token);
        let Some(found) = self.send(event).await else {
            return false;
        };
        assert_eq!(found["message"], message);
        true
    }

    async fn send(&mut self, event: Event) -> Option<serde_json::Value> {
        let saving = event.method() == "PUT";
        let begin = Instant::now();
        let answer = self.app.send(event).await;
        let took = begin.elapsed();
        assert!(took < RESPONSE_TIMEOUT, "{took:?}");
        self.counted.longest = self.counted.longest.max(took);
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some());
            self.counted.unavailable += 1;
            return None;
        }
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        self.counted.saved += usize::from(saving);
        Some(answer.json())
    }

    /// Saves once more, then compares what was answered with what happened.
    pub(crate) async fn finish(mut self) -> Counted {
        assert!(self.save().await, "a 503 without need");
        let sql = "SELECT message FROM changes WHERE user_id = $1 ORDER BY n";
        let client = self.database.connect().await;
        let rows = client.query(sql, &[&self.user.id]).await.unwrap();
        let numbers: Vec<usize> = rows
            .iter()
            .map(|row| {
                let message: &str = row.get(0);
                let (prefix, number) = message.split_once(' ').unwrap();
                assert_eq!(prefix, self.prefix);
                number.parse().unwrap()
            })
            .collect();
        assert!(
            numbers.is_sorted_by(|before, after| before < after),
            "doubled or late: {numbers:?}"
        );
        for number in &self.confirmed {
            assert!(numbers.contains(number), "{number} is lost: {numbers:?}");
        }
        self.counted
    }
}
