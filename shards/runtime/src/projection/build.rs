//! The thread that builds a projection behind its ledger.
//!
//! It asks the ledger's reader again and again, at a bounded rate, and begins anew where it has
//! nothing to go on from. A shard that is rebuilt hands it a new reader.

use super::file::Cursor;
use super::pace::{Pace, Step};
use super::{Effort, Open, Projection};
use crate::clock;
use crate::follower::{Follower, Pause, Stopped};
use arc_swap::ArcSwapOption;
use holdfast_ledger::{Identity, LedgerError, ReadLimit, Reader, codec};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info};

/// How often a projection that has caught up looks for more.
const LOOK: Duration = Duration::from_millis(20);

const READ: ReadLimit = ReadLimit {
    records: 256,
    bytes: 1 << 20,
};

pub(super) struct Builder<P> {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    pub(super) effort: Effort,
    pub(super) open: Arc<ArcSwapOption<Open<P>>>,
    pub(super) follower: Follower,
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

impl From<Stopped> for Halt {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

/// What a projection that begins anew has to go on.
pub(crate) struct Start<'a> {
    pub(crate) path: &'a Path,
    pub(crate) identity: &'a Identity,
    pub(crate) cache: usize,
    pub(crate) reader: &'a Reader,
    pace: Pace,
    follower: &'a Follower,
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
        self.follower.rest(self.pace.rest(clock::instant(), step))?;
        Ok(())
    }
}

impl<P: Projection> Builder<P> {
    pub(super) fn run(self) {
        let shard = self.identity.shard;
        self.follower.run(|reader| match self.follow(reader) {
            Err(Halt::Stopped) => Pause::Stopped,
            Err(Halt::Ledger(LedgerError::Closed { .. })) | Ok(()) => Pause::Closed,
            Err(halt) => {
                error!(shard, name = P::NAME, error = %halt, "a projection waits");
                self.open.store(None);
                Pause::Failed
            }
        });
    }

    /// Takes what the ledger has, until it is closed.
    fn follow(&self, reader: &Reader) -> Result<(), Halt> {
        let (projection, mut cursor) = self.open(reader)?;
        self.open.store(Some(Arc::new(Open {
            projection: Arc::clone(&projection),
            reader: reader.clone(),
        })));
        self.follower.reach(cursor.seq);
        let mut pace = Pace::new(&self.effort, clock::instant(), reader.head());
        loop {
            let head = reader.head();
            if head <= cursor.seq {
                pace.look(clock::instant(), head, cursor.seq);
                self.follower.rest(LOOK)?;
                // A closed ledger has no more heads; ask, so that a new reader is taken.
                reader.oldest()?;
                continue;
            }
            let start = clock::instant();
            let records = reader.read(cursor.seq + 1, READ)?;
            let Some(last) = records.last() else {
                self.follower.rest(LOOK)?;
                continue;
            };
            let (next, events) = (Cursor::at(last), last.last() - cursor.seq);
            projection.take(&records, cursor.seq, next)?;
            cursor = next;
            self.follower.reach(cursor.seq);
            let step = Step {
                events,
                worked: start.elapsed(),
                indexed: cursor.seq,
                head: reader.head(),
            };
            self.follower.rest(pace.rest(clock::instant(), step))?;
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
            follower: &self.follower,
        };
        let (projection, cursor) = P::begin(&mut start)?;
        Ok((Arc::new(projection), cursor))
    }
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
