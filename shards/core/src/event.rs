//! Events: the past-tense record of changes, and the only thing that changes state.
//!
//! An event is a list of effects, one per entry touched (a SKU at a location, a reservation,
//! a hold). An effect carries absolute new values and can be applied knowing that entry
//! alone, so recovery may start every chunk of state from a different point.

use crate::drift::DriftRecord;
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::snapshot::{HoldPhase, HoldRecord, HomeRecord, LateHold, LineRecord, LocationRecord};
use crate::stock::{Counter, SkuConfig};
use crate::supply::SupplyEffect;
use crate::time::{Millis, Timestamp};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

pub use crate::key::{KeyEffect, KeyOutcome, KeyTag, KeyTarget};
pub use crate::note::{Note, Shorted};
pub use crate::stream::{
    CountedEffect, FeedMark, MessageEffect, Quarantine, QuarantineCause, StreamEffect, StreamKey,
};

/// The effects of an event; most have few.
pub type Effects = SmallVec<[Effect; 3]>;

/// The events of one decision, in order; most have one.
pub type EventList = SmallVec<[Event; 1]>;

/// One recorded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number in the shard's ledger, from 1, gapless (INV-7).
    pub seq: u64,
    /// Ledger time; never runs backwards (INV-7).
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The idempotency key of the command, with its outcome.
    pub key: Option<KeyEffect>,
    /// The entries changed.
    pub effects: Effects,
    /// Reason, document, source: what the caller said about it.
    pub note: Option<Box<Note>>,
}

/// What happened; its number is what the journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// A reservation was made; on the home shard.
    ReservationCreated = 1,
    /// Its deadline moved.
    ReservationExtended = 2,
    /// A payment is in progress.
    ReservationPinned = 3,
    /// Units were sold.
    ReservationConfirmed = 4,
    /// Units were given back.
    ReservationReleased = 5,
    /// Its deadline passed.
    ReservationExpired = 6,
    /// It can't be confirmed late any more.
    ReservationClosed = 7,
    /// Confirmed units were taken back before they left.
    ReservationCancelled = 8,
    /// Held units went to another location.
    ReservationMoved = 9,
    /// Home learnt that units of a cart left another shard's location.
    ReservationShipped = 10,
    /// A part took tentative holds for a cart of another shard.
    CartHeld = 16,
    /// A part learnt that its cart was created.
    CartBound = 17,
    /// A part brought a hold to what its home decided.
    CartSettled = 18,
    /// A part ended a hold that its home does not know.
    CartDropped = 19,
    /// Home knows that every part has settled.
    CartClosed = 20,
    /// A part knows that home has heard of what was shipped.
    CartTold = 21,
    /// Units came in.
    StockReceived = 32,
    /// `on_hand` was corrected.
    StockAdjusted = 33,
    /// Fewer units are there than are held.
    StockShortfall = 34,
    /// What was there when the SKU began here.
    StockOpened = 35,
    /// Units left.
    StockShipped = 36,
    /// Units came back.
    StockReturned = 37,
    /// Units that came back are sold again.
    StockRestocked = 38,
    /// Units can't be sold any more.
    StockDamaged = 39,
    /// Units were given up.
    StockWrittenOff = 40,
    /// Somebody counted.
    StockCounted = 41,
    /// Units went to another location.
    StockTransferred = 42,
    /// What is available fell to the low-stock threshold.
    StockLow = 43,
    /// Nothing is available any more.
    StockDepleted = 44,
    /// What is available is above the low-stock threshold again.
    StockReplenished = 45,
    /// A SKU was created or configured.
    SkuConfigured = 48,
    /// A location was declared or configured, on this shard.
    LocationConfigured = 49,
    /// The shard opened after downtime.
    ShardResumed = 64,
    /// Entries past their retention were forgotten.
    Forgotten = 65,
    /// The ledger and another truth differ; somebody must look.
    DriftOpened = 66,
    /// A drift's correction was recorded.
    DriftCorrected = 67,
    /// A drift was dismissed.
    DriftDismissed = 68,
    /// A message of a source's stream came after later ones, and applied.
    FeedLate = 80,
    /// A message of a source's stream was too old to apply.
    FeedStale = 81,
    /// A source that leaves no gaps left one.
    FeedGap = 82,
    /// A source contradicted itself; its stream waits for somebody to look.
    FeedQuarantined = 83,
    /// Somebody has looked: the stream goes on.
    FeedLifted = 84,
}

impl EventKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 42] = [
        Self::ReservationCreated,
        Self::ReservationExtended,
        Self::ReservationPinned,
        Self::ReservationConfirmed,
        Self::ReservationReleased,
        Self::ReservationExpired,
        Self::ReservationClosed,
        Self::ReservationCancelled,
        Self::ReservationMoved,
        Self::ReservationShipped,
        Self::CartHeld,
        Self::CartBound,
        Self::CartSettled,
        Self::CartDropped,
        Self::CartClosed,
        Self::CartTold,
        Self::StockReceived,
        Self::StockAdjusted,
        Self::StockShortfall,
        Self::StockOpened,
        Self::StockShipped,
        Self::StockReturned,
        Self::StockRestocked,
        Self::StockDamaged,
        Self::StockWrittenOff,
        Self::StockCounted,
        Self::StockTransferred,
        Self::StockLow,
        Self::StockDepleted,
        Self::StockReplenished,
        Self::SkuConfigured,
        Self::LocationConfigured,
        Self::ShardResumed,
        Self::Forgotten,
        Self::DriftOpened,
        Self::DriftCorrected,
        Self::DriftDismissed,
        Self::FeedLate,
        Self::FeedStale,
        Self::FeedGap,
        Self::FeedQuarantined,
        Self::FeedLifted,
    ];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

impl Event {
    /// The effects, one per entry touched: a [`Reserved`] is told as the three it stands for.
    pub fn spelled_out(&self) -> Cow<'_, [Effect]> {
        let is_short = |effect: &Effect| matches!(effect, Effect::Reserved(_));
        if !self.effects.iter().any(is_short) {
            return Cow::Borrowed(&self.effects);
        }
        let mut effects = Vec::with_capacity(3);
        for effect in &self.effects {
            match effect {
                Effect::Reserved(reserved) => effects.extend(reserved.spelled_out()),
                other => effects.push(other.clone()),
            }
        }
        Cow::Owned(effects)
    }
}

/// A change of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A reservation of one line entered with its hold: most are like this.
    Reserved(Box<Reserved>),
    /// A reservation entered, at its home.
    HomeCreated(Box<HomeRecord>),
    /// A reservation changed.
    HomeChanged(Box<HomeChange>),
    /// A reservation's retention is over.
    HomeForgotten(ReservationId),
    /// A hold entered.
    HoldCreated(Box<HoldRecord>),
    /// A hold changed; one with nothing open and nothing to count for a limit is gone.
    HoldChanged(HoldChange),
    /// An ended hold no longer counts for a limit, or a tentative one was dropped.
    HoldForgotten(u64),
    /// A SKU's counters at one location changed.
    Stock(Box<StockEffect>),
    /// A SKU was created or configured.
    Sku(Box<SkuEffect>),
    /// Deadlines that fell into the downtime moved. Touches every entry that is due.
    Resumed(Resumed),
    /// All keys below this index are forgotten.
    KeysForgotten(u64),
    /// What became of a confirmed hold changed; one that has all ended is gone.
    HoldAfter(HoldAfter),
    /// A reservation's lines changed places.
    HomeLines(Box<HomeLines>),
    /// A location was declared or configured.
    Location(LocationRecord),
    /// A source's stream for a SKU and location went on.
    Stream(Box<StreamEffect>),
    /// A stream was not heard of for long.
    StreamForgotten(Box<StreamKey>),
    /// A count was taken at a location.
    Counted(Box<CountedEffect>),
    /// A drift opened, or was decided.
    Drift(Box<DriftRecord>),
    /// A decided drift's retention is over.
    DriftForgotten(Box<(Sku, ReservationId)>),
    /// A message of a source was seen.
    Message(Box<MessageEffect>),
    /// Messages of this SKU's sources seen before this time are forgotten.
    MessagesForgotten(Box<(Sku, Timestamp)>),
    /// A SKU crossed a threshold, or what is known of when it was depleted changed.
    Supply(Box<SupplyEffect>),
}

/// What became of a hold's confirmed units, on the shard of the SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldAfter {
    /// Which.
    pub number: u64,
    /// Units cancelled, and units shipped.
    pub after: [u32; 2],
    /// Units shipped that its home has heard of.
    pub told: u32,
}

/// A reservation's lines after one of them moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeLines {
    /// Which.
    pub id: ReservationId,
    /// Raised by every decision.
    pub version: u32,
    /// All its lines.
    pub lines: SmallVec<[LineRecord; 1]>,
}

/// What most carts come to: a reservation of one line, granted whole from one location of its own
/// shard, which no limit counts.
///
/// It stands for three effects (the reservation, its hold, its SKU's `reserved`), and exists because
/// a sale is made of it: one small value instead of three records that say the same thing thrice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The reservation.
    pub id: ReservationId,
    /// The order service's reference.
    pub order_ref: Option<Text>,
    /// The customer's pseudonym.
    pub customer: Option<Text>,
    /// When the units come free.
    pub expires_at: Timestamp,
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// The hold's number.
    pub hold: u64,
    /// Units held, all that were asked for.
    pub units: u32,
    /// The location's `reserved` after this event.
    pub reserved: i64,
    /// The SKU's versions after this event.
    pub versions: Versions,
}

impl Reserved {
    /// The reservation that entered.
    pub fn home(&self) -> HomeRecord {
        let line = LineRecord {
            sku: self.sku.clone(),
            location: self.location.clone(),
            hold: self.hold,
            foreign: false,
            requested: self.units,
            units: self.units,
            totals: [0; 3],
        };
        HomeRecord {
            id: self.id,
            order_ref: self.order_ref.clone(),
            customer: self.customer.clone(),
            version: 1,
            expires_at: self.expires_at,
            ended_at: None,
            lines: smallvec![line],
            extra: None,
        }
    }

    /// Its hold.
    pub fn hold(&self) -> HoldRecord {
        HoldRecord {
            number: self.hold,
            id: self.id,
            attempt: 0,
            phase: HoldPhase::Local,
            sku: self.sku.clone(),
            location: self.location.clone(),
            requested: self.units,
            units: self.units,
            version: 1,
            deadline: self.expires_at,
            totals: [0; 3],
            counted: None,
            graced: false,
            after: [0; 2],
            told: 0,
        }
    }

    /// The change of its SKU's counters.
    pub fn stock(&self) -> StockEffect {
        StockEffect {
            sku: self.sku.clone(),
            location: self.location.clone(),
            counters: smallvec![(Counter::Reserved, self.reserved)],
            versions: self.versions,
        }
    }

    /// The effects it stands for.
    pub fn spelled_out(&self) -> [Effect; 3] {
        [
            Effect::HomeCreated(Box::new(self.home())),
            Effect::HoldCreated(Box::new(self.hold())),
            Effect::Stock(Box::new(self.stock())),
        ]
    }
}

/// New values of a reservation's parts that can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeChange {
    /// Which.
    pub id: ReservationId,
    /// Raised by every decision.
    pub version: u32,
    /// Its deadline.
    pub expires_at: Timestamp,
    /// Totals per line, in the lines' order: confirmed, released, expired.
    pub totals: SmallVec<[[u32; 3]; 1]>,
    /// When its last open unit ended.
    pub ended_at: Option<Timestamp>,
    /// The values most reservations never have; absent is unchanged.
    pub extra: Option<Box<HomeExtra>>,
}

/// What few reservations have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeExtra {
    /// Start of the chain of replacements, if it is not its own.
    pub chain_start: Option<Timestamp>,
    /// Until when a payment is in progress.
    pub pinned_until: Option<Timestamp>,
    /// Payments that bought units, first first.
    pub payments: Vec<Text>,
    /// The reservation it took the place of.
    pub replaces: Option<ReservationId>,
    /// The reservation that took its place.
    pub replaced_by: Option<ReservationId>,
    /// Why it was released, as the caller said.
    pub reason: Option<Text>,
    /// Whether units were confirmed after its deadline.
    pub late: bool,
    /// Set once it can't be confirmed late any more: why.
    pub closed: Option<crate::refusal::ExpiredReason>,
    /// Whether downtime has moved its deadline (once per hold).
    pub graced: bool,
    /// Whether every part has settled its end.
    pub settled: bool,
    /// What best effort could not grant.
    pub shortages: Vec<crate::snapshot::Shortage>,
    /// Units taken again on other shards for a late confirm.
    pub late_holds: Vec<LateHold>,
    /// Per line, in the lines' order, units cancelled and units shipped; empty while there are none.
    pub after: Vec<[u32; 2]>,
}

/// New values of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldChange {
    /// Which.
    pub number: u64,
    /// Home's version that this brings it to.
    pub version: u32,
    /// Its deadline.
    pub deadline: Timestamp,
    /// Where it stands between tentative and bound.
    pub phase: HoldPhase,
    /// Totals: confirmed, released, expired.
    pub totals: [u32; 3],
}

/// New values of a SKU's counters at one location, and of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockEffect {
    /// Which SKU.
    pub sku: Sku,
    /// Which location; becomes known to the SKU.
    pub location: Location,
    /// The counters that changed, with their new values.
    pub counters: SmallVec<[(Counter, i64); 3]>,
    /// The SKU's versions after this event.
    pub versions: Versions,
}

/// A SKU's versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// All events of the SKU (the `ETag`).
    pub all: u64,
    /// Events that are not reservations'.
    pub stock: u64,
    /// Configurations.
    pub config: u64,
}

/// A SKU's whole configuration after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuEffect {
    /// Which SKU.
    pub sku: Sku,
    /// Its configuration.
    pub config: SkuConfig,
    /// Its versions.
    pub versions: Versions,
}

/// The shard opened after downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Ledger time of the last record before.
    pub last: Timestamp,
    /// Ledger time of the opening.
    pub start: Timestamp,
    /// Deadlines after `last` and up to `start` become `start` + this.
    pub grace: Millis,
}
