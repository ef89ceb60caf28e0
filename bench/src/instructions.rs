//! Instructions, as valgrind's callgrind counts them: repeatable where time is
//! not.
//!
//! Three runs of a program end at three moments: when it asks for its first
//! event, after one call, and after some more. The differences are the costs.
//! valgrind's processor has no SHA instructions and no AVX-512, so that
//! cryptography counts for more here than it takes.

use std::fs;

use anyhow::Context;

use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{FUNCTIONS, NOTHING, Program, find};
use crate::say;
use crate::world::World;

/// Instructions of one program.
pub(crate) struct Counted {
    pub(crate) name: &'static str,
    /// From the start until it asks for an event, connection included.
    pub(crate) init: u64,
    /// The first call.
    pub(crate) first: u64,
    /// A warm call.
    pub(crate) warm: u64,
}

/// Counts for the functions and the one that does nothing.
///
/// # Errors
/// If valgrind is missing or a program does not answer as it should.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Counted>> {
    say::stage("instructions, under valgrind");
    let names = FUNCTIONS.iter().chain([&NOTHING]);
    let mut counted = Vec::new();
    for name in names {
        let program = find(programs, name)?;
        let mut totals = [0; 3];
        let moments = [0, 1, 1 + plan.counted_calls];
        for (total, calls) in totals.iter_mut().zip(moments) {
            *total = count(program, world, calls).await?;
        }
        let [init, first, all] = totals;
        counted.push(Counted {
            name: program.name,
            init,
            first: first.saturating_sub(init),
            warm: all.saturating_sub(first) / plan.counted_calls as u64,
        });
        say::progress(counted.len(), FUNCTIONS.len() + 1);
    }
    Ok(counted)
}

async fn count(program: &Program, world: &World, calls: usize) -> anyhow::Result<u64> {
    let counts = world.file("callgrind");
    let mut command = vec![
        "valgrind".into(),
        "--tool=callgrind".into(),
        format!("--callgrind-out-file={}", counts.display()).into(),
    ];
    command.extend_from_slice(&program.command);
    let mut observed = Program {
        command,
        ..program.clone()
    };
    let path = std::env::var("PATH").context("there is no PATH")?;
    observed.variables.insert("PATH", path);
    let environment = Environment::start(&observed, world).await?;
    for _ in 0..calls {
        environment.expect(&program.event, program.status).await?;
    }
    // What follows the last answer belongs to it.
    environment.cpu().await?;
    environment.end()?;
    total(&fs::read_to_string(&counts)?)
}

/// The sum in callgrind's file.
fn total(text: &str) -> anyhow::Result<u64> {
    let mut lines = text.lines();
    let total = lines.find_map(|line| line.strip_prefix("totals: "));
    let total = total.context("callgrind has counted nothing")?;
    Ok(total.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_at_the_end_of_the_file() {
        let text = "version: 1\nevents: Ir\nsummary: 7\n\nfn=(1) main\n1 7\n\ntotals: 123\n";
        assert_eq!(total(text).unwrap(), 123);
        assert!(total("events: Ir\n").is_err());
    }
}
