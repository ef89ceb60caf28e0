//! Conformance runner: cases in on stdin, decisions out on stdout, one JSON
//! object a line. It calls the function that the Lambda functions call.

mod cases;

fn main() -> std::io::Result<()> {
    cases::answer_all(std::io::stdin().lock(), std::io::stdout().lock())
}
