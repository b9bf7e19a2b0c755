//! Streams of sources: where a message stands in its source's sequence, and what was seen.

use crate::count::Basis;
use crate::name::{Location, Sku, Text};
use crate::time::Timestamp;

/// A source's stream: its messages about one SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamKey {
    /// The SKU.
    pub sku: Sku,
    /// The location.
    pub location: Location,
    /// Who sends.
    pub source: Text,
}

/// Where a message stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedMark {
    /// Raised by the source when it numbers anew.
    pub epoch: u64,
    /// Its number in that epoch.
    pub sequence: u64,
    /// Hash of the message's content, without what only numbers it.
    pub content: u32,
}

/// How a stream stands after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEffect {
    /// Which.
    pub key: StreamKey,
    /// The message now seen, if it counts as seen; an epoch above the stream's begins it anew.
    pub mark: Option<FeedMark>,
    /// Sequence and time of the newest absolute that applied.
    pub absolute: Option<(u64, Timestamp)>,
    /// Messages so far that came after later ones.
    pub late: u64,
    /// Messages so far that were too old.
    pub stale: u64,
    /// Why it waits for somebody to look.
    pub quarantined: Option<Quarantine>,
    /// When it was last heard of.
    pub at: Timestamp,
}

/// Why a stream waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// What its source did.
    pub cause: QuarantineCause,
    /// The epoch of the message that showed it.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
}

/// What a source did to have its stream stopped; its number is what the journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum QuarantineCause {
    /// The same epoch and sequence came with other content.
    Contradiction = 0,
    /// An epoch came that was over.
    FellBack = 1,
}

impl QuarantineCause {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contradiction => "contradiction",
            Self::FellBack => "fell-back",
        }
    }
}

/// A count was taken at a location: facts from before it that come later are superseded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedEffect {
    /// The SKU.
    pub sku: Sku,
    /// The location.
    pub location: Location,
    /// When the newest count there was taken.
    pub taken_at: Timestamp,
    /// The last event before it.
    pub taken_seq: u64,
    /// What it compared.
    pub basis: Basis,
}

/// A message of a source was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEffect {
    /// The SKU it was about.
    pub sku: Sku,
    /// Hash of source and message id.
    pub hash: u64,
    /// When it was seen.
    pub at: Timestamp,
}
