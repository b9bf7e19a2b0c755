//! What a shard asks of its durable record: the vocabulary and the trait.
//!
//! A replicated log can stand behind [`Log`] where one machine is not enough; the fence
//! (`expected`, `epoch`) is there for it. Deliberately absent: files, redb, and the encoding of
//! events, which are bytes here.

use crate::error::LedgerError;

/// One group commit: what becomes durable whole, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Sequence of its first event; the log's first event ever has sequence 1.
    pub first: u64,
    /// How many events `body` holds. With 0, only chunks and bounds are written.
    pub events: u32,
    /// Ledger time of its last event, in ms since the epoch. Never runs backwards.
    pub at: u64,
    /// The encoded events, back to back. At most [`Batch::BODY_BYTES_MAX`].
    pub body: Vec<u8>,
    /// Chunks of the snapshot to be replaced.
    pub chunks: Vec<Chunk>,
    /// From now on replay starts here: every chunk has seen all events before it. Never falls.
    pub replay_from: Option<u64>,
    /// Records that end before this sequence may go. Never reaches beyond `replay_from`, nor to
    /// the newest record; many are removed over several appends.
    pub trim_below: Option<u64>,
}

impl Batch {
    /// The longest body that one record may have.
    pub const BODY_BYTES_MAX: usize = 64 << 20;

    /// Sequence of its last event, `first - 1` where it has none.
    pub fn last(&self) -> u64 {
        (self.first + u64::from(self.events)).saturating_sub(1)
    }
}

/// A piece of the snapshot, as of a sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Which piece.
    pub id: u64,
    /// The last event it has seen.
    pub sequence: u64,
    /// Its encoding; empty where nothing is left of it. An empty chunk is kept until replay
    /// starts beyond its sequence, and then forgotten.
    pub body: Vec<u8>,
}

/// A group commit as read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Sequence of its first event.
    pub first: u64,
    /// How many events it holds, at least 1.
    pub events: u32,
    /// Ledger time of its last event, in ms since the epoch.
    pub at: u64,
    /// The encoded events, back to back.
    pub body: Vec<u8>,
}

impl Record {
    /// Sequence of its last event.
    pub fn last(&self) -> u64 {
        self.first + u64::from(self.events) - 1
    }
}

/// Records in order of sequence. It ends at the first error.
pub type Records = Box<dyn Iterator<Item = Result<Record, LedgerError>> + Send>;

/// Chunks in no particular order. It ends at the first error.
pub type Chunks = Box<dyn Iterator<Item = Result<Chunk, LedgerError>> + Send>;

/// The durable record of one shard.
pub trait Log {
    /// Makes `batch` durable and returns the sequence of the log's last event.
    ///
    /// `expected` is the last sequence the caller knows of, `epoch` the one it was given when the
    /// log was opened. A refusal ([`LedgerError::Fenced`], [`LedgerError::Batch`]) wrote nothing;
    /// after any other error the outcome is unknown and no further append is taken.
    fn append(&mut self, batch: &Batch, expected: u64, epoch: u64) -> Result<u64, LedgerError>;

    /// The records from the one that holds sequence `from`, as of now.
    fn replay(&self, from: u64) -> Result<Records, LedgerError>;

    /// The chunks of the snapshot, empty ones included, as of now.
    fn chunks(&self) -> Result<Chunks, LedgerError>;

    /// Sequence of the last durable event, 0 where there is none.
    fn head(&self) -> u64;

    /// The fence of this opening.
    fn epoch(&self) -> u64;
}
