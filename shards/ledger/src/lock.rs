//! One process at a time: the lock on a data directory.
//!
//! The lock is the operating system's, so it goes with its holder however that ends. The file
//! says who took it last; that is for messages alone.
//!
//! Deliberately absent: a pid file's guesses about who is alive.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::LedgerError;

const NAME: &str = "lock";

/// Longest part of a command line that is written down.
const COMMAND_CHARS_MAX: usize = 200;

/// The lock on a data directory, held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Option<File>,
}

impl Lock {
    /// Takes the lock of the directory `dir` for writing, and says in it who did.
    pub(crate) fn exclusive(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join(NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(LedgerError::file("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let readers = file.try_lock_shared().is_ok();
                return Err(locked(dir, readers, &mut file));
            }
            Err(TryLockError::Error(error)) => {
                return Err(LedgerError::file("locking", &path)(error));
            }
        }
        let written = (|| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder().as_bytes())
        })();
        written.map_err(LedgerError::file("writing", &path))?;
        Ok(Self { file: Some(file) })
    }

    /// Takes the lock beside other readers, without writing. A directory without a lock file
    /// (a copy) needs none.
    pub(crate) fn shared(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join(NAME);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { file: None });
            }
            file => file.map_err(LedgerError::file("opening", &path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(locked(dir, false, &mut file)),
            Err(TryLockError::Error(error)) => Err(LedgerError::file("locking", &path)(error)),
        }
    }
}

impl Drop for Lock {
    /// Gives it up even where a child that was just forked still has the file open.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // What can't be unlocked goes with the file.
            let _ = file.unlock();
        }
    }
}

fn locked(dir: &Path, readers: bool, file: &mut File) -> LedgerError {
    let mut holder = String::new();
    if readers {
        "a command that reads it, such as verify".clone_into(&mut holder);
    } else if file.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
        "another process".clone_into(&mut holder);
    }
    LedgerError::Locked {
        path: dir.to_path_buf(),
        holder: holder.trim().to_owned(),
    }
}

/// Who this process is: its id, and what it was started as.
fn holder() -> String {
    let command: String = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(COMMAND_CHARS_MAX)
        .collect();
    format!("process {} ({command})\n", std::process::id())
}
