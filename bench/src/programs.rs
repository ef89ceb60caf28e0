//! What is measured: the functions, their peers, and the function that does
//! nothing.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, ensure};
use tests::postgres::Database;
use tests::{Event, Function, Proxy, Variables};

use crate::world::{BENCH_QUOTE, World};

/// A program that answers invocations.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// What it is made of.
    pub(crate) about: &'static str,
    /// The command: a program and its arguments.
    pub(crate) command: Vec<OsString>,
    pub(crate) variables: Variables,
    /// What it is asked: one request, each time with another token.
    pub(crate) events: Rc<[String]>,
    /// The status that it answers with.
    pub(crate) status: u16,
    /// What would be uploaded.
    zip: PathBuf,
    /// Parameters that only its database URL has.
    parameters: &'static str,
}

/// The function that the peers are like.
pub(crate) const GET_QUOTE: &str = "get-quote";

/// The same with what it does at a direct Neon endpoint.
pub(crate) const GET_QUOTE_DIRECT: &str = "get-quote, direct endpoint";

/// `channel_binding` is in the URLs that Neon prints; the others go without
/// saying for `ep-….neon.tech`.
const DIRECT_PARAMETERS: &str =
    "&channel_binding=require&sslnegotiation=direct&prepared_statements=true";

pub(crate) const RUSTLS: &str = "tokio-postgres + rustls";
pub(crate) const AXUM_TUNED: &str = "axum + sqlx, tuned";
pub(crate) const GO: &str = "Go";
pub(crate) const NODE: &str = "Node";

/// The peers, each with what it is made of, its folder, and what runs its file.
const PEERS: [(&str, &str, &str, Option<&str>); 6] = [
    (
        RUSTLS,
        "on ring, tuned to the same job",
        "tokio-postgres-rustls",
        None,
    ),
    (
        AXUM_TUNED,
        "one connection without a pool, one thread",
        "axum-sqlx-tuned",
        None,
    ),
    (
        "axum + sqlx",
        "as their READMEs write it",
        "axum-sqlx",
        None,
    ),
    (GO, "golang-jwt, pgx", GO, None),
    (NODE, "@clerk/backend, pg, bundled", NODE, Some("node")),
    ("Python", "PyJWT, psycopg", "Python", Some(SYSTEM_PYTHON)),
];

/// The system's Python: one of a version manager may be built without
/// optimisation, and carry packages that every start looks through.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// The function that does nothing.
pub(crate) const NOTHING: &str = "nothing";

/// The programs whose instructions are counted; the others bring interpreters,
/// or a runtime that valgrind does not know.
pub(crate) const COUNTED: [&str; 7] = [
    "get-quote",
    "save-quote",
    "delete-quote",
    "render-page",
    RUSTLS,
    AXUM_TUNED,
    NOTHING,
];

impl Program {
    /// The same program with a proxy in front of the database.
    pub(crate) async fn with_proxy(&self, world: &World) -> (Proxy, Self) {
        let proxy = Proxy::start(world.database().port()).await;
        let database = world.database().through(proxy.port());
        let program = Self {
            variables: variables(world, &database, self.parameters),
            ..self.clone()
        };
        (proxy, program)
    }

    /// Size of the zip in megabytes.
    pub(crate) fn zip_size(&self) -> anyhow::Result<f64> {
        megabytes(&self.zip)
    }
}

/// The names of the functions that are measured: all but clerk-webhook, which is
/// called rarely and takes a message for five minutes only.
pub(crate) fn functions() -> Vec<&'static str> {
    let mut functions = Function::all();
    functions.retain(|function| *function != Function::CLERK_WEBHOOK);
    functions.into_iter().map(Function::name).collect()
}

/// All programs, in the order of the table.
pub(crate) fn all(world: &World, tokens: usize) -> anyhow::Result<Vec<Program>> {
    let get = Event::get_quote().header("accept", "application/json");
    let get = world.events(&world.reader, tokens, |user| {
        get.clone().bearer(&user.token)
    })?;
    let save = world.events(&world.writer, tokens, |user| {
        Event::put_quote(BENCH_QUOTE).bearer(&user.token)
    })?;
    let delete = world.events(&world.stranger, tokens, |user| {
        Event::delete_quote().bearer(&user.token)
    })?;
    let page = world.events(&world.reader, tokens, |user| {
        Event::page("/").signed_in(user)
    })?;

    let program = |name, about, folder: &str, interpreter: Option<&str>, events: &Rc<[String]>| {
        let file = match interpreter {
            None => "bootstrap",
            Some("node") => "index.js",
            Some(_) => "bootstrap.py",
        };
        let interpreter = interpreter.map(find_interpreter).transpose()?;
        let built = world.built(folder, file)?.into();
        Ok::<_, anyhow::Error>(Program {
            name,
            about,
            command: interpreter.into_iter().chain([built]).collect(),
            variables: variables(world, world.database(), ""),
            events: Rc::clone(events),
            status: 200,
            zip: world.zip(folder),
            parameters: "",
        })
    };
    let ours = |name, about, events| program(name, about, name, None, events);
    let mut programs = vec![
        ours(GET_QUOTE, "this project", &get)?,
        Program {
            name: GET_QUOTE_DIRECT,
            variables: variables(world, world.database(), DIRECT_PARAMETERS),
            parameters: DIRECT_PARAMETERS,
            ..ours(
                GET_QUOTE,
                "the same, prepared by name, two round trips less",
                &get,
            )?
        },
        ours("save-quote", "this project, the same text again", &save)?,
        Program {
            status: 204,
            ..ours("delete-quote", "this project, no row to delete", &delete)?
        },
        ours("render-page", "this project", &page)?,
    ];
    for (name, about, folder, interpreter) in PEERS {
        programs.push(program(name, about, folder, interpreter, &get)?);
    }
    programs.push(ours(NOTHING, "lambda_http, does nothing", &get)?);
    for function in functions() {
        find(&programs, function)?;
    }
    Ok(programs)
}

/// The peers among the programs.
pub(crate) fn peers(programs: &[Program]) -> impl Iterator<Item = &Program> {
    let is_peer = |program: &&Program| PEERS.iter().any(|(name, ..)| *name == program.name);
    programs.iter().filter(is_peer)
}

/// The program of this name among them.
pub(crate) fn find<'a>(programs: &'a [Program], name: &str) -> anyhow::Result<&'a Program> {
    let mut named = programs.iter().filter(|program| program.name == name);
    named.next().with_context(|| format!("no program {name}"))
}

/// Size of the largest zip of a function in this folder: `<name>/bootstrap.zip`.
pub(crate) fn largest_zip(folder: &Path) -> anyhow::Result<f64> {
    let sizes = functions()
        .into_iter()
        .map(|name| megabytes(&folder.join(name).join("bootstrap.zip")));
    let sizes = sizes.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(sizes.into_iter().fold(0.0, f64::max))
}

fn megabytes(file: &Path) -> anyhow::Result<f64> {
    let metadata = fs::metadata(file);
    let metadata =
        metadata.with_context(|| format!("{} is missing: run make bench", file.display()))?;
    Ok(metadata.len() as f64 / 1e6)
}

/// The environment variables as the template sets them.
fn variables(world: &World, database: &Database, parameters: &str) -> Variables {
    let mut variables = world.variables_for(database);
    if let Some(url) = variables.get_mut("DATABASE_URL") {
        url.push_str(parameters);
    }
    variables
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
