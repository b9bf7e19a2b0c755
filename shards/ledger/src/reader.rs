//! Reading the journal while the writer goes on: for projections, streams and audits.
//!
//! Deliberately absent: waiting for news. A reader is asked again; its owner knows when.

use std::sync::Arc;

use crate::archive::Archive;
use crate::error::LedgerError;
use crate::log::{Chunks, Record};
use crate::shared::Shared;

/// How much one read may return. At least one record is returned where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most so many records.
    pub records: usize,
    /// No further record once the bodies reach so many bytes.
    pub bytes: usize,
}

/// Reads committed records of a ledger that is open for serving. Cheap to clone; every read is a
/// short transaction of its own. Once the ledger is closed, reads answer
/// [`LedgerError::Closed`].
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    archive: Option<Arc<Archive>>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            archive: None,
        }
    }

    /// The same, going on in an archive where the journal was trimmed.
    #[must_use]
    pub fn with_archive(self, archive: Arc<Archive>) -> Self {
        Self {
            archive: Some(archive),
            ..self
        }
    }

    /// Whose ledger this reads.
    pub fn shard(&self) -> u16 {
        self.shared.shard
    }

    /// Sequence of the last durable event, 0 where there is none.
    pub fn head(&self) -> u64 {
        self.shared.head()
    }

    /// First sequence of the oldest record left.
    pub fn oldest(&self) -> Result<u64, LedgerError> {
        Ok(self.shared.now()?.progress()?.oldest)
    }

    /// The first sequence that can be read, be it in the archive.
    pub fn begins(&self) -> Result<u64, LedgerError> {
        let oldest = self.oldest()?;
        let archived = self.archive.as_ref().and_then(|archive| archive.range());
        Ok(match archived {
            // The two overlap, or follow on each other.
            Some((first, last)) if oldest <= last + 1 => first.min(oldest),
            _ => oldest,
        })
    }

    /// Where replay starts: chunks have seen every event before this sequence.
    pub fn replay_from(&self) -> Result<u64, LedgerError> {
        Ok(self.shared.now()?.progress()?.replay_from)
    }

    /// The chunks of the snapshot, empty ones included, as of now: where a projection begins
    /// that is built anew. Events from [`Self::replay_from`] on, asked for before, follow them.
    pub fn chunks(&self) -> Result<Chunks, LedgerError> {
        self.shared.now()?.chunks()
    }

    /// The committed records from the one that holds `from`, as many as `limit` allows, be it from
    /// the archive; empty where `from` is beyond the head.
    pub fn read(&self, from: u64, limit: ReadLimit) -> Result<Vec<Record>, LedgerError> {
        match (self.read_journal(from, limit), &self.archive) {
            (Err(LedgerError::Trimmed { .. }), Some(archive)) => archive.read(from, limit),
            (read, _) => read,
        }
    }

    fn read_journal(&self, from: u64, limit: ReadLimit) -> Result<Vec<Record>, LedgerError> {
        let mut read = Vec::new();
        let mut bytes = 0;
        for record in self.shared.now()?.records(from)? {
            let record = record?;
            bytes += record.body.len();
            read.push(record);
            if limit.records <= read.len() || limit.bytes <= bytes {
                break;
            }
        }
        Ok(read)
    }
}
