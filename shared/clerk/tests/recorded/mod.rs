//! Recorded cases, one JSON object a line, each with the answer that is right.

use std::io;

use serde_json::Value;

/// The cases of a file.
pub(crate) fn cases(file: &str) -> impl Iterator<Item = Value> {
    file.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// Asserts that every case of a file is answered as recorded, or as accepted
/// as well. Returns how many cases there are.
pub(crate) fn replay(
    file: &str,
    answer: fn(&Value) -> Value,
    agrees: fn(verdict: &Value, answer: &Value) -> bool,
) -> usize {
    let mut compared = 0;
    let mut different = Vec::new();
    for case in cases(file) {
        compared += 1;
        let answer = answer(&case);
        let accepted = case["also_accept"].as_array().into_iter().flatten();
        let mut verdicts = std::iter::once(&case["expect"]).chain(accepted);
        if answer["id"] != case["id"] || !verdicts.any(|verdict| agrees(verdict, &answer)) {
            different.push(format!("{case}\n  answered {answer}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    compared
}

/// The answers of a runner to lines that are no cases, then to the first case
/// of a file, which must be answered like the others.
pub(crate) fn answers_to_bad_lines(
    file: &str,
    run: impl Fn(&[u8], &mut Vec<u8>) -> io::Result<()>,
) -> Vec<Value> {
    let good = file.lines().next().unwrap();
    let huge = format!(r#"{{"id":"{}"}}"#, "x".repeat(8 << 20));
    let deep = "[".repeat(100_000);
    let bad: [&[u8]; 7] = [
        b"not json",
        b"\"\xff\xfe\"",
        b"null",
        b"{\"id\":1,\"config\":[],\"request\":7,\"claims\":{\"sub\":2},\"headers\":3}",
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

    let mut output = Vec::new();
    run(&input, &mut output).unwrap();
    let output = String::from_utf8(output).unwrap();
    let mut answers: Vec<Value> = cases(&output).collect();
    assert_eq!(answers.len(), bad.len() + 1);
    assert_eq!(answers[3]["id"], 1);
    let good: Value = serde_json::from_str(good).unwrap();
    assert_eq!(answers.pop().unwrap()["id"], good["id"]);
    answers
}
