//! What `make dev` tells the developer, one line at a time.

use std::fmt::Display;

/// Prints a line to standard error: standard output is for results.
pub(crate) fn print(line: impl Display) {
    eprintln!("dev: {line}");
}
