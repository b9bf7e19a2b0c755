//! Reading a ledger without writing a byte of it: for `verify`, rescue and archives.
//!
//! The file is opened under an overlay that keeps writes in memory, so one that was not closed
//! cleanly is repaired there, and its write-ahead log taken into the tables. Deliberately absent: repair of the file itself.

use std::fs::File;
use std::path::Path;

use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::backend::Overlay;
use crate::db::Db;
use crate::error::{LedgerError, Place, guarded};
use crate::identity::Identity;
use crate::log::{Chunk, Chunks, Record, Records};
use crate::meta::Progress;
use crate::moment::{Moment, Usage};
use crate::opened::Opened;
use crate::wal::Tail;

const CACHE_BYTES: usize = 64 << 20;

/// A ledger opened for reading alone.
#[derive(Debug)]
pub struct View {
    db: Db,
    identity: Identity,
}

/// What [`View::check`] comes upon: all chunks first, then the records in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A chunk of the snapshot.
    Chunk(Chunk),
    /// A record of the journal.
    Record(Record),
}

/// What a check has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Records read.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Chunks that hold something.
    pub chunks: u64,
    /// Chunks that are empty.
    pub tombstones: u64,
    /// First sequence of the oldest record left.
    pub oldest: u64,
    /// Sequence of the last event, 0 where there is none.
    pub head: u64,
    /// Its time.
    pub at: u64,
    /// Where replay starts.
    pub replay_from: u64,
    /// How often the ledger was opened for serving.
    pub opening: u32,
}

impl View {
    /// Opens the ledger at `path`, which must be `identity`'s. Nobody may be writing to it.
    pub fn open(path: &Path, identity: &Identity) -> Result<Self, LedgerError> {
        let shard = identity.shard;
        let missing = |state| LedgerError::Missing {
            shard,
            path: path.to_path_buf(),
            state,
        };
        let failed = |source| LedgerError::io(shard, "opening the ledger", source);
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing("missing"));
            }
            file => file.map_err(failed)?,
        };
        if file.metadata().map_err(failed)?.len() == 0 {
            return Err(missing("empty"));
        }
        let backend = FileBackend::new(file)
            .map_err(|error| LedgerError::redb(shard, "opening the ledger", error))?;
        Self::open_with_backend(backend, identity)
    }

    /// Opens the ledger in `backend`, which is only read.
    pub fn open_with_backend(
        backend: impl StorageBackend,
        identity: &Identity,
    ) -> Result<Self, LedgerError> {
        let shard = identity.shard;
        guarded(shard, || {
            let overlay = Overlay::new(backend)
                .map_err(|source| LedgerError::io(shard, "opening the ledger", source))?;
            let opened = Opened::new(overlay, identity, CACHE_BYTES)?;
            opened.settle(None)?;
            Ok(Self {
                db: opened.db,
                identity: identity.clone(),
            })
        })
    }

    /// Whose ledger this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sequence of the last event, 0 where there is none.
    pub fn head(&self) -> Result<u64, LedgerError> {
        Ok(self.now()?.end()?.head)
    }

    /// How often the ledger was opened for serving.
    pub fn opening(&self) -> Result<u32, LedgerError> {
        self.now()?.opening()
    }

    /// Where replay starts: chunks have seen every event before this sequence.
    pub fn replay_from(&self) -> Result<u64, LedgerError> {
        Ok(self.progress()?.replay_from)
    }

    /// First sequence of the oldest record left.
    pub fn oldest(&self) -> Result<u64, LedgerError> {
        Ok(self.progress()?.oldest)
    }

    /// The records from the one that holds `from`.
    pub fn replay(&self, from: u64) -> Result<Records, LedgerError> {
        self.now()?.records(from)
    }

    /// The chunks of the snapshot, empty ones included.
    pub fn chunks(&self) -> Result<Chunks, LedgerError> {
        self.now()?.chunks()
    }

    /// How much of the file the tables take.
    pub fn usage(&self) -> Result<Usage, LedgerError> {
        self.now()?.usage()
    }

    /// Reads every chunk and every record, checks their frames, that sequences have no gap and
    /// time does not run backwards (INV-7), that chunks and bounds lie within the journal, and
    /// last the file itself below the rows. `visit` sees each of them, and may end the check with
    /// an error of its own.
    pub fn check(
        &mut self,
        mut visit: impl FnMut(Item) -> Result<(), LedgerError>,
    ) -> Result<Checked, LedgerError> {
        let now = self.now()?;
        let (end, progress) = (now.end()?, now.progress()?);
        let mut seen = Checked {
            oldest: progress.oldest,
            replay_from: progress.replay_from,
            opening: now.opening()?,
            ..Checked::default()
        };
        self.check_bounds(progress, end.head)?;
        for chunk in now.chunks()? {
            let chunk = chunk?;
            if end.head < chunk.sequence {
                let detail = format!(
                    "it is at {}, the journal ends at {}",
                    chunk.sequence, end.head
                );
                return Err(self.corrupt(Place::Chunk(chunk.id), detail));
            }
            if chunk.body.is_empty() {
                seen.tombstones += 1;
            } else {
                seen.chunks += 1;
            }
            visit(Item::Chunk(chunk))?;
        }
        for record in now.records(progress.oldest)? {
            let record = record?;
            if seen.records == 0 && record.first != progress.oldest {
                let detail = format!("the oldest record should begin at {}", progress.oldest);
                return Err(self.corrupt(Place::Record(record.first), detail));
            }
            seen.records += 1;
            seen.events += u64::from(record.events);
            seen.bytes += record.body.len() as u64;
            (seen.head, seen.at) = (record.last(), record.at);
            visit(Item::Record(record))?;
        }
        drop(now);
        if seen.head != end.head {
            let detail = format!("the journal ends at {}, expected {}", seen.head, end.head);
            return Err(self.corrupt(Place::File, detail));
        }
        self.check_file()?;
        Ok(seen)
    }

    fn check_bounds(&self, progress: Progress, head: u64) -> Result<(), LedgerError> {
        let Progress {
            replay_from,
            oldest,
            ..
        } = progress;
        if oldest <= replay_from && replay_from <= head + 1 {
            return Ok(());
        }
        let detail = format!("replay starts at {replay_from} in a journal of {oldest} to {head}");
        Err(self.corrupt(Place::Progress, detail))
    }

    /// Checks every page of the file's trees. What it would repair stays in memory.
    fn check_file(&mut self) -> Result<(), LedgerError> {
        let shard = self.identity.shard;
        let db = &mut self.db;
        let sound = guarded(shard, || {
            db.check_integrity()
                .map_err(|error| LedgerError::redb(shard, "checking the file", error))
        })?;
        if sound {
            return Ok(());
        }
        Err(self.corrupt(Place::File, "its pages don't fit together".to_owned()))
    }

    pub(crate) fn now(&self) -> Result<Moment, LedgerError> {
        Moment::begin(&self.db, Tail::default(), self.identity.shard)
    }

    fn progress(&self) -> Result<Progress, LedgerError> {
        self.now()?.progress()
    }

    fn corrupt(&self, place: Place, detail: String) -> LedgerError {
        LedgerError::Corrupt {
            shard: self.identity.shard,
            place,
            detail,
        }
    }
}
