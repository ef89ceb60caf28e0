//! `make bench`: the functions, their peers and the floor, measured
//! side by side under a Lambda Runtime API and written to `bench/results`.
//!
//! | module | concern |
//! |---|---|
//! | `plan` | how much of everything, in full and with `--quick` |
//! | `world` | the database, the instance and the user of all programs |
//! | `programs` | what is measured |
//! | `answers` | whether the peers do the same job |
//! | `environment` | one program's process, its clock, its memory |
//! | `statistics` | medians, spread, ratios |
//! | `rounds` | cold starts and warm calls, all programs in turn |
//! | `floors` | what a warm call cannot do without |
//! | `unreachable` | cold starts without a database |
//! | `traffic` | round trips and connections |
//! | `endurance` | memory over thousands of calls |
//! | `growth` | many environments at once |
//! | `pages` | the page with a short and a long quote |
//! | `instructions` | callgrind's counts |
//! | `bundle`, `crypto` | certificates opened, libraries linked |
//! | `sizes` | sizes of the zips |
//! | `machine` | what all of this ran on |
//! | `targets` | the targets, and whether they are met |
//! | `report` | Markdown and the plot |
//! | `console` | the progress |

mod answers;
mod bundle;
mod console;
mod crypto;
mod endurance;
mod environment;
mod floors;
mod growth;
mod instructions;
mod machine;
mod pages;
mod plan;
mod programs;
mod report;
mod results;
mod rounds;
mod sizes;
mod statistics;
mod targets;
mod traffic;
mod unreachable;
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
    /// The zips of the other architecture: `<name>/bootstrap.zip`.
    #[arg(long)]
    other_architecture: Option<PathBuf>,
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
    let results = results::measure(
        &plan,
        &arguments.programs,
        arguments.other_architecture.as_deref(),
    )
    .await?;
    report::write(&results, &arguments.results)
}
