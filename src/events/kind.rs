//! What is told outside, by name.
//!
//! What a part of a cart over several shards records is told as what became of the reservation, by
//! the counters it changed. Not told: steps that change nothing a listener could see (that a part's
//! cart was created, an end that both shards know of, what was forgotten).

use holdfast_core::{Counter, EventKind};
use holdfast_runtime::Happening;

macro_rules! types {
    ($( #[doc = $doc:literal] $variant:ident $name:literal )*) => {
        /// A type of event; its name is prefixed and versioned.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EventType { $( #[doc = $doc] $variant, )* }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [EventType] = &[$( EventType::$variant, )*];

            /// The domain's word, such as `reservation.created`.
            pub const fn word(self) -> &'static str {
                match self { $( EventType::$variant => $name, )* }
            }

            /// The `type` of its CloudEvents.
            pub const fn name(self) -> &'static str {
                match self { $( EventType::$variant => concat!("holdfast.", $name, ".v1"), )* }
            }

            /// Which JSON Schema its data has: an absolute URI, as CloudEvents wants it. It names
            /// the schema wherever the server is; `/v1/events/schemas/` and the type serves it.
            pub const fn schema(self) -> &'static str {
                match self {
                    $( EventType::$variant =>
                        concat!("urn:holdfast:schema:holdfast.", $name, ".v1"), )*
                }
            }

            /// What it says, for people.
            pub const fn about(self) -> &'static str {
                match self { $( EventType::$variant => $doc.trim_ascii(), )* }
            }
        }
    };
}

types! {
    /// Units were set aside for a reservation.
    ReservationCreated "reservation.created"
    /// Units were set aside for a cart over several shards that is not decided yet.
    ReservationHeld "reservation.held"
    /// A cart over several shards did not come about, and its units came free.
    ReservationDropped "reservation.dropped"
    /// A reservation's deadline moved.
    ReservationExtended "reservation.extended"
    /// A payment is in progress.
    ReservationPinned "reservation.pinned"
    /// Units were sold.
    ReservationConfirmed "reservation.confirmed"
    /// Units were given back.
    ReservationReleased "reservation.released"
    /// A reservation's deadline passed, and its units came free.
    ReservationExpired "reservation.expired"
    /// A reservation can't be confirmed late any more.
    ReservationClosed "reservation.closed"
    /// Confirmed units were taken back before they left.
    ReservationCancelled "reservation.cancelled"
    /// Held units went to another location.
    ReservationMoved "reservation.moved"
    /// What was there when the SKU began here.
    StockOpened "stock.opened"
    /// Units came in.
    StockReceived "stock.received"
    /// `on_hand` was corrected.
    StockAdjusted "stock.adjusted"
    /// Units left.
    StockShipped "stock.shipped"
    /// Units came back.
    StockReturned "stock.returned"
    /// Units that came back are sold again.
    StockRestocked "stock.restocked"
    /// Units can't be sold any more.
    StockDamaged "stock.damaged"
    /// Units were given up.
    StockWrittenOff "stock.written_off"
    /// Somebody counted.
    StockCounted "stock.counted"
    /// Units went to another location.
    StockTransferred "stock.transferred"
    /// What is available fell to the low-stock threshold.
    StockLow "stock.low"
    /// Nothing is available any more.
    StockDepleted "stock.depleted"
    /// What is available is above the low-stock threshold again.
    StockReplenished "stock.replenished"
    /// Fewer units are there than are held.
    StockShortfall "stock.shortfall"
    /// A SKU was created or configured.
    SkuConfigured "sku.configured"
    /// A location was declared, or opened or closed for selling; every shard tells it.
    LocationConfigured "location.configured"
    /// A source's message came after later ones, and applied.
    FeedLate "feed.late"
    /// A source's message was too old to apply.
    FeedStale "feed.stale"
    /// A source that leaves no gaps left one.
    FeedGap "feed.gap"
    /// A source contradicted itself; its stream waits for somebody to look.
    FeedQuarantined "feed.quarantined"
    /// Somebody has looked: the source's stream goes on.
    FeedLifted "feed.lifted"
    /// The ledger and another truth differ; somebody must look.
    DriftOpened "drift.opened"
    /// A drift's correction was recorded.
    DriftCorrected "drift.corrected"
    /// A drift was dismissed.
    DriftDismissed "drift.dismissed"
    /// A shard opened after downtime.
    ShardResumed "shard.resumed"
}

impl EventType {
    /// The type of this name, with or without prefix and version.
    pub fn parse(name: &str) -> Option<Self> {
        let is_it = |kind: &&Self| kind.name() == name || kind.word() == name;
        Self::ALL.iter().find(is_it).copied()
    }

    /// As what a happening is told; nothing where it is not.
    pub fn of(happening: &Happening) -> Option<Self> {
        Some(match happening.entry.kind {
            EventKind::ReservationCreated => Self::ReservationCreated,
            EventKind::ReservationExtended => Self::ReservationExtended,
            EventKind::ReservationPinned => Self::ReservationPinned,
            EventKind::ReservationConfirmed => Self::ReservationConfirmed,
            EventKind::ReservationReleased => Self::ReservationReleased,
            EventKind::ReservationExpired => Self::ReservationExpired,
            EventKind::ReservationClosed => Self::ReservationClosed,
            EventKind::ReservationCancelled => Self::ReservationCancelled,
            EventKind::ReservationMoved => Self::ReservationMoved,
            EventKind::CartHeld => Self::ReservationHeld,
            EventKind::CartDropped => Self::ReservationDropped,
            EventKind::CartSettled => settled(happening)?,
            EventKind::StockReceived => Self::StockReceived,
            EventKind::StockAdjusted => Self::StockAdjusted,
            EventKind::StockShortfall => Self::StockShortfall,
            EventKind::StockOpened => Self::StockOpened,
            EventKind::StockShipped => Self::StockShipped,
            EventKind::StockReturned => Self::StockReturned,
            EventKind::StockRestocked => Self::StockRestocked,
            EventKind::StockDamaged => Self::StockDamaged,
            EventKind::StockWrittenOff => Self::StockWrittenOff,
            EventKind::StockCounted => Self::StockCounted,
            EventKind::StockTransferred => Self::StockTransferred,
            EventKind::StockLow => Self::StockLow,
            EventKind::StockDepleted => Self::StockDepleted,
            EventKind::StockReplenished => Self::StockReplenished,
            EventKind::SkuConfigured => Self::SkuConfigured,
            EventKind::LocationConfigured => Self::LocationConfigured,
            EventKind::DriftOpened => Self::DriftOpened,
            EventKind::DriftCorrected => Self::DriftCorrected,
            EventKind::DriftDismissed => Self::DriftDismissed,
            EventKind::FeedLate => Self::FeedLate,
            EventKind::FeedStale => Self::FeedStale,
            EventKind::FeedGap => Self::FeedGap,
            EventKind::FeedQuarantined => Self::FeedQuarantined,
            EventKind::FeedLifted => Self::FeedLifted,
            EventKind::ShardResumed => Self::ShardResumed,
            EventKind::CartBound
            | EventKind::ReservationShipped
            | EventKind::CartClosed
            | EventKind::CartTold
            | EventKind::Forgotten => return None,
        })
    }
}

/// What a part was brought to: told by what most changes a customer's order; nothing where no
/// counter changed.
fn settled(happening: &Happening) -> Option<EventType> {
    let entry = &happening.entry;
    let step = |counter| entry.after.get(counter) - entry.before.get(counter);
    if 0 < step(Counter::Sold) {
        Some(EventType::ReservationConfirmed)
    } else if step(Counter::Sold) < 0 {
        Some(EventType::ReservationCancelled)
    } else if 0 < step(Counter::Expired) {
        Some(EventType::ReservationExpired)
    } else if 0 < step(Counter::Released) {
        Some(EventType::ReservationReleased)
    } else {
        // A deadline that moved: home tells of it.
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_prefixed_and_versioned_and_read_back_in_both_forms() {
        for kind in EventType::ALL {
            assert_eq!(EventType::parse(kind.name()), Some(*kind));
            assert_eq!(EventType::parse(kind.word()), Some(*kind));
            assert_eq!(kind.name(), format!("holdfast.{}.v1", kind.word()));
            assert!(kind.schema().ends_with(kind.name()));
        }
        assert_eq!(EventType::parse("holdfast.stock.received.v2"), None);
        assert_eq!(EventType::parse(""), None);
    }
}
