//! The few file operations whose order matters after a crash.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::LedgerError;

/// Makes the entries of `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), LedgerError> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(LedgerError::file("syncing", dir))
}

/// Creates `dir` where it is absent, durably.
pub(crate) fn create_dir(dir: &Path) -> Result<(), LedgerError> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = parent(dir) {
        create_dir(&parent)?;
        match fs::create_dir(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(LedgerError::file("creating", dir)(error));
            }
            _ => sync_dir(&parent)?,
        }
    }
    Ok(())
}

/// Replaces `path` with a file of `bytes`: after a crash there is the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let new = beside(path, "new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(LedgerError::file("writing", &new))?;
    rename(&new, path)
}

/// Renames a file that is synced already, durably, within its directory.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), LedgerError> {
    fs::rename(from, to).map_err(LedgerError::file("renaming", from))?;
    sync_dir(&parent(to).unwrap_or_else(|| PathBuf::from(".")))
}

/// `path` with `.suffix` added to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// The directory that holds `path`; none for a root.
fn parent(path: &Path) -> Option<PathBuf> {
    path.parent().map(|parent| {
        if parent.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            parent.to_path_buf()
        }
    })
}
