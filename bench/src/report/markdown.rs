//! The tables.

use std::fmt::Write;

use crate::floors::Floors;
use crate::growth::POOLED_CONNECTIONS;
use crate::programs::{GET_QUOTE, NOTHING, PEERS};
use crate::results::Results;
use crate::rounds::Measurements;
use crate::statistics::{Samples, digits, grouped};
use crate::targets;

/// A Markdown table.
struct Table(String);

impl Table {
    fn new(columns: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(columns.iter().map(|&column| column.to_owned()));
        table.row(columns.iter().map(|_| "---".to_owned()));
        table
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for cell in cells {
            self.0.push_str("| ");
            self.0.push_str(&cell);
            self.0.push(' ');
        }
        self.0.push_str("|\n");
    }
}

/// The whole page.
pub(super) fn render(results: &Results<'_>) -> anyhow::Result<String> {
    let plan = results.plan;
    let mut page = String::new();
    let mut section = |title: &str, text: &str, table: Table| {
        write!(page, "\n## {title}\n\n{text}\n\n{}", table.0)
    };
    let text = "Every number beside its target; what is missed says why.";
    section("Targets", text, target_table(results)?)?;
    let text = format!(
        "{} environments of each program, one a round and all programs in turn, {} warm calls each. Median of the rounds, in \
         brackets the middle half of them. *init*: start of the process to its first request for an event; *cold*: init and \
         the first call. A call is timed from handing over the event to the answer; what a program does after that is in its CPU \
         time only. p99 of all calls. Memory after the warm calls.",
        plan.rounds, plan.calls
    );
    section("All programs", &text, program_table(results)?)?;
    let text = "How many times more a program needs than get-quote in the same round.";
    section("Against get-quote", text, ratio_table(results)?)?;
    let text = "What a warm call of get-quote cannot do without, in milliseconds. *Alone*: each in a loop of its own, where it finds \
                everything awake and its caches warm. *In turn*: one after the other, at the pace that they have in a call.";
    section("The floor", text, floor_table(results)?)?;
    let text = "Counted by a proxy between a program and Postgres; a cold start's include TCP, TLS and the first statement.";
    section("Round trips", text, traffic_table(results))?;
    let text = "callgrind's counts. Its processor has no SHA instructions and no AVX-512: cryptography counts for more than it takes.";
    section("Instructions", text, instruction_table(results))?;
    let text = format!(
        "One environment each; VmRSS in MB. Median, p99 and CPU time of its last tenth of {} calls, in milliseconds.",
        plan.endurance[1]
    );
    section("In the long run", &text, endurance_table(results))?;
    let text = format!(
        "get-quote on one database, with the load generator and Postgres on the same cores; {} passes of {} s, both ways in each. \
         PgBouncer in transaction mode with {POOLED_CONNECTIONS} connections to Postgres and TLS on both sides.",
        plan.passes,
        plan.load.as_secs_f64()
    );
    section("Many environments at once", &text, load_table(results))?;
    let text = "render-page, one environment, both in turn.";
    section("The page", text, page_table(results))?;
    let mut facts = Table::new(&["", ""]);
    for (name, value) in &results.machine.facts {
        facts.row([(*name).to_owned(), value.clone()]);
    }
    section(
        "The machine",
        &format!(
            "{}, commit {}; measuring took {:.0} minutes.",
            results.machine.date,
            results.machine.commit,
            results.took.as_secs_f64() / 60.0
        ),
        facts,
    )?;
    Ok(format!("{}{page}", head(results)))
}

fn head(results: &Results<'_>) -> String {
    format!(
        "# Measured on {}\n\n\
         {}Written by `make bench`: the release artefacts, peers that do the job of get-quote (token verified, one statement over\n\
         TLS, the same JSON, which is compared) and a function that does nothing, side by side under one Lambda Runtime API on one\n\
         machine, with a real Postgres. Ratios, counts and CPU times can be trusted further than times. Nothing here includes what\n\
         Lambda itself adds, fetching the zip and starting the machine, and every file is in the page cache. Peers run their\n\
         languages' usual libraries around a minimal Runtime API loop, which does less than those of the managed runtimes; they\n\
         check signature, expiry and `azp` of a token, get-quote its issuer and class as well. Go is Debian's, not the newest.\n\n\
         ![cold start, warm call, CPU and memory](latest.svg)\n",
        results.machine.date,
        if results.plan.quick {
            "A quick run, with too few rounds to be reliable.\n\n"
        } else {
            ""
        }
    )
}

fn target_table(results: &Results<'_>) -> anyhow::Result<Table> {
    let mut table = Table::new(&["target", "aim", "measured", ""]);
    for target in targets::all(results)? {
        let measured = digits(target.measured);
        table.row([
            target.text.clone(),
            target.wanted(),
            measured,
            target.verdict(),
        ]);
    }
    Ok(table)
}

fn program_table(results: &Results<'_>) -> anyhow::Result<Table> {
    let mut table = Table::new(&[
        "program",
        "made of",
        "init ms",
        "first call ms",
        "cold ms",
        "cold CPU ms",
        "warm ms",
        "p99 ms",
        "warm CPU ms",
        "VmRSS MB",
        "VmHWM MB",
        "zip MB",
    ]);
    let programs = results.programs.iter().zip(&results.sizes.here);
    for (program, (_, zip)) in programs {
        let measured = results.rounds.of(program.name)?;
        let spread = |samples: &Samples| samples.spread().to_string();
        table.row([
            program.name.to_owned(),
            program.about.to_owned(),
            spread(&measured.init),
            spread(&measured.first),
            spread(&measured.cold),
            spread(&measured.cold_cpu),
            spread(&measured.warm),
            digits(measured.calls.p99()),
            spread(&measured.warm_cpu),
            digits(measured.resident.median()),
            digits(measured.peak.median()),
            digits(*zip),
        ]);
    }
    Ok(table)
}

fn ratio_table(results: &Results<'_>) -> anyhow::Result<Table> {
    let ours = results.rounds.of(GET_QUOTE)?;
    let mut table = Table::new(&["program", "cold", "cold CPU", "warm", "warm CPU", "memory"]);
    for name in PEERS.iter().chain([&NOTHING]) {
        let peer = results.rounds.of(name)?;
        let quantities: [fn(&Measurements) -> &Samples; 5] = [
            |measured| &measured.cold,
            |measured| &measured.cold_cpu,
            |measured| &measured.warm,
            |measured| &measured.warm_cpu,
            |measured| &measured.resident,
        ];
        let ratios = quantities.map(|of| of(peer).over(of(ours)).spread().to_string());
        table.row([(*name).to_owned()].into_iter().chain(ratios));
    }
    Ok(table)
}

fn floor_table(results: &Results<'_>) -> anyhow::Result<Table> {
    let rounds = &results.rounds;
    let (ours, nothing) = (rounds.of(GET_QUOTE)?, rounds.of(NOTHING)?);
    let mut table = Table::new(&["", "alone", "in turn"]);
    let Floors { alone, in_turn } = &rounds.floors;
    let spread = |samples: &Samples| samples.spread().to_string();
    let (alone_sum, in_turn_sum) = (alone.sum(), in_turn.sum());
    for (name, alone, in_turn) in [
        (
            "a function that does nothing",
            &alone.nothing,
            &in_turn.nothing,
        ),
        ("one RS256 check", &alone.rs256, &in_turn.rs256),
        (
            "one statement on an open connection",
            &alone.statement,
            &in_turn.statement,
        ),
        ("their sum", &alone_sum, &in_turn_sum),
    ] {
        table.row([name.to_owned(), spread(alone), spread(in_turn)]);
    }
    for (name, samples) in [
        ("get-quote", &ours.warm),
        ("get-quote without a token", &ours.refused),
        (
            "a function that does nothing, without a token",
            &nothing.refused,
        ),
    ] {
        table.row([name.to_owned(), spread(samples), String::new()]);
    }
    Ok(table)
}

fn traffic_table(results: &Results<'_>) -> Table {
    let mut table = Table::new(&[
        "program",
        "connections",
        "cold start",
        "warm call",
        "without a token",
    ]);
    for counted in &results.traffic {
        table.row([
            counted.name.to_owned(),
            counted.connections.to_string(),
            counted.cold.to_string(),
            counted.warm.to_string(),
            counted
                .refused
                .map_or_else(String::new, |count| count.to_string()),
        ]);
    }
    table
}

fn instruction_table(results: &Results<'_>) -> Table {
    let mut table = Table::new(&["function", "init", "first call", "warm call"]);
    for counted in &results.instructions {
        let counts = [counted.init, counted.first, counted.warm].map(grouped);
        table.row([counted.name.to_owned()].into_iter().chain(counts));
    }
    table
}

fn endurance_table(results: &Results<'_>) -> Table {
    let [some, many] = results.plan.endurance;
    let columns = [some, many].map(|calls| format!("after {calls}"));
    let mut table = Table::new(&[
        "program",
        "after 1 call",
        &columns[0],
        &columns[1],
        "VmHWM",
        "median",
        "p99",
        "CPU",
    ]);
    for endured in &results.endured {
        let resident = endured
            .memory
            .map(|memory| format!("{:.2}", memory.resident));
        let peak = format!("{:.2}", endured.memory[2].peak);
        table.row(
            [endured.name.to_owned()]
                .into_iter()
                .chain(resident)
                .chain([peak])
                .chain([
                    digits(endured.last_calls.median()),
                    digits(endured.last_calls.p99()),
                    digits(endured.last_cpu),
                ]),
        );
    }
    table
}

fn load_table(results: &Results<'_>) -> Table {
    let mut table = Table::new(&["environments", "", "calls a second", "median ms", "p99 ms"]);
    for load in &results.loads {
        table.row([
            load.environments.to_string(),
            load.way.to_owned(),
            load.per_second.spread().to_string(),
            digits(load.calls.median()),
            digits(load.calls.p99()),
        ]);
    }
    table
}

fn page_table(results: &Results<'_>) -> Table {
    let mut table = Table::new(&[
        "characters of the quote",
        "bytes of the page",
        "warm ms",
        "p99 ms",
    ]);
    for page in &results.pages {
        table.row([
            page.characters.to_string(),
            page.bytes.to_string(),
            page.calls.spread().to_string(),
            digits(page.calls.p99()),
        ]);
    }
    table
}
