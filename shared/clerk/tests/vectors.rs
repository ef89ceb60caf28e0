//! The recorded decisions: what Clerk's SDK, or this project where it differs,
//! decides about 1,114 requests.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use serde_json::{Value, json};

#[expect(dead_code, reason = "the test has no use for its main")]
#[path = "../examples/authenticate.rs"]
mod runner;

mod recorded;

const RECORDED: &str = include_str!("data/vectors.jsonl");

#[test]
fn every_recorded_case_is_decided_as_recorded() {
    assert_eq!(recorded::replay(RECORDED, runner::answer, agrees), 1_114);
}

/// Classes of difference between the SDK and an earlier version of this crate
/// in which the SDK was right.
const MENDED: [&str; 7] = [
    "overflow",
    "iss-scheme",
    "nbsp",
    "hs-attr",
    "bom",
    "staging",
    "proxy-ref",
];

#[test]
fn the_differences_that_were_ours_are_mended() {
    let mut mended = Vec::new();
    for case in recorded::cases(include_str!("data/minimal_cases.jsonl")) {
        let class = case["difference"].as_str().unwrap();
        if MENDED.contains(&class) {
            let decision = runner::answer(&case);
            assert!(agrees(&case["expect"], &decision), "{class}: {decision}");
            mended.push(class.to_owned());
        }
    }
    mended.sort_unstable();
    mended.dedup();
    assert_eq!(mended.len(), MENDED.len());
}

#[test]
fn a_bad_case_does_not_stop_the_runner() {
    let decisions = recorded::answers_to_bad_lines(RECORDED, |input, output| {
        runner::lines::answer_all(input, output, runner::answer)
    });
    for decision in &decisions {
        assert_eq!(decision["status"], "config-error");
    }
}

/// Whether a decision is the verdict, as the recorder compares them: `ANY` in a
/// verdict is any value, and what is empty is absent.
fn agrees(verdict: &Value, decision: &Value) -> bool {
    let same = |field| {
        let wanted = &verdict[field];
        wanted == "ANY" || presence(wanted) == presence(&decision[field])
    };
    let status = &verdict["status"];
    same("status")
        && (status == "config-error"
            || status == "error"
            || ["reason", "location", "set_cookie", "user_id"]
                .into_iter()
                .all(same)
                && (status != "signed-in" || same("session_id")))
}

fn presence(value: &Value) -> Option<&Value> {
    let empty = [Value::Null, json!(""), json!([])];
    (!empty.contains(value)).then_some(value)
}
