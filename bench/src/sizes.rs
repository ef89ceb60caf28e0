//! Sizes of the zips, which would be uploaded.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::programs::{self, Program};

/// Sizes in megabytes.
pub(crate) struct Sizes {
    /// Of each program on this machine.
    pub(crate) here: Vec<(&'static str, f64)>,
    /// Of the functions on the other architecture, if those were built.
    pub(crate) elsewhere: Option<Vec<(&'static str, f64)>>,
}

/// Reads the sizes of the zips.
pub(crate) fn read(programs: &[Program], other: Option<&Path>) -> anyhow::Result<Sizes> {
    let here = programs
        .iter()
        .map(|program| Ok((program.name, megabytes(&program.zip)?)));
    let elsewhere = other.map(|folder| {
        let zips = programs::functions().into_iter().map(|name| {
            let zip = folder.join(name).join("bootstrap.zip");
            Ok((name, megabytes(&zip)?))
        });
        zips.collect::<anyhow::Result<_>>()
    });
    Ok(Sizes {
        here: here.collect::<anyhow::Result<_>>()?,
        elsewhere: elsewhere.transpose()?,
    })
}

fn megabytes(file: &Path) -> anyhow::Result<f64> {
    let metadata = fs::metadata(file)
        .with_context(|| format!("{} is missing: run make bench", file.display()))?;
    Ok(metadata.len() as f64 / 1e6)
}
