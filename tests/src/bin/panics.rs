//! A function whose handler panics, with all that the client sent in the message.

use shared::{App, Error, ExitCode, Request, Response};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    shared::serve(panic_with_request).await
}

async fn panic_with_request(_: &App, request: &Request) -> Result<Response, Error> {
    let body = String::from_utf8_lossy(&request.body);
    panic!("{:?} {body}", request.parts);
}
