//! What the functions have of cryptography, and which certificates they read.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tests::hosts::with_replaced;
use tests::{App, Environment, Function, Variables};

/// Packages that bring an implementation of public-key cryptography. Those that
/// only bind one, such as `openssl-sys`, are none.
const CRYPTO_LIBRARIES: [&str; 10] = [
    "aws-lc-fips-sys",
    "aws-lc-sys",
    "boring-sys",
    "botan-sys",
    "ed25519-dalek",
    "mbedtls-sys-auto",
    "openssl-src",
    "p256",
    "ring",
    "rsa",
];

/// Where Debian keeps the system's certificates.
const CERTIFICATES: &str = "/etc/ssl/certs";

#[test]
fn one_crypto_library_is_linked() {
    let mut tree = Command::new(env::var_os("CARGO").unwrap());
    tree.args([
        "tree",
        "--locked",
        "--edges=normal,build",
        "--prefix=none",
        "--format={p}",
    ]);
    for function in Function::all() {
        tree.args(["--package", function.name()]);
    }
    let output = tree.output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let packages = String::from_utf8(output.stdout).unwrap();
    let names = packages.lines().filter_map(|line| line.split(' ').next());
    let linked: BTreeSet<_> = names
        .filter(|name| CRYPTO_LIBRARIES.contains(name))
        .collect();
    assert_eq!(linked.len(), 1, "{linked:?}");
}

#[tokio::test]
async fn a_cold_start_opens_no_certificates_of_the_system() {
    let mut variables = App::deployed().await.variables().clone();
    assert_eq!(count_opened_certificates(&variables).await, 0);
    // Without this they are opened, and that is noticed.
    variables.remove("SSL_CERT_FILE");
    assert!(count_opened_certificates(&variables).await > 0);
}

/// How often get-quote opens something among the system's certificates until it
/// is ready. It sees a copy, which nobody else reads.
async fn count_opened_certificates(variables: &Variables) -> usize {
    let copy = tempfile::tempdir().unwrap();
    let bundle = "ca-certificates.crt";
    fs::copy(format!("{CERTIFICATES}/{bundle}"), copy.path().join(bundle)).unwrap();
    let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    watch
        .add_watch(copy.path(), AddWatchFlags::IN_OPEN)
        .unwrap();
    let function = Function::GET_QUOTE;
    let program = with_replaced(CERTIFICATES, copy.path(), &function.binary());
    let _environment = Environment::start_program(function.name(), program, variables).await;
    match watch.read_events() {
        // Events without a name are those of the folder itself.
        Ok(events) => events.iter().filter(|event| event.name.is_some()).count(),
        Err(error) => {
            assert_eq!(error, Errno::EAGAIN);
            0
        }
    }
}
