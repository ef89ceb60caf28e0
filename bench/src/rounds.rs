//! Cold starts and warm calls: everybody once a round, in turn, so that what
//! disturbs the machine disturbs all of them.

use std::time::Duration;

use anyhow::Context;

use crate::environment::Environment;
use crate::floors::Floors;
use crate::plan::Plan;
use crate::programs::Program;
use crate::say;
use crate::statistics::Samples;
use crate::world::World;

/// Between two programs.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen of one program; one observation a round, times in
/// milliseconds, memory in megabytes.
#[derive(Default)]
pub(crate) struct Seen {
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
    pub(crate) programs: Vec<(&'static str, Seen)>,
    /// What none of them can do without.
    pub(crate) floors: Floors,
}

impl Rounds {
    /// What was seen of the program of this name.
    ///
    /// # Errors
    /// If it was not measured.
    pub(crate) fn of(&self, name: &str) -> anyhow::Result<&Seen> {
        let mut named = self.programs.iter().filter(|(known, _)| *known == name);
        let (_, seen) = named.next().with_context(|| format!("no {name}"))?;
        Ok(seen)
    }
}

/// Runs all rounds.
///
/// # Errors
/// If a program does not answer as it should.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Rounds> {
    say::stage("cold starts and warm calls, everybody in turn");
    let mut rounds = Rounds {
        programs: programs
            .iter()
            .map(|program| (program.name, Seen::default()))
            .collect(),
        ..Rounds::default()
    };
    for round in 0..plan.rounds {
        for turn in 0..programs.len() {
            // Backwards in every other round, so that nobody always follows
            // the same one.
            let turn = if round % 2 == 0 {
                turn
            } else {
                programs.len() - 1 - turn
            };
            let index = (round + turn) % programs.len();
            let (_, seen) = &mut rounds.programs[index];
            observe(&programs[index], world, plan.calls, seen).await?;
        }
        rounds.floors.observe(programs, world, plan.calls).await?;
        say::progress(round + 1, plan.rounds);
    }
    Ok(rounds)
}

/// One environment's life.
async fn observe(
    program: &Program,
    world: &World,
    calls: usize,
    seen: &mut Seen,
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
        seen.refused.push(refused.median());
    }

    seen.init.push(ms(environment.init));
    seen.first.push(ms(first));
    seen.cold.push(ms(environment.init + first));
    seen.cold_cpu.push(ms(cold_cpu));
    seen.warm.push(warm.median());
    seen.calls.extend(&warm);
    seen.warm_cpu.push(ms(warm_cpu) / calls as f64);
    seen.resident.push(memory.resident);
    seen.peak.push(memory.peak);
    drop(environment);
    // Until the end of its backend, which is not the next one's to pay.
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// Milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
