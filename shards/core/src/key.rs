//! Idempotency keys: what is kept with the outcome of a command.

use crate::id::ReservationId;
use crate::name::Sku;

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
    MovedPartly = 12,
    MovedLate = 13,
    MovedSuperseded = 14,
    MovedStale = 15,
    Cancelled = 16,
    HoldMoved = 17,
    StreamLifted = 18,
    DriftOpened = 19,
    DriftCorrected = 20,
    DriftDismissed = 21,
}

impl KeyOutcome {
    /// All outcomes in the order of their numbers.
    pub const ALL: [Self; 22] = [
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
        Self::MovedPartly,
        Self::MovedLate,
        Self::MovedSuperseded,
        Self::MovedStale,
        Self::Cancelled,
        Self::HoldMoved,
        Self::StreamLifted,
        Self::DriftOpened,
        Self::DriftCorrected,
        Self::DriftDismissed,
    ];
}

/// What a key's command was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTarget {
    /// A reservation homed here.
    Reservation(ReservationId),
    /// A SKU.
    Sku(Sku),
    /// A movement of a SKU, or a drift of it.
    Movement(ReservationId, Sku),
}
