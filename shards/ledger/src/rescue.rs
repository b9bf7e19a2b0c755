//! Saving a ledger whose file failed: what can be read of it goes on in a new file.
//!
//! After a failed write or sync nobody knows what the system still holds in memory and what is on
//! the disk, so the old file is never appended to in place. Its readable state is copied, synced
//! and renamed over it. Whether the last, unacknowledged append is in it is open, as ever.
//!
//! Deliberately absent: salvage. A damaged row ends the copy with an error; leaving it out would
//! be forgetting.

use std::fs::{self, OpenOptions};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{StorageBackend, WriteTransaction};

use crate::db::Db;
use crate::error::LedgerError;
use crate::fsutil;
use crate::identity::Identity;
use crate::journal::{self, Entry};
use crate::meta;
use crate::snapshot;
use crate::store;
use crate::view::View;

/// Bodies of so many bytes are written by one transaction.
const TRANSACTION_BYTES: usize = 16 << 20;

const ACTION: &str = "writing the rescue copy";

/// The name's end of a copy that is not finished.
pub(crate) const SUFFIX: &str = "rescue";

/// Copies the ledger of `identity` at `path` to a new file and puts that in its place, durably.
/// The ledger must be closed. On an error the old file is as it was; try again later.
pub fn rescue_copy(path: &Path, identity: &Identity) -> Result<(), LedgerError> {
    let new = fsutil::beside(path, SUFFIX);
    let copied = write_copy(path, &new, identity);
    if copied.is_err() {
        // What little of it was written may be the space that the next attempt needs.
        let _ = fs::remove_file(&new);
    }
    copied.and_then(|()| fsutil::rename(&new, path))
}

fn write_copy(path: &Path, new: &Path, identity: &Identity) -> Result<(), LedgerError> {
    let shard = identity.shard;
    let failed = |source| LedgerError::io(shard, ACTION, source);
    let view = View::open(path, identity)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(new)
        .map_err(failed)?;
    let again = file.try_clone().map_err(failed)?;
    let backend =
        FileBackend::new(file).map_err(|error| LedgerError::redb(shard, ACTION, error))?;
    view.copy_to(backend)?;
    again.sync_all().map_err(failed)
}

impl View {
    /// Copies all there is to read into `target`, which must be empty, and closes it. Syncing what
    /// holds `target` is the caller's affair.
    pub fn copy_to(&self, target: impl StorageBackend) -> Result<(), LedgerError> {
        let shard = self.identity().shard;
        let failed = |error| LedgerError::redb(shard, ACTION, error);
        let (_, tables) =
            store::part(target).map_err(|source| LedgerError::io(shard, ACTION, source))?;
        let db = Db::open(tables, shard, TRANSACTION_BYTES * 4, ACTION)?;
        let begin = || -> Result<WriteTransaction, LedgerError> {
            let mut txn = db.begin_write().map_err(|error| failed(error.into()))?;
            txn.set_two_phase_commit(true);
            Ok(txn)
        };
        let now = self.now()?;

        let mut txn = begin()?;
        let mut bytes = 0;
        for record in now.records(now.progress()?.oldest)? {
            let record = record?;
            bytes += record.body.len();
            journal::write(&txn, [Entry::from(&record)]).map_err(failed)?;
            if TRANSACTION_BYTES < bytes {
                txn.commit().map_err(|error| failed(error.into()))?;
                (txn, bytes) = (begin()?, 0);
            }
        }
        for chunk in now.chunks()? {
            let chunk = chunk?;
            bytes += chunk.body.len();
            snapshot::write(&txn, std::slice::from_ref(&chunk)).map_err(failed)?;
            if TRANSACTION_BYTES < bytes {
                txn.commit().map_err(|error| failed(error.into()))?;
                (txn, bytes) = (begin()?, 0);
            }
        }
        meta::create(&txn, self.identity(), now.opening()?, now.progress()?).map_err(failed)?;
        txn.commit().map_err(|error| failed(error.into()))?;
        db.close()
    }
}
