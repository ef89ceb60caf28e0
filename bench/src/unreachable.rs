//! Cold starts while the database does not answer: what the process itself
//! costs, without TLS and SCRAM.

use std::net::{Ipv4Addr, TcpListener};

use crate::console;
use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{GET_QUOTE, NOTHING, Program, find};
use crate::statistics::{Samples, ms};
use crate::world::World;

/// CPU time of a cold start and a first request without a token, in
/// milliseconds.
#[derive(Default)]
pub(crate) struct Unreachable {
    pub(crate) ours: Samples,
    pub(crate) nothing: Samples,
}

/// Starts get-quote without a database and the function that does nothing in
/// turn.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Unreachable> {
    console::print_stage("cold starts without a database");
    // The kernel accepts connections, and nothing answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let nowhere = world.database().through(silent.local_addr()?.port());
    let ours = find(programs, GET_QUOTE)?.with_database(world, &nowhere);
    let nothing = find(programs, NOTHING)?;
    let mut measured = Unreachable::default();
    for round in 0..plan.unreachable {
        measured.ours.push(cpu(&ours, world).await?);
        measured.nothing.push(cpu(nothing, world).await?);
        console::print_progress(round + 1, plan.unreachable);
    }
    Ok(measured)
}

async fn cpu(program: &Program, world: &World) -> anyhow::Result<f64> {
    let environment = Environment::start(program, world).await?;
    if let Some((event, status)) = &program.refused {
        environment.expect(event, *status).await?;
    }
    Ok(ms(environment.cpu().await?))
}
