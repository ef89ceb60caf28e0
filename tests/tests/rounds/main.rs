//! Hundreds of rounds of what a serverless database does to a connection. Each
//! test prints what it counted; `make test-slow` runs them.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what was counted is worth reading, and a failure fails the test"
)]

mod load;
mod memory;
mod writer;

use std::time::Duration;

use dev::postgres::Server;
use nix::sys::signal::Signal;
use tests::pgbouncer::LOGIN_RETRY_DELAY;
use tests::postgres::{Database, start_server};
use tests::{App, Event, Function, PgBouncer, Proxy};
use tokio::task::JoinSet;
use tokio::time::sleep;

use writer::{Counted, SAVE_DELAY, Writer};

/// Rounds of what takes milliseconds.
const TERMINATION_ROUNDS: usize = 300;

/// Restarts of a server, which take half a second each.
const RESTART_ROUNDS: usize = 100;

/// Users who are deleted while quotes are saved for them.
const DELETION_ROUNDS: usize = 400;

/// Frozen environments at once, and rounds of each: a blackholed connection
/// costs the two seconds after which a statement is given up.
const FROZEN_ENVIRONMENTS: usize = 10;
const FREEZE_ROUNDS: usize = 20;

/// Starts a server with the table, which records every change of a quote.
async fn start_recording_server() -> (Server, Database) {
    let server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    writer::record_changes(&database).await;
    (server, database)
}

fn report(what: &str, counted: &Counted) {
    println!("{what}: {counted}");
}

#[tokio::test]
async fn backends_terminated_between_requests() {
    let (_server, database) = start_recording_server().await;
    let admin = database.connect().await;
    let mut writer = Writer::new(App::deployed_on(&database), &database);
    for _ in 0..TERMINATION_ROUNDS {
        assert!(writer.save().await, "a 503 without need");
        terminate_all(&admin).await;
    }
    report("terminated between requests", &writer.finish().await);
}

#[tokio::test]
async fn backends_terminated_during_statements() {
    let (_server, database) = start_recording_server().await;
    let admin = database.connect().await;
    let slow = writer::with_slow_saves(&database).await;
    let mut writer = Writer::new(App::deployed_on(&slow), &database);
    for round in 0..TERMINATION_ROUNDS {
        // From before the statement arrives until after it is done.
        let moment = SAVE_DELAY * (round % 12) as u32 / 10;
        let terminate = async {
            sleep(moment).await;
            terminate_all(&admin).await;
        };
        let (saved, ()) = tokio::join!(writer.save(), terminate);
        assert!(saved, "one retry was not enough");
    }
    report("terminated during statements", &writer.finish().await);
}

#[tokio::test]
async fn a_server_restarted_between_requests() {
    let (mut server, database) = start_recording_server().await;
    let mut writer = Writer::new(App::deployed_on(&database), &database);
    for round in 0..RESTART_ROUNDS {
        assert!(writer.save().await, "a 503 without need");
        restart(&mut server, round).await;
    }
    report("restarted between requests", &writer.finish().await);
}

#[tokio::test]
async fn a_server_restarted_during_statements() {
    let (mut server, database) = start_recording_server().await;
    let slow = writer::with_slow_saves(&database).await;
    let mut writer = Writer::new(App::deployed_on(&slow), &database);
    for round in 0..RESTART_ROUNDS {
        let restart = async {
            sleep(SAVE_DELAY / 2).await;
            restart(&mut server, round).await;
        };
        tokio::join!(writer.save(), restart);
    }
    let counted = writer.finish().await;
    report("restarted during statements", &counted);
    assert!(counted.unavailable <= RESTART_ROUNDS / 10);
}

#[tokio::test]
async fn a_server_restarted_during_statements_through_a_pooler() {
    let (mut server, database) = start_recording_server().await;
    let slow = writer::with_slow_saves(&database).await;
    let pooler = PgBouncer::start(&slow, 5).await;
    let mut writer = Writer::new(App::deployed_on(&pooler.database), &database);
    for round in 0..RESTART_ROUNDS {
        let restart = async {
            sleep(SAVE_DELAY / 2).await;
            restart(&mut server, round).await;
        };
        tokio::join!(writer.save(), restart);
    }
    sleep(LOGIN_RETRY_DELAY + Duration::from_secs(1)).await;
    let counted = writer.finish().await;
    report("the same through PgBouncer", &counted);
    assert!(counted.unavailable <= RESTART_ROUNDS / 2);
}

#[tokio::test]
async fn connections_blackholed_while_the_process_is_stopped() {
    let (_server, database) = start_recording_server().await;
    let mut working = JoinSet::new();
    for _ in 0..FROZEN_ENVIRONMENTS {
        let database = database.clone();
        working.spawn(async move {
            let proxy = Proxy::start(database.port()).await;
            let app = App::deployed_on(&database.through(proxy.port()));
            let mut writer = Writer::new(app, &database);
            assert!(writer.save().await, "a 503 without need");
            for _ in 0..FREEZE_ROUNDS {
                freeze_and_blackhole(writer.app(), &proxy).await;
                assert!(writer.save().await, "one retry was not enough");
            }
            writer.finish().await
        });
    }
    let mut all = Counted::default();
    while let Some(counted) = working.join_next().await {
        all += counted.unwrap();
    }
    report("blackholed while stopped", &all);
}

#[tokio::test]
async fn users_deleted_while_quotes_are_saved() {
    let server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    let client = database.connect().await;
    // Each environment takes one request at a time.
    let apps = [(); 3].map(|()| App::deployed_on(&database));
    let [first, second, third] = &apps;
    let (mut saved, mut refused) = (0, 0);
    for round in 0..DELETION_ROUNDS {
        let user = first.user();
        let put = |quote: &str| Event::put_quote(quote).bearer(&user.token);
        if round.is_multiple_of(2) {
            assert_eq!(first.send(put("before")).await.status, 201);
        }
        let delay = |milliseconds: usize| sleep(Duration::from_millis(milliseconds as u64 % 4));
        let delete = async {
            delay(round / 2).await;
            let deleted = Event::user_deleted(third.instance, &user);
            assert_eq!(third.send(deleted).await.status, 204);
        };
        let save = async |app: &App, moment| {
            delay(moment).await;
            app.send(put("meanwhile")).await
        };
        let (one, other, ()) = tokio::join!(save(first, 1), save(second, round / 8), delete);
        for answer in [one, other] {
            match answer.status {
                200 | 201 => saved += 1,
                _ => {
                    assert_eq!(answer.problem(401)["code"], "user-deleted");
                    refused += 1;
                }
            }
        }
        let sql = "SELECT FROM user_messages WHERE user_id = $1";
        let row = client.query_opt(sql, &[&user.id]).await.unwrap();
        assert!(row.is_none(), "round {round}: a deleted user has a quote");
        assert_eq!(first.send(put("after")).await.status, 401);
    }
    println!("deleted while saved: {saved} saved before, {refused} refused, no quote is left");
    assert!(saved > 0 && refused > 0);
}

/// Stops both functions, and meanwhile blackholes their connections.
async fn freeze_and_blackhole(app: &App, proxy: &Proxy) {
    let environments = [
        app.environment(Function::SAVE_QUOTE).await,
        app.environment(Function::GET_QUOTE).await,
    ];
    for environment in environments {
        environment.signal(Signal::SIGSTOP);
    }
    proxy.blackhole_connections();
    sleep(Duration::from_millis(20)).await;
    for environment in environments {
        environment.signal(Signal::SIGCONT);
    }
}

/// Restarts a server, every other time as after a crash.
async fn restart(server: &mut Server, round: usize) {
    if round.is_multiple_of(2) {
        server.halt().await.unwrap();
    } else {
        server.kill().await.unwrap();
    }
    server.resume().await.unwrap();
}

async fn terminate_all(admin: &tokio_postgres::Client) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    admin.query(sql, &[]).await.unwrap();
}
