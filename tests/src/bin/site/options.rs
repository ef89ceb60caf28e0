//! The command line of the site.

use clap::Parser;
use clerk_stand_in::Switches;

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
    /// Take `azp` from the Origin of the request; a page load has none.
    #[arg(long)]
    azp_from_origin: bool,
    /// Length of a custom claim in each session token, in bytes.
    #[arg(long, default_value_t = 0)]
    custom_claim_bytes: usize,
    /// Make the address of the Frontend API the issuer, also for the functions.
    #[arg(long)]
    pub(crate) proxy_issuer: bool,
    /// Make the application's origin the only authorized party.
    #[arg(long)]
    pub(crate) authorized_party: bool,
    /// Give the functions the secret key and an address of the Backend API.
    #[arg(long)]
    pub(crate) secret_key: bool,
}

impl Options {
    /// Those for the stand-in, except under `cargo lambda watch`.
    pub(crate) fn switches(&self) -> Switches {
        Switches {
            azp_from_origin: self.azp_from_origin,
            custom_claim_bytes: self.custom_claim_bytes,
            proxy_issuer: self.proxy_issuer,
            ..Switches::default()
        }
    }
}
