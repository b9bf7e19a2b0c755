//! The few rows that say whose ledger this is, how often it was opened, and where replay starts.
//!
//! Deliberately absent: the head, which is the end of the last record and kept nowhere else.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::error::{LedgerError, Place};
use crate::frame::{self, Kind, u32_at, u64_at};
use crate::identity::{self, Identity};
use crate::journal::JOURNAL;
use crate::snapshot::{CHUNKS, TOMBSTONES};

pub(crate) const META: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("meta");

/// The highest opening number: it has 20 bits in a reservation id.
pub const OPENING_MAX: u32 = (1 << 20) - 1;

const IDENTITY_KEY: u64 = 0;
const OPENING_KEY: u64 = 1;
const PROGRESS_KEY: u64 = 2;

/// Where replay starts and what was trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Replay starts at this sequence.
    pub(crate) replay_from: u64,
    /// First sequence of the oldest record left.
    pub(crate) oldest: u64,
    /// Records that end below this may go.
    pub(crate) trim_below: u64,
}

impl Progress {
    pub(crate) const START: Self = Self {
        replay_from: 1,
        oldest: 1,
        trim_below: 1,
    };
}

type MetaTable<'txn> = redb::Table<'txn, u64, &'static [u8]>;

/// Anything the rows can be read from, within a read or a write transaction.
pub(crate) trait Rows: ReadableTable<u64, &'static [u8]> {}
impl<T: ReadableTable<u64, &'static [u8]>> Rows for T {}

/// Makes all tables, and writes all rows of this one.
pub(crate) fn create(
    txn: &WriteTransaction,
    identity: &Identity,
    opening: u32,
    progress: Progress,
) -> Result<(), redb::Error> {
    put(
        &mut txn.open_table(META)?,
        Kind::Identity,
        IDENTITY_KEY,
        &identity.encode(),
    )?;
    put_opening(txn, opening)?;
    put_progress(txn, progress)?;
    txn.open_table(JOURNAL)?;
    txn.open_table(CHUNKS)?;
    txn.open_table(TOMBSTONES)?;
    Ok(())
}

pub(crate) fn put_opening(txn: &WriteTransaction, opening: u32) -> Result<(), redb::Error> {
    put(
        &mut txn.open_table(META)?,
        Kind::Opening,
        OPENING_KEY,
        &opening.to_le_bytes(),
    )?;
    Ok(())
}

pub(crate) fn put_progress(txn: &WriteTransaction, progress: Progress) -> Result<(), redb::Error> {
    let mut body = [0; 24];
    body[..8].copy_from_slice(&progress.replay_from.to_le_bytes());
    body[8..16].copy_from_slice(&progress.oldest.to_le_bytes());
    body[16..].copy_from_slice(&progress.trim_below.to_le_bytes());
    put(
        &mut txn.open_table(META)?,
        Kind::Progress,
        PROGRESS_KEY,
        &body,
    )?;
    Ok(())
}

pub(crate) fn identity(table: &impl Rows, shard: u16) -> Result<Identity, LedgerError> {
    let body = get(table, Kind::Identity, IDENTITY_KEY, shard, Place::Identity)?;
    identity::decode(&body, shard)
}

pub(crate) fn opening(table: &impl Rows, shard: u16) -> Result<u32, LedgerError> {
    let body = get(table, Kind::Opening, OPENING_KEY, shard, Place::Opening)?;
    sized(&body, 4, shard, Place::Opening)?;
    Ok(u32_at(&body, 0))
}

pub(crate) fn progress(table: &impl Rows, shard: u16) -> Result<Progress, LedgerError> {
    let body = get(table, Kind::Progress, PROGRESS_KEY, shard, Place::Progress)?;
    sized(&body, 24, shard, Place::Progress)?;
    Ok(Progress {
        replay_from: u64_at(&body, 0),
        oldest: u64_at(&body, 8),
        trim_below: u64_at(&body, 16),
    })
}

fn put(table: &mut MetaTable<'_>, kind: Kind, key: u64, body: &[u8]) -> redb::Result<()> {
    table.insert(key, frame::sealed(kind, key, body).as_slice())?;
    Ok(())
}

fn get(
    table: &impl Rows,
    kind: Kind,
    key: u64,
    shard: u16,
    place: Place,
) -> Result<Vec<u8>, LedgerError> {
    let row = table
        .get(key)
        .map_err(|error| LedgerError::redb(shard, "reading", error))?;
    let Some(row) = row else {
        let detail = "it is missing".to_owned();
        return Err(LedgerError::Corrupt {
            shard,
            place,
            detail,
        });
    };
    frame::open_at(row.value(), kind, key, shard, place).map(<[u8]>::to_vec)
}

fn sized(body: &[u8], bytes: usize, shard: u16, place: Place) -> Result<(), LedgerError> {
    if body.len() == bytes {
        return Ok(());
    }
    let detail = format!("it has {} bytes, expected {bytes}", body.len());
    Err(LedgerError::Corrupt {
        shard,
        place,
        detail,
    })
}
