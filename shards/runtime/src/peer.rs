//! What shards tell each other about carts that span them.
//!
//! The protocol is that of [`carts`](crate::carts). Any of these may come late, twice, out of
//! order, or never. They take no permit: carts are bounded by their own number.

use crate::placement::ShardIndex;
use holdfast_core::{
    DropHold, HeldLine, NoteShipped, NoteTold, Refusal, ReservationId, Settle, Shortage, Sku,
    Timestamp, TraceParent, Try,
};

/// Where the request that a message comes from stands in its caller's trace, if it said so. A hint
/// for the record: what is sent anew after a restart has none.
pub type Trace = Option<Box<TraceParent>>;

/// One message between shards.
#[derive(Clone, Debug)]
pub enum PeerMessage {
    /// Home → part: hold these lines, tentatively.
    Try(Box<Try>, Trace),
    /// Part → home: what is held for a try. It is also the question what became of it.
    Held(Box<Held>),
    /// Part → home: the try found too little, or can't be answered.
    Short(Box<Short>),
    /// Part → home: what became of these holds?
    Ask {
        /// The cart.
        id: ReservationId,
        /// The holds.
        holds: Vec<u64>,
    },
    /// Home → part: these are recorded; bring the holds to these totals.
    Decided(Vec<Settle>, Trace),
    /// Home → part: these holds are not recorded and never will be.
    Drop(Vec<DropHold>, Trace),
    /// Part → home: these holds stand where this version brought them.
    Settled {
        /// The cart.
        id: ReservationId,
        /// Home's version.
        version: u32,
        /// The holds.
        holds: Vec<u64>,
    },
    /// Part → home: units of this cart have left here.
    Shipped(Box<NoteShipped>),
    /// Home → part: home has heard what has left.
    Told(NoteTold),
    /// Part → home: the units under these holds are gone, and the SKU's policy is to release.
    Shortfall {
        /// The cart.
        id: ReservationId,
        /// What is held.
        sku: Sku,
        /// The hold.
        hold: u64,
    },
    /// Home → part: it stays until then, being pinned.
    Kept {
        /// The hold.
        hold: u64,
        /// Until when.
        until: Timestamp,
    },
    /// A shard was rebuilt; what was sent to it may be lost.
    Reopened {
        /// Which.
        shard: ShardIndex,
    },
}

/// What a part holds for a try.
#[derive(Clone, Debug)]
pub struct Held {
    /// The cart.
    pub id: ReservationId,
    /// The attempt.
    pub attempt: u32,
    /// The holds taken.
    pub held: Vec<HeldLine>,
    /// What best effort could not grant.
    pub shortages: Vec<Shortage>,
    /// Whether the part asks again what became of it.
    pub again: bool,
}

/// Why a part holds nothing for a try.
#[derive(Clone, Debug)]
pub struct Short {
    /// The cart.
    pub id: ReservationId,
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub why: ShortWhy,
    /// Ledger time there.
    pub at: Timestamp,
}

/// Why a part holds nothing.
#[derive(Clone, Debug)]
pub enum ShortWhy {
    /// The business said no.
    Refused(Refusal),
    /// Undecided units of other carts stand in the way; another attempt may find them free.
    Undecided,
    /// A table of the part is full.
    Full(&'static str),
}
