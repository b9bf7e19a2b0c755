//! Commands about stock facts: movements, locations, streams of sources, drifts, and what becomes of
//! confirmed units. What is asked of reservations before they are sold is in `command.rs`.

use crate::command::{Command, LineUnits, Patch, Settle};
use crate::count::Count;
use crate::drift::DriftRecord;
use crate::event::{FeedMark, Note};
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::stock::Counter;
use crate::units::Units;

/// A movement of stock: a physical or bookkeeping fact, or a decision about stock.
///
/// Facts (`Opening`, `Receive`, `Ship`, `Return`, `Damage`, `Count`) are applied as far as the
/// counters allow, and what is left opens a drift. Decisions (`Restock`, `WriteOff`, `Adjust`,
/// `Transfer`) that don't fit are refused.
#[derive(Clone, Debug)]
pub struct Movement {
    /// A candidate id for the movement, and for the drift it may open.
    pub id: ReservationId,
    /// Of what.
    pub sku: Sku,
    /// Where; a fact makes it known to the SKU.
    pub location: Location,
    /// What happened, or is to happen.
    pub kind: MovementKind,
    /// Its place in its source's stream for this SKU and location. The source stands in the note.
    pub feed: Option<FeedMark>,
    /// The source's own id of the message, which it never gives to another one.
    pub message: Option<Text>,
    /// Refuse unless the SKU's `stock_version` is this.
    pub expected_version: Option<u64>,
    /// Paper trail: reason, document, source, time.
    pub note: Note,
}

impl Movement {
    /// A movement at `main` of which nothing else is said; its shard gives it an id.
    pub fn new(sku: Sku, kind: MovementKind) -> Self {
        Self {
            id: ReservationId::UNMINTED,
            sku,
            location: Location::main(),
            kind,
            feed: None,
            message: None,
            expected_version: None,
            note: Note::default(),
        }
    }
}

/// What a movement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MovementKind {
    /// What was there when the SKU began here; once, while its counters there are all 0.
    Opening(OpeningBalance),
    /// Sellable units came in.
    Receive(Units),
    /// Units left.
    Ship {
        /// How many.
        units: Units,
        /// The sale they belong to, where the caller names one.
        sale: Option<Box<Sale>>,
    },
    /// Units came back and wait for a decision.
    Return {
        /// How many.
        units: Units,
        /// The reservation they were sold under, for the record.
        reservation: Option<ReservationId>,
    },
    /// Units can't be sold any more.
    Damage {
        /// How many.
        units: Units,
        /// Which ones: `OnHand` or `Returned`.
        from: Place,
    },
    /// Somebody counted: an absolute.
    Count(Box<Count>),
    /// Units that came back are sold again.
    Restock(Units),
    /// Units are given up.
    WriteOff {
        /// How many.
        units: Units,
        /// Which ones.
        from: Place,
        /// Allow `on_hand` to fall below `reserved` (a shortfall).
        force: bool,
    },
    /// `on_hand` is corrected.
    Adjust {
        /// By how much; not 0, at most [`crate::UNITS_MAX`] either way.
        delta: i64,
        /// Allow `on_hand` to fall below `reserved` (a shortfall).
        force: bool,
    },
    /// Units go to another location, in one record.
    Transfer {
        /// How many.
        units: Units,
        /// Where to; becomes known to the SKU.
        to: Location,
        /// Allow `on_hand` to fall below `reserved` (a shortfall).
        force: bool,
    },
}

impl MovementKind {
    /// The reservation it names.
    pub fn reservation(&self) -> Option<ReservationId> {
        match self {
            Self::Ship { sale, .. } => sale.as_ref().map(|sale| sale.id),
            Self::Return { reservation, .. } => *reservation,
            Self::Opening(_)
            | Self::Receive(_)
            | Self::Damage { .. }
            | Self::Count(_)
            | Self::Restock(_)
            | Self::WriteOff { .. }
            | Self::Adjust { .. }
            | Self::Transfer { .. } => None,
        }
    }
}

/// What was there when a SKU began at a location, in units: `received` is their sum, `sold` is
/// `unshipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpeningBalance {
    /// Units that can be sold.
    pub on_hand: u32,
    /// Units sold before and still here.
    pub unshipped: u32,
    /// Units that came back and wait for a decision.
    pub returned: u32,
    /// Units that can't be sold.
    pub damaged: u32,
}

/// Where units of a SKU lie within a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Among those that can be sold.
    #[default]
    OnHand,
    /// Among those that came back.
    Returned,
    /// Among those that can't be sold.
    Damaged,
}

impl Place {
    /// The counter of these units.
    pub const fn counter(self) -> Counter {
        match self {
            Self::OnHand => Counter::OnHand,
            Self::Returned => Counter::Returned,
            Self::Damaged => Counter::Damaged,
        }
    }
}

/// A sale that a shipment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The reservation.
    pub id: ReservationId,
    /// What its home said of its lines of this SKU.
    pub lines: SaleLines,
}

/// What the home of a sale said of its lines of a SKU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SaleLines {
    /// Nobody asked: home is this shard, or it does not know the sale.
    #[default]
    Here,
    /// Home is another shard, and could not be asked.
    Unread,
    /// Home is another shard, and said this just before.
    Told(Vec<SaleLine>),
}

/// A line of a sale as its home saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleLine {
    /// Where its units lay.
    pub location: Location,
    /// Home's decision on the hold, settled here first if it has not come yet.
    pub settle: Settle,
    /// Units cancelled and shipped so far, as home knows.
    pub after: [u32; 2],
}

/// `PUT /v1/locations/{name}`, on one shard.
#[derive(Clone, Debug)]
pub struct ConfigureLocation {
    /// The location; declared by this.
    pub location: Location,
    /// Whether reserves may take from it.
    pub selling: Patch<bool>,
    /// The decision's own version, where all shards are to have the same: a shard that knows a newer
    /// one, or this one, is left as it is. Absent: one above the shard's, if anything changes.
    pub version: Option<u64>,
    /// Why, for the record.
    pub reason: Option<Text>,
}

/// `POST /v1/reservations/{id}/cancel`.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Which reservation.
    pub id: ReservationId,
    /// Which units; all that are confirmed and not shipped if absent.
    pub lines: Option<Vec<LineUnits>>,
    /// Why, for the record.
    pub reason: Option<Text>,
}

/// `POST /v1/reservations/{id}/move`.
#[derive(Clone, Debug)]
pub struct MoveHold {
    /// Which reservation.
    pub id: ReservationId,
    /// Which SKU.
    pub sku: Sku,
    /// Where its units are held.
    pub from: Location,
    /// Where they are to be held.
    pub to: Location,
    /// How many; all open ones there if absent.
    pub units: Option<Units>,
}

/// Somebody has looked at a quarantined stream: it goes on.
#[derive(Clone, Debug)]
pub struct LiftStream {
    /// The stream's SKU.
    pub sku: Sku,
    /// Its location.
    pub location: Location,
    /// Its source.
    pub source: Text,
    /// Why, for the record.
    pub reason: Option<Text>,
}

/// A difference that a reconciliation found.
#[derive(Clone, Debug)]
pub struct OpenDrift {
    /// The drift; its id is a candidate. Opening a drift that is open already, of the same kind,
    /// place and numbers, changes nothing.
    pub drift: DriftRecord,
    /// Who found it.
    pub note: Note,
}

/// A decision on a drift.
#[derive(Clone, Debug)]
pub struct DecideDrift {
    /// The drift.
    pub id: ReservationId,
    /// Its SKU.
    pub sku: Sku,
    /// A candidate id for the correcting movement.
    pub movement: ReservationId,
    /// Approve its correction, or dismiss it.
    pub verdict: Verdict,
    /// Why, for the record.
    pub reason: Option<Text>,
    /// What the home of the reservation concerned has done or said, where that is another shard.
    pub home: FromHome,
}

/// What the home of a drift's reservation has done or said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FromHome {
    /// Nobody asked: home is this shard, or the correction does not need it.
    #[default]
    Here,
    /// Home is another shard, and could not be asked.
    Unread,
    /// Home is another shard, and has recorded the correction.
    Done,
    /// Home is another shard, and said this of the lines to be shipped.
    Told(Vec<SaleLine>),
}

/// A drift's correction, where the reservation it concerns is homed: an ordinary command, recorded
/// with the drift's name. A refusal records nothing, also where the buyer's own would be final.
#[derive(Clone, Debug)]
pub struct Correct {
    /// The drift.
    pub drift: ReservationId,
    /// What corrects it.
    pub command: Command,
}

/// What is decided on a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Record the proposed correction.
    Approve,
    /// Leave the ledger as it is.
    Dismiss,
}
