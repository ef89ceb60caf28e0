//! The targets. README.md has a line for each, with the reason for a miss.

use crate::programs::{
    AXUM_TUNED, GET_QUOTE, GET_QUOTE_DIRECT, GO, NODE, NOTHING, RUSTLS, functions,
};
use crate::results::Results;
use crate::rounds::Quantity;
use crate::statistics::digits;

/// One target.
pub(crate) struct Target {
    pub(crate) text: String,
    bound: Bound,
    pub(crate) reached: f64,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}
use Bound::{AtLeast, AtMost};

const COLD: Quantity = |measured| &measured.cold;
const COLD_CPU: Quantity = |measured| &measured.cold_cpu;
const WARM: Quantity = |measured| &measured.warm;
const WARM_CPU: Quantity = |measured| &measured.warm_cpu;
const MEMORY: Quantity = |measured| &measured.memory;

/// How many times what the other program needs one of ours needs.
const OURS_IN_THEIRS: [(&str, &str, &str, Quantity, Bound); 10] = [
    ("cold CPU", GET_QUOTE, RUSTLS, COLD_CPU, AtMost(1.35)),
    ("cold", GET_QUOTE_DIRECT, RUSTLS, COLD, AtMost(1.05)),
    ("warm", GET_QUOTE, RUSTLS, WARM, AtMost(1.1)),
    ("warm", GET_QUOTE_DIRECT, RUSTLS, WARM, AtMost(0.9)),
    ("memory", GET_QUOTE, RUSTLS, MEMORY, AtMost(1.2)),
    // sqlx and pgx prepare by name, too.
    ("warm", GET_QUOTE_DIRECT, AXUM_TUNED, WARM, AtMost(1.0)),
    (
        "warm CPU",
        GET_QUOTE_DIRECT,
        AXUM_TUNED,
        WARM_CPU,
        AtMost(0.85),
    ),
    ("cold", GET_QUOTE, GO, COLD, AtMost(0.95)),
    ("cold CPU", GET_QUOTE, GO, COLD_CPU, AtMost(0.8)),
    ("warm CPU", GET_QUOTE_DIRECT, GO, WARM_CPU, AtMost(0.5)),
];

/// How many times what get-quote needs the other program needs.
const THEIRS_IN_OURS: [(&str, &str, Quantity, Bound); 4] = [
    ("cold", AXUM_TUNED, COLD, AtLeast(4.0)),
    ("cold", NODE, COLD, AtLeast(10.0)),
    ("cold CPU", NODE, COLD_CPU, AtLeast(20.0)),
    ("memory", NODE, MEMORY, AtLeast(9.0)),
];

impl Target {
    fn new(text: impl Into<String>, bound: Bound, reached: f64) -> Self {
        Self {
            text: text.into(),
            bound,
            reached,
        }
    }

    /// Whether it is met, or by how much it is missed.
    pub(crate) fn verdict(&self) -> String {
        let (met, wanted) = match self.bound {
            AtMost(most) => (self.reached <= most, most),
            AtLeast(least) => (self.reached >= least, least),
        };
        if met {
            return "met".to_owned();
        }
        let off = (self.reached / wanted - 1.0).abs() * 100.0;
        let places = usize::from(off < 1.0);
        format!("missed by {off:.places$} %")
    }

    /// The bound in words.
    pub(crate) fn wanted(&self) -> String {
        match self.bound {
            AtMost(most) => format!("≤ {most}"),
            AtLeast(least) => format!("≥ {least}"),
        }
    }

    /// A row of README.md's table, without its reason.
    pub(crate) fn row(&self) -> String {
        let (wanted, reached) = (self.wanted(), digits(self.reached));
        format!(
            "| {} | {wanted} | {reached} | {} |",
            self.text,
            self.verdict()
        )
    }
}

/// All targets with what was reached.
pub(crate) fn all(results: &Results) -> anyhow::Result<Vec<Target>> {
    let rounds = &results.rounds;
    let ratio = |above: &str, below: &str, quantity: Quantity| {
        let samples = quantity(rounds.of(above)?).over(quantity(rounds.of(below)?));
        anyhow::Ok(samples.median())
    };
    let mut targets = Vec::new();
    for (what, ours, theirs, quantity, bound) in OURS_IN_THEIRS {
        let text = format!("{what}: {ours}, against {theirs}");
        targets.push(Target::new(text, bound, ratio(ours, theirs, quantity)?));
    }
    for (what, theirs, quantity, bound) in THEIRS_IN_OURS {
        let text = format!("{what}: {theirs}, against {GET_QUOTE}");
        targets.push(Target::new(
            text,
            bound,
            ratio(theirs, GET_QUOTE, quantity)?,
        ));
    }
    let text = format!("cold CPU: {GET_QUOTE}, against {NOTHING}");
    let reached = ratio(GET_QUOTE, NOTHING, COLD_CPU)?;
    targets.push(Target::new(text, AtMost(3.5), reached));
    let floor = rounds.of(GET_QUOTE)?.warm.over(&rounds.floors.sum());
    let text = format!("warm: {GET_QUOTE}, against the floor in turn");
    targets.push(Target::new(text, AtMost(1.1), floor.median()));
    let zip = results.largest_zip;
    targets.push(Target::new(
        "largest zip of a function, MB",
        AtMost(2.2),
        zip,
    ));
    let memory = |function| anyhow::Ok(rounds.of(function)?.memory.median());
    let most = functions().into_iter().map(memory);
    let most = most.collect::<anyhow::Result<Vec<_>>>()?;
    let most = most.into_iter().fold(0.0, f64::max);
    let text = "most memory of a function after its calls, MB";
    targets.push(Target::new(text, AtMost(6.8), most));
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_bound_that_is_reached_is_met() {
        assert_eq!(Target::new("", AtMost(4.0), 4.0).verdict(), "met");
        assert_eq!(Target::new("", AtLeast(4.0), 4.0).verdict(), "met");
    }

    #[test]
    fn a_miss_says_by_how_much() {
        let verdict = |bound, reached| Target::new("", bound, reached).verdict();
        assert_eq!(verdict(AtMost(4.0), 5.0), "missed by 25 %");
        assert_eq!(verdict(AtMost(4.0), 4.01), "missed by 0.2 %");
        assert_eq!(verdict(AtLeast(4.0), 3.0), "missed by 25 %");
    }

    #[test]
    fn readme_has_the_targets_of_the_results() {
        let results: Value = serde_json::from_str(include_str!("../results/results.json")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for target in results["targets"].as_array().unwrap() {
            let [name, aim, verdict] = ["target", "aim", "verdict"].map(|key| text(&target[key]));
            let reached = digits(target["reached"].as_f64().unwrap());
            let row = format!("| {name} | {aim} | {reached} | {verdict} |");
            assert!(include_str!("../README.md").contains(&row), "{row}");
        }
    }

    #[test]
    fn a_row_has_what_was_wanted_and_what_was_reached() {
        let target = Target::new("cold", AtMost(1.05), 1.0);
        assert_eq!(target.row(), "| cold | ≤ 1.05 | 1.00 | met |");
    }
}
