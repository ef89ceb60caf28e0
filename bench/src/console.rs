//! The progress of the benchmark, on standard error.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};

/// Prints what is measured now.
pub(crate) fn print_stage(text: impl Display) {
    eprintln!("bench: {text}");
}

/// Prints how far a stage is: on a terminal in one line, else every ten steps.
pub(crate) fn print_progress(done: usize, of: usize) {
    if stderr().is_terminal() {
        let end = if done == of { "\n" } else { "" };
        eprint!("\rbench:   {done} of {of}{end}");
    } else if done == of || done.is_multiple_of(10) {
        eprintln!("bench:   {done} of {of}");
    }
}
