//! The connection survives what a serverless database does to it.

use std::time::{Duration, Instant};

use dev::postgres::Server;
use nix::sys::signal::Signal;
use tests::postgres::{Database, start_server};
use tests::runtime_api::RESPONSE_TIMEOUT;
use tests::{App, Event, Function, PgBouncer, Proxy, Response, User};
use tokio::time::sleep;
use tokio_postgres::Transaction;

/// Longest start without a database: a small part of Lambda's 10 s.
const START_WITHOUT_DATABASE_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest wait for a backend to notice that its statement was cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often something is repeated that depends on chance.
const CHANCE_ROUNDS: usize = 10;

pub(crate) async fn get(app: &App, user: &User) -> Response {
    app.send(Event::get_quote().bearer(&user.token)).await
}

pub(crate) async fn put(app: &App, user: &User, message: &str) -> Response {
    app.send(Event::put_quote(message).bearer(&user.token))
        .await
}

/// Saves in the place of another quote, and finds it.
async fn assert_saves(app: &App, user: &User, message: &str) {
    let saved = put(app, user, message).await;
    assert_eq!(saved.status, 200, "{message}: {saved:?}");
    assert_eq!(get(app, user).await.json()["message"], message);
}

#[track_caller]
fn assert_unavailable(answer: &Response) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds = answer.header("retry-after").unwrap();
    assert!(
        seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0),
        "{seconds}"
    );
}

/// Locks a user's row, so that every change of it waits.
async fn lock_row(transaction: &Transaction<'_>, user: &User) {
    let lock = "SELECT 1 FROM user_messages WHERE user_id = $1 FOR UPDATE";
    transaction.execute(lock, &[&user.id]).await.unwrap();
}

/// Starts a server for one test, with the table.
async fn start_migrated_server() -> (Server, Database) {
    let server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    (server, database)
}

/// Starts an application that reaches the shared server by way of a proxy.
async fn start_behind_proxy() -> (App, Proxy) {
    let database = Database::shared().await;
    let proxy = Proxy::start(database.port()).await;
    (App::deployed_on(&database.through(proxy.port())), proxy)
}

#[tokio::test]
async fn a_database_may_be_down_at_the_start_come_up_and_go_away_again() {
    let (mut server, database) = start_migrated_server().await;
    server.halt().await.unwrap();
    let app = App::deployed_on(&database);
    let user = app.user();

    let begin = Instant::now();
    app.environment(Function::GET_QUOTE).await;
    assert!(
        begin.elapsed() < START_WITHOUT_DATABASE_TIMEOUT,
        "{:?}",
        begin.elapsed()
    );
    let process = app.environment(Function::GET_QUOTE).await.process();

    for _ in 0..2 {
        let begin = Instant::now();
        let refused = get(&app, &user).await;
        refused.problem(503);
        assert_unavailable(&refused);
        assert!(begin.elapsed() < RESPONSE_TIMEOUT, "{:?}", begin.elapsed());

        // While a request waits.
        let wake_up = async {
            sleep(Duration::from_secs(3)).await;
            server.resume().await.unwrap();
        };
        let (answer, ()) = tokio::join!(get(&app, &user), wake_up);
        // 503: on a busy machine it may come too late for the request.
        assert!(matches!(answer.status, 404 | 503), "{answer:?}");
        get(&app, &user).await.problem(404);
        server.halt().await.unwrap();
    }
    assert_eq!(
        app.environment(Function::GET_QUOTE).await.process(),
        process
    );
}

#[tokio::test]
async fn a_database_that_goes_down_is_503_until_it_is_back() {
    let (mut server, database) = start_migrated_server().await;
    let app = App::deployed_on(&database);
    let user = app.user();
    assert_eq!(put(&app, &user, "kept").await.status, 201);
    app.send(Event::page("/").signed_in(&user)).await.page(200);

    server.halt().await.unwrap();
    let begin = Instant::now();
    let (found, saved, deleted, page) = tokio::join!(
        get(&app, &user),
        put(&app, &user, "lost"),
        app.send(Event::delete_quote().bearer(&user.token)),
        app.send(Event::page("/").signed_in(&user)),
    );
    assert!(begin.elapsed() < RESPONSE_TIMEOUT, "{:?}", begin.elapsed());
    for answer in [&found, &saved, &deleted, &page] {
        assert_unavailable(answer);
    }
    found.problem(503);
    page.page(503);

    server.resume().await.unwrap();
    assert_eq!(get(&app, &user).await.json()["message"], "kept");
    app.send(Event::page("/").signed_in(&user)).await.page(200);
}

#[tokio::test]
async fn a_database_that_wakes_up_meanwhile_is_waited_for() {
    for negotiation in Database::shared().await.tls_negotiations().await {
        let database = Database::shared().await;
        let proxy = Proxy::start(database.port()).await;
        let database = database.through(proxy.port());
        let parameter = format!("sslnegotiation={negotiation}");
        let app = App::deployed_on(&database.with_parameter(&parameter));
        let user = app.user();
        app.environment(Function::GET_QUOTE).await;
        proxy.refuse_connections(true);
        proxy.close_connections();
        let wake_up = async {
            sleep(Duration::from_millis(1_500)).await;
            proxy.refuse_connections(false);
        };
        let (answer, ()) = tokio::join!(get(&app, &user), wake_up);
        answer.problem(404);
        assert!(
            app.log().contains("the database accepted a connection"),
            "{}",
            app.log()
        );
    }
}

#[tokio::test]
async fn a_slow_network_is_no_outage() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    // Too slow for the deadline of the start.
    proxy.delay(Duration::from_millis(400));
    assert_eq!(put(&app, &user, "slowly").await.status, 201);
}

#[tokio::test]
async fn a_form_that_met_no_database_keeps_its_text() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    proxy.refuse_connections(true);
    let answer = app
        .send(
            Event::post_quote("not yet saved")
                .on_page_of(&user)
                .signed_in(&user),
        )
        .await;
    assert_eq!((answer.status, answer.location()), (303, "/"), "{answer:?}");
    proxy.refuse_connections(false);
    let flash = &answer.cookies[0];
    let page = Event::page("/")
        .signed_in(&user)
        .cookie(&flash.name, &flash.value);
    let page = app.send(page).await;
    assert!(page.page(200).contains("not yet saved"));
    assert!(page.body.contains("could not be reached"), "{}", page.body);
}

#[tokio::test]
async fn a_server_that_was_restarted_between_requests_loses_none() {
    let (mut server, database) = start_migrated_server().await;
    let app = App::deployed_on(&database);
    let user = app.user();
    put(&app, &user, "0").await;
    for round in ["1", "2"] {
        server.halt().await.unwrap();
        server.resume().await.unwrap();
        assert_eq!(put(&app, &user, round).await.status, 200);
        assert_eq!(get(&app, &user).await.json()["message"], round);
    }
    server.kill().await.unwrap();
    server.resume().await.unwrap();
    assert_eq!(get(&app, &user).await.status, 200);
}

#[tokio::test]
async fn backends_that_are_terminated_between_requests_lose_none() {
    let name = format!("quotes-{}", tests::unique());
    let database = Database::shared().await;
    let app = App::deployed_on(&database.with_parameter(&format!("application_name={name}")));
    let admin = database.connect().await;
    let user = app.user();
    put(&app, &user, "0").await;
    get(&app, &user).await;
    let sql =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
    for round in 1..=CHANCE_ROUNDS {
        let row = admin.query_one(sql, &[&name]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
        assert_saves(&app, &user, &round.to_string()).await;
    }
}

#[tokio::test]
async fn a_connection_that_was_cut_between_requests_loses_none() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    put(&app, &user, "0").await;
    for round in 1..=CHANCE_ROUNDS {
        proxy.close_connections();
        assert_saves(&app, &user, &round.to_string()).await;
    }
}

#[tokio::test]
async fn a_save_whose_answer_was_lost_is_saved() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    get(&app, &user).await.problem(404);
    app.environment(Function::SAVE_QUOTE).await;
    for round in 1..=CHANCE_ROUNDS {
        proxy.lose_next_response();
        let message = round.to_string();
        let saved = put(&app, &user, &message).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        assert_eq!(saved.json()["message"], message);
        assert_eq!(get(&app, &user).await.json()["message"], message);
    }
}

#[tokio::test]
async fn the_answer_after_a_repeat_is_the_same_whether_the_first_attempt_was_carried_out() {
    let (app, proxy) = start_behind_proxy().await;
    app.environment(Function::SAVE_QUOTE).await;
    // Before the server has it, and after it was carried out.
    for lose_first_attempt in [Proxy::blackhole_connections, Proxy::lose_next_response] {
        let user = app.user();
        lose_first_attempt(&proxy);
        let saved = put(&app, &user, "new").await;
        assert_eq!(saved.status, 200, "{saved:?}");
        assert_eq!(put(&app, &user, "replaced").await.status, 200);
        // The first attempt may have made the condition of the second one false.
        let user = app.user();
        let new = Event::put_quote("new").header("if-none-match", "*");
        lose_first_attempt(&proxy);
        let saved = app.send(new.bearer(&user.token)).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        let tag = saved.header("etag").unwrap();
        lose_first_attempt(&proxy);
        let replace = Event::put_quote("replaced").header("if-match", tag);
        let saved = app.send(replace.bearer(&user.token)).await;
        assert_eq!(saved.status, 200, "{saved:?}");
    }
    app.environment(Function::DELETE_QUOTE).await;
    for lose_first_attempt in [Proxy::blackhole_connections, Proxy::lose_next_response] {
        let user = app.user();
        let saved = put(&app, &user, "deleted").await;
        lose_first_attempt(&proxy);
        let delete = Event::delete_quote().header("if-match", saved.header("etag").unwrap());
        let deleted = app.send(delete.bearer(&user.token)).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        get(&app, &user).await.problem(404);
    }
}

#[tokio::test]
async fn a_connection_that_died_silently_in_a_frozen_environment_loses_no_save() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    put(&app, &user, "before").await;
    get(&app, &user).await;
    for message in ["first", "second"] {
        let environment = app.environment(Function::SAVE_QUOTE).await;
        environment.signal(Signal::SIGSTOP);
        proxy.blackhole_connections();
        sleep(Duration::from_millis(100)).await;
        environment.signal(Signal::SIGCONT);

        let begin = Instant::now();
        let saved = put(&app, &user, message).await;
        assert!(begin.elapsed() < RESPONSE_TIMEOUT, "{:?}", begin.elapsed());
        assert!(matches!(saved.status, 200 | 503), "{saved:?}");
        assert_saves(&app, &user, message).await;
    }
}

#[tokio::test]
async fn an_environment_that_is_frozen_in_a_statement_gets_its_answer_later() {
    let (app, _proxy) = start_behind_proxy().await;
    let user = app.user();
    get(&app, &user).await;
    let environment = app.environment(Function::GET_QUOTE).await;
    environment.signal(Signal::SIGSTOP);
    let thaw = async {
        sleep(Duration::from_secs(3)).await;
        environment.signal(Signal::SIGCONT);
    };
    let (answer, ()) = tokio::join!(get(&app, &user), thaw);
    answer.problem(404);
}

#[tokio::test]
async fn a_statement_that_does_not_end_is_503_in_time() {
    let database = Database::shared().await;
    let app = App::deployed_on(&database);
    let user = app.user();
    put(&app, &user, "held").await;

    let mut holder = database.connect().await;
    let transaction = holder.transaction().await.unwrap();
    lock_row(&transaction, &user).await;
    let begin = Instant::now();
    assert_unavailable(&put(&app, &user, "held up").await);
    assert!(begin.elapsed() < RESPONSE_TIMEOUT, "{:?}", begin.elapsed());

    transaction.rollback().await.unwrap();
    assert_saves(&app, &user, "after").await;
}

#[tokio::test]
async fn everything_slow_at_once_is_503_in_time() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    put(&app, &user, "held").await;
    let mut holder = Database::shared().await.connect().await;
    let transaction = holder.transaction().await.unwrap();
    lock_row(&transaction, &user).await;
    // Five of these are a connection, six before Postgres 18; the statement
    // then waits for the row.
    proxy.close_connections();
    proxy.delay(Duration::from_millis(500));
    let begin = Instant::now();
    assert_unavailable(&put(&app, &user, "held up").await);
    assert!(begin.elapsed() < RESPONSE_TIMEOUT, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_save_that_was_given_up_does_not_happen_later() {
    let database = Database::shared().await;
    let pooler = PgBouncer::start(&database, 5).await;
    for way in [&database, &pooler.database] {
        let app = App::deployed_on(way);
        let user = app.user();
        put(&app, &user, "held").await;
        let mut holder = database.connect().await;
        let transaction = holder.transaction().await.unwrap();
        lock_row(&transaction, &user).await;
        assert_unavailable(&put(&app, &user, "never to be").await);

        // No backend waits for the row any more, although it is still locked.
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
        let begin = Instant::now();
        while transaction
            .query_one(waiting, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            assert!(
                begin.elapsed() < CANCEL_TIMEOUT,
                "a backend still waits to save: {}",
                pooler.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
        transaction.rollback().await.unwrap();
        assert_eq!(get(&app, &user).await.json()["message"], "held");
    }
}

/// The warning that a statement may still be running.
const DOUBT: &str = "a cancelled statement may still be running";

#[tokio::test]
async fn a_cancelled_statement_without_a_sign_of_its_end_is_doubted() {
    for server_takes_cancel_request in [true, false] {
        let (app, proxy) = start_behind_proxy().await;
        let user = app.user();
        put(&app, &user, "held").await;
        let mut holder = Database::shared().await.connect().await;
        let transaction = holder.transaction().await.unwrap();
        lock_row(&transaction, &user).await;
        let fail = async {
            // While the statement waits for the row.
            sleep(Duration::from_millis(500)).await;
            proxy.blackhole_connections();
            proxy.refuse_connections(!server_takes_cancel_request);
        };
        let (answer, ()) = tokio::join!(put(&app, &user, "in doubt"), fail);
        assert_unavailable(&answer);
        assert!(app.log().contains(DOUBT), "{}", app.log());
    }
}

#[tokio::test]
async fn a_statement_that_has_ended_is_not_doubted() {
    let database = Database::shared().await;
    let mut log = String::new();
    // A busy machine may cancel a statement too late to know.
    for _ in 0..3 {
        let app = App::deployed_on(&database);
        let user = app.user();
        put(&app, &user, "held").await;
        let mut holder = database.connect().await;
        let transaction = holder.transaction().await.unwrap();
        lock_row(&transaction, &user).await;
        assert_unavailable(&put(&app, &user, "held up").await);
        log = app.log();
        if !log.contains(DOUBT) {
            return;
        }
    }
    panic!("{log}");
}

#[tokio::test]
async fn an_address_where_nothing_answers_is_503_in_time() {
    // The kernel accepts connections, and nothing answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let app = App::deployed_on(&Database::shared().await.through(port));
    let user = app.user();
    app.environment(Function::GET_QUOTE).await;
    let begin = Instant::now();
    assert_unavailable(&get(&app, &user).await);
    assert!(begin.elapsed() < RESPONSE_TIMEOUT, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_request_that_failed_is_in_the_log_once() {
    let (app, proxy) = start_behind_proxy().await;
    let user = app.user();
    app.environment(Function::GET_QUOTE).await;
    proxy.refuse_connections(true);
    proxy.close_connections();
    assert_unavailable(&get(&app, &user).await);
    let log = app.log();
    let errors = log.lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, 1, "{log}");
}
