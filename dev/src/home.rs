//! Where things are: this clone, and the folder in it that git ignores.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// A file by which the clone is known.
const MARKER_FILE: &str = "dev/requirements.txt";

/// The clone in which this program was started.
#[derive(Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Finds the clone, upwards from the current folder, and makes its folder
    /// `.dev`. Where the program was built does not count: a clone may have
    /// been copied with all that was built in it.
    ///
    /// # Errors
    /// If there is no clone here or it cannot be written to.
    pub fn find() -> anyhow::Result<Self> {
        let here = env::current_dir().context("the current folder is gone")?;
        let root = here
            .ancestors()
            .find(|folder| folder.join(MARKER_FILE).is_file())
            .context("this is not a clone of the project: start it with make")?
            .to_owned();
        fs::create_dir_all(root.join(".dev"))
            .with_context(|| format!("cannot make {}", root.join(".dev").display()))?;
        Ok(Self { root })
    }

    /// The clone's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A place in `.dev`, for what can be made again.
    #[must_use]
    pub fn local(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(".dev").join(name)
    }
}
