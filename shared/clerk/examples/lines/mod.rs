//! The loop of the conformance runners: one JSON object a line in, one out.

use std::io::{BufRead, Write};

use serde_json::Value;

/// Answers every line, to the end of the input: a bad one is answered too, as
/// `null` is.
pub(crate) fn answer_all(
    input: impl BufRead,
    mut output: impl Write,
    answer: fn(&Value) -> Value,
) -> std::io::Result<()> {
    for line in input.split(b'\n') {
        let line = line?;
        if !line.iter().all(u8::is_ascii_whitespace) {
            let case = serde_json::from_slice(&line).unwrap_or(Value::Null);
            writeln!(output, "{}", answer(&case))?;
        }
    }
    Ok(())
}
