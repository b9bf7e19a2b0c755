//! Answers, in a form that both sides can be brought to.

use holdfast_core::{
    DriftRecord, LocationRecord, MovementOutcome, Refusal, ReservationId, ReservationView, SkuView,
};

/// What a caller is told. The engine's answers are brought to this form to be compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// A reservation.
    Reservation {
        /// As it stands.
        view: Box<ReservationView>,
        /// Whether this command, or the first with its key, made it.
        created: bool,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A SKU.
    Sku {
        /// As it stands.
        view: Box<SkuView>,
        /// Whether this command, or the first with its key, made it.
        created: bool,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A movement.
    Movement(Moved),
    /// A drift.
    Drift {
        /// As it stands.
        drift: Box<DriftRecord>,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A location.
    Location(LocationRecord),
    /// No.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Whether this repeats an earlier outcome.
        replayed: bool,
    },
    /// A table is full.
    Full(&'static str),
}

/// An answer about a movement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    /// Its id.
    pub(crate) id: ReservationId,
    /// The SKU as it stands.
    pub(crate) view: Box<SkuView>,
    /// What came of it.
    pub(crate) outcome: MovementOutcome,
    /// Units that fitted, where not all did.
    pub(crate) applied: Option<i64>,
    /// The drift that the rest opened.
    pub(crate) drift: Option<ReservationId>,
    /// Whether this repeats an earlier outcome.
    pub(crate) replayed: bool,
}
