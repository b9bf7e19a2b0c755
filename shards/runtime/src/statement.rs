//! Statements: what happened to a SKU, event by event with running balances, and its counters at
//! any moment of the past.
//!
//! Each shard has an index, a [projection](crate::projection) of its journal: per SKU blocks of
//! entries (sequence, time, changes of counters), each block begun with the counters before it. So
//! a page begins anywhere without walking there, and the past is one block away. Who and why stand
//! in the journal alone; an entry's record is found by its sequence.
//!
//! Deliberately absent: anything the journal does not hold, and deciding: a statement explains.

mod block;
mod details;
mod follow;
mod index;
mod read;
mod then;

pub use self::details::{Details, event_name};
pub use self::follow::{Follower, Happening, NoFollowing};
use self::index::Index;
pub use self::then::Taken;
use crate::projection::{Desks, Effort};
use crate::unavailable::Unavailable;
pub use holdfast_core::At;
use holdfast_core::{Counter, Counters, EventKind, Location, Timestamp};

/// How the projection is built.
#[derive(Clone, Debug)]
pub struct StatementSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// Events taken a second, per shard, at most.
    pub events_per_s_max: u64,
    /// The share of a core that a shard's builder may take, in percent; an eighth of it while
    /// the shard is busy, as long as the index is less than ten seconds behind.
    pub busy_percent_max: u32,
    /// Memory for cached pages, in bytes, per shard.
    pub cache_bytes: usize,
    /// Events that may lie between the projection and the end of the journal while counts are
    /// compared with the past: these are read once for all counts that are compared together.
    pub lag_max: u64,
}

impl Default for StatementSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            events_per_s_max: 50_000,
            busy_percent_max: 10,
            cache_bytes: 8 << 20,
            lag_max: 250_000,
        }
    }
}

impl StatementSettings {
    pub(crate) fn effort(&self) -> Effort {
        Effort {
            events_per_s_max: self.events_per_s_max,
            busy_percent_max: self.busy_percent_max,
            cache_bytes: self.cache_bytes,
        }
    }
}

/// The statements of all shards. Cheap to clone.
pub(crate) type Statements = Desks<Index>;

/// A page of a statement, oldest first.
#[derive(Clone, Debug)]
pub struct StatementPage {
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// The sequence after which the next page begins; absent at the end.
    pub next: Option<u64>,
    /// How far the statement is: sequence and ledger time.
    pub as_of: (u64, Timestamp),
}

/// An event of a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its sequence in the ledger of the SKU's shard.
    pub seq: u64,
    /// Ledger time.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The locations whose counters it changed.
    pub changes: Vec<Change>,
    /// The counters before it, summed over locations.
    pub before: Counters,
    /// The counters after it, summed over locations.
    pub after: Counters,
    /// Who and why.
    pub details: Details,
}

/// A change of a SKU's counters at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub location: Location,
    /// The counters before.
    pub before: Counters,
    /// The counters after.
    pub after: Counters,
}

impl Change {
    /// Units concerned: the largest step of any counter but safety stock, which moves nothing.
    pub fn units(&self) -> u64 {
        let moving = Counter::ALL
            .into_iter()
            .filter(|counter| *counter != Counter::SafetyStock);
        moving.map(|counter| self.step(counter)).max().unwrap_or(0)
    }

    fn step(&self, counter: Counter) -> u64 {
        self.after.get(counter).abs_diff(self.before.get(counter))
    }
}

impl Entry {
    /// Units concerned: over its locations, each unit once where they go from one to another. Of a
    /// shipment those that left; a sale that moves to where they left from is part of it.
    pub fn units(&self) -> u64 {
        let units = self.changes.iter().map(Change::units);
        match self.kind {
            EventKind::StockShipped => {
                let left = self.changes.iter();
                left.map(|change| change.step(Counter::Shipped)).sum()
            }
            EventKind::StockTransferred | EventKind::ReservationMoved => units.max().unwrap_or(0),
            _ => units.sum(),
        }
    }
}

/// A SKU's counters at a moment of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The last event before that moment; where a time was asked for, the SKU's last.
    pub seq: u64,
    /// When that was.
    pub at: Timestamp,
    /// Counters per location, by name; empty before the SKU's first event.
    pub levels: Vec<(Location, Counters)>,
}

/// Why there is no answer about the past.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPast {
    /// The server builds no statements.
    #[error("this server keeps no statements; see statement.enabled")]
    Disabled,
    /// There is no such SKU.
    #[error("the SKU is unknown")]
    UnknownSku,
    /// The SKU was never at that location.
    #[error("the SKU is not known at that location")]
    UnknownLocation,
    /// The moment has not come yet.
    #[error("that moment lies in the future")]
    Future,
    /// What happened then was trimmed from the journal.
    #[error("the history before sequence {oldest} was trimmed")]
    Trimmed {
        /// The first sequence that is known.
        oldest: u64,
    },
    /// What was recorded last can't be read yet, or is too much to be read at once.
    #[error("the history is not readable up to now yet; retry")]
    Behind,
    /// It can't be read now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
