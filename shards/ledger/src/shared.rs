//! What a ledger that is open for serving shares with its readers.
//!
//! Deliberately absent: who writes, and when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::db::Db;
use crate::error::LedgerError;
use crate::moment::Moment;
use crate::wal::Tail;

/// What a ledger shares with its readers.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Taken out when the ledger is closed, so that no reader keeps the file open.
    pub(crate) db: RwLock<Option<Db>>,
    /// What the write-ahead log holds.
    pub(crate) tail: Mutex<Tail>,
    pub(crate) shard: u16,
    pub(crate) head: AtomicU64,
}

impl Shared {
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// The committed state of this moment.
    pub(crate) fn now(&self) -> Result<Moment, LedgerError> {
        let tail = self.tail();
        self.with_db(|db| Moment::begin(db, tail, self.shard))
    }

    pub(crate) fn tail(&self) -> Tail {
        Arc::clone(&self.tail_mut())
    }

    pub(crate) fn tail_mut(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn with_db<T>(
        &self,
        work: impl FnOnce(&Db) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        work(
            db.as_ref()
                .ok_or(LedgerError::Closed { shard: self.shard })?,
        )
    }

    pub(crate) fn take(&self) -> Option<Db> {
        self.db
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
