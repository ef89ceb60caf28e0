//! Whether a cold start opens the system's certificates.

use std::path::Path;

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::console;
use crate::environment::Environment;
use crate::programs::{GET_QUOTE, Program, find};
use crate::world::World;

/// Where systems keep their certificates: Debian, Amazon Linux, Alpine.
const CERTIFICATE_PATHS: [&str; 4] = [
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted/pem",
    "/etc/ssl/cert.pem",
];

/// How often files in these places are opened by a cold start.
pub(crate) struct Opened {
    /// As deployed.
    pub(crate) deployed: usize,
    /// With the system's certificates, to know that it would be noticed.
    pub(crate) with_system: usize,
}

/// Watches two cold starts of get-quote.
pub(crate) async fn run(programs: &[Program], world: &World) -> anyhow::Result<Opened> {
    console::print_stage("certificates opened by a cold start");
    let deployed = find(programs, GET_QUOTE)?;
    let mut with_system = deployed.clone();
    with_system.variables.remove("SSL_CERT_FILE");
    let opened = Opened {
        deployed: opened(deployed, world).await?,
        with_system: opened(&with_system, world).await?,
    };
    ensure!(
        opened.with_system > 0,
        "opened certificates are not noticed"
    );
    Ok(opened)
}

async fn opened(program: &Program, world: &World) -> anyhow::Result<usize> {
    let watch = Inotify::init(InitFlags::IN_NONBLOCK)?;
    let places = CERTIFICATE_PATHS
        .iter()
        .filter(|place| Path::new(place).exists());
    let mut watched = 0;
    for place in places {
        watch.add_watch(*place, AddWatchFlags::IN_OPEN)?;
        watched += 1;
    }
    ensure!(watched > 0, "this system has no certificates to watch");
    let environment = Environment::start(program, world).await?;
    environment.expect(&program.event, program.status).await?;
    match watch.read_events() {
        Ok(events) => Ok(events.len()),
        Err(Errno::EAGAIN) => Ok(0),
        Err(error) => Err(error).context("cannot watch certificates"),
    }
}
