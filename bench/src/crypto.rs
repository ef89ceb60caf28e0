//! Which cryptography is linked into the functions.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::programs;

/// Packages that bring TLS or public-key cryptography; openssl-sys only calls
/// aws-lc-sys.
const CRYPTO_PACKAGES: [&str; 8] = [
    "aws-lc-sys",
    "boring-sys",
    "botan",
    "ed25519-dalek",
    "p256",
    "ring",
    "rsa",
    "rustls",
];

/// Those of them that the functions depend on.
pub(crate) fn linked() -> anyhow::Result<BTreeSet<String>> {
    let mut tree = Command::new("cargo");
    tree.args([
        "tree",
        "--locked",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
    ])
    .args([
        "--manifest-path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]);
    for function in programs::functions() {
        tree.args(["--package", function]);
    }
    let output = tree.output().context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo tree failed: {messages}");
    let packages = String::from_utf8(output.stdout)?;
    let names = packages
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names
        .filter(|name| CRYPTO_PACKAGES.contains(name))
        .map(str::to_owned)
        .collect())
}
