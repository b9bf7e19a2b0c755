//! Commands: what callers and other shards ask of an engine.
//!
//! The first group comes from the contract; the second are the steps of a cart over several
//! shards, which a cart on one shard takes in one turn.

use crate::count::Count;
use crate::drift::DriftRecord;
use crate::event::{FeedMark, KeyTag, Note};
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::snapshot::Shortage;
use crate::stock::{Counter, CustomerLimit, OnShortfall, Sourcing};
use crate::time::{Millis, Timestamp};
use crate::units::Units;
use smallvec::SmallVec;

/// A command and the idempotency key it came with.
#[derive(Clone, Debug)]
pub struct Request {
    /// The key, hashed with its caller, and the hash of the content.
    pub key: Option<KeyTag>,
    /// What to do.
    pub command: Command,
}

/// Everything an engine can be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Create or configure a SKU.
    Configure(Box<Configure>),
    /// Move stock: a fact or a decision.
    Movement(Box<Movement>),
    /// Declare or configure a location on this shard.
    Location(Box<ConfigureLocation>),
    /// Set units aside, all lines on this shard.
    Reserve(Box<Reserve>),
    /// Sell what is held.
    Confirm(Box<Confirm>),
    /// Give back what is held.
    Release(Box<Release>),
    /// Move the deadline.
    Extend(Extend),
    /// Protect a payment in progress.
    Pin(Pin),
    /// Take back units that were confirmed and not shipped.
    Cancel(Box<Cancel>),
    /// Move held units to another location.
    MoveHold(Box<MoveHold>),
    /// Let a quarantined stream go on.
    LiftStream(Box<LiftStream>),
    /// Record a difference to another truth.
    OpenDrift(Box<OpenDrift>),
    /// Approve or dismiss a drift.
    DecideDrift(Box<DecideDrift>),
    /// A cart's part: take tentative holds for a home on another shard.
    Try(Box<Try>),
    /// A cart's home: record it, its parts being held.
    CreateCart(Box<CreateCart>),
    /// A cart's home: confirm late, the other shards' parts being held anew.
    ConfirmLate(Box<TryLate>),
    /// A cart's home: units of another shard are held at their new place; move them.
    MoveHeld(Box<MoveHeld>),
    /// A cart's home: units of it have left another shard.
    NoteShipped(Box<NoteShipped>),
    /// A cart's part: home has heard of what was shipped.
    NoteTold(NoteTold),
    /// A cart's home: its late confirm failed on another shard; make that final.
    RefuseLate(ReservationId, crate::event::KeyOutcome),
    /// A cart's home: every part has settled the end of this reservation.
    CloseCart(ReservationId),
    /// A cart's part: bring a hold to what its home decided.
    Settle(Settle),
    /// A cart's part: end a tentative hold that its home does not know.
    DropHold(DropHold),
}

/// A value that a partial update keeps, clears or sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave as it is.
    #[default]
    Keep,
    /// Back to the default.
    Clear,
    /// To this value.
    Set(T),
}

/// `PUT /v1/skus/{sku}`.
#[derive(Clone, Debug)]
pub struct Configure {
    /// The SKU, created if unknown.
    pub sku: Sku,
    /// Safety stock per location; naming a location makes it known.
    pub safety_stock: Vec<(Location, Patch<u32>)>,
    /// Limit per customer.
    pub customer_limit: Patch<CustomerLimit>,
    /// Start of the sale.
    pub opens_at: Patch<Timestamp>,
    /// End of the sale.
    pub closes_at: Patch<Timestamp>,
    /// Pause of the sale.
    pub paused: Patch<bool>,
    /// Low-stock threshold.
    pub low_at: Patch<u32>,
    /// Order in which locations sell.
    pub location_order: Patch<Vec<Location>>,
    /// How unnamed lines choose among them.
    pub sourcing: Patch<Sourcing>,
    /// What happens to holds that a shortfall leaves without units.
    pub on_shortfall: Patch<OnShortfall>,
    /// Why, for the record.
    pub reason: Option<Text>,
    /// Refuse unless the SKU's `config_version` is this (`If-Match`); 0: it must not exist.
    pub expected_version: Option<u64>,
}

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
    /// What its home said of its lines of this SKU just before, where home is another shard; empty
    /// where it is this one.
    pub lines: Vec<SaleLine>,
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
}

/// What is decided on a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Record the proposed correction.
    Approve,
    /// Leave the ledger as it is.
    Dismiss,
}

/// What a reserve does about lines it can't cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every line whole, or a refusal.
    #[default]
    AllOrNothing,
    /// What is there; the shortages are listed.
    BestEffort,
}

/// One line of a reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReserveLine {
    /// What.
    pub sku: Sku,
    /// How much.
    pub units: Units,
    /// From where; the SKU's location order decides if absent.
    pub location: Option<Location>,
}

/// `POST /v1/reservations`.
#[derive(Clone, Debug)]
pub struct Reserve {
    /// A candidate id; it becomes the reservation's if one is made.
    pub id: ReservationId,
    /// The order service's reference.
    pub order_ref: Option<Text>,
    /// The customer's pseudonym.
    pub customer: Option<Text>,
    /// How long to hold; the policy's default if absent.
    pub ttl: Option<Millis>,
    /// All or nothing, or what is there.
    pub mode: Mode,
    /// An earlier open reservation that this one takes the place of.
    pub replace: Option<ReservationId>,
    /// At least one line.
    pub lines: SmallVec<[ReserveLine; 1]>,
}

/// Units of one line of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineUnits {
    /// Which SKU.
    pub sku: Sku,
    /// Which location; if absent, its holds in the answer's order.
    pub location: Option<Location>,
    /// How much.
    pub units: Units,
}

/// What a partial confirm does with the units it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remainder {
    /// Give them back.
    Release,
    /// Keep them with their deadline.
    Keep,
}

/// What a confirm does once the hold has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Late {
    /// Take the units again if they are there.
    #[default]
    Reacquire,
    /// Refuse, finally.
    Refuse,
}

/// `POST /v1/reservations/{id}/confirm`.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Which reservation.
    pub id: ReservationId,
    /// Which units, and what happens to the rest; all if absent.
    pub lines: Option<(Vec<LineUnits>, Remainder)>,
    /// What if it has expired.
    pub late: Late,
    /// The payment that bought them.
    pub payment_ref: Option<Text>,
}

/// `POST /v1/reservations/{id}/release`.
#[derive(Clone, Debug)]
pub struct Release {
    /// Which reservation.
    pub id: ReservationId,
    /// Which units; all if absent.
    pub lines: Option<Vec<LineUnits>>,
    /// Why, for the record.
    pub reason: Option<Text>,
}

/// `POST /v1/reservations/{id}/extend`.
#[derive(Clone, Debug)]
pub struct Extend {
    /// Which reservation.
    pub id: ReservationId,
    /// New deadline, counted from now.
    pub ttl: Millis,
}

/// `POST /v1/reservations/{id}/pin`.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Which reservation.
    pub id: ReservationId,
    /// How long the payment may take, counted from now.
    pub duration: Millis,
}

/// Home asks a part to hold its lines, tentatively.
#[derive(Clone, Debug)]
pub struct Try {
    /// The cart.
    pub id: ReservationId,
    /// The attempt; with the id it names this try for ever.
    pub attempt: u32,
    /// The part's lines.
    pub lines: Vec<ReserveLine>,
    /// For limits.
    pub customer: Option<Text>,
    /// All of them, or what is there.
    pub mode: Mode,
    /// The deadline home will give it; a hint until home has decided.
    pub deadline: Timestamp,
    /// For a late confirm: the ended holds whose units are taken again, settled first.
    pub late: Option<Vec<Settle>>,
    /// For a move: the hold of this cart whose units are to be held elsewhere.
    pub from: Option<u64>,
}

/// One hold that a part took, as it tells its home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLine {
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// What was asked for here.
    pub requested: u32,
    /// What is held.
    pub units: u32,
    /// The part's number for this hold.
    pub hold: u64,
}

/// Home records a cart all of whose parts are held.
#[derive(Clone, Debug)]
pub struct CreateCart {
    /// The cart as asked for, all lines.
    pub reserve: Reserve,
    /// What the parts hold, in the order of the lines asked for.
    pub held: Vec<HeldLine>,
    /// What the parts could not grant (best effort).
    pub shortages: Vec<Shortage>,
    /// The lines of `reserve` that live on this shard, by index.
    pub own: Vec<usize>,
}

/// Home records a late confirm all of whose parts are held anew.
#[derive(Clone, Debug)]
pub struct TryLate {
    /// What was asked.
    pub confirm: Confirm,
    /// What the parts hold anew.
    pub held: Vec<HeldLine>,
}

/// Home records a move whose units a part holds at their new place.
#[derive(Clone, Debug)]
pub struct MoveHeld {
    /// What was asked.
    pub ask: MoveHold,
    /// What the part holds.
    pub held: HeldLine,
}

/// A part's report to home of what was shipped under its holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteShipped {
    /// The cart.
    pub id: ReservationId,
    /// Home's version that the part's holds had been brought to. Home hears only what was shipped
    /// at its own version, so that a report never crosses a cancel.
    pub version: u32,
    /// The SKU.
    pub sku: Sku,
    /// Its hold.
    pub hold: u64,
    /// Units shipped under it so far.
    pub shipped: u32,
}

/// Home's word that it has heard of what was shipped under a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteTold {
    /// The cart.
    pub id: ReservationId,
    /// The hold.
    pub hold: u64,
    /// Units that home knows of.
    pub shipped: u32,
}

/// Home's decision on one hold, in absolute totals; repeats and reordering are harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The cart.
    pub id: ReservationId,
    /// The hold.
    pub hold: u64,
    /// Home's version of the cart.
    pub version: u32,
    /// Units it holds: fewer than it took, once some were moved to another hold.
    pub units: u32,
    /// Units confirmed so far.
    pub confirmed: u32,
    /// Units released so far.
    pub released: u32,
    /// Units expired so far.
    pub expired: u32,
    /// Of the confirmed units, those cancelled so far.
    pub cancelled: u32,
    /// The cart's deadline now.
    pub deadline: Timestamp,
}

/// Home does not know this hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropHold {
    /// The cart.
    pub id: ReservationId,
    /// The hold.
    pub hold: u64,
}
