//! The log of one shard in one redb file.
//!
//! One append is one transaction with two-phase commit. The first write or sync that fails stops
//! the ledger for good: the handle refuses every later append, and the file is not appended to in
//! place again (a rebuilt shard goes on in a [rescue copy](crate::rescue_copy)).
//!
//! Deliberately absent: a thread (the owner provides one), retries, and knowledge of events.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{StorageBackend, WriteTransaction};

use crate::ahead::{self, Ahead};
use crate::backend::Unsynced;
use crate::db::Db;
use crate::error::{LedgerError, guarded};
use crate::fsutil;
use crate::identity::Identity;
use crate::journal::{self, End};
use crate::log::{Batch, Chunk, Chunks, Log, Records};
use crate::meta::{self, OPENING_MAX, Progress};
use crate::moment::{Moment, Usage};
use crate::reader::Reader;
use crate::rows::SEQUENCE_MAX;
use crate::snapshot;

/// At most so many tombstones are removed by one append.
const PURGE_MAX: usize = 1024;

/// What an acknowledged append survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The machine's crash: every commit is synced to the disk.
    #[default]
    Fsync,
    /// The process's crash only: commits reach the operating system and are never synced.
    Os,
}

/// How a file that was not closed cleanly is made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repair {
    /// By walking the whole file at the next opening; appends pay nothing.
    #[default]
    Walk,
    /// From the allocator state that every append then writes along.
    Quick,
}

/// How a ledger is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What an acknowledged append survives.
    pub durability: Durability,
    /// Memory for cached pages, in bytes.
    pub cache_bytes: usize,
    /// How it is made ready after a crash.
    pub repair: Repair,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            cache_bytes: 32 << 20,
            repair: Repair::Walk,
        }
    }
}

/// The log of one shard in one redb file, open for serving.
#[derive(Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
    identity: Identity,
    opening: u32,
    end: End,
    progress: Progress,
    /// Tombstones by id, with their sequences.
    tombstones: BTreeMap<u64, u64>,
    /// True while tombstones may be due for removal.
    purge: bool,
    repair: Repair,
    /// The first failure of an append.
    stopped: Option<String>,
}

impl Ledger {
    /// Makes a new, empty ledger for `identity` at `path`: after a crash there is all of it or
    /// nothing. The directory must exist.
    pub fn create(path: &Path, identity: &Identity) -> Result<(), LedgerError> {
        let new = fsutil::beside(path, "new");
        let failed = |source| LedgerError::io(identity.shard, "creating the ledger", source);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new)
            .map_err(failed)?;
        let again = file.try_clone().map_err(failed)?;
        Self::create_with_backend(file_backend(file, identity.shard)?, identity)?;
        again.sync_all().map_err(failed)?;
        fsutil::rename(&new, path)
    }

    /// Makes a new, empty ledger for `identity` in `backend`, which must be empty.
    pub fn create_with_backend(
        backend: impl StorageBackend,
        identity: &Identity,
    ) -> Result<(), LedgerError> {
        let shard = identity.shard;
        let failed = |error| LedgerError::redb(shard, "creating the ledger", error);
        let cache_bytes = Options::default().cache_bytes;
        let db = Db::open(backend, shard, cache_bytes, "creating the ledger")?;
        let mut txn = db.begin_write().map_err(|error| failed(error.into()))?;
        txn.set_two_phase_commit(true);
        meta::create(&txn, identity, 0, Progress::START).map_err(failed)?;
        txn.commit().map_err(|error| failed(error.into()))?;
        db.close()
    }

    /// Opens the ledger at `path` for serving: repairs it if need be, refuses it unless it is
    /// `identity`'s, and counts the opening durably.
    pub fn open(path: &Path, identity: &Identity, options: Options) -> Result<Self, LedgerError> {
        let shard = identity.shard;
        let missing = |state| LedgerError::Missing {
            shard,
            path: path.to_path_buf(),
            state,
        };
        let failed = |source| LedgerError::io(shard, "opening the ledger", source);
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing("missing"));
            }
            file => file.map_err(failed)?,
        };
        if file.metadata().map_err(failed)?.len() == 0 {
            return Err(missing("empty"));
        }
        let untouched = ahead::written(&file).map_err(failed)?;
        let backend = file_backend(file, shard)?;
        match options.durability {
            Durability::Fsync => Self::open_over(Ahead::new(backend, untouched), identity, options),
            Durability::Os => Self::open_over(Unsynced::new(backend), identity, options),
        }
    }

    /// Opens the ledger in `backend` for serving; whether it is synced is the backend's affair.
    pub fn open_with_backend(
        backend: impl StorageBackend,
        identity: &Identity,
        options: Options,
    ) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::io(identity.shard, "opening the ledger", source);
        let len = backend.len().map_err(failed)?;
        Self::open_over(Ahead::new(backend, len), identity, options)
    }

    fn open_over(
        backend: impl StorageBackend,
        identity: &Identity,
        options: Options,
    ) -> Result<Self, LedgerError> {
        guarded(identity.shard, || {
            Self::open_unguarded(backend, identity, options)
        })
    }

    fn open_unguarded(
        backend: impl StorageBackend,
        identity: &Identity,
        options: Options,
    ) -> Result<Self, LedgerError> {
        let shard = identity.shard;
        let db = Db::open(backend, shard, options.cache_bytes, "opening the ledger")?;
        let now = Moment::begin(&db, shard)?;
        identity.refuse_other(&now.identity()?)?;
        let opening = now.opening()? + 1;
        if OPENING_MAX < opening {
            return Err(LedgerError::Worn { shard, opening });
        }
        let (end, progress) = (now.end()?, now.progress()?);
        let tombstones = now.tombstones()?;
        drop(now);
        let shared = Shared {
            db: RwLock::new(Some(db)),
            shard,
            head: AtomicU64::new(end.head),
        };
        let ledger = Self {
            shared: Arc::new(shared),
            identity: identity.clone(),
            opening,
            end,
            progress,
            purge: !tombstones.is_empty(),
            tombstones,
            repair: options.repair,
            stopped: None,
        };
        ledger.transact("counting the opening", |txn| {
            meta::put_opening(txn, opening)
        })?;
        Ok(ledger)
    }

    /// Whose ledger this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How often this ledger was opened for serving, this time included. Mixed into ids, so that
    /// none lost in a crash is given again.
    pub fn opening(&self) -> u32 {
        self.opening
    }

    /// Time of the last durable event, in ms since the epoch; 0 where there is none.
    pub fn at(&self) -> u64 {
        self.end.at
    }

    /// Where replay starts: chunks have seen every event before this sequence.
    pub fn replay_from(&self) -> u64 {
        self.progress.replay_from
    }

    /// First sequence of the oldest record left.
    pub fn oldest(&self) -> u64 {
        self.progress.oldest
    }

    /// A reader for projections, good until this ledger is closed.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// How much of the file the tables take. Walks their trees.
    pub fn usage(&self) -> Result<Usage, LedgerError> {
        self.shared.now()?.usage()
    }

    /// Closes the file, saying what dropping the ledger would keep quiet. Readers end.
    pub fn close(self) -> Result<(), LedgerError> {
        self.shared.take().map_or(Ok(()), Db::close)
    }

    /// Refuses a batch that breaks a rule of the log.
    fn refuse_unfit(&self, batch: &Batch) -> Result<(), LedgerError> {
        let refuse = |detail: String| {
            Err(LedgerError::Batch {
                shard: self.shared.shard,
                detail,
            })
        };
        let last = batch.last();
        if SEQUENCE_MAX < last {
            return refuse(format!("sequence {last} is beyond {SEQUENCE_MAX}"));
        }
        if batch.events == 0 && !batch.body.is_empty() {
            return refuse("it has a body, but no events".to_owned());
        }
        if Batch::BODY_BYTES_MAX < batch.body.len() {
            let (bytes, max) = (batch.body.len(), Batch::BODY_BYTES_MAX);
            return refuse(format!("its body has {bytes} bytes, at most {max} fit"));
        }
        if 0 < batch.events && batch.at < self.end.at {
            return refuse(format!(
                "its time {} is before {} (INV-7)",
                batch.at, self.end.at
            ));
        }
        if let Some(chunk) = batch.chunks.iter().find(|chunk| last < chunk.sequence) {
            let (id, sequence) = (chunk.id, chunk.sequence);
            return refuse(format!(
                "chunk {id:#x} is at {sequence}, the journal ends at {last}"
            ));
        }
        match batch.replay_from {
            Some(from) if from < self.progress.replay_from || last + 1 < from => refuse(format!(
                "replay can't start at {from}; it started at {} and the journal ends at {last}",
                self.progress.replay_from
            )),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let mut progress = self.progress;
        progress.replay_from = batch.replay_from.unwrap_or(progress.replay_from);
        let trim_below = batch.trim_below.unwrap_or(0).min(progress.replay_from);
        progress.trim_below = progress.trim_below.max(trim_below);
        self.purge |= progress.replay_from != self.progress.replay_from;
        let due = self.due_tombstones(progress.replay_from, &batch.chunks);

        self.transact("appending", |txn| {
            if progress.oldest < progress.trim_below {
                progress.oldest = journal::trim(txn, progress.oldest, progress.trim_below)?;
            }
            if 0 < batch.events {
                journal::write(txn, batch)?;
            }
            snapshot::purge(txn, &due)?;
            snapshot::write(txn, &batch.chunks)?;
            if progress != self.progress {
                meta::put_progress(txn, progress)?;
            }
            Ok(())
        })?;

        self.progress = progress;
        self.purge &= due.len() == PURGE_MAX;
        for id in due {
            self.tombstones.remove(&id);
        }
        for chunk in &batch.chunks {
            if chunk.body.is_empty() {
                self.tombstones.insert(chunk.id, chunk.sequence);
                self.purge = true;
            } else {
                self.tombstones.remove(&chunk.id);
            }
        }
        if 0 < batch.events {
            self.end = End {
                head: batch.last(),
                at: batch.at,
            };
            self.shared.head.store(self.end.head, Ordering::Release);
        }
        Ok(())
    }

    /// Tombstones that replay from `replay_from` can do without, a bounded number of them.
    fn due_tombstones(&self, replay_from: u64, written: &[Chunk]) -> Vec<u64> {
        if !self.purge {
            return Vec::new();
        }
        self.tombstones
            .iter()
            .filter(|&(_, &sequence)| sequence < replay_from)
            .map(|(&id, _)| id)
            .filter(|&id| written.iter().all(|chunk| chunk.id != id))
            .take(PURGE_MAX)
            .collect()
    }

    /// One transaction, committed as every append is.
    fn transact(
        &self,
        action: &'static str,
        work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), LedgerError> {
        let shard = self.shared.shard;
        let failed = |error| LedgerError::redb(shard, action, error);
        self.shared.with_db(|db| {
            let mut txn = db.begin_write().map_err(|error| failed(error.into()))?;
            txn.set_two_phase_commit(true);
            txn.set_quick_repair(self.repair == Repair::Quick);
            work(&txn).map_err(failed)?;
            txn.commit().map_err(|error| failed(error.into()))
        })
    }
}

impl Log for Ledger {
    fn append(&mut self, batch: &Batch, expected: u64, epoch: u64) -> Result<u64, LedgerError> {
        let shard = self.shared.shard;
        if let Some(first) = &self.stopped {
            return Err(LedgerError::Stopped {
                shard,
                first: first.clone(),
            });
        }
        let head = self.end.head;
        if epoch != self.epoch() || expected != head || batch.first != head + 1 {
            return Err(LedgerError::Fenced {
                shard,
                head,
                epoch: self.epoch(),
                expected: expected.min(batch.first.saturating_sub(1)),
                claimed: epoch,
            });
        }
        self.refuse_unfit(batch)?;
        // Nothing below refuses: whatever fails from here on stops the ledger.
        let done = guarded(shard, || self.commit(batch));
        if let Err(error) = &done {
            self.stopped = Some(error.to_string());
        }
        done.map(|()| self.end.head)
    }

    fn replay(&self, from: u64) -> Result<Records, LedgerError> {
        self.shared.now()?.records(from)
    }

    fn chunks(&self) -> Result<Chunks, LedgerError> {
        self.shared.now()?.chunks()
    }

    fn head(&self) -> u64 {
        self.end.head
    }

    fn epoch(&self) -> u64 {
        u64::from(self.opening)
    }
}

impl Drop for Ledger {
    /// Closes the file even while readers are left.
    fn drop(&mut self) {
        drop(self.shared.take());
    }
}

/// What a ledger shares with its readers.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Taken out when the ledger is closed, so that no reader keeps the file open.
    db: RwLock<Option<Db>>,
    pub(crate) shard: u16,
    head: AtomicU64,
}

impl Shared {
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// The committed state of this moment.
    pub(crate) fn now(&self) -> Result<Moment, LedgerError> {
        self.with_db(|db| Moment::begin(db, self.shard))
    }

    fn with_db<T>(
        &self,
        work: impl FnOnce(&Db) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        work(
            db.as_ref()
                .ok_or(LedgerError::Closed { shard: self.shard })?,
        )
    }

    fn take(&self) -> Option<Db> {
        self.db
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

fn file_backend(file: File, shard: u16) -> Result<FileBackend, LedgerError> {
    FileBackend::new(file).map_err(|error| LedgerError::redb(shard, "opening the ledger", error))
}
