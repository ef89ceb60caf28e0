//! The stand-in as a Lambda function, for `cargo lambda watch`.

use std::convert::Infallible;

use clerk_stand_in::{Config, StandIn};
use lambda_http::{Body, Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let stand_in = &StandIn::open(Config::from_env()?)?;
    run(service_fn(async |request: Request| {
        let request = request.map(|body| body.to_vec());
        Ok::<_, Infallible>(stand_in.respond(request).map(Body::from))
    }))
    .await
}
