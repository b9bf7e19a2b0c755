//! Drifts: differences between the ledger and another truth, waiting for a decision.
//!
//! A drift opens where a fact fitted only partly, or where a reconciliation found a difference. It
//! is decided once: its proposed correction is recorded as an ordinary movement or decision that
//! names it, or it is dismissed with a reason. What compares, and what approves by itself, is not
//! here.

use crate::id::ReservationId;
use crate::name::{Location, Sku, Text};
use crate::time::Timestamp;

/// A difference between the ledger and another truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftRecord {
    /// Its id; that of the movement that opened it, if one did.
    pub id: ReservationId,
    /// What kind of difference.
    pub kind: DriftKind,
    /// Of what.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// Units by the ledger.
    pub expected: i64,
    /// Units by the other truth.
    pub found: i64,
    /// What would put it right.
    pub proposal: Proposal,
    /// The ledger entries it rests on: after the first sequence, up to the second.
    pub evidence: (u64, u64),
    /// The location's `adjusted` after these entries: where it is another one when a difference to
    /// a warehouse or a seller is approved, somebody has corrected there since.
    pub adjusted: i64,
    /// The reservation concerned.
    pub reservation: Option<ReservationId>,
    /// Who reported the other truth.
    pub source: Option<Text>,
    /// The paper it stands on: a file, a count, an order.
    pub document: Option<Text>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// What became of it.
    pub state: DriftState,
}

impl DriftRecord {
    /// When it was decided, if it was.
    pub const fn decided_at(&self) -> Option<Timestamp> {
        match self.state {
            DriftState::Open => None,
            DriftState::Corrected { at, .. } | DriftState::Dismissed { at, .. } => Some(at),
        }
    }

    /// Whether it tells the same difference: what a reconciliation that runs again finds again.
    pub fn says_what(&self, other: &Self) -> bool {
        let numbers = |drift: &Self| (drift.kind, drift.expected, drift.found, drift.proposal);
        let place = |drift: &Self| (drift.location.clone(), drift.reservation);
        numbers(self) == numbers(other)
            && place(self) == place(other)
            && self.document == other.document
    }
}

/// What became of a drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftState {
    /// It waits for a decision.
    Open,
    /// Its correction was recorded.
    Corrected {
        /// When.
        at: Timestamp,
        /// The correcting movement, or the reservation that was corrected.
        movement: ReservationId,
        /// Why, if anybody said.
        reason: Option<Text>,
    },
    /// The ledger was left as it is.
    Dismissed {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Option<Text>,
    },
}

/// What would put a drift right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Nothing that the ledger could record; people must look.
    Look,
    /// Correct `on_hand` by this.
    Adjust(i64),
    /// Cancel this many units of the reservation.
    Cancel(u32),
    /// Release the reservation.
    Release,
    /// Confirm the reservation late.
    Confirm,
    /// Book this many units of the reservation as shipped.
    Ship(u32),
}

/// The kind of a drift; its number is what the journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DriftKind {
    /// More left than was sold.
    ShippedUnsold = 0,
    /// More came back than had left.
    ReturnedUnshipped = 1,
    /// More was damaged than was there.
    DamagedMissing = 2,
    /// A count would have taken `on_hand` below 0.
    CountedBelowZero = 3,
    /// A decided confirm met missing units.
    ConfirmedMissing = 4,
    /// A decided cancel met units that had left.
    CancelledShipped = 5,
    /// A warehouse counted something else.
    Warehouse = 16,
    /// A seller believes something else.
    Seller = 17,
    /// An order is paid, and its reservation has expired.
    PaidExpired = 32,
    /// An order is cancelled, and its reservation is confirmed.
    CancelledConfirmed = 33,
    /// A reservation is held or sold, and there is no such order.
    NoOrder = 34,
    /// One order has two confirmed reservations.
    ConfirmedTwice = 35,
    /// An order and its reservation disagree on quantities.
    OrderQuantity = 36,
    /// An order names a reservation that is not known.
    UnknownReservation = 37,
    /// An order is paid, and its reservation is still open or was released.
    PaidUnconfirmed = 38,
}

impl DriftKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::ShippedUnsold,
        Self::ReturnedUnshipped,
        Self::DamagedMissing,
        Self::CountedBelowZero,
        Self::ConfirmedMissing,
        Self::CancelledShipped,
        Self::Warehouse,
        Self::Seller,
        Self::PaidExpired,
        Self::CancelledConfirmed,
        Self::NoOrder,
        Self::ConfirmedTwice,
        Self::OrderQuantity,
        Self::UnknownReservation,
        Self::PaidUnconfirmed,
    ];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShippedUnsold => "shipped-unsold",
            Self::ReturnedUnshipped => "returned-unshipped",
            Self::DamagedMissing => "damaged-missing",
            Self::CountedBelowZero => "counted-below-zero",
            Self::ConfirmedMissing => "confirmed-missing",
            Self::CancelledShipped => "cancelled-shipped",
            Self::Warehouse => "warehouse",
            Self::Seller => "seller",
            Self::PaidExpired => "paid-expired",
            Self::CancelledConfirmed => "cancelled-confirmed",
            Self::NoOrder => "no-order",
            Self::ConfirmedTwice => "confirmed-twice",
            Self::OrderQuantity => "order-quantity",
            Self::UnknownReservation => "unknown-reservation",
            Self::PaidUnconfirmed => "paid-unconfirmed",
        }
    }
}
