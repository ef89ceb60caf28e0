//! Everything that is measured, in its order.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::answers;
use crate::bundle::{self, Opened};
use crate::crypto;
use crate::endurance::{self, Endured};
use crate::growth::{self, Load};
use crate::instructions;
use crate::machine::{self, Machine};
use crate::pages::{self, Page};
use crate::plan::Plan;
use crate::programs::{self, Program};
use crate::rounds::{self, Rounds};
use crate::sizes::{self, Sizes};
use crate::traffic;
use crate::unreachable::{self, Unreachable};
use crate::world::World;

/// All that is reported.
pub(crate) struct Results<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) programs: Vec<Program>,
    pub(crate) machine: Machine,
    /// How long measuring took.
    pub(crate) took: Duration,
    pub(crate) rounds: Rounds,
    pub(crate) unreachable: Unreachable,
    pub(crate) traffic: Vec<traffic::Counted>,
    pub(crate) opened: Opened,
    pub(crate) endured: Vec<Endured>,
    pub(crate) loads: Vec<Load>,
    pub(crate) pages: Vec<Page>,
    pub(crate) instructions: Vec<instructions::Counted>,
    pub(crate) sizes: Sizes,
    pub(crate) crypto: BTreeSet<String>,
}

/// Measures everything.
pub(crate) async fn measure<'a>(
    plan: &'a Plan,
    folder: &Path,
    other_architecture: Option<&Path>,
) -> anyhow::Result<Results<'a>> {
    let begin = Instant::now();
    let world = World::begin(folder).await?;
    let programs = programs::all(&world)?;
    answers::compare(&programs, &world).await?;
    let results = Results {
        plan,
        machine: machine::describe(&world).await?,
        sizes: sizes::read(&programs, other_architecture)?,
        crypto: crypto::linked()?,
        traffic: traffic::run(&programs, &world).await?,
        opened: bundle::run(&programs, &world).await?,
        rounds: rounds::run(&programs, &world, plan).await?,
        unreachable: unreachable::run(&programs, &world, plan).await?,
        pages: pages::run(&programs, &world, plan).await?,
        endured: endurance::run(&programs, &world, plan).await?,
        loads: growth::run(&programs, &world, plan).await?,
        instructions: instructions::run(&programs, &world, plan).await?,
        took: begin.elapsed(),
        programs,
    };
    world.end().await?;
    Ok(results)
}
