//! Memory of one environment over thousands of calls.

use crate::environment::{Environment, Memory};
use crate::plan::Plan;
use crate::programs::{FUNCTIONS, Program, find};
use crate::say;
use crate::world::World;

/// The memory of one function.
pub(crate) struct Endured {
    pub(crate) name: &'static str,
    /// After the first call, and after each number of calls of the plan.
    pub(crate) memory: [Memory; 3],
}

/// Calls each function until the last number of the plan.
///
/// # Errors
/// If a function does not answer as it should.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Endured>> {
    let [some, many] = plan.endurance;
    say::stage(format_args!("memory over {many} calls"));
    let mut endured = Vec::new();
    for name in FUNCTIONS {
        let program = find(programs, name)?;
        let environment = Environment::start(program, world).await?;
        let mut memory = Vec::new();
        for calls in [1, some - 1, many - some] {
            for _ in 0..calls {
                environment.expect(&program.event, program.status).await?;
            }
            memory.push(environment.memory()?);
        }
        endured.push(Endured {
            name,
            memory: [memory[0], memory[1], memory[2]],
        });
        say::progress(endured.len(), FUNCTIONS.len());
    }
    Ok(endured)
}
