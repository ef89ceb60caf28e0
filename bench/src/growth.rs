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
    /// Calls a second in each pass.
    pub(crate) per_second: Samples,
    /// Times of the calls in milliseconds.
    pub(crate) calls: Samples,
}

/// Runs every number of environments of the plan both ways, in several passes.
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
    let ways = [("directly", direct), ("through PgBouncer", &pooled)];
    let mut loads: Vec<Load> = plan
        .environments
        .iter()
        .flat_map(|&environments| ways.map(|(way, _)| Load::of(way, environments)))
        .collect();
    for pass in 0..plan.passes {
        for load in &mut loads {
            let (_, program) = ways[usize::from(load.way != ways[0].0)];
            load.add(program, world, plan).await?;
        }
        say::progress(pass + 1, plan.passes);
    }
    Ok(loads)
}

impl Load {
    fn of(way: &'static str, environments: usize) -> Self {
        Self {
            way,
            environments,
            per_second: Samples::default(),
            calls: Samples::default(),
        }
    }

    /// One pass.
    async fn add(&mut self, program: &Program, world: &World, plan: &Plan) -> anyhow::Result<()> {
        let (calls, per_second) = load(program, self.environments, world, plan).await?;
        self.calls.extend(&calls);
        self.per_second.push(per_second);
        Ok(())
    }
}

/// The times of all calls, and how many there were in a second.
async fn load(
    program: &Program,
    environments: usize,
    world: &World,
    plan: &Plan,
) -> anyhow::Result<(Samples, f64)> {
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
    let per_second = calls.len() as f64 / begin.elapsed().as_secs_f64();
    Ok((calls, per_second))
}
