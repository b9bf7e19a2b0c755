//! Refusals: business answers that changed nothing.

use crate::drift::DriftState;
use crate::event::{KeyOutcome, Quarantine, StreamKey};
use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::snapshot::ShortageReason;
use crate::stock::Counter;
use crate::time::{Millis, Timestamp};

/// A line that could not be covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortLine {
    /// What.
    pub sku: Sku,
    /// Where, if the line named a location.
    pub location: Option<Location>,
    /// Units asked for.
    pub requested: u64,
    /// Units that could be had.
    pub available: u64,
    /// Units under carts over several shards that have not been decided yet.
    pub undecided: u64,
    /// The counters behind it, where they are known; not told to callers.
    pub stock: Option<StockThen>,
}

/// Counters at the moment of a refusal, in units: of one location, or summed over those that sell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockThen {
    /// Units there.
    pub on_hand: i64,
    /// Units under open holds.
    pub reserved: i64,
    /// Units that are not for sale.
    pub safety_stock: i64,
}

impl StockThen {
    /// The sum over some locations, each given as what reads its counters.
    pub fn of<R: Fn(Counter) -> i64>(locations: impl IntoIterator<Item = R>) -> Self {
        let mut sum = Self::default();
        for read in locations {
            sum.on_hand += read(Counter::OnHand);
            sum.reserved += read(Counter::Reserved);
            sum.safety_stock += read(Counter::SafetyStock);
        }
        sum
    }
}

/// A place in a reservation and two quantities: asked for and possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineAt {
    /// What.
    pub sku: Sku,
    /// Where, if the line named a location or the holds there are meant.
    pub location: Option<Location>,
    /// Units asked for.
    pub requested: u64,
    /// Units that would have been possible.
    pub possible: u64,
}

/// Why the business said no. [`Refusal::class`] gives the order of the reserve refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A TTL outside its bounds, or one that would outlive the longest lifetime.
    TtlLimit {
        /// Shortest TTL allowed.
        min: Millis,
        /// Longest TTL possible now.
        max: Millis,
        /// What was asked.
        requested: Millis,
    },
    /// The reservation to replace is another customer's or order's.
    ReplaceMismatch(ReservationId),
    /// The reservation to replace, or the one to take its place, has lines on other shards.
    ReplaceAcrossShards(ReservationId),
    /// The reservation to replace is pinned.
    ReservationPinned {
        /// Which.
        id: ReservationId,
        /// Until when.
        until: Timestamp,
    },
    /// SKUs that do not exist.
    UnknownSku(Vec<Sku>),
    /// Locations that a SKU does not know.
    UnknownLocation(Vec<(Sku, Location)>),
    /// Sales that are paused.
    SalePaused(Vec<Sku>),
    /// Sales that are not open: SKU, opening, closing.
    SaleClosed(Vec<(Sku, Option<Timestamp>, Option<Timestamp>)>),
    /// Limited SKUs, and no customer named.
    CustomerRequired(Vec<Sku>),
    /// The customer's limit.
    CustomerLimit(Vec<OverLimit>),
    /// Not enough stock.
    InsufficientStock(Vec<ShortLine>),
    /// The counters of the past that a count speaks of: the moment has not come, or what happened
    /// before this sequence of the SKU's shard is not kept any more.
    NoPast {
        /// Of what.
        sku: Sku,
        /// Trimmed below this; absent: not come yet.
        oldest: Option<u64>,
    },
    /// The units would be held where the reservation holds others of the same SKU already, on
    /// another shard than its home.
    HeldThere {
        /// Which reservation.
        id: ReservationId,
        /// Of what.
        sku: Sku,
        /// Where.
        location: Location,
    },
    /// No such reservation.
    UnknownReservation(ReservationId),
    /// It was here once; its retention is over.
    ReservationForgotten(ReservationId),
    /// It has expired. To a confirm this is final.
    ReservationExpired {
        /// Which.
        id: ReservationId,
        /// Why it can't be had again.
        reason: ExpiredReason,
        /// When it expired.
        expired_at: Timestamp,
    },
    /// It was released.
    ReservationReleased {
        /// Which.
        id: ReservationId,
        /// When.
        at: Timestamp,
        /// Why, if the caller said.
        reason: Option<Text>,
        /// The reservation that took its place.
        replaced_by: Option<ReservationId>,
    },
    /// It was confirmed.
    ReservationConfirmed {
        /// Which.
        id: ReservationId,
        /// When.
        at: Timestamp,
    },
    /// Another payment bought these units: refund this one.
    ConfirmedByOtherPayment {
        /// Which.
        id: ReservationId,
        /// The payment that came first.
        first: Text,
    },
    /// Fewer units are there than are held.
    Shortfall(Vec<LineAt>),
    /// More than is held.
    OverConfirm(Vec<LineAt>),
    /// More than is open.
    OverRelease(Vec<LineAt>),
    /// It was pinned before.
    AlreadyPinned {
        /// Which.
        id: ReservationId,
        /// Until when.
        until: Timestamp,
    },
    /// A decision that would take a counter below zero.
    WouldGoNegative {
        /// Which counter.
        counter: Counter,
        /// What it is.
        value: i64,
        /// The change asked for.
        delta: i64,
    },
    /// An adjustment below what is reserved, not forced.
    BelowReserved {
        /// What is on hand.
        on_hand: i64,
        /// What is reserved.
        reserved: i64,
        /// The adjustment.
        delta: i64,
    },
    /// Compare-and-set failed.
    VersionChanged {
        /// What the caller expected.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// A SKU would be replenished where it is low.
    ReplenishedNotAboveLow {
        /// From where on it would be replenished.
        replenished_at: u32,
        /// Up to where it would be low.
        low_at: u32,
    },
    /// The key was used with other content.
    KeyReused,
    /// More than was confirmed and not cancelled before.
    OverCancel(Vec<LineAt>),
    /// Units to cancel that have left already.
    AlreadyShipped(Vec<LineAt>),
    /// More than is open where it is to be moved from.
    OverMove(Vec<LineAt>),
    /// An opening balance where something has happened before.
    AlreadyOpened {
        /// Of what.
        sku: Sku,
        /// Where.
        location: Location,
    },
    /// Locations that were closed for selling.
    LocationClosed(Vec<(Sku, Location)>),
    /// A location that was not declared, where that is demanded.
    UndeclaredLocation(Location),
    /// The stream of a source waits for somebody to look.
    StreamQuarantined {
        /// Which.
        stream: Box<StreamKey>,
        /// Why.
        quarantine: Quarantine,
    },
    /// There is no such quarantined stream.
    UnknownStream(Box<StreamKey>),
    /// There is no such drift.
    UnknownDrift(ReservationId),
    /// A drift was decided before, or its correction fits no more.
    DriftConflict {
        /// Which.
        id: ReservationId,
        /// What became of it, or of what it was about.
        state: DriftState,
    },
}

/// How far a customer is over a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverLimit {
    /// Of what.
    pub sku: Sku,
    /// Units allowed in the window.
    pub limit: u32,
    /// Units counted in the window.
    pub counted: u64,
    /// Units asked for.
    pub requested: u64,
    /// When enough units leave the window, if they ever do.
    pub frees_at: Option<Timestamp>,
}

/// Why an expired reservation can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredReason {
    /// The units are gone.
    SoldOut,
    /// The customer's limit.
    CustomerLimit,
    /// The late window is over.
    LateWindow,
    /// The caller said `late=refuse`.
    LateRefused,
    /// It was released after it had expired.
    Closed,
    /// It has expired and the command does not reacquire.
    Lapsed,
}

impl ExpiredReason {
    /// The word in answers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SoldOut => "sold-out",
            Self::CustomerLimit => "customer-limit",
            Self::LateWindow => "late-window",
            Self::LateRefused => "late-refused",
            Self::Closed => "closed",
            Self::Lapsed => "lapsed",
        }
    }

    /// The recorded reason of a key's outcome, if that is a final refusal.
    pub const fn of_outcome(outcome: KeyOutcome) -> Option<Self> {
        match outcome {
            KeyOutcome::ClosedSoldOut => Some(Self::SoldOut),
            KeyOutcome::ClosedCustomerLimit => Some(Self::CustomerLimit),
            KeyOutcome::ClosedLateRefused => Some(Self::LateRefused),
            KeyOutcome::Created
            | KeyOutcome::Confirmed
            | KeyOutcome::ConfirmedLate
            | KeyOutcome::Released
            | KeyOutcome::Extended
            | KeyOutcome::Pinned
            | KeyOutcome::SkuCreated
            | KeyOutcome::SkuConfigured
            | KeyOutcome::Moved
            | KeyOutcome::MovedPartly
            | KeyOutcome::MovedLate
            | KeyOutcome::MovedSuperseded
            | KeyOutcome::MovedStale
            | KeyOutcome::Cancelled
            | KeyOutcome::HoldMoved
            | KeyOutcome::StreamLifted
            | KeyOutcome::DriftOpened
            | KeyOutcome::DriftCorrected
            | KeyOutcome::DriftDismissed => None,
        }
    }
}

impl Refusal {
    /// The place of a reserve refusal in the order in which they are given; the lowest class
    /// that any part of a cart reports is the answer.
    pub const fn class(&self) -> u8 {
        match self {
            Self::KeyReused => 0,
            Self::TtlLimit { .. } => 1,
            Self::ReplaceMismatch(_) => 2,
            Self::ReplaceAcrossShards(_) => 3,
            Self::ReservationPinned { .. } => 4,
            Self::UnknownSku(_) => 5,
            Self::UnknownLocation(_) => 6,
            Self::LocationClosed(_) => 7,
            Self::SalePaused(_) => 8,
            Self::SaleClosed(_) => 9,
            Self::CustomerRequired(_) => 10,
            Self::CustomerLimit(_) => 11,
            Self::InsufficientStock(_) => 12,
            Self::UnknownReservation(_)
            | Self::ReservationForgotten(_)
            | Self::ReservationExpired { .. }
            | Self::ReservationReleased { .. }
            | Self::ReservationConfirmed { .. }
            | Self::ConfirmedByOtherPayment { .. }
            | Self::Shortfall(_)
            | Self::OverConfirm(_)
            | Self::OverRelease(_)
            | Self::AlreadyPinned { .. }
            | Self::WouldGoNegative { .. }
            | Self::BelowReserved { .. }
            | Self::VersionChanged { .. }
            | Self::ReplenishedNotAboveLow { .. }
            | Self::OverCancel(_)
            | Self::AlreadyShipped(_)
            | Self::OverMove(_)
            | Self::AlreadyOpened { .. }
            | Self::UndeclaredLocation(_)
            | Self::StreamQuarantined { .. }
            | Self::UnknownStream(_)
            | Self::UnknownDrift(_)
            | Self::NoPast { .. }
            | Self::HeldThere { .. }
            | Self::DriftConflict { .. } => 13,
        }
    }

    /// The shortage that best effort makes of it: of a closed location, a closed or paused sale, a
    /// limit and missing stock, nothing else.
    pub const fn as_shortage(&self) -> Option<ShortageReason> {
        match self.class() {
            7 => Some(ShortageReason::LocationClosed),
            8 => Some(ShortageReason::SalePaused),
            9 => Some(ShortageReason::SaleClosed),
            11 => Some(ShortageReason::CustomerLimit),
            12 => Some(ShortageReason::InsufficientStock),
            _ => None,
        }
    }

    /// Whether one of the SKUs it lists is such.
    pub fn lists_any(&self, is_such: impl Fn(&Sku) -> bool) -> bool {
        match self {
            Self::UnknownSku(skus) | Self::SalePaused(skus) | Self::CustomerRequired(skus) => {
                skus.iter().any(is_such)
            }
            Self::UnknownLocation(lines) | Self::LocationClosed(lines) => {
                lines.iter().any(|(sku, _)| is_such(sku))
            }
            Self::SaleClosed(lines) => lines.iter().any(|(sku, ..)| is_such(sku)),
            Self::CustomerLimit(lines) => lines.iter().any(|line| is_such(&line.sku)),
            Self::InsufficientStock(lines) => lines.iter().any(|line| is_such(&line.sku)),
            Self::Shortfall(lines)
            | Self::OverConfirm(lines)
            | Self::OverRelease(lines)
            | Self::OverCancel(lines)
            | Self::AlreadyShipped(lines)
            | Self::OverMove(lines) => lines.iter().any(|line| is_such(&line.sku)),
            Self::KeyReused
            | Self::TtlLimit { .. }
            | Self::ReplaceMismatch(_)
            | Self::ReplaceAcrossShards(_)
            | Self::ReservationPinned { .. }
            | Self::UnknownReservation(_)
            | Self::ReservationForgotten(_)
            | Self::ReservationExpired { .. }
            | Self::ReservationReleased { .. }
            | Self::ReservationConfirmed { .. }
            | Self::ConfirmedByOtherPayment { .. }
            | Self::AlreadyPinned { .. }
            | Self::WouldGoNegative { .. }
            | Self::BelowReserved { .. }
            | Self::VersionChanged { .. }
            | Self::ReplenishedNotAboveLow { .. }
            | Self::AlreadyOpened { .. }
            | Self::UndeclaredLocation(_)
            | Self::StreamQuarantined { .. }
            | Self::UnknownStream(_)
            | Self::UnknownDrift(_)
            | Self::NoPast { .. }
            | Self::HeldThere { .. }
            | Self::DriftConflict { .. } => false,
        }
    }

    /// Joins what two shards said of one cart: the lower class wins, equal classes list all
    /// their lines.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::UnknownSku(mut a), Self::UnknownSku(b)) => {
                a.extend(b);
                Self::UnknownSku(a)
            }
            (Self::UnknownLocation(mut a), Self::UnknownLocation(b)) => {
                a.extend(b);
                Self::UnknownLocation(a)
            }
            (Self::LocationClosed(mut a), Self::LocationClosed(b)) => {
                a.extend(b);
                Self::LocationClosed(a)
            }
            (Self::SalePaused(mut a), Self::SalePaused(b)) => {
                a.extend(b);
                Self::SalePaused(a)
            }
            (Self::SaleClosed(mut a), Self::SaleClosed(b)) => {
                a.extend(b);
                Self::SaleClosed(a)
            }
            (Self::CustomerRequired(mut a), Self::CustomerRequired(b)) => {
                a.extend(b);
                Self::CustomerRequired(a)
            }
            (Self::CustomerLimit(mut a), Self::CustomerLimit(b)) => {
                a.extend(b);
                Self::CustomerLimit(a)
            }
            (Self::InsufficientStock(mut a), Self::InsufficientStock(b)) => {
                a.extend(b);
                Self::InsufficientStock(a)
            }
            (a, b) if b.class() < a.class() => b,
            (a, _) => a,
        }
    }
}
