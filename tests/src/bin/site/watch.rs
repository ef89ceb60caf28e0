//! The functions under `cargo lambda watch`, as `make dev` runs them.

use std::path::Path;
use std::process::{Child, Stdio};

use dev::functions::{build_command, watch_command};
use dev::guard::RunId;
use dev::tools;
use tests::App;

/// `cargo lambda watch`. It ends when this is dropped; the processes that it has
/// started are ended by the guard of the server's folder.
pub(crate) struct Watch(Child);

/// Starts it on a port. It starts a function at its first request.
pub(crate) async fn start(app: &App, port: u16, folder: &Path) -> Watch {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = build_command(&root, true).unwrap();
    let built = build.arg("--quiet").status().unwrap();
    assert!(built.success(), "the functions cannot be built");
    let cargo_lambda = tools::cargo_lambda(&root);
    let mut watch = watch_command(&cargo_lambda, &root, port);
    watch
        .envs(app.variables())
        // Standard output is for the test that started this program.
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    RunId::new(folder).kill_at_end(&mut watch);
    Watch(watch.spawn().unwrap())
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
