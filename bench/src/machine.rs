//! What the benchmark ran on.

use std::fs;
use std::process::Command;

use crate::world::World;

/// The machine and the versions, as the results name them.
pub(crate) struct Machine {
    /// The day, in UTC.
    pub(crate) date: String,
    /// What was measured, by git's name for it.
    pub(crate) commit: String,
    /// What it is, and what runs on it: a name and its value.
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// Looks around.
///
/// # Errors
/// If the system does not say what it is.
pub(crate) async fn describe(world: &World) -> anyhow::Result<Machine> {
    let cores = std::thread::available_parallelism()?;
    let processor = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal").replace(" kB", "");
    let gigabytes = memory.parse::<f64>().unwrap_or(f64::NAN) / 1e6;
    let postgres = world.database().connect().await;
    let postgres: String = postgres.query_one("SHOW server_version", &[]).await?.get(0);
    let facts = vec![
        ("processor", format!("{processor}, {cores} cores")),
        ("architecture", said("uname", "-m")),
        ("memory", format!("{gigabytes:.0} GB")),
        ("system", field("/etc/os-release", "PRETTY_NAME")),
        ("kernel", said("uname", "-r")),
        ("Rust", said("rustc", "--version")),
        (
            "PostgreSQL",
            format!("{postgres}, on loopback, with TLS 1.3 and SCRAM, without fsync"),
        ),
        ("PgBouncer", said("/usr/sbin/pgbouncer", "--version")),
        ("Go", said("go", "version")),
        ("Node", said("node", "--version")),
        ("Python", said("/usr/bin/python3", "--version")),
        ("valgrind", said("valgrind", "--version")),
    ];
    Ok(Machine {
        date: said("date", "-u +%F"),
        commit: said("git", "describe --always --dirty"),
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

/// The first line of what a program says.
fn said(program: &str, argument: &str) -> String {
    let output = Command::new(program).args(argument.split(' ')).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    said.lines().next().unwrap_or("not installed").to_owned()
}
