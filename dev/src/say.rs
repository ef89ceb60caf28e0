//! What the developer is told, one line at a time.

use std::fmt::Display;

/// Says what is going on. Standard output stays free for results.
pub(crate) fn progress(text: impl Display) {
    eprintln!("dev: {text}");
}

/// Sets off what follows.
pub(crate) fn blank_line() {
    eprintln!();
}
