//! The bytes of events and of chunks: what the journal's records and the snapshot hold.
//!
//! The encoding is written by hand, because a shard encodes millions of events a second and every
//! byte of them is synced to disk. Three things make it small. Numbers are varints (LEB128, signed
//! ones zigzag). Flags say what most values are, so that only the others are written. And a body
//! remembers what it has named before (`wire::Recent`, `names`): the last id, the last hold
//! number, every SKU and location. A body stands alone; nothing outside it is needed to read it.
//!
//! Every body begins with its version. What a version means is pinned by golden files and never
//! changes; a version, number or flag that is not known here is an error, not a guess.
//!
//! Deliberately absent: checksums and lengths (the frame has them), sequences (they follow from a
//! record's first), and whether an event makes sense, which is for the core. Two of its invariants
//! are checked here on both ways, INV-5 and INV-7, since what breaks them could never be replayed.

pub mod chunk;
mod event;
mod extra;
mod hold;
mod home;
mod key;
mod life;
mod names;
mod reserved;
mod stock;
mod supply;
mod wire;

pub use event::{Events, RecordEncoder};

/// The version that bodies are written in.
pub const VERSION: u8 = 1;

/// Why bytes are not the body they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (byte {offset} of the body)")]
pub struct CodecError {
    /// What does not fit.
    pub fault: Fault,
    /// How many bytes had been read by then.
    pub offset: usize,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Fault {
    /// Written by a version this one can't read.
    #[error("its version is unknown, this one reads {VERSION}")]
    Version,
    /// It ends too soon.
    #[error("it ends in the middle of a value")]
    Truncated,
    /// It goes on where it should end.
    #[error("it goes on after its last value")]
    Trailing,
    /// A number is too big for its place.
    #[error("a number is too big")]
    Overflow,
    /// A kind, outcome, reason or flag without a meaning.
    #[error("a kind or flag is unknown")]
    Unknown,
    /// Not a SKU, not a location, or not a text.
    #[error("a name or text is malformed")]
    Name,
    /// Not the id of a reservation.
    #[error("an id is malformed")]
    Id,
    /// It refers to something that does not come before it.
    #[error("it refers to something that is not there")]
    Reference,
    /// More units ended than were held.
    #[error("totals exceed the units held (INV-5)")]
    Totals,
    /// Records that don't belong into the chunk, or in another order.
    #[error("records of a chunk are out of place")]
    Order,
}
