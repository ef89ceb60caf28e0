//! What a warm call cannot do without: a function that does nothing, one
//! statement, and one RS256 check for each token. They run one after the other, as in
//! a call.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;

use crate::environment::{CALLS_PER_TOKEN, Environment};
use crate::programs::{NOTHING, Program, find};
use crate::statistics::{Samples, ms};
use crate::world::World;

/// Each part in each round, in milliseconds, summed up as the warm calls are.
#[derive(Default)]
pub(crate) struct Floors {
    /// A call of the function that does nothing.
    pub(crate) nothing: Samples,
    /// An RS256 check's share of a call: there is one for each token.
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
    pub(crate) async fn observe(
        &mut self,
        programs: &[Program],
        world: &World,
        calls: usize,
    ) -> anyhow::Result<()> {
        let program = find(programs, NOTHING)?;
        let function = Environment::start(program, world).await?;
        function.call().await?;
        let mut check = Process::start("floor-rs256", world)?;
        let mut connection = Process::start("floor-statement", world)?;
        let mut parts = [const { Samples::new() }; 3];
        for _ in 0..calls {
            parts[0].push(ms(function.call().await?));
            parts[1].push(check.run()?);
            parts[2].push(connection.run()?);
        }
        let [nothing, rs256, statement] = parts.map(|part| part.means(CALLS_PER_TOKEN).median());
        self.nothing.push(nothing);
        self.rs256.push(rs256 / CALLS_PER_TOKEN as f64);
        self.statement.push(statement);
        Ok(())
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
        command
            .env_clear()
            .envs(world.variables_for(world.database()));
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
