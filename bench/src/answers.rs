//! Whether the peers do the job of get-quote: the same response to the same
//! request, and a refusal without a token.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::console;
use crate::environment::Environment;
use crate::programs::{GET_QUOTE, PEERS, Program, find};
use crate::world::World;

/// Asks each of them once.
pub(crate) async fn compare(programs: &[Program], world: &World) -> anyhow::Result<()> {
    console::print_stage("whether the peers answer as get-quote does");
    let ours = find(programs, GET_QUOTE)?;
    let wanted = quote(ours, world).await?;
    let refused = ours
        .refused
        .as_ref()
        .context("no request without a token")?;
    for name in PEERS {
        let peer = find(programs, name)?;
        let answer = quote(peer, world).await?;
        ensure!(answer == wanted, "{name} answers {answer} and not {wanted}");
        let environment = Environment::start(peer, world).await?;
        environment.expect(&refused.0, refused.1).await?;
    }
    Ok(())
}

/// The body of a program's answer.
async fn quote(program: &Program, world: &World) -> anyhow::Result<Value> {
    let environment = Environment::start(program, world).await?;
    let (answer, _) = environment.call(&program.event).await?;
    let body = answer["body"].as_str().context("no body")?;
    Ok(serde_json::from_str(body)?)
}
