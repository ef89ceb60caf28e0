//! Instructions, as valgrind's callgrind counts them: unlike times the counts
//! hardly differ between runs.
//!
//! Three runs of a program end at three moments: when it asks for its first
//! event, after one call, and after some more. The differences are the costs.
//! valgrind's processor has no SHA instructions and no AVX-512, so that
//! cryptography counts for more here than it takes.

use std::fs;

use anyhow::{Context, bail};

use crate::console;
use crate::environment::Environment;
use crate::plan::Plan;
use crate::programs::{self, NOTHING, Program, find};
use crate::world::World;

/// Runs until one connects in time.
const MAX_VALGRIND_RUNS: usize = 5;

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
pub(crate) async fn run(
    programs: &[Program],
    world: &World,
    plan: &Plan,
) -> anyhow::Result<Vec<Counted>> {
    console::print_stage("instructions, under valgrind");
    let names = [programs::functions().as_slice(), &[NOTHING]].concat();
    let mut counted = Vec::new();
    for name in &names {
        let program = find(programs, name)?;
        let connected = init_round_trips(program, world).await?;
        let mut totals = [0; 3];
        let moments = [0, 1, 1 + plan.counted_calls];
        for (total, calls) in totals.iter_mut().zip(moments) {
            *total = count(program, world, calls, connected).await?;
        }
        let [init, first, all] = totals;
        counted.push(Counted {
            name: program.name,
            init,
            first: first.saturating_sub(init),
            warm: all.saturating_sub(first) / plan.counted_calls as u64,
        });
        console::print_progress(counted.len(), names.len());
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
/// connect within its timeout at the start; then it is run again.
async fn count(
    program: &Program,
    world: &World,
    calls: usize,
    connected: usize,
) -> anyhow::Result<u64> {
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
            environment.expect(&program.event, program.status).await?;
        }
        // The work after the last answer belongs to its call.
        environment.cpu().await?;
        environment.end()?;
        if in_time {
            return total(&fs::read_to_string(&counts)?);
        }
    }
    bail!(
        "{} is too slow under valgrind on this machine",
        program.name
    );
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
