//! Round trips and connections, counted between a program and Postgres.

use tests::proxy::Traffic;

use crate::console;
use crate::environment::Environment;
use crate::programs::{NOTHING, Program};
use crate::world::World;

/// Warm calls over which round trips are counted.
const TRAFFIC_CALLS: usize = 20;

/// What went between one program and Postgres.
pub(crate) struct Counted {
    pub(crate) name: &'static str,
    /// Connections of one environment.
    pub(crate) connections: usize,
    /// Round trips of a cold start with its first call, TCP's included.
    pub(crate) cold: usize,
    /// Round trips of a warm call.
    pub(crate) warm: f64,
    /// Round trips of a request without a token, where that was measured.
    pub(crate) refused: Option<f64>,
}

/// Counts for every program.
pub(crate) async fn run(programs: &[Program], world: &World) -> anyhow::Result<Vec<Counted>> {
    console::print_stage("round trips to the database");
    let mut counted = Vec::new();
    for program in programs.iter().filter(|program| program.name != NOTHING) {
        counted.push(count(program, world).await?);
    }
    Ok(counted)
}

async fn count(program: &Program, world: &World) -> anyhow::Result<Counted> {
    let (proxy, program) = program.with_proxy(world).await;
    let environment = Environment::start(&program, world).await?;
    environment.expect(&program.event, program.status).await?;
    let cold = proxy.traffic();
    for _ in 0..TRAFFIC_CALLS {
        environment.expect(&program.event, program.status).await?;
    }
    let warm = proxy.traffic();
    let mut refused = None;
    if let Some((event, status)) = &program.refused {
        for _ in 0..TRAFFIC_CALLS {
            environment.expect(event, *status).await?;
        }
        refused = Some(per_call(warm, proxy.traffic()));
    }
    Ok(Counted {
        name: program.name,
        connections: proxy.traffic().connections,
        cold: cold.round_trips,
        warm: per_call(cold, warm),
        refused,
    })
}

fn per_call(before: Traffic, after: Traffic) -> f64 {
    (after.round_trips - before.round_trips) as f64 / TRAFFIC_CALLS as f64
}
