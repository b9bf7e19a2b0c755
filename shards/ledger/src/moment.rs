//! The committed state of a ledger at one moment: what the owner, readers and views all read.
//!
//! Everything comes from one read transaction, so it is consistent while a writer goes on. The
//! pages it sees are not reused while it lives: keep moments short.
//!
//! Deliberately absent: writing.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::error::{LedgerError, guarded};
use crate::identity::Identity;
use crate::journal::{self, End, JOURNAL};
use crate::log::{Chunks, Records};
use crate::meta::{self, META, Progress};
use crate::snapshot::{self, CHUNKS, ReadTable, TOMBSTONES};
use crate::wal::Tail;

/// How much of the file a table takes, by redb's own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableUse {
    /// Rows of the table.
    pub rows: u64,
    /// Bytes of keys and values.
    pub stored: u64,
    /// Bytes of the tree around them.
    pub metadata: u64,
    /// Bytes of pages that hold nothing.
    pub fragmented: u64,
}

impl TableUse {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.stored + self.metadata + self.fragmented
    }
}

/// How much of the file the tables take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The journal.
    pub journal: TableUse,
    /// The chunks of the snapshot, without tombstones.
    pub chunks: TableUse,
}

pub(crate) struct Moment {
    txn: ReadTransaction,
    /// Records that may not be in the tables yet.
    tail: Tail,
    shard: u16,
}

impl Moment {
    /// `tail` must be taken before: what moved to the tables meanwhile is then in both, and
    /// nothing in neither.
    pub(crate) fn begin(db: &Database, tail: Tail, shard: u16) -> Result<Self, LedgerError> {
        let txn = db
            .begin_read()
            .map_err(|error| LedgerError::redb(shard, "reading", error))?;
        Ok(Self { txn, tail, shard })
    }

    pub(crate) fn identity(&self) -> Result<Identity, LedgerError> {
        guarded(self.shard, || {
            meta::identity(&self.table(META)?, self.shard)
        })
    }

    pub(crate) fn opening(&self) -> Result<u32, LedgerError> {
        guarded(self.shard, || meta::opening(&self.table(META)?, self.shard))
    }

    pub(crate) fn progress(&self) -> Result<Progress, LedgerError> {
        guarded(self.shard, || {
            meta::progress(&self.table(META)?, self.shard)
        })
    }

    pub(crate) fn end(&self) -> Result<End, LedgerError> {
        let settled = self.settled()?;
        let last = self.tail.last().map(|record| End {
            head: record.last(),
            at: record.at,
        });
        Ok(last
            .filter(|last| settled.head < last.head)
            .unwrap_or(settled))
    }

    /// Where the journal in the tables ends.
    fn settled(&self) -> Result<End, LedgerError> {
        guarded(self.shard, || {
            journal::end(&self.table(JOURNAL)?, self.shard)
        })
    }

    /// The records from the one that holds `from`; none where `from` is beyond the head.
    pub(crate) fn records(&self, from: u64) -> Result<Records, LedgerError> {
        let oldest = self.progress()?.oldest;
        if from < oldest {
            return Err(LedgerError::Trimmed {
                shard: self.shard,
                from,
                oldest,
            });
        }
        if self.end()?.head < from {
            return Ok(Box::new(std::iter::empty()));
        }
        let tail = Arc::clone(&self.tail);
        let read = || journal::read(&self.table(JOURNAL)?, tail, self.shard, from);
        Ok(Box::new(guarded(self.shard, read)?))
    }

    pub(crate) fn chunks(&self) -> Result<Chunks, LedgerError> {
        let read = || snapshot::read(&self.table(CHUNKS)?, &self.table(TOMBSTONES)?, self.shard);
        Ok(Box::new(guarded(self.shard, read)?))
    }

    /// Tombstones by id, with their sequences.
    pub(crate) fn tombstones(&self) -> Result<BTreeMap<u64, u64>, LedgerError> {
        guarded(self.shard, || {
            snapshot::read_tombstones(&self.table(TOMBSTONES)?, self.shard)?
                .map(|chunk| chunk.map(|chunk| (chunk.id, chunk.sequence)))
                .collect()
        })
    }

    pub(crate) fn usage(&self) -> Result<Usage, LedgerError> {
        let used = |table: ReadTable| -> redb::Result<TableUse> {
            let stats = table.stats()?;
            Ok(TableUse {
                rows: table.len()?,
                stored: stats.stored_bytes(),
                metadata: stats.metadata_bytes(),
                fragmented: stats.fragmented_bytes(),
            })
        };
        let failed = |error| LedgerError::redb(self.shard, "measuring the tables", error);
        Ok(Usage {
            journal: used(self.table(JOURNAL)?).map_err(failed)?,
            chunks: used(self.table(CHUNKS)?).map_err(failed)?,
        })
    }

    fn table(
        &self,
        of: TableDefinition<'static, u64, &'static [u8]>,
    ) -> Result<ReadTable, LedgerError> {
        self.txn
            .open_table(of)
            .map_err(|error| LedgerError::redb(self.shard, "opening a table", error))
    }
}
