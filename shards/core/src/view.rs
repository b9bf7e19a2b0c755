//! Views: what answers show, built from state and owned by the caller.

use crate::drift::DriftRecord;
use crate::event::{KeyOutcome, Quarantine, Reserved, StreamKey, Versions};
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::refusal::Refusal;
use crate::snapshot::{LocationRecord, Shortage};
use crate::stock::{Counter, Counters, SkuConfig};
use crate::supply::Supply;
use crate::time::Timestamp;
use std::sync::Arc;

/// What a caller is told, once it is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A reservation, as it stands.
    Reservation {
        /// The reservation.
        view: Box<ReservationView>,
        /// Whether this command, or the first with its key, created it.
        created: bool,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A plain reservation that this command has just made, in short: [`Self::whole`] has it as it
    /// stands. Only told to those who take many answers at once, and ask for it.
    Made {
        /// What entered.
        made: Box<Reserved>,
        /// The time of this answer.
        now: Timestamp,
    },
    /// A SKU, as it stands.
    Sku {
        /// The SKU.
        view: Box<SkuView>,
        /// Whether this command, or the first with its key, created it.
        created: bool,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A movement was recorded.
    Movement {
        /// The movement and its SKU.
        view: Box<MovementView>,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A drift was opened or decided.
    Drift {
        /// The drift.
        view: Box<DriftView>,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A location was declared or configured.
    Location {
        /// The location.
        view: Box<LocationView>,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// The business said no.
    Refused {
        /// Why.
        refusal: Box<Refusal>,
        /// Ledger time of the refusal.
        at: Timestamp,
        /// Sequence of the state it leans on; 0 where it lists SKUs of several shards, each as
        /// last committed there.
        seq: u64,
        /// Whether this repeats an earlier, recorded refusal.
        replayed: bool,
    },
    /// A table is full: which one (`reservations`, `keys`, `skus`, `locations`, `carts`).
    Full(&'static str),
    /// A step of a cart between shards.
    Part(crate::engine::PartHold),
}

impl Answer {
    /// The same, with nothing told in short.
    #[must_use]
    pub fn whole(self) -> Self {
        match self {
            Self::Made { made, now } => Self::Reservation {
                view: Box::new(made.view(now)),
                created: true,
                replayed: false,
            },
            other => other,
        }
    }
}

impl Reserved {
    /// The reservation, as long as nothing else has happened to it.
    pub fn view(&self, now: Timestamp) -> ReservationView {
        let line = LineView {
            sku: self.sku.clone(),
            location: self.location.clone(),
            requested: self.units,
            units: self.units,
            open: self.units,
            confirmed: 0,
            released: 0,
            expired: 0,
            cancelled: 0,
            shipped: 0,
        };
        ReservationView {
            id: self.id,
            status: Status::Open,
            order_ref: self.order_ref.clone(),
            customer: self.customer.clone(),
            created_at: self.id.at(),
            expires_at: self.expires_at,
            now,
            pinned_until: None,
            late: false,
            payment_ref: None,
            replaces: None,
            replaced_by: None,
            lines: vec![line],
            shortages: Vec::new(),
            version: 1,
        }
    }
}

/// A reservation's status, derived from its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// A unit is open.
    Open,
    /// None is open, and one was confirmed.
    Confirmed,
    /// None is open or confirmed, and one expired.
    Expired,
    /// All were given back.
    Released,
}

impl Status {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Expired => "expired",
            Self::Released => "released",
        }
    }
}

/// A reservation as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationView {
    /// Its id.
    pub id: ReservationId,
    /// Derived from its units; a lapsed one is shown as expired.
    pub status: Status,
    /// The order service's reference.
    pub order_ref: Option<Text>,
    /// The customer's pseudonym.
    pub customer: Option<Text>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its units come, or came, free.
    pub expires_at: Timestamp,
    /// The time of this view, from which `expires_in_ms` follows.
    pub now: Timestamp,
    /// Until when a payment is in progress.
    pub pinned_until: Option<Timestamp>,
    /// Whether units were confirmed after the deadline.
    pub late: bool,
    /// The payment that bought units first.
    pub payment_ref: Option<Text>,
    /// The reservation it took the place of.
    pub replaces: Option<ReservationId>,
    /// The reservation that took its place.
    pub replaced_by: Option<ReservationId>,
    /// One per SKU and location.
    pub lines: Vec<LineView>,
    /// What best effort could not grant.
    pub shortages: Vec<Shortage>,
    /// Raised by every decision.
    pub version: u32,
}

/// A line of a reservation as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineView {
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// Units asked for.
    pub requested: u32,
    /// Units held at first.
    pub units: u32,
    /// Units still held.
    pub open: u32,
    /// Units sold.
    pub confirmed: u32,
    /// Units given back.
    pub released: u32,
    /// Units whose time passed.
    pub expired: u32,
    /// Of those sold, units taken back before they left.
    pub cancelled: u32,
    /// Of those sold, units that left.
    pub shipped: u32,
}

/// A SKU as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuView {
    /// Its name.
    pub sku: Sku,
    /// How it sells.
    pub config: Arc<SkuConfig>,
    /// Its versions.
    pub versions: Versions,
    /// How much of it there is, and since when.
    pub supply: Supply,
    /// Counters per location, by name.
    pub levels: Vec<(Location, Counters)>,
    /// Sequence of the shard's ledger this stands for.
    pub seq: u64,
    /// Ledger time this stands for.
    pub at: Timestamp,
}

impl SkuView {
    /// Counters summed over locations.
    pub fn totals(&self) -> Counters {
        let mut sum = Counters::default();
        for (_, counters) in &self.levels {
            sum.add(counters);
        }
        sum
    }

    /// Units that may be promised: the sum of the locations' own.
    pub fn available(&self) -> i64 {
        self.levels
            .iter()
            .map(|(_, counters)| counters.available())
            .sum()
    }

    /// Units held that are not there: the sum of the locations' own.
    pub fn shortfall(&self) -> i64 {
        self.levels
            .iter()
            .map(|(_, counters)| counters.shortfall())
            .sum()
    }

    /// One counter summed over locations.
    pub fn total(&self, counter: Counter) -> i64 {
        self.levels
            .iter()
            .map(|(_, counters)| counters.get(counter))
            .sum()
    }
}

/// A recorded movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovementView {
    /// Its id.
    pub id: ReservationId,
    /// The SKU as it stands now.
    pub sku: SkuView,
    /// What came of it.
    pub outcome: Outcome,
    /// Units that fitted, where not all did and the drift is still known.
    pub applied: Option<i64>,
    /// The drift that the rest opened.
    pub drift: Option<ReservationId>,
}

/// What came of a movement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was booked whole.
    #[default]
    Applied,
    /// It was booked as far as the counters allowed; the rest opened a drift.
    Partly,
    /// It came after later messages of its stream, and was booked.
    Late,
    /// A count was taken after it: it was booked, and taken out of `on_hand` again.
    Superseded,
    /// It is older than what was applied, and changed nothing.
    Stale,
    /// It was seen before, and changed nothing.
    Duplicate,
}

impl Outcome {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Partly => "partly",
            Self::Late => "late",
            Self::Superseded => "superseded",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
        }
    }

    /// What a key remembers of a movement; none if it was about something else.
    pub const fn of_key(outcome: KeyOutcome) -> Option<Self> {
        match outcome {
            KeyOutcome::Moved => Some(Self::Applied),
            KeyOutcome::MovedPartly => Some(Self::Partly),
            KeyOutcome::MovedLate => Some(Self::Late),
            KeyOutcome::MovedSuperseded => Some(Self::Superseded),
            KeyOutcome::MovedStale => Some(Self::Stale),
            KeyOutcome::Created
            | KeyOutcome::Confirmed
            | KeyOutcome::ConfirmedLate
            | KeyOutcome::Released
            | KeyOutcome::Extended
            | KeyOutcome::Pinned
            | KeyOutcome::ClosedSoldOut
            | KeyOutcome::ClosedCustomerLimit
            | KeyOutcome::ClosedLateRefused
            | KeyOutcome::SkuCreated
            | KeyOutcome::SkuConfigured
            | KeyOutcome::Cancelled
            | KeyOutcome::HoldMoved
            | KeyOutcome::StreamLifted
            | KeyOutcome::DriftOpened
            | KeyOutcome::DriftCorrected
            | KeyOutcome::DriftDismissed => None,
        }
    }

    /// What a key is to remember; a duplicate keeps none.
    pub const fn to_key(self) -> KeyOutcome {
        match self {
            Self::Applied | Self::Duplicate => KeyOutcome::Moved,
            Self::Partly => KeyOutcome::MovedPartly,
            Self::Late => KeyOutcome::MovedLate,
            Self::Superseded => KeyOutcome::MovedSuperseded,
            Self::Stale => KeyOutcome::MovedStale,
        }
    }

    /// Whether anything was booked.
    pub const fn is_recorded(self) -> bool {
        !matches!(self, Self::Stale | Self::Duplicate)
    }
}

/// A drift as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftView {
    /// The drift.
    pub drift: DriftRecord,
    /// Sequence of the shard's ledger this stands for.
    pub seq: u64,
    /// Ledger time this stands for.
    pub at: Timestamp,
}

/// A source's stream as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamView {
    /// Which.
    pub key: StreamKey,
    /// Its epoch.
    pub epoch: u64,
    /// Sequences up to this one are too old to be told from seen ones.
    pub floor: u64,
    /// The highest sequence seen.
    pub highest: Option<u64>,
    /// Sequences that have not come, first and last, the oldest gaps first; nothing where the source
    /// may leave some. The oldest may begin below the floor, where nothing can come any more.
    pub gaps: Vec<(u64, u64)>,
    /// Whether the source leaves none.
    pub is_gapless: bool,
    /// Messages that came after later ones.
    pub late: u64,
    /// Messages that were too old.
    pub stale: u64,
    /// Why it waits for somebody to look.
    pub quarantined: Option<Quarantine>,
    /// When it was last heard of.
    pub at: Timestamp,
}

/// A location as a shard knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationView {
    /// The location.
    pub record: LocationRecord,
    /// Ledger time this stands for.
    pub at: Timestamp,
}

/// Fewer units of a SKU are on hand at a location than are held there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortfallView {
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// Units there.
    pub on_hand: i64,
    /// Units held.
    pub reserved: i64,
    /// Units that are missing.
    pub units: u64,
    /// How many holds get less than they hold.
    pub reservations: usize,
    /// These holds in the order in which they were made, the newest last; of many, the newest.
    pub affected: Vec<AffectedView>,
    /// Sequence of the shard's ledger this stands for.
    pub seq: u64,
    /// Ledger time this stands for.
    pub at: Timestamp,
}

/// A hold that a shortfall leaves without units, or with fewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffectedView {
    /// Its reservation.
    pub id: ReservationId,
    /// Whether that is homed on another shard, which alone knows its order and its pin.
    pub is_foreign: bool,
    /// The order service's reference.
    pub order_ref: Option<Text>,
    /// Units it holds here.
    pub open: u32,
    /// Units of these that are not there.
    pub without: u32,
    /// Its deadline, as far as is known here.
    pub expires_at: Timestamp,
    /// Until when a payment is in progress.
    pub pinned_until: Option<Timestamp>,
}
