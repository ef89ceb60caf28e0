//! Which functions there are, and their binaries.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One of the four functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    GetQuote,
    SaveQuote,
    DeleteQuote,
    RenderPage,
}

impl Function {
    pub const VARIANTS: [Self; 4] = [
        Self::GetQuote,
        Self::SaveQuote,
        Self::DeleteQuote,
        Self::RenderPage,
    ];

    /// Its name: that of the package, of the binary and in Lambda.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetQuote => "get-quote",
            Self::SaveQuote => "save-quote",
            Self::DeleteQuote => "delete-quote",
            Self::RenderPage => "render-page",
        }
    }

    /// The function that a request is routed to: the table of the design.
    pub fn route(method: &str, path: &str) -> Self {
        match (method, path) {
            ("GET" | "HEAD", "/api/quote") => Self::GetQuote,
            ("PUT" | "POST", "/api/quote") => Self::SaveQuote,
            ("DELETE", "/api/quote") | ("POST", "/api/quote/delete") => Self::DeleteQuote,
            _ => Self::RenderPage,
        }
    }

    /// Its binary, built from the code as it is now.
    pub fn binary(self) -> PathBuf {
        static BINARIES: OnceLock<PathBuf> = OnceLock::new();
        BINARIES.get_or_init(build).join(self.name())
    }
}

/// Builds the binaries beside this test and returns their folder.
///
/// The four alone, as for a deployment: built together with the packages of the
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
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    for function in Function::VARIANTS {
        cargo.args(["--package", function.name()]);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "the functions cannot be built");
    folder.to_owned()
}
