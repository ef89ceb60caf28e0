//! The command line of the site.

use clap::Parser;

use crate::cookies::Cookies;
use crate::shape::Shape;

/// The whole site on loopback, for the browser tests.
#[derive(Parser)]
pub(crate) struct Options {
    /// Where Clerk is.
    #[arg(long)]
    pub(crate) shape: Shape,
    /// Life of a session token, in seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) token_ttl: u64,
    /// Which cookies the gateway passes on.
    #[arg(long, default_value = "all")]
    pub(crate) cookies: Cookies,
    /// Start a second application, for the shape production.
    #[arg(long)]
    pub(crate) sibling: bool,
}
