//! Events to the rest of the business: what the ledgers record, told outside, at least once, in
//! order per SKU, resumable from any cursor that retention still covers.
//!
//! `kind` names what is told, `envelope` writes it as CloudEvents, `cursor` is a point in all
//! ledgers. A thread per shard (`tail`) follows the newest events while anybody listens, writes
//! each once and keeps the last few; a `Stream` reads there, or from the journal while it is
//! further behind. So no listener costs a checkout more than reading what is there already.
//!
//! Deliberately absent: HTTP, and deciding anything. Losing every listener loses no event.

mod binary;
mod consumers;
mod cursor;
mod deliveries;
mod envelope;
mod export;
mod filter;
mod hold;
mod json;
mod kind;
pub mod schema;
pub mod sinks;
mod snapshot;
mod store;
mod stream;
mod tail;
pub mod webhooks;

pub use self::consumers::{Consumer, Consumers, NotSet};
pub use self::cursor::{Cursor, NotHere};
pub use self::deliveries::Deliveries;
pub use self::envelope::{Block, Published, Writer};
pub use self::export::{ExportStatus, Exports};
pub use self::filter::Filter;
pub use self::hold::Hold;
pub use self::kind::EventType;
pub use self::snapshot::{Cut, Snapshot};
pub use self::store::{Store, StoreError};
pub use self::stream::{Batch, Ended, Stream};

use self::tail::Tail;
use crate::config;
use holdfast_runtime::{NoFollowing, Router, ShardState, ShardStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The most events that are written in one go.
const BLOCK_EVENTS: usize = 1_000;

/// How often shards that are being opened are looked at, and the pause between.
const OPENING_LOOKS: usize = 100;
const OPENING_PAUSE: Duration = Duration::from_millis(10);

/// How events are told.
#[derive(Clone, Debug)]
pub struct EventSettings {
    /// How often the newest events are looked for while anybody listens.
    pub tick: Duration,
    /// What is kept of the newest events, in bytes, per shard.
    pub ring_bytes: usize,
    /// Streams at once.
    pub streams_max: usize,
    /// Streams that read from the journal at once, since they are far behind.
    pub catch_up_max: usize,
}

impl EventSettings {
    /// Those of the configuration.
    pub fn of(events: &config::Events) -> Self {
        Self {
            tick: events.tick_ms.duration(),
            ring_bytes: events.ring_bytes.0 as usize,
            streams_max: events.streams_max as usize,
            catch_up_max: events.catch_up_max as usize,
        }
    }
}

/// The events of all shards. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    router: Router,
    tails: Vec<Tail>,
    /// Raised whenever a tail has told more.
    news: watch::Receiver<u64>,
    streams: Arc<Semaphore>,
    catching_up: Arc<Semaphore>,
    tick: Duration,
}

/// A place among those that are told something for as long as they listen.
pub struct Place(
    #[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit,
);

/// As many listen as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// A shard serves a little before its events can be read; who asks for the latest ones then would
/// be told all.
async fn await_open(router: &Router) {
    let is_opening = |shard: &ShardStatus| {
        shard.state == ShardState::Serving && router.head_of(shard.index).is_none()
    };
    for _ in 0..OPENING_LOOKS {
        if !router.shards().iter().any(is_opening) {
            return;
        }
        tokio::time::sleep(OPENING_PAUSE).await;
    }
}

impl Events {
    /// Starts the threads behind the shards of `router`; they rest until somebody listens.
    pub async fn start(router: Router, settings: &EventSettings) -> std::io::Result<Self> {
        let (told, news) = watch::channel(0);
        let told = Arc::new(told);
        await_open(&router).await;
        let shards = 0..router.placement().shards();
        let tails = shards.map(|shard| Tail::start(&router, shard, settings, Arc::clone(&told)));
        Ok(Self(Arc::new(Inner {
            tails: tails.collect::<Result<_, _>>()?,
            news,
            streams: Arc::new(Semaphore::new(settings.streams_max)),
            catching_up: Arc::new(Semaphore::new(settings.catch_up_max)),
            tick: settings.tick,
            router,
        })))
    }

    /// Ends the threads; streams end where they are.
    pub fn stop(&self) {
        self.0.tails.iter().for_each(Tail::stop);
    }

    /// The point behind everything that is durable now.
    pub fn latest(&self) -> Cursor {
        let router = &self.0.router;
        let shards = 0..router.placement().shards();
        Cursor::new(
            router.cluster(),
            shards.map(|shard| router.head_of(shard).unwrap_or(0)),
        )
    }

    /// The point before the first event that can still be told.
    pub fn earliest(&self) -> Result<Cursor, NoFollowing> {
        let router = &self.0.router;
        let shards = 0..router.placement().shards();
        let before = |shard| match router.begins_at(shard) {
            Ok(begins) => Ok(begins.saturating_sub(1)),
            // One that can't be read keeps nobody from the others. Read again, it is told from its
            // beginning, or as a gap.
            Err(NoFollowing::Unavailable(_)) => Ok(0),
            Err(error) => Err(error),
        };
        let begins: Vec<u64> = shards.map(before).collect::<Result<_, NoFollowing>>()?;
        Ok(Cursor::new(router.cluster(), begins))
    }

    /// Reads a cursor that a caller sends.
    pub fn cursor(&self, text: &str) -> Result<Cursor, NotHere> {
        let cursor = Cursor::parse(text)?;
        self.check(&cursor)?;
        Ok(cursor)
    }

    /// Refuses a cursor that is none of this stock's.
    fn check(&self, cursor: &Cursor) -> Result<(), NotHere> {
        let router = &self.0.router;
        let shards = router.placement().shards();
        cursor.check(router.cluster(), shards, |shard| router.head_of(shard))
    }

    /// Events of a cursor that have been recorded since.
    pub fn lag(&self, cursor: &Cursor) -> u64 {
        cursor.behind(&self.latest())
    }

    /// Everything after a cursor that passes a filter, for as long as it is asked for.
    pub fn stream(&self, from: Cursor, filter: Filter) -> Result<Stream, Crowded> {
        let place = Arc::clone(&self.0.streams).try_acquire_owned();
        Ok(Stream::new(
            self.clone(),
            from,
            filter,
            place.map_err(|_| Crowded)?,
        ))
    }

    /// A place for a listener that needs no events.
    pub fn place(&self) -> Result<Place, Crowded> {
        let place = Arc::clone(&self.0.streams).try_acquire_owned();
        place.map(Place).map_err(|_| Crowded)
    }

    /// The same for those that are always served: the service's own deliveries.
    pub fn own_stream(&self, from: Cursor, filter: Filter) -> Stream {
        Stream::new(self.clone(), from, filter, None)
    }

    /// The stock whose events these are.
    pub fn router(&self) -> &Router {
        &self.0.router
    }
}
