//! Memory over thousands of calls.

use std::fs;

use tests::postgres::{Database, start_server};
use tests::{App, Event, Function, User};

/// Calls after which memory must have stopped growing, and calls after those.
const WARM_CALLS: usize = 1_000;
const LATER_CALLS: usize = 9_000;

/// How often a token comes: it lives for a minute.
const CALLS_PER_USER_TOKEN: usize = 3;

/// Most that is called flat, in bytes.
const MAX_GROWTH: usize = 200_000;

#[tokio::test]
async fn memory_is_flat_from_the_thousandth_call_on() {
    let server = start_server().await;
    let database = Database::of(&server);
    database.migrate().await;
    let app = App::deployed_on(&database);
    let user = app.user();
    call(&app, &user, WARM_CALLS).await;
    let before = resident(&app).await;
    call(&app, &user, LATER_CALLS).await;
    let after = resident(&app).await;
    println!("{before} bytes after {WARM_CALLS} calls, {after} after {LATER_CALLS} more");
    assert!(after <= before + MAX_GROWTH, "{before} to {after}");
}

async fn call(app: &App, user: &User, calls: usize) {
    let mut token = String::new();
    for number in 0..calls {
        if number % CALLS_PER_USER_TOKEN == 0 {
            token = app.instance.token_with(user, &serde_json::json!({}));
        }
        let answer = app.send(Event::get_quote().bearer(&token)).await;
        assert_eq!(answer.status, 404);
    }
}

/// VmRSS of get-quote.
async fn resident(app: &App) -> usize {
    let process = app.environment(Function::GET_QUOTE).await.process();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    1024 * kilobytes.parse::<usize>().unwrap()
}
