//! Commands: what callers and other shards ask of an engine.
//!
//! The first group comes from the contract; the second are the steps of a cart over several
//! shards, which a cart on one shard takes in one turn.

use crate::event::KeyTag;
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::snapshot::Shortage;
use crate::stock::{CustomerLimit, OnShortfall, Sourcing};
use crate::time::{Millis, Timestamp};
use crate::trace::TraceParent;
use crate::units::Units;
use smallvec::SmallVec;

pub use crate::movement::{
    Cancel, ConfigureLocation, Correct, DecideDrift, FromHome, LiftStream, MoveHold, Movement,
    MovementKind, OpenDrift, OpeningBalance, Place, Sale, SaleLine, SaleLines, Verdict,
};

/// A command and the idempotency key it came with.
#[derive(Clone, Debug)]
pub struct Request {
    /// The key, hashed with its caller, and the hash of the content.
    pub key: Option<KeyTag>,
    /// What to do.
    pub command: Command,
    /// Where the request stands in its caller's trace, for the record.
    pub trace: Option<Box<TraceParent>>,
}

impl Request {
    /// A command that nobody will repeat or trace.
    pub const fn of(command: Command) -> Self {
        Self::keyed(None, command)
    }

    /// A command with the key it came with.
    pub const fn keyed(key: Option<KeyTag>, command: Command) -> Self {
        Self {
            key,
            command,
            trace: None,
        }
    }
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
    /// A reservation's home: record the correction of a drift of another shard.
    Correct(Box<Correct>),
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
    /// A cart's home: units of it are gone from another shard whose policy is to release.
    ReleaseShort(Box<ReleaseShort>),
    /// A cart's home: its late confirm failed on another shard; make that final.
    RefuseLate(Box<Confirm>, crate::event::KeyOutcome),
    /// A cart's home: every part has settled the end of this reservation.
    CloseCart(ReservationId),
    /// A cart's part: bring a hold to what its home decided.
    Settle(Settle),
    /// A cart's part: end a tentative hold that its home does not know.
    DropHold(DropHold),
}

/// A hold without units on another shard is to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseShort {
    /// The cart.
    pub id: ReservationId,
    /// What it holds there.
    pub sku: Sku,
    /// The hold.
    pub hold: u64,
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
    /// From where on it is replenished.
    pub replenished_at: Patch<u32>,
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

impl Configure {
    /// Makes a SKU known, and changes nothing of one that is.
    pub const fn new(sku: Sku) -> Self {
        Self {
            sku,
            safety_stock: Vec::new(),
            customer_limit: Patch::Keep,
            opens_at: Patch::Keep,
            closes_at: Patch::Keep,
            paused: Patch::Keep,
            low_at: Patch::Keep,
            replenished_at: Patch::Keep,
            location_order: Patch::Keep,
            sourcing: Patch::Keep,
            on_shortfall: Patch::Keep,
            reason: None,
            expected_version: None,
        }
    }
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
