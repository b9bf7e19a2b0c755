//! The archive of one shard: its journal's older part in compressed, checksummed, sealed files.
//!
//! A file holds the records of a range of sequences, which its name says. It is written beside,
//! synced, and renamed into place; from then on it is never changed. What a crash leaves half
//! written is not sealed, and is written again. The journal is trimmed only below what is sealed.
//!
//! Deliberately absent: a thread, and when to write (whoever runs shards decides), and repair: a
//! damaged file is restored from a copy.

mod read;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use self::read::ArchivedRecords;
use self::read::{Cached, SealedFile};
pub use self::write::ArchiveWriter;
use crate::error::LedgerError;
use crate::fsutil;
use crate::identity::Identity;
use crate::log::Record;
use crate::reader::ReadLimit;

/// The end of a sealed file's name.
const SUFFIX: &str = "hfa";

/// The end of the name of one that is being written.
const UNSEALED: &str = "new";

/// A sealed file: which records it holds, by their sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Sequence of its first event.
    pub first: u64,
    /// Sequence of its last event.
    pub last: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The sealed files of one shard. Reading is shared; one writer at a time adds to it.
#[derive(Debug)]
pub struct Archive {
    dir: PathBuf,
    identity: Identity,
    files: RwLock<Vec<Sealed>>,
    /// The block read last: a page of a statement reads the same one again and again.
    cached: Mutex<Option<Arc<Cached>>>,
}

impl Archive {
    /// Opens the archive in `dir` for writing: makes the directory where it is absent, and removes
    /// what a crash left unsealed.
    pub fn open(dir: &Path, identity: &Identity) -> Result<Self, LedgerError> {
        fsutil::create_dir(dir)?;
        for entry in entries(dir)? {
            if entry.extension().is_some_and(|end| end == UNSEALED) {
                fs::remove_file(&entry).map_err(LedgerError::file("removing", &entry))?;
            }
        }
        Self::open_read_only(dir, identity)
    }

    /// Opens the archive in `dir`, which may be absent, for reading alone.
    pub fn open_read_only(dir: &Path, identity: &Identity) -> Result<Self, LedgerError> {
        let mut files = Vec::new();
        if dir.is_dir() {
            files.extend(entries(dir)?.into_iter().filter_map(Sealed::named));
        }
        files.sort_unstable_by_key(|file| file.first);
        Ok(Self {
            dir: dir.to_path_buf(),
            identity: identity.clone(),
            files: RwLock::new(files),
            cached: Mutex::new(None),
        })
    }

    /// The sealed files, by their sequences.
    pub fn files(&self) -> Vec<Sealed> {
        self.files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The first and the last sequence of the newest files that follow each other without a gap.
    pub fn range(&self) -> Option<(u64, u64)> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let last = files.last()?.last;
        let mut first = files.last()?.first;
        for file in files.iter().rev().skip(1) {
            if file.last + 1 != first {
                break;
            }
            first = file.first;
        }
        Some((first, last))
    }

    /// Begins a file whose first record begins with `first`.
    pub fn begin(&self, first: u64) -> Result<ArchiveWriter, LedgerError> {
        let path = self.dir.join(format!("{first:020}.{UNSEALED}"));
        ArchiveWriter::begin(&path, &self.identity, first)
    }

    /// Seals a file: synced, renamed, and known from now on. An empty one is thrown away.
    pub fn seal(&self, writer: ArchiveWriter) -> Result<Option<Sealed>, LedgerError> {
        let Some((unsealed, first, last)) = writer.finish()? else {
            return Ok(None);
        };
        let path = self.dir.join(format!("{first:020}-{last:020}.{SUFFIX}"));
        fsutil::rename(&unsealed, &path)?;
        let sealed = Sealed { first, last, path };
        self.files
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sealed.clone());
        Ok(Some(sealed))
    }

    /// Time of a sealed file's last event, in ms since the epoch.
    pub fn at_of(&self, file: &Sealed) -> Result<u64, LedgerError> {
        Ok(SealedFile::open(file, &self.identity)?.at())
    }

    /// Removes the oldest files as long as their last event is before `ms`; the newest one stays.
    /// Returns how many it were.
    pub fn remove_before(&self, ms: u64) -> Result<usize, LedgerError> {
        let mut removed = 0;
        loop {
            let files = self.files();
            let [oldest, _, ..] = &files[..] else {
                return Ok(removed);
            };
            if ms <= self.at_of(oldest)? {
                return Ok(removed);
            }
            fs::remove_file(&oldest.path).map_err(LedgerError::file("removing", &oldest.path))?;
            fsutil::sync_dir(&self.dir)?;
            let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
            files.remove(0);
            removed += 1;
        }
    }

    /// The records from the one that holds `from`, as many as `limit` allows, none of them beyond
    /// the file that holds it.
    pub fn read(&self, from: u64, limit: ReadLimit) -> Result<Vec<Record>, LedgerError> {
        let trimmed = |oldest| LedgerError::Trimmed {
            shard: self.identity.shard,
            from,
            oldest,
        };
        let holder = {
            let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
            let after = files.partition_point(|file| file.last < from);
            let holder = files.get(after).cloned();
            holder.ok_or_else(|| trimmed(files.last().map_or(1, |file| file.last + 1)))?
        };
        if from < holder.first {
            return Err(trimmed(holder.first));
        }
        let mut read = Vec::new();
        let mut bytes = 0;
        let mut next = from;
        while next <= holder.last {
            let block = self.block(&holder, next)?;
            for record in block.records.iter().filter(|record| next <= record.last()) {
                bytes += record.body.len();
                read.push(record.clone());
                if limit.records <= read.len() || limit.bytes <= bytes {
                    return Ok(read);
                }
            }
            next = block.last() + 1;
        }
        Ok(read)
    }

    /// Every record of a sealed file, each checked.
    pub fn records(&self, file: &Sealed) -> Result<ArchivedRecords, LedgerError> {
        ArchivedRecords::new(SealedFile::open(file, &self.identity)?)
    }

    /// The block that holds `seq`.
    fn block(&self, file: &Sealed, seq: u64) -> Result<Arc<Cached>, LedgerError> {
        let held = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = held.as_ref().filter(|cached| cached.holds(seq)) {
            return Ok(Arc::clone(cached));
        }
        drop(held);
        let block = Arc::new(SealedFile::open(file, &self.identity)?.block_of(seq)?);
        let mut held = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Arc::clone(&block));
        Ok(block)
    }
}

impl Sealed {
    /// The sealed file that a path names, if it is one.
    fn named(path: PathBuf) -> Option<Self> {
        if path.extension()? != SUFFIX {
            return None;
        }
        let (first, last) = path.file_stem()?.to_str()?.split_once('-')?;
        Some(Self {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            path,
        })
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    let entries = fs::read_dir(dir).map_err(LedgerError::file("reading", dir))?;
    entries
        .map(|entry| Ok(entry.map_err(LedgerError::file("reading", dir))?.path()))
        .collect()
}
