//! What the floors have in common: being asked to do their one thing, and
//! saying what it took.
//!
//! - `floor-nothing`: a function on lambda_http that does nothing
//! - `floor-rs256`: one RS256 check
//! - `floor-statement`: one statement on an open connection
//!
//! The last two are no functions: they do it once for each line of input. A
//! loop of their own would keep everything awake that in a function is woken
//! up by each call.

use std::io::{Write, stdin, stdout};
use std::time::Duration;

use anyhow::Context;

/// The statement of `GET /api/quote`, word for word.
pub const FIND: &str = r#"SELECT message,
    to_char(to_timestamp(extract(epoch FROM create_ts)) AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    FROM user_messages WHERE user_id = $1"#;

/// An environment variable.
///
/// # Errors
/// If it is not set.
pub fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("set {name}"))
}

/// Does `once` for each line of input and answers with what it took, in
/// nanoseconds.
///
/// # Errors
/// Those of `once`, and those of input and output.
pub fn for_each_line(mut once: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for line in stdin().lines() {
        line?;
        writeln!(out, "{}", once()?.as_nanos())?;
        out.flush()?;
    }
    Ok(())
}

/// Reads an answer of [`for_each_line`].
///
/// # Errors
/// If it is something else.
pub fn read(answer: &str) -> anyhow::Result<Duration> {
    let nanoseconds = answer.trim().parse();
    Ok(Duration::from_nanos(nanoseconds.context("no duration")?))
}
