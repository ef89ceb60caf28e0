//! The results on paper: `latest.md` and the plot in it, `latest.svg`.

mod markdown;
mod plot;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::console;
use crate::results::Results;

/// Writes both files and prints the first one.
#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
pub(crate) fn write(results: &Results<'_>, folder: &Path) -> anyhow::Result<()> {
    let text = markdown::render(results)?;
    let cannot = || format!("cannot write to {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    fs::write(folder.join("latest.svg"), plot::draw(results)?).with_context(cannot)?;
    fs::write(folder.join("latest.md"), &text).with_context(cannot)?;
    println!("{text}");
    console::print_stage(format_args!("written to {}", folder.display()));
    Ok(())
}
