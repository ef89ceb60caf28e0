//! One program's process: its calls, its CPU time, its memory.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde_json::Value;
use tests::runtime_api::{Outcome, RuntimeApi};

use crate::programs::Program;
use crate::world::World;

/// Longest time to initialize; under valgrind everything takes 50 times as long.
const VALGRIND_INIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a process that has not initialized is asked whether it has ended.
const INIT_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How long a process works after it has asked for the next event.
const SETTLE_DELAY: Duration = Duration::from_millis(3);

/// How often a token comes: it lives for a minute, and a page asks a few times.
pub(crate) const CALLS_PER_TOKEN: usize = 3;

/// A running program and the Runtime API that it asks.
pub(crate) struct Environment {
    child: Child,
    api: RuntimeApi,
    program: Program,
    calls: Cell<usize>,
    /// From the start of the process to its first request for an event.
    pub(crate) init: Duration,
}

/// Memory of a process, in megabytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// VmRSS: now.
    pub(crate) resident: f64,
    /// VmHWM: at most so far.
    pub(crate) peak: f64,
}

impl Environment {
    /// Starts a program and waits until it asks for an event. If it ends instead,
    /// the error holds what it printed.
    pub(crate) async fn start(program: &Program, world: &World) -> anyhow::Result<Self> {
        let api = RuntimeApi::start().await;
        let log = world.file("log");
        let (first, arguments) = program.command.split_first().context("no command")?;
        let mut command = Command::new(first);
        command.args(arguments).env_clear();
        world.run_id.kill_at_end(&mut command);
        command
            .envs(api.variables(program.name))
            .envs(&program.variables)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let begin = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.name))?;
        wait_for_init(&mut child, &api, program.name, &log).await?;
        Ok(Self {
            init: begin.elapsed(),
            child,
            api,
            program: program.clone(),
            calls: Cell::new(0),
        })
    }

    /// Calls the program with the next of its events; returns how long that took.
    pub(crate) async fn call(&self) -> anyhow::Result<Duration> {
        let Program {
            name,
            events,
            status,
            ..
        } = &self.program;
        let number = self.calls.replace(self.calls.get() + 1);
        let event = &events[number / CALLS_PER_TOKEN % events.len()];
        let (answer, took) = self.invoke(event).await?;
        if answer["statusCode"] != *status {
            bail!("{name} did not answer with {status}: {answer}");
        }
        Ok(took)
    }

    /// Invokes the program once it asks for an event; returns the answer and how
    /// long a caller waits for it. What the program does after that is not in it.
    pub(crate) async fn invoke(&self, event: &str) -> anyhow::Result<(Value, Duration)> {
        let event = event.to_owned().into();
        self.api.wait_until_idle().await;
        let begin = Instant::now();
        let outcome = self.api.invoke_bytes(event).await;
        let took = begin.elapsed();
        match outcome {
            Outcome::Response(answer) => Ok((answer, took)),
            Outcome::Error(error) => bail!("{} failed: {error}", self.program.name),
        }
    }

    /// CPU time of all threads until the process waits for the next event.
    pub(crate) async fn cpu(&self) -> anyhow::Result<Duration> {
        self.api.wait_until_idle().await;
        tokio::time::sleep(SETTLE_DELAY).await;
        let clock = clock_getcpuclockid(self.pid()?)?;
        Ok(clock_gettime(clock)?.into())
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let megabytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            kilobytes.map(|kilobytes: f64| kilobytes * 1024.0 / 1e6)
        };
        Ok(Memory {
            resident: megabytes("VmRSS:").context("no VmRSS in /proc")?,
            peak: megabytes("VmHWM:").context("no VmHWM in /proc")?,
        })
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        kill(self.pid()?, Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }

    fn pid(&self) -> anyhow::Result<Pid> {
        Ok(Pid::from_raw(self.child.id().try_into()?))
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn wait_for_init(
    child: &mut Child,
    api: &RuntimeApi,
    name: &str,
    log: &Path,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + VALGRIND_INIT_TIMEOUT;
    loop {
        if tokio::time::timeout(INIT_POLL_INTERVAL, api.wait_until_initialized())
            .await
            .is_ok()
        {
            return Ok(());
        }
        let ended = child.try_wait()?;
        if ended.is_some() || Instant::now() > deadline {
            let log = fs::read_to_string(log).unwrap_or_default();
            bail!("{name} did not initialize: {log}");
        }
    }
}
