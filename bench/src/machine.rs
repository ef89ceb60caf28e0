//! What the benchmark ran on.

use std::fs;
use std::process::Command;

use crate::world::World;

/// The machine and the versions, as the results name them.
pub(crate) struct Machine {
    /// The day, in UTC.
    pub(crate) date: String,
    /// The commit that was measured, as `git describe` prints it.
    pub(crate) commit: String,
    /// Properties of the machine and versions of programs, each with its name.
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// Reads what the system says of itself.
pub(crate) async fn describe(world: &World) -> anyhow::Result<Machine> {
    let cores = std::thread::available_parallelism()?;
    let processor = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal").replace(" kB", "");
    let gigabytes = memory.parse::<f64>().unwrap_or(f64::NAN) / 1e6;
    let postgres = world.database().connect().await;
    let postgres: String = postgres.query_one("SHOW server_version", &[]).await?.get(0);
    let facts = vec![
        ("processor", format!("{processor}, {cores} cores")),
        ("architecture", run("uname", "-m")),
        ("memory", format!("{gigabytes:.0} GB")),
        ("system", field("/etc/os-release", "PRETTY_NAME")),
        ("kernel", run("uname", "-r")),
        ("Rust", run("rustc", "--version")),
        (
            "PostgreSQL",
            format!("{postgres}, on loopback, with TLS 1.3 and SCRAM, without fsync"),
        ),
        ("Go", run("go", "version")),
        ("Node", run("node", "--version")),
        ("Python", run("/usr/bin/python3", "--version")),
        ("valgrind", run("valgrind", "--version")),
    ];
    Ok(Machine {
        date: run("date", "-u +%F"),
        commit: run("git", "describe --always --dirty"),
        facts,
    })
}

/// The value of the first line that begins so, without its separator.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.unwrap_or("unknown").trim();
    let value = value.trim_start_matches([':', '=']).replace('"', "");
    value.trim().to_owned()
}

/// The first line of what a program prints.
fn run(program: &str, argument: &str) -> String {
    let output = Command::new(program).args(argument.split(' ')).output();
    let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let output = output.unwrap_or_default();
    output.lines().next().unwrap_or("not installed").to_owned()
}
