//! The commands of the README that use cargo-lambda without `make dev`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dev::guard::{Guard, RunId};
use dev::{ports, tools};
use serde_json::Value;
use tests::App;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// What the README writes.
const SET_PATH: &str = "PATH=";
const WATCH: &str = "cargo lambda watch";
const INVOKE: &str = "cargo lambda invoke";
const EVENT: &str = "functions/get-quote/event.json";

/// A folder of cargo's target folder, for files of these tests.
const TARGET_TMPDIR: &str = env!("CARGO_TARGET_TMPDIR");

/// What a copy of the clone has of its own.
const NOT_COPIED: [&str; 4] = [".dev", ".env", ".git", "target"];

/// Longest wait for `cargo lambda watch` to listen.
const WATCH_START_TIMEOUT: Duration = Duration::from_secs(60);

/// Time between two attempts to connect to it.
const WATCH_POLL_INTERVAL: Duration = Duration::from_millis(50);

#[tokio::test]
async fn cargo_lambda_is_used_as_the_readme_writes_it() {
    let app = App::local().await;
    let clone = Copy::new(&app).await;
    let guard = Guard::start(&clone.run_id, None, None).unwrap();
    let mut watch = clone.start(&command(WATCH), Stdio::null());
    let deadline = Instant::now() + WATCH_START_TIMEOUT;
    while TcpStream::connect(("127.0.0.1", clone.port)).await.is_err() {
        assert!(watch.try_wait().unwrap().is_none() && Instant::now() < deadline);
        sleep(WATCH_POLL_INTERVAL).await;
    }

    let refused = clone.invoke(&command(INVOKE));
    assert_eq!(refused["statusCode"], 401);

    let mut event: Value = serde_json::from_slice(&fs::read(root().join(EVENT)).unwrap()).unwrap();
    event["headers"]["authorization"] = format!("Bearer {}", app.user().token).into();
    fs::write(clone.folder.join("event.json"), event.to_string()).unwrap();
    let answered = clone.invoke(&command(INVOKE).replace(EVENT, "event.json"));
    assert_eq!(answered["statusCode"], 404);

    drop(guard);
    watch.wait().unwrap();
}

/// The README's line that begins like this.
fn command(begin: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut lines = readme.lines().filter(|line| line.starts_with(begin));
    let command = lines.next().unwrap().to_owned();
    assert_eq!(lines.next(), None);
    command
}

/// The clone by another path, with an `.env`. The developer's own is not touched.
struct Copy {
    folder: PathBuf,
    port: u16,
    run_id: RunId,
}

impl Copy {
    async fn new(app: &App) -> Self {
        // Always the same path: cargo builds the packages of each path anew.
        let folder = Path::new(TARGET_TMPDIR).join("readme");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let tools = folder.join(".dev/tools/bin");
        fs::create_dir_all(&tools).unwrap();
        for entry in fs::read_dir(root()).unwrap() {
            let name = entry.unwrap().file_name();
            if NOT_COPIED.iter().all(|other| *other != name) {
                symlink(root().join(&name), folder.join(&name)).unwrap();
            }
        }
        let settings = app.variables().iter().map(|(name, value)| {
            let value = value.replace('\n', "\\n");
            format!("{name}='{value}'\n")
        });
        fs::write(folder.join(".env"), settings.collect::<String>()).unwrap();

        // The README's commands use port 9000, which may be in use.
        let port = ports::find_free().unwrap();
        let program = tools::cargo_lambda(&root());
        let script = tools.join("cargo-lambda");
        let program = program.display();
        fs::write(
            &script,
            format!("#!/bin/sh\nexec '{program}' \"$@\" --invoke-port {port}\n"),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let run_id = RunId::new(&folder);
        Self {
            folder,
            port,
            run_id,
        }
    }

    /// Runs a command of the README in this folder.
    fn start(&self, command: &str, stdout: Stdio) -> Child {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{}\n{command}", self::command(SET_PATH))])
            .current_dir(&self.folder)
            // Dependencies are built already; the binaries of tests stay as they are.
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env(
                "CARGO_BUILD_BUILD_DIR",
                Path::new(TARGET_TMPDIR).parent().unwrap(),
            )
            .stdin(Stdio::null())
            .stdout(stdout);
        self.run_id.kill_at_end(&mut shell);
        shell.spawn().unwrap()
    }

    /// The response that `cargo lambda invoke` prints.
    fn invoke(&self, command: &str) -> Value {
        let output = self.start(command, Stdio::piped()).wait_with_output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}
