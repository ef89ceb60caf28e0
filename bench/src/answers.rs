//! Whether the peers do the job of get-quote: the same response to the same
//! request, and a refusal without a token.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::Event;

use crate::console;
use crate::environment::Environment;
use crate::programs::{GET_QUOTE, Program, find, peers};
use crate::world::{World, payload};

/// Asks each of them once.
pub(crate) async fn compare(programs: &[Program], world: &World) -> anyhow::Result<()> {
    console::print_stage("whether the peers answer as get-quote does");
    let wanted = quote(find(programs, GET_QUOTE)?, world).await?;
    for peer in peers(programs) {
        let name = peer.name;
        let answer = quote(peer, world).await?;
        ensure!(answer == wanted, "{name} answers {answer} and not {wanted}");
    }
    Ok(())
}

/// The quote in a program's answer and its tag, after a request that it must refuse.
async fn quote(program: &Program, world: &World) -> anyhow::Result<Value> {
    let environment = Environment::start(program, world).await?;
    let (answer, _) = environment.invoke(&payload(Event::get_quote())).await?;
    let (name, status) = (program.name, &answer["statusCode"]);
    ensure!(*status == 401, "{name} answers {status} without a token");
    let (answer, _) = environment.invoke(&program.events[0]).await?;
    let body = answer["body"].as_str().context("no body")?;
    let quote: Value = serde_json::from_str(body)?;
    Ok(json!({ "quote": quote, "etag": answer["headers"]["etag"] }))
}
