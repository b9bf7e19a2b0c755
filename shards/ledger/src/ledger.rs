//! The log of one shard in one file: a short [write-ahead log](crate::wal), and redb behind it.
//!
//! A small append of events alone is one write to the log and one sync. Any other, and one that no
//! longer fits, is one redb transaction with two-phase commit, which takes all that the log holds
//! along. The first write or sync that fails stops the ledger for good: the handle refuses every
//! later append, and the file is not appended to in place again (a rebuilt shard goes on in a
//! [rescue copy](crate::rescue_copy)).
//!
//! Deliberately absent: a thread (the owner provides one), retries, and knowledge of events.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use redb::backends::FileBackend;
use redb::{StorageBackend, WriteTransaction};

use crate::ahead::{self, Ahead};
use crate::backend::Unsynced;
use crate::db::Db;
use crate::error::{LedgerError, guarded};
use crate::fsutil;
use crate::identity::Identity;
use crate::journal::{self, End, Entry};
use crate::log::{Batch, Chunk, Chunks, Log, Record, Records};
use crate::meta::{self, OPENING_MAX, Progress};
use crate::moment::{Moment, Usage};
use crate::opened::Opened;
use crate::reader::Reader;
use crate::rows::SEQUENCE_MAX;
use crate::shared::Shared;
use crate::snapshot;
use crate::store::{self, FRONT_BYTES};
use crate::wal::{Tail, Wal};

/// At most so many tombstones are removed by one append.
const PURGE_MAX: usize = 1024;

/// A longer record goes into the tables at once: there it is written only once.
const LOGGED_BYTES_MAX: usize = 64 << 10;

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
    /// How long the write-ahead log may get, in bytes; at most what the file has room for.
    pub wal_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            cache_bytes: 32 << 20,
            repair: Repair::Walk,
            wal_bytes: FRONT_BYTES as usize,
        }
    }
}

/// The log of one shard in one redb file, open for serving.
#[derive(Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
    wal: Wal,
    identity: Identity,
    opening: u32,
    end: End,
    progress: Progress,
    /// Tombstones by id, with their sequences.
    tombstones: BTreeMap<u64, u64>,
    /// True while tombstones may be due for removal.
    purge: bool,
    /// True while more records may be trimmed.
    trim: bool,
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
        let (_, tables) = store::part(backend)
            .map_err(|source| LedgerError::io(shard, "creating the ledger", source))?;
        let db = Db::open(tables, shard, cache_bytes, "creating the ledger")?;
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
        let opened = Opened::new(backend, identity, options.cache_bytes)?;
        let opening = opened.opening + 1;
        if OPENING_MAX < opening {
            return Err(LedgerError::Worn { shard, opening });
        }
        // From here on what lies in the log is of an earlier opening.
        opened.settle(Some(opening))?;
        let now = Moment::begin(&opened.db, Tail::default(), shard)?;
        let (end, progress) = (now.end()?, now.progress()?);
        let tombstones = now.tombstones()?;
        drop(now);
        let shared = Shared {
            db: RwLock::new(Some(opened.db)),
            tail: Mutex::default(),
            shard,
            head: AtomicU64::new(end.head),
        };
        Ok(Self {
            shared: Arc::new(shared),
            wal: Wal::new(opened.front, opening, options.wal_bytes),
            identity: identity.clone(),
            opening,
            end,
            progress,
            purge: !tombstones.is_empty(),
            trim: progress.oldest < progress.trim_below,
            tombstones,
            repair: options.repair,
            stopped: None,
        })
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

    /// Closes the file, saying what dropping the ledger would keep quiet: what the write-ahead
    /// log holds goes into the tables first. Readers end.
    pub fn close(mut self) -> Result<(), LedgerError> {
        let settled = match self.stopped {
            None if !self.shared.tail().is_empty() => {
                guarded(self.shared.shard, || self.settle(|_| Ok(())))
            }
            _ => Ok(()),
        };
        let closed = self.shared.take().map_or(Ok(()), Db::close);
        settled.and(closed)
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

        let (before, mut trim) = (self.progress, false);
        self.settle(|txn| {
            if progress.oldest < progress.trim_below {
                (progress.oldest, trim) = journal::trim(txn, progress.oldest, progress.trim_below)?;
            }
            if 0 < batch.events {
                journal::write(txn, [Entry::from(batch)])?;
            }
            snapshot::purge(txn, &due)?;
            snapshot::write(txn, &batch.chunks)?;
            if progress != before {
                meta::put_progress(txn, progress)?;
            }
            Ok(())
        })?;

        (self.progress, self.trim) = (progress, trim);
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
            self.advance(batch);
        }
        Ok(())
    }

    /// Whether a batch is nothing but a short record that the write-ahead log has room for, and
    /// nothing waits to be removed from the tables.
    fn is_short(&self, batch: &Batch) -> bool {
        0 < batch.events
            && batch.body.len() <= LOGGED_BYTES_MAX
            && batch.chunks.is_empty()
            && batch.replay_from.is_none()
            && batch.trim_below.is_none()
            && !self.trim
            && !self.purge
            && self.wal.takes(batch.body.len())
    }

    /// Makes a short record durable in the write-ahead log.
    fn log(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let shard = self.shared.shard;
        self.wal
            .write(batch.into())
            .map_err(|source| LedgerError::io(shard, "appending to the write-ahead log", source))?;
        let record = Record {
            first: batch.first,
            events: batch.events,
            at: batch.at,
            body: batch.body.clone(),
        };
        Arc::make_mut(&mut self.shared.tail_mut()).push(Arc::new(record));
        self.advance(batch);
        Ok(())
    }

    fn advance(&mut self, batch: &Batch) {
        self.end = End {
            head: batch.last(),
            at: batch.at,
        };
        self.shared.head.store(self.end.head, Ordering::Release);
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

    /// One transaction: what the write-ahead log holds, and `work` after it.
    fn settle(
        &mut self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), LedgerError> {
        let shard = self.shared.shard;
        let failed = |error| LedgerError::redb(shard, "appending", error);
        let tail = self.shared.tail();
        self.shared.with_db(|db| {
            let mut txn = db.begin_write().map_err(|error| failed(error.into()))?;
            txn.set_two_phase_commit(true);
            txn.set_quick_repair(self.repair == Repair::Quick);
            journal::write_together(&txn, &tail).map_err(failed)?;
            work(&txn).map_err(failed)?;
            txn.commit().map_err(|error| failed(error.into()))
        })?;
        // A reader takes the tail before it looks at the tables, so that it misses nothing now.
        *self.shared.tail_mut() = Tail::default();
        self.wal.rewind();
        Ok(())
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
        let done = guarded(shard, || {
            if self.is_short(batch) {
                self.log(batch)
            } else {
                self.commit(batch)
            }
        });
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

fn file_backend(file: File, shard: u16) -> Result<FileBackend, LedgerError> {
    FileBackend::new(file).map_err(|error| LedgerError::redb(shard, "opening the ledger", error))
}
