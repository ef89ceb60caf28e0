//! The functions under `cargo lambda watch`, as `make dev` runs them.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use clerk_stand_in::Config;
use dev::guard::RunId;
use dev::tools;
use tests::{App, Function};

/// The stand-in for Clerk is a function as well.
const STAND_IN: &str = "clerk-stand-in";

/// `cargo lambda watch`. It ends when this is dropped; what it has started,
/// by the guard of `home`.
pub(crate) struct Watch(Child);

/// Starts it on a port. It answers once it has started a function.
pub(crate) async fn start(app: &App, stand_in: &Config, port: u16, home: &Path) -> Watch {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    build(&root);
    let cargo_lambda = tools::fetch_cargo_lambda(None).await.unwrap();
    let mut watch = Command::new(cargo_lambda);
    watch
        .args(["lambda", "watch", "--disable-cors"])
        .args(["--invoke-address", "127.0.0.1", "--invoke-port"])
        .arg(port.to_string())
        .envs(app.variables())
        .env("CLERK_STAND_IN_DIR", &stand_in.dir)
        .env("CLERK_STAND_IN_NODE_MODULES", &stand_in.node_modules)
        .current_dir(root)
        .stdin(Stdio::null())
        // Standard output is for the test that started us.
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    RunId::new(home).kill_at_end(&mut watch);
    Watch(watch.spawn().unwrap())
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Builds what it will run, in the way in which it does that itself.
fn build(root: &Path) {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet"]).current_dir(root);
    for function in Function::ALL.map(Function::name).iter().chain(&[STAND_IN]) {
        cargo.args(["--bin", function]);
    }
    assert!(
        cargo.status().unwrap().success(),
        "the functions cannot be built"
    );
}
