//! What the floors have in common: how often they do their one thing, and how
//! they say what it took.
//!
//! - `floor-nothing`: a function on lambda_http that does nothing
//! - `floor-rs256`: one RS256 check
//! - `floor-statement`: one statement on an open connection
//!
//! The last two are loops: they print one duration a line and end.

use std::io::{self, Write};
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

/// How often a loop goes round: the variable `CALLS`.
///
/// # Errors
/// If it is not a number.
pub fn calls() -> anyhow::Result<usize> {
    variable("CALLS")?
        .parse()
        .context("CALLS should be a number")
}

/// Prints durations in nanoseconds, one a line.
///
/// # Errors
/// If nobody listens.
pub fn print(durations: &[Duration]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for duration in durations {
        writeln!(out, "{}", duration.as_nanos())?;
    }
    out.flush()
}

/// Reads what [`print()`] has printed.
///
/// # Errors
/// If that is something else.
pub fn read(text: &str) -> anyhow::Result<Vec<Duration>> {
    let nanoseconds = text.lines().map(str::parse);
    nanoseconds
        .map(|number| Ok(Duration::from_nanos(number.context("no duration")?)))
        .collect()
}
