//! What a warm call cannot do without: a function that does nothing, one RS256
//! check, one statement. Measured twice:
//!
//! - alone: each in a loop of its own, with warm caches
//! - in turn: one after the other, as in a call

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

use crate::environment::Environment;
use crate::programs::{NOTHING, Program, find};
use crate::statistics::{Samples, ms};
use crate::world::World;

/// Both measurements.
#[derive(Default)]
pub(crate) struct Floors {
    /// Each in a loop of its own.
    pub(crate) alone: Parts,
    /// One after the other.
    pub(crate) in_turn: Parts,
}

/// Median of each in each round, in milliseconds.
#[derive(Default)]
pub(crate) struct Parts {
    /// A call of the function that does nothing.
    pub(crate) nothing: Samples,
    /// One RS256 check.
    pub(crate) rs256: Samples,
    /// One statement on an open connection.
    pub(crate) statement: Samples,
}

impl Parts {
    /// The sum of the three in each round.
    pub(crate) fn sum(&self) -> Samples {
        self.nothing.plus(&self.rs256).plus(&self.statement)
    }

    fn push(&mut self, [nothing, rs256, statement]: &[Samples; 3]) {
        self.nothing.push(nothing.median());
        self.rs256.push(rs256.median());
        self.statement.push(statement.median());
    }
}

impl Floors {
    /// One round of so many calls, in both ways.
    pub(crate) async fn observe(
        &mut self,
        programs: &[Program],
        world: &World,
        calls: usize,
    ) -> anyhow::Result<()> {
        let mut floor = Floor::start(programs, world).await?;
        let mut alone = [const { Samples::new() }; 3];
        for (part, measured) in alone.iter_mut().enumerate() {
            for _ in 0..calls {
                measured.push(floor.run(part).await?);
            }
        }
        self.alone.push(&alone);
        let mut in_turn = [const { Samples::new() }; 3];
        for _ in 0..calls {
            for (part, measured) in in_turn.iter_mut().enumerate() {
                measured.push(floor.run(part).await?);
            }
        }
        self.in_turn.push(&in_turn);
        Ok(())
    }
}

/// The three while they run.
struct Floor<'a> {
    program: &'a Program,
    nothing: Environment,
    others: [Process; 2],
}

impl<'a> Floor<'a> {
    async fn start(programs: &'a [Program], world: &World) -> anyhow::Result<Self> {
        let program = find(programs, NOTHING)?;
        let nothing = Environment::start(program, world).await?;
        nothing.expect(&program.event, program.status).await?;
        let others = [
            Process::start("floor-rs256", world)?,
            Process::start("floor-statement", world)?,
        ];
        Ok(Self {
            program,
            nothing,
            others,
        })
    }

    /// Runs one of the three; returns how long that took in milliseconds.
    async fn run(&mut self, part: usize) -> anyhow::Result<f64> {
        let Self {
            program, nothing, ..
        } = self;
        match part {
            0 => Ok(ms(nothing.expect(&program.event, program.status).await?)),
            other => self.others[other - 1].run(),
        }
    }
}

/// A floor that runs once for each line of input.
struct Process {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(name: &'static str, world: &World) -> anyhow::Result<Self> {
        let mut command = Command::new(world.built(name, "bootstrap")?);
        command.env_clear().envs(world.variables());
        world.run_id.kill_at_end(&mut command);
        let mut child = command
            .env("TOKEN", &world.reader.token)
            .env("USER_ID", &world.reader.id)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self {
            name,
            input: child.stdin.take().context("no input")?,
            output: BufReader::new(child.stdout.take().context("no output")?).lines(),
            child,
        })
    }

    /// Runs it once; returns how long that took in milliseconds.
    fn run(&mut self) -> anyhow::Result<f64> {
        self.input.write_all(b"\n")?;
        let answer = self.output.next();
        let answer = answer.with_context(|| format!("{} failed", self.name))??;
        Ok(ms(floor::parse_duration(&answer)?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
