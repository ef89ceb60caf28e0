//! The targets, and whether they are met.

use crate::programs::{self, GET_QUOTE, NOTHING};
use crate::results::Results;
use crate::rounds::Measurements;
use crate::statistics::{Samples, digits};

/// One target.
pub(crate) struct Target {
    pub(crate) text: String,
    pub(crate) measured: f64,
    bound: Bound,
    /// Why it is missed, if it is.
    why: String,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    /// Whether it is met, or by how much it is missed and why.
    pub(crate) fn verdict(&self) -> String {
        let (met, wanted) = match self.bound {
            Bound::AtMost(most) => (self.measured <= most, most),
            Bound::AtLeast(least) => (self.measured >= least, least),
        };
        if met {
            return "met".to_owned();
        }
        if wanted == 0.0 {
            return format!("**missed**: {}", self.why);
        }
        let off = (self.measured / wanted - 1.0).abs() * 100.0;
        let places = usize::from(off < 1.0);
        format!("**missed by {off:.places$} %**: {}", self.why)
    }

    /// The bound in words.
    pub(crate) fn wanted(&self) -> String {
        match self.bound {
            Bound::AtMost(most) => format!("≤ {}", plain(most)),
            Bound::AtLeast(least) => format!("≥ {}", plain(least)),
        }
    }
}

/// A bound without trailing zeros.
fn plain(bound: f64) -> String {
    let text = digits(bound);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

const START_REASON: &str = "OpenSSL registers its algorithms, its tables are relocated (address randomisation stays on), the key and the \
                     roots are read, and a thread looks up the host";
const PEER_REASON: &str = "the peer is that good on this machine";
const SIZE_REASON: &str =
    "OpenSSL and the driver come on top of the runtime, which the function that does nothing shows";
const MEMORY_REASON: &str = "the binary's own pages and OpenSSL's tables are resident";
const DEFECT_REASON: &str = "this is a defect";

/// All targets of the benchmark with what was measured.
pub(crate) fn all(results: &Results<'_>) -> anyhow::Result<Vec<Target>> {
    let mut targets = floor(results)?;
    targets.extend(peers(results)?);
    targets.extend(resources(results));
    Ok(targets)
}

fn floor(results: &Results<'_>) -> anyhow::Result<Vec<Target>> {
    let rounds = &results.rounds;
    let (ours, nothing) = (rounds.of(GET_QUOTE)?, rounds.of(NOTHING)?);
    let unreachable = &results.unreachable;
    let floors = &rounds.floors;
    let in_turn = ours.warm.over(&floors.in_turn.sum()).median();
    let without_database = unreachable.ours.median() - unreachable.nothing.median();
    let handshake = ours.cold_cpu.median() - nothing.cold_cpu.median() - without_database;
    let refused = results.traffic.iter().find_map(|counted| counted.refused);
    Ok(vec![
        at_most(
            1.15,
            "warm call, against the floor's sum, each part alone",
            ours.warm.over(&floors.alone.sum()).median(),
            format!(
                "against the same parts in turn, at the pace that they have in a call, it is {}",
                digits(in_turn)
            ),
        ),
        at_most(
            1.15,
            "warm call, against the floor's sum, its parts in turn",
            in_turn,
            "what is between the parts: reading the event and writing the answer",
        ),
        at_most(
            1.5,
            "request without a token, against doing nothing",
            ours.refused.over(&nothing.refused).median(),
            "the answer is problem details with its headers, not an empty one",
        ),
        at_most(
            0.0,
            "round trips to the database for a request without a token",
            refused.unwrap_or(f64::NAN),
            DEFECT_REASON,
        ),
        at_most(
            4.0,
            "CPU of a cold start, connection included, against doing nothing",
            ours.cold_cpu.over(&nothing.cold_cpu).median(),
            format!(
                "{} ms are TLS, its certificates and SCRAM's 4,096 rounds; {} ms are there without a database: {START_REASON}",
                digits(handshake),
                digits(without_database)
            ),
        ),
        at_most(
            2.5,
            "the same with no database in reach",
            unreachable.ours.over(&unreachable.nothing).median(),
            START_REASON,
        ),
        at_most(
            0.0,
            "system certificates opened by a cold start",
            results.opened.deployed as f64,
            DEFECT_REASON,
        ),
        at_most(
            1.0,
            "libraries for TLS and public-key cryptography linked",
            results.crypto.len() as f64,
            DEFECT_REASON,
        ),
    ])
}

fn peers(results: &Results<'_>) -> anyhow::Result<Vec<Target>> {
    let rounds = &results.rounds;
    let ours = rounds.of(GET_QUOTE)?;
    let cold: fn(&Measurements) -> &Samples = |measured| &measured.cold;
    let cold_cpu: fn(&Measurements) -> &Samples = |measured| &measured.cold_cpu;
    let warm: fn(&Measurements) -> &Samples = |measured| &measured.warm;
    let warm_cpu: fn(&Measurements) -> &Samples = |measured| &measured.warm_cpu;
    let memory: fn(&Measurements) -> &Samples = |measured| &measured.resident;
    let targets = [
        (8.0, "Node", "cold start", cold),
        (15.0, "Node", "CPU of a cold start", cold_cpu),
        (2.5, "Node", "warm call", warm),
        (6.0, "Node", "CPU of a warm call", warm_cpu),
        (5.0, "Node", "memory", memory),
        (15.0, "Python", "cold start", cold),
        (1.6, "Python", "warm call", warm),
        (2.0, "Go", "CPU of a warm call", warm_cpu),
        (1.0, "Go", "cold start", cold),
    ];
    let targets = targets.into_iter().map(|(least, peer, text, quantity)| {
        let ratio = quantity(rounds.of(peer)?).over(quantity(ours)).median();
        let text = format!("{peer}'s {text}, in ours");
        Ok(at_least(least, text, ratio, PEER_REASON))
    });
    targets.collect()
}

fn resources(results: &Results<'_>) -> Vec<Target> {
    let sizes = &results.sizes;
    let ours = |sizes: &[(&'static str, f64)]| {
        let functions = sizes
            .iter()
            .filter(|(name, _)| programs::functions().contains(name));
        functions.map(|(_, size)| *size).fold(0.0, f64::max)
    };
    let endured = results.endured.iter();
    let functions = endured.filter(|endured| programs::functions().contains(&endured.name));
    let after = |calls: usize| {
        let functions = functions.clone();
        functions.map(move |endured| endured.memory[calls].resident)
    };
    let [some, many] = results.plan.endurance;
    let grown = after(2).zip(after(1)).map(|(then, before)| then - before);
    let mut targets = vec![at_most(
        3.5,
        "largest zip, MB, on this architecture",
        ours(&sizes.here),
        SIZE_REASON,
    )];
    if let Some(elsewhere) = &sizes.elsewhere {
        let text = "largest zip, MB, on the other architecture";
        targets.push(at_most(3.5, text, ours(elsewhere), SIZE_REASON));
    }
    targets.push(at_most(
        10.0,
        format!("most memory of a function after {some} calls, MB"),
        after(1).fold(0.0, f64::max),
        MEMORY_REASON,
    ));
    targets.push(at_most(
        0.2,
        format!("most that it grows from there to {many} calls, MB"),
        grown.fold(0.0, f64::max),
        DEFECT_REASON,
    ));
    targets
}

fn at_most(most: f64, text: impl Into<String>, measured: f64, why: impl Into<String>) -> Target {
    target(Bound::AtMost(most), text, measured, why)
}

fn at_least(least: f64, text: impl Into<String>, measured: f64, why: impl Into<String>) -> Target {
    target(Bound::AtLeast(least), text, measured, why)
}

fn target(bound: Bound, text: impl Into<String>, measured: f64, why: impl Into<String>) -> Target {
    Target {
        text: text.into(),
        measured,
        bound,
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_reached_is_met() {
        assert_eq!(at_most(4.0, "", 4.0, "").verdict(), "met");
        assert_eq!(at_least(4.0, "", 4.0, "").verdict(), "met");
    }

    #[test]
    fn a_miss_says_by_how_much_and_why() {
        let missed = at_most(4.0, "", 5.0, "the reason").verdict();
        assert_eq!(missed, "**missed by 25 %**: the reason");
        let missed = at_most(4.0, "", 4.01, "the reason").verdict();
        assert_eq!(missed, "**missed by 0.2 %**: the reason");
        let missed = at_least(4.0, "", 3.0, "the reason").verdict();
        assert_eq!(missed, "**missed by 25 %**: the reason");
        assert_eq!(
            at_most(0.0, "", 2.0, "the reason").verdict(),
            "**missed**: the reason"
        );
    }

    #[test]
    fn bounds_are_written_as_they_were_set() {
        assert_eq!(at_most(1.15, "", 0.0, "").wanted(), "≤ 1.15");
        assert_eq!(at_least(15.0, "", 0.0, "").wanted(), "≥ 15");
        assert_eq!(at_most(0.0, "", 0.0, "").wanted(), "≤ 0");
    }
}
