//! What a warm call cannot do without, one after the other as a call does it:
//! a function that does nothing, one RS256 check, one statement.
//!
//! In turn and not each in a loop of its own: a statement that follows another
//! at once finds Postgres awake and its caches warm, and no function does that.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

use crate::environment::Environment;
use crate::programs::{NOTHING, Program, find};
use crate::rounds::ms;
use crate::statistics::Samples;
use crate::world::World;

/// Median of each in each round, in milliseconds.
#[derive(Default)]
pub(crate) struct Floors {
    /// A call of the function that does nothing.
    pub(crate) nothing: Samples,
    /// One RS256 check.
    pub(crate) rs256: Samples,
    /// One statement on an open connection.
    pub(crate) statement: Samples,
}

impl Floors {
    /// The sum of the three in each round.
    pub(crate) fn sum(&self) -> Samples {
        self.nothing.plus(&self.rs256).plus(&self.statement)
    }

    /// One round of so many calls.
    ///
    /// # Errors
    /// If one of the three does not answer as it should.
    pub(crate) async fn observe(
        &mut self,
        programs: &[Program],
        world: &World,
        calls: usize,
    ) -> anyhow::Result<()> {
        let program = find(programs, NOTHING)?;
        let environment = Environment::start(program, world).await?;
        environment.expect(&program.event, program.status).await?;
        let mut processes = [
            Process::start("floor-rs256", world)?,
            Process::start("floor-statement", world)?,
        ];
        let mut seen = [const { Samples::new() }; 3];
        for _ in 0..calls {
            let took = environment.expect(&program.event, program.status).await?;
            seen[0].push(ms(took));
            for (process, seen) in processes.iter_mut().zip(&mut seen[1..]) {
                seen.push(process.once()?);
            }
        }
        self.nothing.push(seen[0].median());
        self.rs256.push(seen[1].median());
        self.statement.push(seen[2].median());
        Ok(())
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
        world.mark.put_on(&mut command);
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
