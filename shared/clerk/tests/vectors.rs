//! The recorded cases: what Clerk's SDK, or this project where it differs,
//! decides about 1,114 requests.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::collections::HashMap;

use serde_json::{Value, json};

#[path = "../examples/cases/mod.rs"]
mod cases;

const RECORDED: &str = include_str!("data/vectors.jsonl");

#[test]
fn every_recorded_case_is_decided_as_recorded() {
    let decisions: HashMap<String, Value> = answers(RECORDED.as_bytes())
        .into_iter()
        .map(|decision| (id(&decision).to_owned(), decision))
        .collect();
    let mut compared = 0;
    let mut different = Vec::new();
    for line in RECORDED.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        compared += 1;
        let decision = &decisions[id(&case)];
        if !verdicts(&case).any(|verdict| agrees(verdict, decision)) {
            different.push(format!("{case}\n  decided {decision}"));
        }
    }
    assert_eq!(compared, 1_114);
    assert!(different.is_empty(), "{}", different.join("\n"));
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
    let cases = include_str!("data/minimal_cases.jsonl");
    let mut mended = Vec::new();
    for (line, decision) in cases.lines().zip(answers(cases.as_bytes())) {
        let case: Value = serde_json::from_str(line).unwrap();
        let class = case["difference"].as_str().unwrap();
        if MENDED.contains(&class) {
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
    let good = RECORDED.lines().next().unwrap();
    let huge = format!(r#"{{"id":"{}"}}"#, "x".repeat(8 << 20));
    let deep = "[".repeat(100_000);
    let bad: [&[u8]; 7] = [
        b"not json",
        b"\"\xff\xfe\"",
        b"null",
        b"{\"id\":1,\"config\":[],\"request\":7}",
        b"\0",
        deep.as_bytes(),
        huge.as_bytes(),
    ];
    let mut input = Vec::new();
    for line in bad {
        input.extend_from_slice(line);
        input.extend_from_slice(b"\n \r\n");
    }
    input.extend_from_slice(good.as_bytes());

    let decisions = answers(&input);
    assert_eq!(decisions.len(), bad.len() + 1);
    for decision in &decisions[..bad.len()] {
        assert_eq!(decision["status"], "config-error");
    }
    assert_eq!(decisions[3]["id"], json!(1));
    assert_eq!(decisions[bad.len()]["id"], "pubkey-0001");
}

fn answers(input: &[u8]) -> Vec<Value> {
    let mut output = Vec::new();
    cases::answer_all(input, &mut output).unwrap();
    let lines = output.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// The verdicts that are right: the expected one and those accepted as well.
fn verdicts(case: &Value) -> impl Iterator<Item = &Value> {
    let others = case["also_accept"].as_array();
    std::iter::once(&case["expect"]).chain(others.into_iter().flatten())
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
