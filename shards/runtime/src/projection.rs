//! Projections: what is built behind the journals, each in a redb file of its own per shard.
//!
//! A thread per shard asks the ledger's reader again and again, at a bounded rate, which a busy
//! ledger lowers. The files are unsynced; one that is foreign, damaged or ahead of its ledger is
//! deleted and built anew. A shard that is rebuilt hands over a new reader.
//!
//! Deliberately absent: what a projection holds, which is its owner's, and waiting for it: it says
//! how far it is.

mod build;
mod file;
mod pace;

use self::build::Builder;
pub(crate) use self::build::{Halt, Start};
pub(crate) use self::file::{Cursor, META, META_CURSOR, cursor, cursor_in, make, name, reopen};
use crate::follower::Handle;
use crate::placement::ShardIndex;
use arc_swap::ArcSwapOption;
use holdfast_ledger::{DataDir, Identity, Reader, Record};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How hard a projection's builder may work.
#[derive(Clone, Debug)]
pub(crate) struct Effort {
    /// Events taken a second, per shard, at most.
    pub(crate) events_per_s_max: u64,
    /// The share of a core that a shard's builder may take, in percent.
    pub(crate) busy_percent_max: u32,
    /// Memory for cached pages, in bytes, per shard.
    pub(crate) cache_bytes: usize,
}

/// What is built behind one journal.
pub(crate) trait Projection: Sized + Send + Sync + 'static {
    /// Its name in logs, and that of its file.
    const NAME: &'static str;

    /// Opens what lies at `path`, if it is `identity`'s and whole.
    fn open(path: &Path, identity: &Identity, cache: usize) -> Option<(Self, Cursor)>;

    /// Makes a new one, in place of what is there, up to where the journal is to be followed.
    fn begin(start: &mut Start<'_>) -> Result<(Self, Cursor), Halt>;

    /// How far it is.
    fn cursor(&self) -> Result<Option<Cursor>, redb::Error>;

    /// Takes the events after `seen`, and is at `next` then, in one transaction.
    fn take(&self, records: &[Record], seen: u64, next: Cursor) -> Result<(), Halt>;
}

/// A projection and the ledger it follows.
pub(crate) struct Open<P> {
    pub(crate) projection: Arc<P>,
    pub(crate) reader: Reader,
}

/// A projection of all shards. Cheap to clone.
pub(crate) struct Desks<P>(Arc<Vec<Desk<P>>>);

/// The projection of one shard.
struct Desk<P> {
    open: Arc<ArcSwapOption<Open<P>>>,
    builder: Handle,
}

impl<P> Clone for Desks<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Projection> Desks<P> {
    /// Starts a builder for each shard; they wait for their ledgers.
    pub(crate) fn start(dir: &DataDir, effort: &Effort) -> std::io::Result<Self> {
        let desks = (0..dir.shards()).map(|shard| Desk::start(dir, shard, effort));
        Ok(Self(Arc::new(desks.collect::<Result<_, _>>()?)))
    }

    /// Goes on with a shard's ledger, opened anew. The number says up to where it was read.
    pub(crate) fn attach(&self, shard: ShardIndex, reader: Reader) -> Arc<AtomicU64> {
        self.0[usize::from(shard)].builder.attach(reader)
    }

    /// A shard's projection; nothing while it is being opened.
    pub(crate) fn of(&self, shard: ShardIndex) -> Option<Arc<Open<P>>> {
        self.0[usize::from(shard)].open.load_full()
    }

    /// The last event of a shard that it has taken.
    pub(crate) fn read_up_to(&self, shard: ShardIndex) -> u64 {
        self.0[usize::from(shard)].builder.reached()
    }

    /// Ends the builders and waits for them.
    pub(crate) fn stop(&self) {
        Handle::stop_all(self.0.iter().map(|desk| &desk.builder));
        for desk in &*self.0 {
            desk.open.store(None);
        }
    }
}

impl<P: Projection> Desk<P> {
    fn start(dir: &DataDir, shard: ShardIndex, effort: &Effort) -> std::io::Result<Self> {
        let open = Arc::new(ArcSwapOption::empty());
        let (for_thread, effort) = (Arc::clone(&open), effort.clone());
        let identity = dir.identity(shard);
        let path = dir.shard_path(shard).join(format!("{}.redb", P::NAME));
        let run = move |follower| {
            let builder: Builder<P> = Builder {
                identity,
                path,
                effort,
                open: for_thread,
                follower,
            };
            builder.run();
        };
        let builder = Handle::start(P::NAME, shard, run)?;
        Ok(Self { open, builder })
    }
}
