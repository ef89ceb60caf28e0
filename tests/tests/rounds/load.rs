//! Fifty users at once on sixteen environments, while the backends of their
//! connections are killed at random. Every answer is checked.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tests::postgres::{Database, start_server};
use tests::{App, Event, Random, Response, User};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long it lasts, in seconds; `LOAD_SECONDS` sets another time.
const LOAD_SECONDS: u64 = 120;

/// Applications, each with an environment of each of the four functions.
const LOADED_APPS: usize = 4;

const LOAD_USERS: usize = 50;

/// A user waits for less than this after each answer, in milliseconds.
const MAX_THINKING_MS: usize = 80;

/// A backend is killed in less than this after the one before, in milliseconds.
/// With less, functions that are built for tests do little but connect.
const MAX_KILL_PAUSE_MS: usize = 400;

/// Begins every quote, before the id of its user.
const QUOTE_MARK: &str = "a quote of ";

#[tokio::test]
async fn users_read_what_they_saved_while_backends_are_killed() {
    let seconds = std::env::var("LOAD_SECONDS").ok();
    let seconds = seconds.map_or(LOAD_SECONDS, |text| text.parse().unwrap());
    let server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    let prepared = database.with_parameter("prepared_statements=true");
    let ways = [&database, &prepared].into_iter().cycle();
    let apps: Arc<[App]> = ways.take(LOADED_APPS).map(App::deployed_on).collect();

    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut users = JoinSet::new();
    for number in 0..LOAD_USERS {
        users.spawn(Actor::new(&apps[0], number).act(Arc::clone(&apps), deadline));
    }
    let killed = kill_backends(&database, deadline).await;
    let mut done = Done::default();
    while let Some(of_user) = users.join_next().await {
        done += of_user.unwrap();
    }
    println!("{LOAD_USERS} users for {seconds} s, {killed} backends killed: {done}");
    assert!(killed >= seconds, "{killed}");
    assert!(done.saved > 0 && done.deleted > 0 && done.seen > 0);
    // One retry is not enough where the second connection is killed, too.
    assert!(done.unavailable * 100 <= done.answers(), "{done}");
}

/// Kills one after the other; returns how many.
async fn kill_backends(database: &Database, deadline: Instant) -> u64 {
    let admin = database.connect().await;
    let mut random = Random(0);
    let mut killed = 0;
    while Instant::now() < deadline {
        sleep(Duration::from_millis(random.below(MAX_KILL_PAUSE_MS) as u64)).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM
                   (SELECT pid FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    ORDER BY random() LIMIT 1)";
        killed += admin.query(sql, &[]).await.unwrap().len() as u64;
    }
    killed
}

/// How many requests ended how.
#[derive(Default)]
struct Done {
    saved: usize,
    deleted: usize,
    /// Read, by the API or on the page.
    seen: usize,
    /// Answered with 503: done or not.
    unavailable: usize,
    longest: Duration,
}

impl Done {
    fn answers(&self) -> usize {
        self.saved + self.deleted + self.seen + self.unavailable
    }
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.saved += other.saved;
        self.deleted += other.deleted;
        self.seen += other.seen;
        self.unavailable += other.unavailable;
        self.longest = self.longest.max(other.longest);
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            saved,
            deleted,
            seen,
            unavailable,
            longest,
        } = self;
        let longest = longest.as_millis();
        write!(
            f,
            "{saved} quotes saved, {deleted} deleted, {seen} read as they were left; {unavailable} answers were 503; \
             longest answer {longest} ms"
        )
    }
}

/// A user, with the quotes that may now be saved: one, or more after a change
/// that was not acknowledged. `None` is no quote.
struct Actor {
    user: User,
    random: Random,
    number: usize,
    possible: Vec<Option<String>>,
    done: Done,
}

impl Actor {
    fn new(app: &App, seed: usize) -> Self {
        Self {
            user: app.user(),
            random: Random(seed as u64),
            number: 0,
            possible: vec![None],
            done: Done::default(),
        }
    }

    /// Sends one request after the other, each to any of the applications.
    async fn act(mut self, apps: Arc<[App]>, deadline: Instant) -> Done {
        while Instant::now() < deadline {
            let app = &apps[self.random.below(apps.len())];
            match self.random.below(10) {
                0..3 => self.save(app).await,
                3 => self.delete(app).await,
                4..7 => self.read(app).await,
                _ => self.load_page(app).await,
            }
            let thinking = self.random.below(MAX_THINKING_MS) as u64;
            sleep(Duration::from_millis(thinking)).await;
        }
        self.done
    }

    async fn save(&mut self, app: &App) {
        self.number += 1;
        let quote = format!("{QUOTE_MARK}{}, number {}", self.user.id, self.number);
        let put = Event::put_quote(&quote).bearer(&self.user.token);
        let had_none = self.possible.contains(&None);
        let after = Some(quote.clone());
        let Some(answer) = self.change(app, put, after).await else {
            return;
        };
        // 200 where there was none: the first attempt was done, and repeated.
        assert!(
            answer.status == 200 || had_none && answer.status == 201,
            "{answer:?}"
        );
        assert_eq!(answer.json()["message"], quote);
        self.done.saved += 1;
    }

    async fn delete(&mut self, app: &App) {
        let delete = Event::delete_quote().bearer(&self.user.token);
        if let Some(answer) = self.change(app, delete, None).await {
            assert_eq!(answer.status, 204, "{answer:?}");
            self.done.deleted += 1;
        }
    }

    async fn read(&mut self, app: &App) {
        let get = Event::get_quote().bearer(&self.user.token);
        let Some(answer) = self.send(app, get).await else {
            return;
        };
        let found = match answer.status {
            200 => Some(answer.json()["message"].as_str().unwrap().to_owned()),
            _ => {
                assert_eq!(answer.problem(404)["code"], "no-quote");
                None
            }
        };
        self.saw(found, &answer);
    }

    async fn load_page(&mut self, app: &App) {
        let load = Event::page("/").signed_in(&self.user);
        let Some(answer) = self.send(app, load).await else {
            return;
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = answer.body.split(QUOTE_MARK).nth(1);
        let found = shown.map(|rest| {
            let (quote, _) = rest.split_once('<').unwrap();
            format!("{QUOTE_MARK}{quote}")
        });
        self.saw(found, &answer);
    }

    /// Checks what was read. Later answers must agree with it.
    fn saw(&mut self, found: Option<String>, answer: &Response) {
        let possible = &self.possible;
        assert!(
            possible.contains(&found),
            "{found:?} and not {possible:?}: {answer:?}"
        );
        self.possible = vec![found];
        self.done.seen += 1;
    }

    /// Sends a change after which this is saved; without an acknowledgement it is
    /// done or not.
    async fn change(&mut self, app: &App, event: Event, after: Option<String>) -> Option<Response> {
        let answer = self.send(app, event).await;
        if answer.is_some() {
            self.possible.clear();
        }
        self.possible.push(after);
        answer
    }

    /// The answer, unless it is 503.
    async fn send(&mut self, app: &App, event: Event) -> Option<Response> {
        let begin = Instant::now();
        let answer = app.send(event).await;
        self.done.longest = self.done.longest.max(begin.elapsed());
        for quote in answer.body.split(QUOTE_MARK).skip(1) {
            let own = quote.starts_with(&self.user.id);
            assert!(own, "the quote of another user: {answer:?}");
        }
        if answer.status == 503 {
            self.done.unavailable += 1;
            return None;
        }
        Some(answer)
    }
}
