//! Chunks: pieces of state small enough to be written between two commits.
//!
//! A chunk holds records in exchange form (names, not indexes). Sorted, the records of all
//! chunks are the canonical form of a shard's state (INV-6).

use crate::count::Basis;
use crate::drift::DriftRecord;
use crate::event::{HomeExtra, KeyOutcome, KeyTag, KeyTarget, Quarantine, Versions};
use crate::id::{Opening, ReservationId};
use crate::name::{Location, Sku, Slot, Text};
use crate::stock::{Counters, SkuConfig};
use crate::supply::Supply;
use crate::time::Timestamp;
use smallvec::SmallVec;

/// Entries of one chunk of reservations, holds or keys.
pub const CHUNK_ENTRIES: u64 = 512;

/// The name of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChunkId {
    /// What belongs to the shard as a whole.
    Shard,
    /// The SKUs of one slot.
    Skus(Slot),
    /// 512 reservations of one opening: counters from `block` × 512.
    Homes(Opening, u32),
    /// 512 holds: numbers from this × 512.
    Holds(u64),
    /// 512 keys: indexes from this × 512.
    Keys(u64),
}

impl ChunkId {
    /// A number that sorts as the chunks do: kind in the top 4 bits.
    pub fn to_u64(self) -> u64 {
        match self {
            Self::Shard => 0,
            Self::Skus(slot) => (1 << 60) | u64::from(slot.index()),
            Self::Homes(opening, block) => {
                (2 << 60) | (u64::from(opening.number()) << 32) | u64::from(block)
            }
            Self::Holds(block) => (3 << 60) | block,
            Self::Keys(block) => (4 << 60) | block,
        }
    }

    /// The chunk with this number.
    pub fn from_u64(number: u64) -> Option<Self> {
        let rest = number & ((1 << 60) - 1);
        match number >> 60 {
            0 if rest == 0 => Some(Self::Shard),
            1 => Some(Self::Skus(Slot::new(u16::try_from(rest).ok()?)?)),
            2 => Some(Self::Homes(
                Opening::new(u32::try_from(rest >> 32).ok()?)?,
                (rest & 0xffff_ffff) as u32,
            )),
            3 => Some(Self::Holds(rest)),
            4 => Some(Self::Keys(rest)),
            _ => None,
        }
    }
}

/// The records of a chunk, sorted. No records: the chunk is empty and may be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkState {
    /// The shard as a whole.
    Shard(ShardRecord),
    /// SKUs of a slot, by name.
    Skus(Vec<SkuRecord>),
    /// Reservations, by counter.
    Homes(Vec<HomeRecord>),
    /// Holds, by number.
    Holds(Vec<HoldRecord>),
    /// Keys, by index.
    Keys(Vec<KeyRecord>),
}

impl ChunkState {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Shard(_) => false,
            Self::Skus(records) => records.is_empty(),
            Self::Homes(records) => records.is_empty(),
            Self::Holds(records) => records.is_empty(),
            Self::Keys(records) => records.is_empty(),
        }
    }
}

/// What belongs to a shard as a whole: numbers that are never given twice, and the locations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardRecord {
    /// The next hold's number.
    pub next_hold: u64,
    /// The next key's index.
    pub next_key: u64,
    /// Keys below this index are forgotten.
    pub first_key: u64,
    /// Locations that were declared, by name.
    pub locations: Vec<LocationRecord>,
}

/// A location that was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRecord {
    /// Its name.
    pub location: Location,
    /// Whether reserves may take from it.
    pub selling: bool,
    /// Raised by every change.
    pub version: u64,
}

/// A SKU with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuRecord {
    /// Its name.
    pub sku: Sku,
    /// How it sells.
    pub config: SkuConfig,
    /// Its versions.
    pub versions: Versions,
    /// How much of it there is, and since when.
    pub supply: Supply,
    /// Its locations, by name.
    pub levels: Vec<LevelRecord>,
    /// What its sources have sent, by location and source.
    pub streams: Vec<StreamRecord>,
    /// Messages seen, by the hash of source and id.
    pub messages: Vec<(u64, Timestamp)>,
    /// Its drifts, by id.
    pub drifts: Vec<DriftRecord>,
}

/// A SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelRecord {
    /// Which location.
    pub location: Location,
    /// Its counters there.
    pub counters: Counters,
    /// When the newest count there was taken, the last event before it, and what it compared.
    pub counted: Option<(Timestamp, u64, Basis)>,
}

/// A source's stream: what was seen is everything below the window, and what the window lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// Its location.
    pub location: Location,
    /// Its source.
    pub source: Text,
    /// Its epoch.
    pub epoch: u64,
    /// Sequences seen within the window, and the newest below it, ascending, with a hash of their
    /// content.
    pub seen: Vec<(u64, u32)>,
    /// Sequence and time of the newest absolute that applied.
    pub absolute: Option<(u64, Timestamp)>,
    /// Messages that came after later ones.
    pub late: u64,
    /// Messages that were too old.
    pub stale: u64,
    /// Why it waits for somebody to look.
    pub quarantined: Option<Quarantine>,
    /// When it was last heard of.
    pub at: Timestamp,
}

/// How far below a stream's highest sequence a message may still be new.
pub const STREAM_WINDOW: u64 = 1_024;

/// A reservation at its home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeRecord {
    /// Its id.
    pub id: ReservationId,
    /// The order service's reference.
    pub order_ref: Option<Text>,
    /// The customer's pseudonym.
    pub customer: Option<Text>,
    /// Raised by every decision; 1 when created.
    pub version: u32,
    /// When its units come free.
    pub expires_at: Timestamp,
    /// When its last open unit ended.
    pub ended_at: Option<Timestamp>,
    /// Its lines, one per SKU and location.
    pub lines: SmallVec<[LineRecord; 1]>,
    /// What few have.
    pub extra: Option<Box<HomeExtra>>,
}

/// A line of a reservation: one SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRecord {
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// The hold's number on the shard of the SKU.
    pub hold: u64,
    /// Whether that is another shard.
    pub foreign: bool,
    /// Units asked for.
    pub requested: u32,
    /// Units held.
    pub units: u32,
    /// Totals: confirmed, released, expired.
    pub totals: [u32; 3],
}

impl LineRecord {
    /// Units still under the hold.
    pub fn open(&self) -> u32 {
        self.units - self.totals.iter().sum::<u32>()
    }
}

/// Units taken again on another shard for a late confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateHold {
    /// The line, by its place.
    pub line: u32,
    /// The new hold's number.
    pub hold: u64,
    /// Units, all confirmed.
    pub units: u32,
    /// Of those, units shipped that home has heard of.
    pub shipped: u32,
}

/// A best-effort line that was not granted whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What.
    pub sku: Sku,
    /// Units asked for.
    pub requested: u32,
    /// Units granted.
    pub granted: u32,
    /// Why: the code of the refusal it would have been.
    pub reason: ShortageReason,
}

/// Why best effort granted less; its number is what the journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is a refusal's code")]
pub enum ShortageReason {
    InsufficientStock = 0,
    CustomerLimit = 1,
    SaleClosed = 2,
    SalePaused = 3,
    /// The shard of the line did not answer.
    Unavailable = 4,
    LocationClosed = 5,
}

impl ShortageReason {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientStock => "insufficient-stock",
            Self::CustomerLimit => "customer-limit",
            Self::SaleClosed => "sale-closed",
            Self::SalePaused => "sale-paused",
            Self::Unavailable => "shard-unavailable",
            Self::LocationClosed => "location-closed",
        }
    }
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HoldPhase {
    /// Its home is on this shard.
    Local = 0,
    /// Its home, on another shard, has not decided yet.
    Tentative = 1,
    /// Its home, on another shard, has recorded it.
    Bound = 2,
}

/// Units set aside on one SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRecord {
    /// Its number, unique on this shard for ever.
    pub number: u64,
    /// The reservation it is for.
    pub id: ReservationId,
    /// The home's attempt that made it.
    pub attempt: u32,
    /// Where it stands.
    pub phase: HoldPhase,
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// Units asked for here.
    pub requested: u32,
    /// Units held.
    pub units: u32,
    /// Home's version it has been brought to.
    pub version: u32,
    /// When home will let it expire, as far as is known here.
    pub deadline: Timestamp,
    /// Totals: confirmed, released, expired.
    pub totals: [u32; 3],
    /// The customer it counts for, and since when, where the SKU is limited.
    pub counted: Option<(Text, Timestamp)>,
    /// Whether downtime has moved its deadline.
    pub graced: bool,
    /// Units cancelled, and units shipped, of those confirmed.
    pub after: [u32; 2],
    /// Units shipped that its home, on another shard, has heard of.
    pub told: u32,
}

impl HoldRecord {
    /// Units still under the hold.
    pub fn open(&self) -> u32 {
        self.units - self.totals.iter().sum::<u32>()
    }
}

/// A key with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its index.
    pub index: u64,
    /// The key.
    pub tag: KeyTag,
    /// What came of it.
    pub outcome: KeyOutcome,
    /// What it was about.
    pub target: KeyTarget,
    /// When it was recorded.
    pub at: Timestamp,
}
