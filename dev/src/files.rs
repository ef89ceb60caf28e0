//! Files and folders.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use openssl::sha::sha256;
use tempfile::NamedTempFile;

/// Writes a file that only its owner can read, and replaces one that is there.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(contents)?;
    file.persist(path)?;
    Ok(())
}

/// Makes a folder that every account may enter, and its parents.
pub(crate) fn create_open_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Removes a folder with all it holds; it is fine if there is none.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The first eight hexadecimal digits of the text's SHA-256: a short name for it.
pub(crate) fn short_name(text: &[u8]) -> String {
    let [a, b, c, d, ..] = sha256(text);
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}
