//! The log: lines on standard output, with Lambda's id of the request.

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
}
