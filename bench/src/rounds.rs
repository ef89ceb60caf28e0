//! Cold starts and warm calls: each program once a round, so that what disturbs
//! the machine disturbs all of them.

use anyhow::Context;

use crate::console;
use crate::environment::{CALLS_PER_TOKEN, Environment};
use crate::floors::Floors;
use crate::plan::Plan;
use crate::programs::Program;
use crate::statistics::{Samples, ms};
use crate::world::World;

/// What was measured of one program: one observation a round, times in
/// milliseconds, memory in megabytes.
#[derive(Default)]
pub(crate) struct Measurements {
    /// Start of the process to its first request for an event.
    pub(crate) init: Samples,
    /// That and the first call.
    pub(crate) cold: Samples,
    /// CPU time until the first call was done.
    pub(crate) cold_cpu: Samples,
    /// CPU time of Postgres until then.
    pub(crate) cold_postgres_cpu: Samples,
    /// A warm call: the median of the means of three calls in a row, of which one has a
    /// new token and may cost more.
    pub(crate) warm: Samples,
    /// The time that one warm call in a hundred exceeds.
    pub(crate) warm_p99: Samples,
    /// CPU time of a warm call.
    pub(crate) warm_cpu: Samples,
    /// CPU time of Postgres for a warm call.
    pub(crate) warm_postgres_cpu: Samples,
    /// VmRSS after the warm calls.
    pub(crate) memory: Samples,
    /// VmHWM after the warm calls.
    pub(crate) peak_memory: Samples,
}

/// One of the quantities.
pub(crate) type Quantity = fn(&Measurements) -> &Samples;

/// All of them, as the results name them.
pub(crate) const QUANTITIES: [(&str, Quantity); 10] = [
    ("init ms", |measured| &measured.init),
    ("cold ms", |measured| &measured.cold),
    ("cold CPU ms", |measured| &measured.cold_cpu),
    ("cold Postgres CPU ms", |measured| {
        &measured.cold_postgres_cpu
    }),
    ("warm ms", |measured| &measured.warm),
    ("warm p99 ms", |measured| &measured.warm_p99),
    ("warm CPU ms", |measured| &measured.warm_cpu),
    ("warm Postgres CPU ms", |measured| {
        &measured.warm_postgres_cpu
    }),
    ("memory MB", |measured| &measured.memory),
    ("peak memory MB", |measured| &measured.peak_memory),
];

/// All rounds.
#[derive(Default)]
pub(crate) struct Rounds {
    /// One for each program, in their order.
    pub(crate) programs: Vec<(&'static str, Measurements)>,
    /// What no program can do without.
    pub(crate) floors: Floors,
}

impl Rounds {
    /// What was measured of the program of this name.
    pub(crate) fn of(&self, name: &str) -> anyhow::Result<&Measurements> {
        let mut named = self.programs.iter().filter(|(known, _)| *known == name);
        let (_, measured) = named.next().with_context(|| format!("no {name}"))?;
        Ok(measured)
    }
}

/// Runs all rounds.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Rounds> {
    console::print_stage("cold starts and warm calls, all programs in turn");
    let mut rounds = Rounds {
        programs: programs
            .iter()
            .map(|program| (program.name, Measurements::default()))
            .collect(),
        ..Rounds::default()
    };
    for round in 0..plan.rounds {
        for turn in 0..programs.len() {
            // Backwards in every other round, so that no program always follows
            // the same one.
            let turn = if round % 2 == 0 {
                turn
            } else {
                programs.len() - 1 - turn
            };
            let index = (round + turn) % programs.len();
            let (_, measured) = &mut rounds.programs[index];
            observe(&programs[index], world, plan.calls, measured).await?;
        }
        rounds
            .floors
            .observe(programs, world, plan.floor_calls)
            .await?;
        console::print_progress(round + 1, plan.rounds);
    }
    Ok(rounds)
}

/// Starts an environment and calls it.
async fn observe(
    program: &Program,
    world: &World,
    calls: usize,
    measured: &mut Measurements,
) -> anyhow::Result<()> {
    // The system may have dropped its files from the page cache since the last round.
    drop(Environment::start(program, world).await?);
    world.wait_for_backends().await?;
    let environment = Environment::start(program, world).await?;
    let first = environment.call().await?;
    let cold_cpu = environment.cpu().await?;
    let cold_postgres_cpu = world.postgres_cpu().await?;
    let mut warm = Samples::default();
    for _ in 0..calls {
        warm.push(ms(environment.call().await?));
    }
    let warm_cpu = environment.cpu().await? - cold_cpu;
    let warm_postgres_cpu = world.postgres_cpu().await? - cold_postgres_cpu;
    let memory = environment.memory()?;

    measured.init.push(ms(environment.init));
    measured.cold.push(ms(environment.init + first));
    measured.cold_cpu.push(ms(cold_cpu));
    measured.cold_postgres_cpu.push(ms(cold_postgres_cpu));
    measured.warm.push(warm.means(CALLS_PER_TOKEN).median());
    measured.warm_p99.push(warm.p99());
    measured.warm_cpu.push(ms(warm_cpu) / calls as f64);
    let postgres = ms(warm_postgres_cpu) / calls as f64;
    measured.warm_postgres_cpu.push(postgres);
    measured.memory.push(memory.resident);
    measured.peak_memory.push(memory.peak);
    Ok(())
}
