//! The recorded claims: what Clerk's SDK says of 200 sessions.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use serde_json::Value;

#[expect(dead_code, reason = "the test has no use for its main")]
#[path = "../examples/session_claims.rs"]
mod runner;

mod recorded;

const RECORDED: &str = include_str!("data/claims.jsonl");

#[test]
fn every_recorded_session_says_what_was_recorded() {
    assert_eq!(recorded::replay(RECORDED, runner::answer, agrees), 200);
}

#[test]
fn a_bad_case_does_not_stop_the_runner() {
    let answers = recorded::answers_to_bad_lines(RECORDED, |input, output| {
        runner::lines::answer_all(input, output, runner::answer)
    });
    for answer in &answers {
        assert_eq!(answer["error"], true);
    }
}

fn agrees(verdict: &Value, answer: &Value) -> bool {
    let mut verdict = verdict.clone();
    verdict["id"] = answer["id"].clone();
    verdict == *answer
}
