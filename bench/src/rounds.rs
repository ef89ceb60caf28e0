//! Cold starts and warm calls: each program once a round, so that what disturbs
//! the machine disturbs all of them.

use std::time::Duration;

use anyhow::Context;

use crate::console;
use crate::environment::Environment;
use crate::floors::Floors;
use crate::plan::Plan;
use crate::programs::Program;
use crate::statistics::{Samples, ms};
use crate::world::World;

/// How long the backend of a program may take to end before the next start.
const BACKEND_EXIT_DELAY: Duration = Duration::from_millis(20);

/// What was measured of one program: one observation a round, times in
/// milliseconds, memory in megabytes.
#[derive(Default)]
pub(crate) struct Measurements {
    /// Start of the process to its first request for an event.
    pub(crate) init: Samples,
    /// The first call.
    pub(crate) first: Samples,
    /// Both.
    pub(crate) cold: Samples,
    /// CPU time until the first call was done.
    pub(crate) cold_cpu: Samples,
    /// Median of the warm calls.
    pub(crate) warm: Samples,
    /// All warm calls of all rounds.
    pub(crate) calls: Samples,
    /// CPU time of a warm call.
    pub(crate) warm_cpu: Samples,
    /// Median of requests without a token, where those were made.
    pub(crate) refused: Samples,
    /// VmRSS after the warm calls.
    pub(crate) resident: Samples,
    /// VmHWM after the warm calls.
    pub(crate) peak: Samples,
}

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
        rounds.floors.observe(programs, world, plan.calls).await?;
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
    let environment = Environment::start(program, world).await?;
    let first = environment.expect(&program.event, program.status).await?;
    let cold_cpu = environment.cpu().await?;
    let mut warm = Samples::default();
    for _ in 0..calls {
        let took = environment.expect(&program.event, program.status).await?;
        warm.push(ms(took));
    }
    let warm_cpu = environment.cpu().await? - cold_cpu;
    let memory = environment.memory()?;
    if let Some((event, status)) = &program.refused {
        let mut refused = Samples::default();
        for _ in 0..calls {
            refused.push(ms(environment.expect(event, *status).await?));
        }
        measured.refused.push(refused.median());
    }

    measured.init.push(ms(environment.init));
    measured.first.push(ms(first));
    measured.cold.push(ms(environment.init + first));
    measured.cold_cpu.push(ms(cold_cpu));
    measured.warm.push(warm.median());
    measured.calls.extend(&warm);
    measured.warm_cpu.push(ms(warm_cpu) / calls as f64);
    measured.resident.push(memory.resident);
    measured.peak.push(memory.peak);
    drop(environment);
    tokio::time::sleep(BACKEND_EXIT_DELAY).await;
    Ok(())
}
