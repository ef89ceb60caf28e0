//! Which functions there are, and their binaries.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use dev::routes::{self, Route, first_of_each_function};

/// The routes, which also say which functions there are.
static ROUTES: LazyLock<Vec<Route>> =
    LazyLock::new(|| routes::read(&root()).expect("the clone lists its routes"));

/// One of the functions, by its name: that of the package, of the binary and in
/// Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function(&'static str);

impl Function {
    pub const GET_QUOTE: Self = Self("get-quote");
    pub const SAVE_QUOTE: Self = Self("save-quote");
    pub const DELETE_QUOTE: Self = Self("delete-quote");
    pub const CLERK_WEBHOOK: Self = Self("clerk-webhook");
    pub const RENDER_PAGE: Self = Self("render-page");

    /// All that have a route.
    pub fn all() -> Vec<Self> {
        let functions = first_of_each_function(&ROUTES).into_iter();
        functions.map(|route| Self(&route.function)).collect()
    }

    pub fn name(self) -> &'static str {
        self.0
    }

    /// The function that a request is routed to.
    pub fn route(method: &str, path: &str) -> Self {
        let is_for = |route: &&Route| {
            let methods = route.method.as_deref();
            route.path == path && methods.is_none_or(|known| known == method)
        };
        let route = ROUTES.iter().find(is_for);
        route.map_or(Self::RENDER_PAGE, |route| Self(&route.function))
    }

    /// Its binary, built from the code as it is now.
    pub fn binary(self) -> PathBuf {
        static BINARIES: OnceLock<PathBuf> = OnceLock::new();
        BINARIES.get_or_init(build).join(self.name())
    }
}

/// Builds the binaries beside this test and returns their folder.
///
/// The functions alone, as for a deployment: built together with the packages of the
/// tests, their dependencies would have features that are not deployed.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let mut folders = test.ancestors().skip(1);
    let folder = folders
        .find(|folder| !folder.ends_with("deps"))
        .expect("a test lies in <target>/<profile>/deps, a program beside that");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--locked", "--target-dir"])
        .arg(folder.parent().expect("a profile's folder has a parent"))
        .current_dir(root());
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    for function in Function::all() {
        cargo.args(["--package", function.name()]);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "the functions cannot be built");
    folder.to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
