//! The log: lines on standard output, with Lambda's id of the request.

use std::panic;

use tracing::Level;
use tracing_subscriber::fmt;

use crate::config::LogConfig;

/// Begins to log.
///
/// Nothing finer than [`Level::INFO`], whatever is asked for: below it the
/// Lambda runtime and the driver write whole answers and statements.
pub(crate) fn start(config: &LogConfig) {
    let lines = fmt()
        .with_max_level(config.level.min(Level::INFO))
        .with_target(false)
        .without_time();
    if config.json {
        lines.json().init();
    } else {
        lines.with_ansi(false).init();
    }
    // The message of a panic can contain what a client sent; the place cannot.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}
