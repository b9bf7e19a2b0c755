//! The thread that builds a projection behind its ledger.
//!
//! It asks the ledger's reader again and again, at a bounded rate, and begins anew where it has
//! nothing to go on from. A shard that is rebuilt hands it a new reader.

use super::file::Cursor;
use super::pace::{Pace, Step};
use super::{Effort, Open, Projection};
use crate::clock;
use arc_swap::ArcSwapOption;
use holdfast_ledger::{Identity, LedgerError, ReadLimit, Reader, codec};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tracing::{error, info};

/// How often a projection that has caught up looks for more.
const LOOK: Duration = Duration::from_millis(20);

/// Pause after a failure of the projection's file.
const PAUSE: Duration = Duration::from_secs(10);

const READ: ReadLimit = ReadLimit {
    records: 256,
    bytes: 1 << 20,
};

pub(super) struct Builder<P> {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    pub(super) effort: Effort,
    pub(super) open: Arc<ArcSwapOption<Open<P>>>,
    pub(super) read_up_to: Arc<AtomicU64>,
    pub(super) stop: Arc<AtomicBool>,
}

/// Why building stops for now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    File(#[from] redb::Error),
    #[error("an event can't be read: {0}")]
    Codec(#[from] codec::CodecError),
    #[error("stopped")]
    Stopped,
}

/// What a projection that begins anew has to go on.
pub(crate) struct Start<'a> {
    pub(crate) path: &'a Path,
    pub(crate) identity: &'a Identity,
    pub(crate) cache: usize,
    pub(crate) reader: &'a Reader,
    pace: Pace,
    stop: &'a AtomicBool,
}

impl Start<'_> {
    /// Rests after so many entries from chunks, which took so long, as the pace demands.
    pub(crate) fn rest(&mut self, entries: u64, worked: Duration) -> Result<(), Halt> {
        let step = Step {
            events: entries,
            worked,
            indexed: 0,
            head: self.reader.head(),
        };
        pause(self.stop, self.pace.rest(clock::instant(), step))
    }
}

impl<P: Projection> Builder<P> {
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
                        error!(shard, name = P::NAME, error = %halt, "a projection waits");
                        self.open.store(None);
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

    /// Takes what the ledger has, until it is closed.
    fn follow(&self, reader: &Reader) -> Result<(), Halt> {
        let (projection, mut cursor) = self.open(reader)?;
        self.open.store(Some(Arc::new(Open {
            projection: Arc::clone(&projection),
            reader: reader.clone(),
        })));
        self.read_up_to.store(cursor.seq, Ordering::Release);
        let mut pace = Pace::new(&self.effort, clock::instant(), reader.head());
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
            projection.take(&records, cursor.seq, next)?;
            cursor = next;
            self.read_up_to.store(cursor.seq, Ordering::Release);
            let step = Step {
                events,
                worked: start.elapsed(),
                indexed: cursor.seq,
                head: reader.head(),
            };
            pause(&self.stop, pace.rest(clock::instant(), step))?;
        }
    }

    /// The projection as it was left, if it is of this ledger; else a new one.
    fn open(&self, reader: &Reader) -> Result<(Arc<P>, Cursor), Halt> {
        let shard = self.identity.shard;
        if let Some(open) = self.open.load_full() {
            // A rebuilt shard goes on with the same ledger.
            let cursor = open.projection.cursor()?;
            if let Some(cursor) = cursor.filter(|cursor| fits(reader, cursor)) {
                return Ok((Arc::clone(&open.projection), cursor));
            }
        }
        self.open.store(None);
        let cache = self.effort.cache_bytes;
        if let Some((projection, cursor)) = P::open(&self.path, &self.identity, cache)
            && fits(reader, &cursor)
        {
            return Ok((Arc::new(projection), cursor));
        }
        info!(shard, name = P::NAME, "building a projection anew");
        let mut start = Start {
            path: &self.path,
            identity: &self.identity,
            cache,
            reader,
            pace: Pace::new(&self.effort, clock::instant(), reader.head()),
            stop: &self.stop,
        };
        let (projection, cursor) = P::begin(&mut start)?;
        Ok((Arc::new(projection), cursor))
    }
}

fn pause(stop: &AtomicBool, mut left: Duration) -> Result<(), Halt> {
    while !left.is_zero() {
        if stop.load(Ordering::Acquire) {
            return Err(Halt::Stopped);
        }
        let nap = left.min(LOOK);
        std::thread::sleep(nap);
        left -= nap;
    }
    Ok(())
}

/// Whether a projection that is this far may go on with this ledger.
fn fits(reader: &Reader, cursor: &Cursor) -> bool {
    if reader.head() < cursor.seq || reader.begins().is_ok_and(|oldest| cursor.seq + 1 < oldest) {
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
