//! What is measured: the functions, three peers, and the floor.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;
use tests::postgres::Database;
use tests::{Event, Function, Proxy, Variables};

use crate::world::{BENCH_QUOTE, World, payload};

/// A program that answers invocations.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// What it is made of.
    pub(crate) about: &'static str,
    /// The command: a program and its arguments.
    pub(crate) command: Vec<OsString>,
    pub(crate) variables: Variables,
    /// What it is asked.
    pub(crate) event: Value,
    /// The status that it answers with.
    pub(crate) status: u16,
    /// A request without a token and the status of its answer, where that is
    /// measured as well.
    pub(crate) refused: Option<(Value, u16)>,
    /// What would be uploaded.
    pub(crate) zip: PathBuf,
}

/// The function that the peers are like.
pub(crate) const GET_QUOTE: &str = "get-quote";

/// The peers.
pub(crate) const PEERS: [&str; 3] = ["Go", "Node", "Python"];

/// The system's Python: one of a version manager may be built without
/// optimisation, and carry packages that every start looks through.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// The function that does nothing.
pub(crate) const NOTHING: &str = "nothing";

impl Program {
    /// The same program with another way to the database.
    pub(crate) fn with_database(&self, world: &World, database: &Database) -> Self {
        Self {
            variables: world.variables_for(database),
            ..self.clone()
        }
    }

    /// The same program with a proxy in front of the database.
    pub(crate) async fn with_proxy(&self, world: &World) -> (Proxy, Self) {
        let proxy = Proxy::start(world.database().port()).await;
        let program = self.with_database(world, &world.database().through(proxy.port()));
        (proxy, program)
    }
}

/// The names of the functions that are measured: all but clerk-webhook, which is
/// called rarely and takes a message for five minutes only.
pub(crate) fn functions() -> Vec<&'static str> {
    let mut functions = Function::all();
    functions.retain(|function| *function != Function::CLERK_WEBHOOK);
    functions.into_iter().map(Function::name).collect()
}

/// All programs, in the order of the tables.
pub(crate) fn all(world: &World) -> anyhow::Result<Vec<Program>> {
    let get = Event::get_quote().header("accept", "application/json");
    let refused = payload(get.clone());
    let get = payload(get.bearer(&world.reader.token));
    let save = payload(Event::put_quote(BENCH_QUOTE).bearer(&world.writer.token));
    let delete = payload(Event::delete_quote().bearer(&world.stranger.token));
    let page = payload(Event::page("/").signed_in(&world.reader));

    let program = |name, about, interpreter: Option<&str>, file, event: &Value| {
        let mut command = Vec::new();
        if let Some(interpreter) = interpreter {
            command.push(find_interpreter(interpreter)?);
        }
        command.push(world.built(name, file)?.into());
        Ok::<_, anyhow::Error>(Program {
            name,
            about,
            command,
            variables: world.variables(),
            event: event.clone(),
            status: 200,
            refused: None,
            zip: world.zip(name),
        })
    };
    let binary = |name, about, event: &Value| program(name, about, None, "bootstrap", event);

    let mut programs = vec![
        binary("get-quote", "this project", &get)?,
        binary("save-quote", "this project, the same text again", &save)?,
        binary("delete-quote", "this project, no row to delete", &delete)?,
        binary("render-page", "this project", &page)?,
        binary("Go", "Debian's golang-jwt and lib/pq", &get)?,
        program(
            "Node",
            "@clerk/backend, pg, bundled",
            Some("node"),
            "index.js",
            &get,
        )?,
        program(
            "Python",
            "PyJWT, psycopg",
            Some(SYSTEM_PYTHON),
            "bootstrap.py",
            &get,
        )?,
        binary(NOTHING, "lambda_http, does nothing", &get)?,
    ];
    for program in &mut programs {
        if program.name == "delete-quote" {
            program.status = 204;
        }
        program.refused = match program.name {
            GET_QUOTE => Some((refused.clone(), 401)),
            // It does not check tokens.
            NOTHING => Some((refused.clone(), 200)),
            _ => None,
        };
    }
    Ok(programs)
}

/// The program of this name among them.
pub(crate) fn find<'a>(programs: &'a [Program], name: &str) -> anyhow::Result<&'a Program> {
    let mut named = programs.iter().filter(|program| program.name == name);
    named.next().with_context(|| format!("no program {name}"))
}

/// Finds the interpreter itself: on PATH there may be a script that starts it,
/// whose time would be counted.
fn find_interpreter(interpreter: &str) -> anyhow::Result<OsString> {
    let question = match interpreter {
        "node" => ["-p", "process.execPath"],
        _ => ["-c", "import sys; print(sys.executable)"],
    };
    let answer = Command::new(interpreter)
        .args(question)
        .output()
        .with_context(|| format!("cannot start {interpreter}: install it"))?;
    let path = String::from_utf8(answer.stdout)?.trim().to_owned();
    ensure!(!path.is_empty(), "{interpreter} does not say where it is");
    Ok(path.into())
}
