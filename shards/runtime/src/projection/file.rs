//! What every projection's file has: whose it is, how far it is, and that it is never synced.

use holdfast_ledger::{Identity, Record, Unsynced};
use redb::backends::FileBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// How far a projection is in its ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last event taken.
    pub(crate) seq: u64,
    /// Its ledger time.
    pub(crate) at: u64,
    /// Hash of the record that ends with it; 0 where the projection came from chunks.
    pub(crate) record: u64,
}

impl Cursor {
    pub(super) fn at(record: &Record) -> Self {
        Self {
            seq: record.last(),
            at: record.at,
            record: xxh3_64(&record.body),
        }
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        [self.seq, self.at, self.record]
            .iter()
            .flat_map(|part| part.to_be_bytes())
            .collect()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let part = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            seq: part(0)?,
            at: part(8)?,
            record: part(16)?,
        })
    }
}

/// Whose file it is, and in which layout.
pub(crate) fn name(identity: &Identity, format: u64) -> Vec<u8> {
    let mut name = identity.cluster.as_bytes().to_vec();
    name.extend(format.to_be_bytes());
    name.extend(identity.shard.to_be_bytes());
    name.extend(identity.shards.to_be_bytes());
    name
}

/// Opens or makes the file at `path`. It is never synced: after a crash of the machine the
/// projection is built anew if need be.
fn database(path: &Path, cache: usize) -> Result<Database, redb::Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let backend = Unsynced::new(FileBackend::new(file)?);
    Ok(Database::builder()
        .set_cache_size(cache)
        .create_with_backend(backend)?)
}

/// What every projection's file keeps of itself.
pub(crate) const META: TableDefinition<u64, &[u8]> = TableDefinition::new("meta");
const META_IDENTITY: u64 = 0;
/// The cursor that the file stands at; a projection's own entries come after it.
pub(crate) const META_CURSOR: u64 = 1;

/// Opens a file that is there, and says where it stands, if it is the one that is meant. `tables`
/// opens the projection's own, which must be there too.
pub(crate) fn reopen(
    path: &Path,
    meant: &[u8],
    cache: usize,
    tables: fn(&ReadTransaction) -> Result<(), redb::Error>,
) -> Option<(Database, Cursor)> {
    // redb trusts a file, and may panic on one that is damaged.
    let opened = std::panic::catch_unwind(|| -> Result<_, redb::Error> {
        let db = database(path, cache)?;
        let txn = db.begin_read()?;
        tables(&txn)?;
        let meta = txn.open_table(META)?;
        let own = meta.get(META_IDENTITY)?;
        let is_meant = own.is_some_and(|own| own.value() == meant);
        let cursor = cursor_in(&meta)?;
        drop(meta);
        Ok(cursor.filter(|_| is_meant).map(|cursor| (db, cursor)))
    });
    opened.ok()?.ok()?
}

/// Makes a new file in place of what is there. `tables` makes the projection's own.
pub(crate) fn make(
    path: &Path,
    identity: &[u8],
    cache: usize,
    tables: fn(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<Database, redb::Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let db = database(path, cache)?;
    let txn = db.begin_write()?;
    txn.open_table(META)?.insert(META_IDENTITY, identity)?;
    tables(&txn)?;
    txn.commit()?;
    Ok(db)
}

/// Where a file stands.
pub(crate) fn cursor(db: &Database) -> Result<Option<Cursor>, redb::Error> {
    cursor_in(&db.begin_read()?.open_table(META)?)
}

/// The same, within a transaction.
pub(crate) fn cursor_in(
    meta: &impl ReadableTable<u64, &'static [u8]>,
) -> Result<Option<Cursor>, redb::Error> {
    let cursor = meta.get(META_CURSOR)?;
    Ok(cursor.and_then(|cursor| Cursor::decode(cursor.value())))
}
