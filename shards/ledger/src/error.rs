//! What can go wrong with a ledger, in words an operator can act on.
//!
//! Nothing here is a business refusal, and nothing is retried inside this crate.

use std::io;
use std::path::{Path, PathBuf};

/// A ledger that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk or the file system failed. After a failed append the ledger is stopped.
    #[error(
        "shard {shard}: {action} failed: {source}; check the disk, then let the shard be rebuilt"
    )]
    Io {
        /// Whose ledger.
        shard: u16,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is no space left for the ledger.
    #[error(
        "shard {shard}: no space left while {action}: {source}; free space on the disk of the data directory"
    )]
    Full {
        /// Whose ledger.
        shard: u16,
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory beside the ledgers (manifest, lock, directory) failed.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is stored is not what was written.
    #[error(
        "shard {shard}: {place} is corrupt: {detail}; keep the file as it is and restore the directory from a copy"
    )]
    Corrupt {
        /// Whose ledger.
        shard: u16,
        /// Where in it.
        place: Place,
        /// What does not fit.
        detail: String,
    },
    /// The ledger belongs somewhere else.
    #[error(
        "shard {shard}: the ledger's {what} is {found}, but {expected} is expected here; put the file back where it came from"
    )]
    Identity {
        /// Which shard was to be opened.
        shard: u16,
        /// Which part of the identity differs.
        what: &'static str,
        /// What the file says.
        found: String,
        /// What the directory says.
        expected: String,
    },
    /// The manifest says that the shard was created, but its ledger is missing or empty.
    #[error(
        "shard {shard}: {} is {state}, though the manifest says that this shard was created; restore the file from a copy of the directory", path.display()
    )]
    Missing {
        /// Which shard.
        shard: u16,
        /// Where its ledger should be.
        path: PathBuf,
        /// `missing` or `empty`.
        state: &'static str,
    },
    /// Another process has the data directory.
    #[error(
        "data directory {} is locked by {holder}; stop it first, or name another directory with --data-dir", path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// The data directory is laid out for another number of shards.
    #[error(
        "data directory {} has {found} shards, but {asked} were asked for; start it with --shards {found} or without the flag", path.display()
    )]
    ShardCount {
        /// The directory.
        path: PathBuf,
        /// What the manifest says.
        found: u16,
        /// What was asked for.
        asked: u16,
    },
    /// The directory's manifest can't be used.
    #[error("{}: {detail}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it and what to do.
        detail: String,
    },
    /// Another writer has gone on with this log, or this one is behind.
    #[error(
        "shard {shard}: append fenced: the log is at sequence {head} in epoch {epoch}, the caller at {expected} in epoch {claimed}; rebuild the shard from the log"
    )]
    Fenced {
        /// Whose ledger.
        shard: u16,
        /// The log's last sequence.
        head: u64,
        /// The log's epoch.
        epoch: u64,
        /// The sequence the caller took for the last.
        expected: u64,
        /// The epoch the caller claimed.
        claimed: u64,
    },
    /// The batch breaks a rule of the log; nothing was written.
    #[error("shard {shard}: batch refused: {detail}; this is a bug in the caller")]
    Batch {
        /// Whose ledger.
        shard: u16,
        /// Which rule.
        detail: String,
    },
    /// An earlier append failed, and this handle appends no more.
    #[error("shard {shard}: the ledger stopped at its first failure ({first}); rebuild the shard")]
    Stopped {
        /// Whose ledger.
        shard: u16,
        /// The first failure, in words.
        first: String,
    },
    /// The events asked for were trimmed away.
    #[error(
        "shard {shard}: sequence {from} was trimmed, the oldest left is {oldest}; read the archive"
    )]
    Trimmed {
        /// Whose ledger.
        shard: u16,
        /// What was asked for.
        from: u64,
        /// What is left.
        oldest: u64,
    },
    /// A sealed archive file is not what was written.
    #[error("archive file {} is damaged: {detail}; restore it from a copy", path.display())]
    Archive {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// The ledger has been opened as often as its ids allow.
    #[error(
        "shard {shard}: the ledger was opened {opening} times, the most that reservation ids can tell apart; start a new data directory"
    )]
    Worn {
        /// Whose ledger.
        shard: u16,
        /// How often.
        opening: u32,
    },
    /// The ledger behind this reader was closed.
    #[error("shard {shard}: the ledger is closed; ask the rebuilt shard for a new reader")]
    Closed {
        /// Whose ledger.
        shard: u16,
    },
}

/// Where in a ledger something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The record whose first event has this sequence.
    Record(u64),
    /// The chunk with this id.
    Chunk(u64),
    /// The identity.
    Identity,
    /// The opening number.
    Opening,
    /// Where replay starts and what was trimmed.
    Progress,
    /// The file itself, below the records.
    File,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(sequence) => write!(f, "record {sequence}"),
            Self::Chunk(id) => write!(f, "chunk {id:#x}"),
            Self::Identity => f.write_str("the identity"),
            Self::Opening => f.write_str("the opening number"),
            Self::Progress => f.write_str("the progress row"),
            Self::File => f.write_str("the file"),
        }
    }
}

impl LedgerError {
    /// True where only the disk failed: what is stored may be whole, and a rescue copy may help.
    pub fn is_disk(&self) -> bool {
        matches!(
            self,
            Self::Io { .. } | Self::Full { .. } | Self::File { .. }
        )
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn io(shard: u16, action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                shard,
                action,
                source,
            },
            _ => Self::Io {
                shard,
                action,
                source,
            },
        }
    }

    /// Sorts what redb reports into the families above.
    pub(crate) fn redb(shard: u16, action: &'static str, error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
                Self::Corrupt {
                    shard,
                    place: Place::File,
                    detail: source.to_string(),
                }
            }
            redb::Error::Io(source) => Self::io(shard, action, source),
            redb::Error::Corrupted(detail) => Self::Corrupt {
                shard,
                place: Place::File,
                detail,
            },
            redb::Error::DatabaseClosed => Self::Closed { shard },
            error @ (redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::RepairAborted
            | redb::Error::UpgradeRequired(_)) => Self::Corrupt {
                shard,
                place: Place::File,
                detail: error.to_string(),
            },
            other => Self::Io {
                shard,
                action,
                source: io::Error::other(other.to_string()),
            },
        }
    }
}

/// Runs `work`, turning a panic into a report of corruption: redb trusts a file that was closed
/// cleanly, and may panic on one that was damaged afterwards.
pub(crate) fn guarded<T>(
    shard: u16,
    work: impl FnOnce() -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        let detail = format!("reading it panicked: {said}");
        Err(LedgerError::Corrupt {
            shard,
            place: Place::File,
            detail,
        })
    })
}
