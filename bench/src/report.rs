//! The results: `results.json` with everything, `latest.md` with one table.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::console;
use crate::programs::{GET_QUOTE, NOTHING, Program};
use crate::results::Results;
use crate::rounds::{QUANTITIES, Quantity};
use crate::statistics::{Samples, digits};
use crate::targets;

/// The table's columns between a program's name and its zip.
const COLUMNS: [(&str, Quantity); 6] = [
    ("cold ms", |measured| &measured.cold),
    ("cold CPU ms", |measured| &measured.cold_cpu),
    ("warm ms", |measured| &measured.warm),
    ("warm CPU ms", |measured| &measured.warm_cpu),
    ("Postgres CPU ms", |measured| &measured.warm_postgres_cpu),
    ("memory MB", |measured| &measured.memory),
];

/// Writes both files; prints the table and the targets.
#[expect(clippy::print_stdout, reason = "they are what the command is for")]
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<()> {
    let page = markdown(results)?;
    let cannot = || format!("cannot write to {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    let json = serde_json::to_string_pretty(&json(results)?)?;
    fs::write(folder.join("results.json"), json + "\n").with_context(cannot)?;
    fs::write(folder.join("latest.md"), &page).with_context(cannot)?;
    println!("{page}\n| target | aim | reached | |\n| --- | --- | --- | --- |");
    for target in targets::all(results)? {
        println!("{}", target.row());
    }
    console::print_stage(format_args!("written to {}", folder.display()));
    Ok(())
}

/// The page with the table.
fn markdown(results: &Results) -> anyhow::Result<String> {
    let machine = &results.machine;
    let quick = if results.plan.quick {
        "A quick run, with too few rounds to be reliable.\n\n"
    } else {
        ""
    };
    let mut page = format!(
        "# Measured on {}, commit {}\n\n{quick}\
         Written by `make bench`; [README.md](../README.md) says what the columns mean and which targets are met. Medians of {} \
         environments of each program with {} warm calls each, in brackets the ratio to get-quote in the same round.\n\n",
        machine.date, machine.commit, results.plan.rounds, results.plan.calls
    );
    let names = COLUMNS.map(|(name, _)| name);
    let columns = [&["program"], names.as_slice(), &["zip MB", "round trips"]].concat();
    page += &row(columns.iter().map(|&name| name.to_owned()));
    page += &row(columns.iter().map(|_| "---".to_owned()));
    for program in &results.programs {
        page += &row(cells(results, program)?);
    }
    let facts = machine.facts.iter();
    let facts: Vec<_> = facts
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let minutes = results.took.as_secs_f64() / 60.0;
    page += &format!(
        "\n{}. Measuring took {minutes:.0} minutes.\n",
        facts.join("; ")
    );
    Ok(page)
}

/// A program's cells in the table.
fn cells(results: &Results, program: &Program) -> anyhow::Result<Vec<String>> {
    let (measured, ours) = (
        results.rounds.of(program.name)?,
        results.rounds.of(GET_QUOTE)?,
    );
    let mut cells = vec![program.name.to_owned()];
    for (_, quantity) in COLUMNS {
        let median = digits(quantity(measured).median());
        let ratio = digits(quantity(measured).over(quantity(ours)).median());
        cells.push(match program.name {
            GET_QUOTE => median,
            _ => format!("{median} ({ratio})"),
        });
    }
    cells.push(digits(program.zip_size()?));
    let trips = results
        .traffic
        .iter()
        .find(|trips| trips.name == program.name);
    cells.push(trips.map_or_else(String::new, |trips| {
        format!("{} / {}", trips.cold, digits(trips.warm))
    }));
    Ok(cells)
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Everything, with the middle half of each quantity's observations.
fn json(results: &Results) -> anyhow::Result<Value> {
    let rounds = &results.rounds;
    let ours = rounds.of(GET_QUOTE)?;
    let mut programs = Map::new();
    for program in &results.programs {
        let measured = rounds.of(program.name)?;
        let mut entry = Map::new();
        entry.insert("made of".to_owned(), program.about.into());
        entry.insert("zip MB".to_owned(), program.zip_size()?.into());
        for (name, quantity) in QUANTITIES {
            let mut spread = spread(quantity(measured));
            if program.name != NOTHING || !name.contains("Postgres") {
                spread["against get-quote"] =
                    quantity(measured).over(quantity(ours)).median().into();
            }
            entry.insert(name.to_owned(), spread);
        }
        let trips = results
            .traffic
            .iter()
            .find(|trips| trips.name == program.name);
        if let Some(trips) = trips {
            let value = json!({ "cold": trips.cold, "warm": trips.warm });
            entry.insert("round trips".to_owned(), value);
        }
        let counted = results.instructions.iter();
        let counted = counted.filter(|counted| counted.name == program.name);
        for counted in counted {
            let value = json!({ "cold": counted.cold, "warm": counted.warm });
            entry.insert("instructions".to_owned(), value);
        }
        programs.insert(program.name.to_owned(), entry.into());
    }
    let targets = targets::all(results)?.into_iter().map(|target| {
        json!({
            "target": target.text,
            "aim": target.wanted(),
            "reached": target.reached,
            "verdict": target.verdict(),
        })
    });
    let floors = &rounds.floors;
    let facts = results.machine.facts.iter();
    let facts = facts.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
    Ok(json!({
        "date": results.machine.date,
        "commit": results.machine.commit,
        "quick": results.plan.quick,
        "environments": results.plan.rounds,
        "warm calls": results.plan.calls,
        "seconds": results.took.as_secs(),
        "machine": facts.collect::<Map<_, _>>(),
        "programs": programs,
        "floor in turn ms": {
            "nothing": spread(&floors.nothing),
            "RS256 for a call": spread(&floors.rs256),
            "one statement": spread(&floors.statement),
            "sum": spread(&floors.sum()),
        },
        "targets": targets.collect::<Vec<_>>(),
    }))
}

fn spread(samples: &Samples) -> Value {
    json!({
        "median": samples.median(),
        "lower quartile": samples.quantile(0.25),
        "upper quartile": samples.quantile(0.75),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::programs::{AXUM_TUNED, RUSTLS};

    fn read(name: &str) -> String {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::read_to_string(root.join(name)).unwrap()
    }

    #[test]
    fn the_pages_have_what_the_last_run_printed() {
        let results: Value = serde_json::from_str(&read("bench/results/results.json")).unwrap();
        let (page, readme) = (read("bench/README.md"), read("README.md"));
        let targets = results["targets"].as_array().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            let text = |name: &str| target[name].as_str().unwrap();
            let reached = digits(target["reached"].as_f64().unwrap());
            let (target, aim, verdict) = (text("target"), text("aim"), text("verdict"));
            let line = format!("| {target} | {aim} | {reached} | {verdict} |");
            assert!(page.contains(&line), "bench/README.md lacks {line}");
        }
        for name in [GET_QUOTE, RUSTLS, AXUM_TUNED] {
            let program = &results["programs"][name];
            let median = |quantity| digits(program[quantity]["median"].as_f64().unwrap());
            let quantities = [
                "cold ms",
                "cold CPU ms",
                "warm ms",
                "warm CPU ms",
                "memory MB",
            ];
            let cells = quantities.map(median).join(" | ");
            let zip = digits(program["zip MB"].as_f64().unwrap());
            let line = format!("| {name} | {cells} | {zip} |");
            assert!(readme.contains(&line), "README.md lacks {line}");
        }
    }
}
