//! A ledger's file opened and found to be the right one, before anybody reads or writes it.
//!
//! What serving, rescuing and verifying have in common: both parts of the file, whose it is, and
//! the records of its write-ahead log, which [`Opened::settle`] takes into the tables.
//!
//! Deliberately absent: what the tables mean.

use redb::StorageBackend;

use crate::db::Db;
use crate::error::{LedgerError, Place};
use crate::identity::Identity;
use crate::journal;
use crate::log::Record;
use crate::meta;
use crate::moment::Moment;
use crate::store::{self, FRONT_BYTES, Front};
use crate::wal::{self, Tail};

/// The two parts of a ledger's file.
pub(crate) struct Opened {
    pub(crate) db: Db,
    pub(crate) front: Front,
    /// How often it was opened for serving.
    pub(crate) opening: u32,
    logged: Vec<Record>,
    shard: u16,
}

impl Opened {
    /// Opens what is in `backend`, repairs it if need be, and refuses it unless it is
    /// `identity`'s.
    pub(crate) fn new(
        backend: impl StorageBackend,
        identity: &Identity,
        cache_bytes: usize,
    ) -> Result<Self, LedgerError> {
        let shard = identity.shard;
        let failed = |source| LedgerError::io(shard, "opening the ledger", source);
        let (front, tables) = store::part(backend).map_err(failed)?;
        if tables.is_empty().map_err(failed)? {
            let detail = format!("it ends within its first {FRONT_BYTES} bytes");
            return Err(LedgerError::Corrupt {
                shard,
                place: Place::File,
                detail,
            });
        }
        let db = Db::open(tables, shard, cache_bytes, "opening the ledger")?;
        let now = Moment::begin(&db, Tail::default(), shard)?;
        identity.refuse_other(&now.identity()?)?;
        let opening = now.opening()?;
        let logged = wal::read(&front, opening, now.end()?.head, shard)?;
        Ok(Self {
            db,
            front,
            opening,
            logged,
            shard,
        })
    }

    /// Takes the log's records into the tables, and counts an opening if it is one.
    pub(crate) fn settle(&self, opening: Option<u32>) -> Result<(), LedgerError> {
        if self.logged.is_empty() && opening.is_none() {
            return Ok(());
        }
        let action = "taking in the write-ahead log";
        let failed = |error| LedgerError::redb(self.shard, action, error);
        let mut txn = self
            .db
            .begin_write()
            .map_err(|error| failed(error.into()))?;
        txn.set_two_phase_commit(true);
        journal::write_together(&txn, &self.logged).map_err(failed)?;
        if let Some(opening) = opening {
            meta::put_opening(&txn, opening).map_err(failed)?;
        }
        txn.commit().map_err(|error| failed(error.into()))
    }
}
