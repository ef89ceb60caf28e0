//! How many system calls a warm request makes.

use std::fs;
use std::process::Command;

use tempfile::NamedTempFile;
use tests::{App, Environment, Event, Function};

/// Where Debian has strace.
const STRACE_PATH: &str = "/usr/bin/strace";

/// Requests that are counted: a wait that was cut in two is not in all of them.
const COUNTED_REQUESTS: usize = 20;

#[tokio::test]
async fn a_warm_request_is_nine_system_calls() {
    let app = App::deployed().await;
    let trace = NamedTempFile::new().unwrap();
    let mut program = Command::new(STRACE_PATH);
    program.arg("-o").arg(trace.path());
    program.arg(Function::GET_QUOTE.binary());
    let environment = Environment::start_program("get-quote", program, app.variables()).await;
    let event = app.payload(&Event::get_quote().bearer(&app.user().token));
    for _ in 0..COUNTED_REQUESTS {
        environment.invoke(event.clone(), &[]).await;
    }
    let trace = fs::read_to_string(trace.path()).unwrap();
    // Each request ends when the function asks for the next one. Three times, of
    // Postgres once and of the Runtime API twice, it writes, waits and reads.
    let calls: Vec<_> = trace.lines().collect();
    let requests = calls.split_inclusive(|call| call.contains("\"GET /2018-06-01/"));
    let counts: Vec<_> = requests.map(<[_]>::len).skip(1).collect();
    assert_eq!(
        counts[..COUNTED_REQUESTS - 1].iter().min(),
        Some(&9),
        "{trace}"
    );
}
