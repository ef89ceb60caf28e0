//! Everything that is measured, in its order.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::answers;
use crate::environment::CALLS_PER_TOKEN;
use crate::instructions;
use crate::machine::{self, Machine};
use crate::plan::Plan;
use crate::programs::{self, Program};
use crate::rounds::{self, Rounds};
use crate::traffic::{self, RoundTrips};
use crate::world::World;

/// All that is reported.
pub(crate) struct Results {
    pub(crate) plan: Plan,
    pub(crate) programs: Vec<Program>,
    pub(crate) machine: Machine,
    /// How long measuring took.
    pub(crate) took: Duration,
    pub(crate) rounds: Rounds,
    pub(crate) traffic: Vec<RoundTrips>,
    pub(crate) instructions: Vec<instructions::Counted>,
    /// Of the functions on every architecture that was built, in megabytes.
    pub(crate) largest_zip: f64,
}

/// Measures everything. `artefacts` are folders with the zips of the functions.
pub(crate) async fn measure(
    plan: Plan,
    folder: &Path,
    artefacts: &[impl AsRef<Path>],
) -> anyhow::Result<Results> {
    let begin = Instant::now();
    let world = World::begin(folder).await?;
    let programs = programs::all(&world, plan.calls / CALLS_PER_TOKEN + 1)?;
    answers::compare(&programs, &world).await?;
    let mut largest_zip = 0.0;
    for folder in artefacts {
        largest_zip = programs::largest_zip(folder.as_ref())?.max(largest_zip);
    }
    let results = Results {
        machine: machine::describe(&world).await?,
        traffic: traffic::run(&programs, &world).await?,
        rounds: rounds::run(&programs, &world, &plan).await?,
        instructions: instructions::run(&programs, &world, &plan).await?,
        largest_zip,
        took: begin.elapsed(),
        programs,
        plan,
    };
    world.end().await?;
    Ok(results)
}
