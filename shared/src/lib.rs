//! What the four functions share.
//!
//! A request goes one way: event → authenticate → one statement → response.
//!
//! | module | concern |
//! |---|---|
//! | [`config`] | the only reader of the environment |
//! | [`clerk`] | request authentication, as Clerk's own SDK does it |
//! | [`database`] | one TLS connection, reopened when it has died |
//! | [`quote`] | the quote and all the SQL there is |
//! | [`http`] | events, bodies, responses and their headers |
//! | [`error`] | why a request could not be answered |
//! | [`serve`] | the Lambda loop around a handler |

pub mod clerk;
pub mod config;
pub mod database;
pub mod error;
pub mod http;
mod log;
pub mod quote;
mod serve;

pub use error::Error;
pub use serve::{App, Failed, serve, serve_pages};
