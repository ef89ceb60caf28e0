//! Many environments of get-quote at once on one database, directly and
//! through PgBouncer.

use std::time::Instant;

use tests::PgBouncer;
use tokio::task::JoinSet;

use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{OURS, Program, find};
use crate::rounds::ms;
use crate::say;
use crate::statistics::Samples;
use crate::world::World;

/// Connections to Postgres that all environments share behind PgBouncer.
pub(crate) const POOL: usize = 4;

/// What a number of environments did together.
pub(crate) struct Load {
    pub(crate) way: &'static str,
    pub(crate) environments: usize,
    pub(crate) per_second: f64,
    /// Times of the calls in milliseconds.
    pub(crate) calls: Samples,
}

/// Runs every number of environments of the plan both ways.
///
/// # Errors
/// If a program does not answer as it should.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Load>> {
    say::stage("many environments at once, directly and through PgBouncer");
    let direct = find(programs, OURS)?;
    let pgbouncer = PgBouncer::start(world.database(), POOL).await;
    let pooled = Program {
        variables: world.variables_for(&pgbouncer.database),
        ..direct.clone()
    };
    let mut loads = Vec::new();
    for (way, program) in [("directly", direct), ("through PgBouncer", &pooled)] {
        for environments in plan.environments {
            loads.push(load(way, program, environments, world, plan).await?);
            say::progress(loads.len(), 2 * plan.environments.len());
        }
    }
    Ok(loads)
}

async fn load(
    way: &'static str,
    program: &Program,
    environments: usize,
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Load> {
    let mut started = Vec::new();
    for _ in 0..environments {
        let environment = Environment::start(program, world).await?;
        environment.expect(&program.event, program.status).await?;
        started.push(environment);
    }
    let begin = Instant::now();
    let deadline = begin + plan.load;
    let mut working = JoinSet::new();
    for environment in started {
        let (event, status) = (program.event.clone(), program.status);
        working.spawn(async move {
            let mut calls = Samples::default();
            while Instant::now() < deadline {
                calls.push(ms(environment.expect(&event, status).await?));
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = Samples::default();
    while let Some(finished) = working.join_next().await {
        calls.extend(&finished??);
    }
    Ok(Load {
        way,
        environments,
        per_second: calls.len() as f64 / begin.elapsed().as_secs_f64(),
        calls,
    })
}
