//! The recorded webhooks: what Svix's library and Clerk's SDK, or this project
//! where it differs, say of 202 messages.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use serde_json::Value;

#[expect(dead_code, reason = "the test has no use for its main")]
#[path = "../examples/verify_webhook.rs"]
mod runner;

mod recorded;

const RECORDED: &str = include_str!("data/webhook.jsonl");

#[test]
fn every_recorded_message_is_judged_as_recorded() {
    assert_eq!(recorded::replay(RECORDED, runner::answer, agrees), 202);
}

#[test]
fn a_bad_case_does_not_stop_the_runner() {
    let answers = recorded::answers_to_bad_lines(RECORDED, |input, output| {
        runner::lines::answer_all(input, output, runner::answer)
    });
    for answer in &answers {
        assert_eq!(answer["verified"], false);
    }
}

fn agrees(verdict: &Value, answer: &Value) -> bool {
    ["verified", "message_id", "type"]
        .iter()
        .all(|field| verdict[field] == answer[field])
}
