//! Instructions, as valgrind's callgrind counts them: unlike times the counts
//! hardly differ between runs.
//!
//! One run of a program ends after one call, another after some more; the
//! difference is what those cost.
//! valgrind's processor has no SHA instructions and no AVX-512, so that
//! cryptography counts for more here than it takes.

use std::fs;

use anyhow::Context;

use crate::console;
use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{COUNTED, Program, find};
use crate::world::World;

/// Runs until one connects in time.
const MAX_VALGRIND_RUNS: usize = 5;

/// Instructions of one program.
pub(crate) struct Counted {
    pub(crate) name: &'static str,
    /// From the start until the first call is done, connection included.
    pub(crate) cold: u64,
    /// A warm call.
    pub(crate) warm: u64,
}

/// Counts for the programs of the list.
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Counted>> {
    console::print_stage("instructions, under valgrind");
    let mut counted = Vec::new();
    for name in COUNTED {
        let program = find(programs, name)?;
        let connected = init_round_trips(program, world).await?;
        let cold = count(program, world, 1, connected).await?;
        let all = count(program, world, 1 + plan.counted_calls, connected).await?;
        let (Some(cold), Some(all)) = (cold, all) else {
            // What was measured before is worth more than this.
            console::print_stage(format_args!("{name} is too slow under valgrind"));
            continue;
        };
        counted.push(Counted {
            name,
            cold,
            warm: all.saturating_sub(cold) / plan.counted_calls as u64,
        });
        console::print_progress(counted.len(), COUNTED.len());
    }
    Ok(counted)
}

/// Round trips to the database that belong to an init.
async fn init_round_trips(program: &Program, world: &World) -> anyhow::Result<usize> {
    let (proxy, program) = program.with_proxy(world).await;
    let _environment = Environment::start(&program, world).await?;
    Ok(proxy.traffic().round_trips)
}

/// Counts until `calls` are done. Under valgrind a program may be too slow to
/// connect within its timeout at the start; then it is run again. `None` if it
/// always is, on a machine that has other work.
async fn count(
    program: &Program,
    world: &World,
    calls: usize,
    connected: usize,
) -> anyhow::Result<Option<u64>> {
    let counts = world.file("callgrind");
    let mut command = vec![
        "valgrind".into(),
        "--tool=callgrind".into(),
        format!("--callgrind-out-file={}", counts.display()).into(),
    ];
    command.extend_from_slice(&program.command);
    for _ in 0..MAX_VALGRIND_RUNS {
        let (proxy, mut observed) = program.with_proxy(world).await;
        observed.command.clone_from(&command);
        let path = std::env::var("PATH").context("there is no PATH")?;
        observed.variables.insert("PATH", path);
        let environment = Environment::start(&observed, world).await?;
        let in_time = proxy.traffic().round_trips == connected;
        for _ in 0..calls {
            environment.call().await?;
        }
        // The work after the last answer belongs to its call.
        environment.cpu().await?;
        environment.end()?;
        if in_time {
            return total(&fs::read_to_string(&counts)?).map(Some);
        }
    }
    Ok(None)
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
