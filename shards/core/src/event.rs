//! Events: the past-tense record of changes, and the only thing that changes state.
//!
//! An event is a list of effects, one per entry touched (a SKU at a location, a reservation,
//! a hold). An effect carries absolute new values and can be applied knowing that entry
//! alone, so recovery may start every chunk of state from a different point.

use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::snapshot::{HoldPhase, HoldRecord, HomeRecord, LateHold, LineRecord};
use crate::stock::{Counter, SkuConfig};
use crate::time::{Millis, Timestamp};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// The effects of an event; most have few.
pub type Effects = SmallVec<[Effect; 3]>;

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
    /// Units came in.
    StockReceived = 32,
    /// `on_hand` was corrected.
    StockAdjusted = 33,
    /// Fewer units are there than are held.
    StockShortfall = 34,
    /// A SKU was created or configured.
    SkuConfigured = 48,
    /// The shard opened after downtime.
    ShardResumed = 64,
    /// Entries past their retention were forgotten.
    Forgotten = 65,
    /// A decided confirm met missing units; somebody must look.
    DriftOpened = 66,
}

impl EventKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::ReservationCreated,
        Self::ReservationExtended,
        Self::ReservationPinned,
        Self::ReservationConfirmed,
        Self::ReservationReleased,
        Self::ReservationExpired,
        Self::ReservationClosed,
        Self::CartHeld,
        Self::CartBound,
        Self::CartSettled,
        Self::CartDropped,
        Self::CartClosed,
        Self::StockReceived,
        Self::StockAdjusted,
        Self::StockShortfall,
        Self::SkuConfigured,
        Self::ShardResumed,
        Self::Forgotten,
        Self::DriftOpened,
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

/// An idempotency key, hashed with its caller, and the hash of the command's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyTag {
    /// 128 bits of hash over caller and key.
    pub hash: [u64; 2],
    /// 64 bits of hash over operation, target and parsed body.
    pub content: u64,
}

/// A key kept with the outcome of its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEffect {
    /// Its number among the shard's keys, gapless.
    pub index: u64,
    /// The key.
    pub tag: KeyTag,
    /// What came of it.
    pub outcome: KeyOutcome,
    /// What it was about.
    pub target: KeyTarget,
}

/// What a key's command came to; its number is what the journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the past tense of its command")]
pub enum KeyOutcome {
    Created = 0,
    Confirmed = 1,
    ConfirmedLate = 2,
    Released = 3,
    Extended = 4,
    Pinned = 5,
    ClosedSoldOut = 6,
    ClosedCustomerLimit = 7,
    ClosedLateRefused = 8,
    SkuCreated = 9,
    SkuConfigured = 10,
    Moved = 11,
}

impl KeyOutcome {
    /// All outcomes in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Confirmed,
        Self::ConfirmedLate,
        Self::Released,
        Self::Extended,
        Self::Pinned,
        Self::ClosedSoldOut,
        Self::ClosedCustomerLimit,
        Self::ClosedLateRefused,
        Self::SkuCreated,
        Self::SkuConfigured,
        Self::Moved,
    ];
}

/// What a key's command was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTarget {
    /// A reservation homed here.
    Reservation(ReservationId),
    /// A SKU.
    Sku(Sku),
    /// A movement of a SKU.
    Movement(ReservationId, Sku),
}

/// What a caller said about a change, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub reason: Option<Text>,
    /// The paper it stands on.
    pub document: Option<Text>,
    /// Who sent it.
    pub source: Option<Text>,
    /// When it happened out there.
    pub occurred_at: Option<Timestamp>,
    /// The id under which a movement was answered.
    pub movement: Option<ReservationId>,
    /// The payment of a confirm.
    pub payment: Option<Text>,
}
