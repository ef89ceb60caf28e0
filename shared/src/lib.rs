//! What the four functions share.
#![warn(clippy::pedantic)]
pub mod clerk;
