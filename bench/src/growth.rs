//! Many environments of get-quote at once on one database, directly and
//! through PgBouncer.

use std::time::Instant;

use tests::PgBouncer;
use tokio::task::JoinSet;

use crate::console;
use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{GET_QUOTE, Program, find};
use crate::statistics::{Samples, ms};
use crate::world::World;

/// Connections to Postgres that all environments share behind PgBouncer.
pub(crate) const POOLED_CONNECTIONS: usize = 4;

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
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Load>> {
    console::print_stage("many environments at once, directly and through PgBouncer");
    let direct = find(programs, GET_QUOTE)?;
    let pgbouncer = PgBouncer::start(world.database(), POOLED_CONNECTIONS).await;
    let pooled = direct.with_database(world, &pgbouncer.database);
    let mut loads = Vec::new();
    for &environments in &plan.environments {
        for (way, program) in [("directly", direct), ("through PgBouncer", &pooled)] {
            let load = Load {
                way,
                environments,
                per_second: Samples::default(),
                calls: Samples::default(),
            };
            loads.push((program, load));
        }
    }
    for pass in 0..plan.passes {
        for (program, load) in &mut loads {
            load.add_pass(program, world, plan).await?;
        }
        console::print_progress(pass + 1, plan.passes);
    }
    Ok(loads.into_iter().map(|(_program, load)| load).collect())
}

impl Load {
    /// Starts the environments and calls each of them for the time of the plan.
    async fn add_pass(
        &mut self,
        program: &Program,
        world: &World,
        plan: &Plan,
    ) -> anyhow::Result<()> {
        let mut started = Vec::new();
        for _ in 0..self.environments {
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
        let mut count = 0;
        while let Some(finished) = working.join_next().await {
            let calls = finished??;
            count += calls.len();
            self.calls.extend(&calls);
        }
        let per_second = count as f64 / begin.elapsed().as_secs_f64();
        self.per_second.push(per_second);
        Ok(())
    }
}
