//! Round trips to Postgres, counted by a proxy in front of it.

use crate::console;
use crate::environment::Environment;
use crate::programs::{NOTHING, Program};
use crate::world::World;

/// Warm calls over which round trips are counted.
const TRAFFIC_CALLS: usize = 20;

/// What went between one program and Postgres.
pub(crate) struct RoundTrips {
    pub(crate) name: &'static str,
    /// Of a cold start with its first call, TCP's included.
    pub(crate) cold: usize,
    /// Of a warm call.
    pub(crate) warm: f64,
}

/// Counts for every program that uses the database.
pub(crate) async fn run(programs: &[Program], world: &World) -> anyhow::Result<Vec<RoundTrips>> {
    console::print_stage("round trips to the database");
    let mut counted = Vec::new();
    for program in programs.iter().filter(|program| program.name != NOTHING) {
        let (proxy, program) = program.with_proxy(world).await;
        let environment = Environment::start(&program, world).await?;
        environment.call().await?;
        let cold = proxy.traffic().round_trips;
        for _ in 0..TRAFFIC_CALLS {
            environment.call().await?;
        }
        let warm = proxy.traffic().round_trips - cold;
        counted.push(RoundTrips {
            name: program.name,
            cold,
            warm: warm as f64 / TRAFFIC_CALLS as f64,
        });
    }
    Ok(counted)
}
