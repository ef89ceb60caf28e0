//! What is going on, for whoever waits.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};

/// Says what is done now.
#[expect(clippy::print_stderr, reason = "progress is for the terminal")]
pub(crate) fn stage(text: impl Display) {
    eprintln!("bench: {text}");
}

/// Says how far a stage is: on a terminal in one line, elsewhere now and then.
#[expect(clippy::print_stderr, reason = "progress is for the terminal")]
pub(crate) fn progress(done: usize, of: usize) {
    if stderr().is_terminal() {
        let end = if done == of { "\n" } else { "" };
        eprint!("\rbench:   {done} of {of}{end}");
    } else if done == of || done.is_multiple_of(10) {
        eprintln!("bench:   {done} of {of}");
    }
}
