//! The thread that builds an index behind its ledger.
//!
//! It asks the ledger's reader again and again, at a bounded rate, and starts from the chunks
//! where it has nothing to go on from. A shard that is rebuilt hands it a new reader.

use super::LookupSettings;
use super::index::{Change, Cursor, Index};
use super::pace::{Pace, Step};
use crate::clock;
use arc_swap::ArcSwapOption;
use holdfast_core::{ChunkId, ChunkState, Effect};
use holdfast_ledger::{Identity, LedgerError, ReadLimit, Reader, Record, codec};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tracing::{error, info};
use xxhash_rust::xxh3::xxh3_64;

/// How often an index that has caught up looks for more.
const LOOK: Duration = Duration::from_millis(20);

/// Pause after a failure of the index's file.
const PAUSE: Duration = Duration::from_secs(10);

const READ: ReadLimit = ReadLimit {
    records: 256,
    bytes: 1 << 20,
};

/// Changes of one transaction while it is built from chunks.
const CHANGES_MAX: usize = 10_000;

pub(super) struct Builder {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    pub(super) settings: LookupSettings,
    pub(super) index: Arc<ArcSwapOption<Index>>,
    pub(super) read_up_to: Arc<AtomicU64>,
    pub(super) stop: Arc<AtomicBool>,
}

/// Why building stops for now.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Index(#[from] redb::Error),
    #[error("an event can't be read: {0}")]
    Codec(#[from] codec::CodecError),
    #[error("stopped")]
    Stopped,
}

impl Builder {
    pub(super) fn run(self, readers: &Receiver<Reader>) {
        let shard = self.identity.shard;
        while let Ok(mut reader) = readers.recv() {
            // Only the newest reader is of a ledger that is open.
            reader = readers.try_iter().last().unwrap_or(reader);
            loop {
                match self.follow(&reader) {
                    Err(Halt::Stopped) => return,
                    Err(Halt::Ledger(LedgerError::Closed { .. })) | Ok(()) => break,
                    Err(halt) => {
                        error!(shard, error = %halt, "the look-up index waits");
                        self.index.store(None);
                    }
                }
                match readers.recv_timeout(PAUSE) {
                    Ok(newer) => reader = newer,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Indexes what the ledger has, until it is closed.
    fn follow(&self, reader: &Reader) -> Result<(), Halt> {
        let (index, mut cursor) = self.open(reader)?;
        self.index.store(Some(Arc::clone(&index)));
        self.read_up_to.store(cursor.seq, Ordering::Release);
        let mut pace = Pace::new(&self.settings, clock::instant(), reader.head());
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Err(Halt::Stopped);
            }
            let head = reader.head();
            if head <= cursor.seq {
                pace.look(clock::instant(), head, cursor.seq);
                std::thread::sleep(LOOK);
                // A closed ledger has no more heads; ask, so that a new reader is taken.
                reader.oldest()?;
                continue;
            }
            let start = clock::instant();
            let records = reader.read(cursor.seq + 1, READ)?;
            let Some(last) = records.last() else { continue };
            let (next, events) = (Cursor::at(last), last.last() - cursor.seq);
            index.apply(&changes(&records, cursor.seq)?, Some(next))?;
            cursor = next;
            self.read_up_to.store(cursor.seq, Ordering::Release);
            let step = Step {
                events,
                worked: start.elapsed(),
                indexed: cursor.seq,
                head: reader.head(),
            };
            self.pause(pace.rest(clock::instant(), step))?;
        }
    }

    fn pause(&self, mut left: Duration) -> Result<(), Halt> {
        while !left.is_zero() {
            if self.stop.load(Ordering::Acquire) {
                return Err(Halt::Stopped);
            }
            let nap = left.min(LOOK);
            std::thread::sleep(nap);
            left -= nap;
        }
        Ok(())
    }

    /// The index as it was left, if it is of this ledger; else a new one, from the chunks.
    fn open(&self, reader: &Reader) -> Result<(Arc<Index>, Cursor), Halt> {
        let shard = self.identity.shard;
        if let Some(index) = self.index.load_full() {
            // A rebuilt shard goes on with the same ledger.
            if let Some(cursor) = index.cursor()?.filter(|cursor| fits(reader, cursor)) {
                return Ok((index, cursor));
            }
        }
        self.index.store(None);
        let cache = self.settings.cache_bytes;
        if let Some((index, cursor)) = Index::open(&self.path, &self.identity, cache)
            && fits(reader, &cursor)
        {
            return Ok((Arc::new(index), cursor));
        }
        info!(shard, "building the look-up index anew");
        let from = reader.replay_from()?;
        let index = Index::create(&self.path, &self.identity, cache)?;
        let mut pace = Pace::new(&self.settings, clock::instant(), reader.head());
        let mut changes = Vec::new();
        for chunk in reader.chunks()? {
            let chunk = chunk?;
            let Some(id @ ChunkId::Homes(..)) = ChunkId::from_u64(chunk.id) else {
                continue;
            };
            if let ChunkState::Homes(homes) = codec::chunk::decode(id, &chunk.body)? {
                changes.extend(homes.iter().map(Change::enter));
            }
            if CHANGES_MAX <= changes.len() {
                let start = clock::instant();
                index.apply(&changes, None)?;
                let step = Step {
                    events: changes.len() as u64,
                    worked: start.elapsed(),
                    indexed: 0,
                    head: reader.head(),
                };
                changes.clear();
                self.pause(pace.rest(clock::instant(), step))?;
            }
        }
        let cursor = Cursor {
            seq: from.saturating_sub(1),
            ..Cursor::default()
        };
        index.apply(&changes, Some(cursor))?;
        Ok((Arc::new(index), cursor))
    }
}

impl Cursor {
    fn at(record: &Record) -> Self {
        Self {
            seq: record.last(),
            at: record.at,
            record: xxh3_64(&record.body),
        }
    }
}

/// Whether an index that is this far may go on with this ledger.
fn fits(reader: &Reader, cursor: &Cursor) -> bool {
    if reader.head() < cursor.seq || reader.oldest().is_ok_and(|oldest| cursor.seq + 1 < oldest) {
        return false;
    }
    if cursor.record == 0 {
        return true;
    }
    let one = ReadLimit {
        records: 1,
        bytes: 0,
    };
    match reader.read(cursor.seq, one) {
        Ok(records) => records
            .first()
            .is_some_and(|record| Cursor::at(record) == *cursor),
        // The record was trimmed; what follows it is there.
        Err(_) => true,
    }
}

/// What the events after `seen` change.
fn changes(records: &[Record], seen: u64) -> Result<Vec<Change>, codec::CodecError> {
    let mut changes = Vec::new();
    for record in records {
        for event in codec::Events::new(record.first, record.events, &record.body)? {
            let event = event?;
            if event.seq <= seen {
                continue;
            }
            for effect in &event.effects {
                match effect {
                    Effect::Reserved(new) => changes.push(Change::enter(&new.home())),
                    Effect::HomeCreated(home) => changes.push(Change::enter(home)),
                    Effect::HomeForgotten(id) => changes.push(Change::Forget(*id)),
                    Effect::HomeChanged(_)
                    | Effect::HoldCreated(_)
                    | Effect::HoldChanged(_)
                    | Effect::HoldForgotten(_)
                    | Effect::Stock(_)
                    | Effect::Sku(_)
                    | Effect::Resumed(_)
                    | Effect::KeysForgotten(_)
                    | Effect::HoldAfter(_)
                    | Effect::HomeLines(_)
                    | Effect::Location(_)
                    | Effect::Stream(_)
                    | Effect::StreamForgotten(_)
                    | Effect::Counted(_)
                    | Effect::Drift(_)
                    | Effect::DriftForgotten(_)
                    | Effect::Message(_)
                    | Effect::MessagesForgotten(_) => {}
                }
            }
        }
    }
    Ok(changes)
}
