//! The clone of this project, and the folder in it that git ignores.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// A file by which the clone is recognized.
const MARKER_FILE: &str = "dev/requirements.txt";

/// The clone in which this program was started.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the clone, upwards from the current folder, and makes its folder
    /// `.dev`. Where the program was built does not count: a clone may have
    /// been copied together with its build.
    ///
    /// # Errors
    /// If there is no clone here or it cannot be written to.
    pub(crate) fn find() -> anyhow::Result<Self> {
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
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in `.dev`, which holds what can be made again.
    pub(crate) fn dev_path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(".dev").join(name)
    }
}
