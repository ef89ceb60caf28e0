//! What the floors have in common: they run once for each line of input, and
//! print how long that took.
//!
//! - `floor-nothing`: a function on lambda_http that does nothing
//! - `floor-rs256`: one RS256 check
//! - `floor-statement`: one statement on an open connection
//!
//! The last two are no functions. They wait for each line of input: in a loop of
//! their own the processor would not go idle between calls, as it does in a
//! function.

use std::io::{Write, stdin, stdout};
use std::time::Duration;

use anyhow::Context;

/// An environment variable.
///
/// # Errors
/// If it is not set.
pub fn read_variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("set {name}"))
}

/// Runs `measure` for each line of input and prints the duration that it
/// returns, in nanoseconds.
///
/// # Errors
/// Those of `measure`, and those of input and output.
pub fn for_each_line(mut measure: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for line in stdin().lines() {
        line?;
        writeln!(out, "{}", measure()?.as_nanos())?;
        out.flush()?;
    }
    Ok(())
}

/// Reads what [`for_each_line`] has printed.
///
/// # Errors
/// If it is something else.
pub fn parse_duration(answer: &str) -> anyhow::Result<Duration> {
    let nanoseconds = answer.trim().parse();
    Ok(Duration::from_nanos(nanoseconds.context("no duration")?))
}
