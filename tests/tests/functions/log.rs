//! What is printed, beside what every test asserts: nothing confidential.

use std::process::Command;

use serde_json::Value;
use tests::postgres::Database;
use tests::runtime_api::Outcome;
use tests::{App, Environment, Event};

/// One request of each kind, good and bad.
async fn use_everything(app: &App) {
    let user = app.user();
    let expired = app.instance.expired_token(&user);
    for event in [
        Event::put_quote("a quote of my own").bearer(&user.token),
        Event::get_quote().signed_in(&user),
        Event::post_quote("another of my own").session(&expired),
        Event::page("/").signed_in(&user),
        Event::page("/?__clerk_handshake=not_a_handshake").signed_in(&user),
        Event::page("/").session(&expired),
        Event::get_quote().bearer("not_a_good_token"),
        Event::delete_quote().bearer(&user.token),
    ] {
        app.send(event).await;
    }
}

#[tokio::test]
async fn nothing_confidential_is_printed_at_any_level() {
    for app in App::both().await {
        let app = app.with("AWS_LAMBDA_LOG_LEVEL", "TRACE");
        // What is confidential is asserted when the environments end.
        use_everything(&app.with("RUST_LOG", "trace")).await;
    }
}

#[tokio::test]
async fn nothing_confidential_is_printed_when_the_database_refuses() {
    let app = App::deployed_on(&Database::empty().await);
    use_everything(&app).await;
    assert!(app.log().contains("ERROR"), "{}", app.log());
}

#[tokio::test]
async fn a_good_request_prints_nothing_by_itself() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("quote").bearer(&user.token))
        .await;
    app.send(Event::get_quote().bearer(&user.token)).await;
    app.send(Event::page("/").signed_in(&user)).await;
    let log = app.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn an_error_is_one_line_of_json_with_the_request_where_lambda_wants_json() {
    let app = App::deployed_on(&Database::empty().await).with("AWS_LAMBDA_LOG_FORMAT", "JSON");
    let answer = app.send(Event::get_quote().bearer(&app.user().token)).await;
    answer.problem(500);
    let log = app.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let is_error = |line: &&Value| line["level"] == "ERROR";
    let [error] = lines.iter().filter(is_error).collect::<Vec<_>>()[..] else {
        panic!("one error: {log}");
    };
    assert!(error.to_string().contains("requestId"), "{error}");
}

#[tokio::test]
async fn a_panic_is_logged_with_its_place_and_without_its_message() {
    let app = App::deployed().await;
    let program = Command::new(env!("CARGO_BIN_EXE_panics"));
    let environment = Environment::start_program("panics", program, app.variables()).await;
    let user = app.user();
    // The second invocation shows that the process goes on.
    for quote in ["a quote of my own", "another of my own"] {
        let event = Event::put_quote(quote).signed_in(&user);
        // Nothing confidential in log and report is asserted when the environment ends.
        let outcome = environment
            .invoke(app.payload(&event), &event.confidential())
            .await;
        let Outcome::Error(report) = outcome else {
            panic!("no error: {outcome:?}");
        };
        assert!(report.contains("the handler panicked"), "{report}");
    }
    let log = environment.log();
    assert!(log.contains("panics.rs:"), "{log}");
}
