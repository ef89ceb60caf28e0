//! Hundreds of rounds of what a serverless database does to a connection. Each
//! test prints what it counted; `make test-slow` runs them.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what was counted is worth reading, and a failure fails the test"
)]

mod writer;

use std::time::Duration;

use dev::postgres::Server;
use nix::sys::signal::Signal;
use tests::pgbouncer::LOGIN_RETRY;
use tests::postgres::{Database, new_server};
use tests::{App, Function, PgBouncer, Proxy};
use tokio::task::JoinSet;
use tokio::time::sleep;

use writer::{Counted, SLOWLY, Writer};

/// Rounds of what takes milliseconds.
const MANY: usize = 300;

/// Restarts of a server, which take half a second each.
const RESTARTS: usize = 100;

/// Frozen environments at once, and rounds of each: a connection that died
/// silently costs the two seconds after which a statement is given up.
const FROZEN: usize = 10;
const FREEZES: usize = 20;

/// A server with the table, which remembers every change of a quote.
async fn remembering() -> (Server, Database) {
    let server = new_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    writer::remember(&database).await;
    (server, database)
}

fn report(what: &str, counted: &Counted) {
    println!("{what}: {counted}");
}

#[tokio::test]
async fn backends_terminated_between_requests() {
    let (_server, database) = remembering().await;
    let admin = database.client().await;
    let mut writer = Writer::new(App::deployed_on(&database), &database);
    for _ in 0..MANY {
        assert!(writer.save().await, "a 503 without need");
        terminate_all(&admin).await;
    }
    report("terminated between requests", &writer.finish().await);
}

#[tokio::test]
async fn backends_terminated_during_statements() {
    let (_server, database) = remembering().await;
    let admin = database.client().await;
    let slow = writer::slowed(&database).await;
    let mut writer = Writer::new(App::deployed_on(&slow), &database);
    for round in 0..MANY {
        // From before the statement arrives until after it is done.
        let moment = SLOWLY * (round % 12) as u32 / 10;
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
    let (mut server, database) = remembering().await;
    let mut writer = Writer::new(App::deployed_on(&database), &database);
    for round in 0..RESTARTS {
        assert!(writer.save().await, "a 503 without need");
        restart(&mut server, round).await;
    }
    report("restarted between requests", &writer.finish().await);
}

#[tokio::test]
async fn a_server_restarted_during_statements() {
    let (mut server, database) = remembering().await;
    let slow = writer::slowed(&database).await;
    let mut writer = Writer::new(App::deployed_on(&slow), &database);
    for round in 0..RESTARTS {
        let restart = async {
            sleep(SLOWLY / 2).await;
            restart(&mut server, round).await;
        };
        tokio::join!(writer.save(), restart);
    }
    let counted = writer.finish().await;
    report("restarted during statements", &counted);
    assert!(counted.unavailable <= RESTARTS / 10);
}

#[tokio::test]
async fn a_server_restarted_during_statements_through_a_pooler() {
    let (mut server, database) = remembering().await;
    let slow = writer::slowed(&database).await;
    let pooler = PgBouncer::start(&slow, 5).await;
    let mut writer = Writer::new(App::deployed_on(&pooler.database), &database);
    for round in 0..RESTARTS {
        let restart = async {
            sleep(SLOWLY / 2).await;
            restart(&mut server, round).await;
        };
        tokio::join!(writer.save(), restart);
    }
    sleep(Duration::from_secs(LOGIN_RETRY + 1)).await;
    let counted = writer.finish().await;
    report("the same through PgBouncer", &counted);
    assert!(counted.unavailable <= RESTARTS / 2);
}

#[tokio::test]
async fn connections_black_holed_while_the_process_is_stopped() {
    let (_server, database) = remembering().await;
    let mut working = JoinSet::new();
    for _ in 0..FROZEN {
        let database = database.clone();
        working.spawn(async move {
            let proxy = Proxy::start(database.port()).await;
            let app = App::deployed_on(&database.through(proxy.port()));
            let mut writer = Writer::new(app, &database);
            assert!(writer.save().await, "a 503 without need");
            for _ in 0..FREEZES {
                freeze_and_forget(writer.app(), &proxy).await;
                assert!(writer.save().await, "one retry was not enough");
            }
            writer.finish().await
        });
    }
    let mut all = Counted::default();
    while let Some(counted) = working.join_next().await {
        all += counted.unwrap();
    }
    report("black-holed while stopped", &all);
}

/// Stops both functions; meanwhile the network forgets their connections.
async fn freeze_and_forget(app: &App, proxy: &Proxy) {
    let environments = [
        app.environment(Function::SaveQuote).await,
        app.environment(Function::GetQuote).await,
    ];
    for environment in environments {
        environment.signal(Signal::SIGSTOP);
    }
    proxy.swallow();
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
