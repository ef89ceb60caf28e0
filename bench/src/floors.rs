//! What a warm call cannot do without: a function that does nothing, one RS256
//! check, one statement. Measured twice:
//!
//! - alone: each in a loop of its own, where it finds everything awake and warm
//! - in turn: one after the other, which is the pace that they have in a call

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

use crate::environment::Environment;
use crate::programs::{NOTHING, Program, find};
use crate::rounds::ms;
use crate::statistics::Samples;
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
    ///
    /// # Errors
    /// If one of the three does not answer as it should.
    pub(crate) async fn observe(
        &mut self,
        programs: &[Program],
        world: &World,
        calls: usize,
    ) -> anyhow::Result<()> {
        let mut floor = Floor::start(programs, world).await?;
        let mut alone = [const { Samples::new() }; 3];
        for (part, seen) in alone.iter_mut().enumerate() {
            for _ in 0..calls {
                seen.push(floor.once(part).await?);
            }
        }
        self.alone.push(&alone);
        let mut in_turn = [const { Samples::new() }; 3];
        for _ in 0..calls {
            for (part, seen) in in_turn.iter_mut().enumerate() {
                seen.push(floor.once(part).await?);
            }
        }
        self.in_turn.push(&in_turn);
        Ok(())
    }
}

/// The three, running.
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

    /// Does one of the three; what that took in milliseconds.
    async fn once(&mut self, part: usize) -> anyhow::Result<f64> {
        let Self {
            program, nothing, ..
        } = self;
        match part {
            0 => Ok(ms(nothing.expect(&program.event, program.status).await?)),
            other => self.others[other - 1].once(),
        }
    }
}

/// A floor that does its one thing for each line of input.
struct Process {
    name: &'static str,
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
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
            questions: child.stdin.take().context("no input")?,
            answers: BufReader::new(child.stdout.take().context("no output")?).lines(),
            child,
        })
    }

    /// Has it do its thing; what that took in milliseconds.
    fn once(&mut self) -> anyhow::Result<f64> {
        self.questions.write_all(b"\n")?;
        let answer = self.answers.next();
        let answer = answer.with_context(|| format!("{} failed", self.name))??;
        Ok(ms(floor::read(&answer)?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
