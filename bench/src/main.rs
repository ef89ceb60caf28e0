//! `make bench`: the functions, their peers and the floor, measured
//! side by side under a Lambda Runtime API and written to `bench/results`.
//!
//! | module | concern |
//! |---|---|
//! | `plan` | how much of everything, in full and with `--quick` |
//! | `world` | the database, the instance and the users of all programs |
//! | `programs` | what is measured |
//! | `answers` | whether the peers do the same job |
//! | `environment` | one program's process, its clock, its memory |
//! | `statistics` | medians, ratios |
//! | `rounds` | cold starts and warm calls, all programs in turn |
//! | `floors` | what a warm call cannot do without |
//! | `traffic` | round trips |
//! | `instructions` | callgrind's counts |
//! | `machine` | what all of this ran on |
//! | `results` | all of it, in its order |
//! | `targets` | the targets, and whether they are met |
//! | `report` | JSON and the table |
//! | `console` | the progress |

mod answers;
mod console;
mod environment;
mod floors;
mod instructions;
mod machine;
mod plan;
mod programs;
mod report;
mod results;
mod rounds;
mod statistics;
mod targets;
mod traffic;
mod world;

use std::path::PathBuf;

use clap::Parser;

use plan::Plan;

/// Measures the functions and writes bench/results.
#[derive(Parser)]
struct Arguments {
    /// A few rounds of everything, to see that it works.
    #[arg(long)]
    quick: bool,
    /// The folder that the results go to.
    #[arg(long)]
    results: PathBuf,
    /// The folder with the programs: `<name>/bootstrap` and `<name>.zip`.
    #[arg(long)]
    programs: PathBuf,
    /// Folders with the artefacts of the functions: `<name>/bootstrap.zip`.
    #[arg(long, num_args = 1..)]
    artefacts: Vec<PathBuf>,
}

// One thread: on a machine of two cores the other one is for the programs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let plan = if arguments.quick {
        Plan::quick()
    } else {
        Plan::full()
    };
    let results = results::measure(plan, &arguments.programs, &arguments.artefacts).await?;
    report::write(&results, &arguments.results)
}
