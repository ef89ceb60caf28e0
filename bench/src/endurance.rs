//! One environment over thousands of calls: its memory, and how fast it is at
//! the end, when a just-in-time compiler has optimised it.

use crate::console;
use crate::environment::{Environment, Memory};
use crate::plan::Plan;
use crate::programs::{self, PEERS, Program, find};
use crate::statistics::{Samples, ms};
use crate::world::World;

/// What was measured of one program.
pub(crate) struct Endured {
    pub(crate) name: &'static str,
    /// After the first call, and after each number of calls of the plan.
    pub(crate) memory: [Memory; 3],
    /// Times of the last tenth of the calls, in milliseconds.
    pub(crate) last_calls: Samples,
    /// CPU time of one of them, in milliseconds.
    pub(crate) last_cpu: f64,
}

/// Calls each function and each peer until the last number of the plan.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Endured>> {
    let [some, many] = plan.endurance;
    let last = many / 10;
    console::print_stage(format_args!("{many} calls of one environment"));
    let mut endured = Vec::new();
    let names = [programs::functions().as_slice(), &PEERS].concat();
    for name in &names {
        let program = find(programs, name)?;
        let environment = Environment::start(program, world).await?;
        let mut memory = Vec::new();
        for calls in [1, some - 1, many - some - last] {
            for _ in 0..calls {
                environment.expect(&program.event, program.status).await?;
            }
            memory.push(environment.memory()?);
        }
        let begin = environment.cpu().await?;
        let mut last_calls = Samples::default();
        for _ in 0..last {
            let took = environment.expect(&program.event, program.status).await?;
            last_calls.push(ms(took));
        }
        let last_cpu = ms(environment.cpu().await? - begin) / last as f64;
        endured.push(Endured {
            name,
            memory: [memory[0], memory[1], environment.memory()?],
            last_calls,
            last_cpu,
        });
        console::print_progress(endured.len(), names.len());
    }
    Ok(endured)
}
