//! The rows of a ledger as they lie in redb, past everything the crate checks.

use holdfast_ledger::FRAME_BYTES;
use holdfast_ledger::faults::Disk;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

pub(crate) const TABLES: [&str; 4] = ["journal", "chunks", "tombstones", "meta"];

fn definition(name: &str) -> TableDefinition<'_, u64, &'static [u8]> {
    TableDefinition::new(name)
}

fn database(disk: &Disk) -> Database {
    Database::builder()
        .create_with_backend(disk.tables().expect("it holds a ledger"))
        .expect("the disk holds a database")
}

/// Every row: table, key, value.
pub(crate) fn all(disk: &Disk) -> Vec<(&'static str, u64, Vec<u8>)> {
    let db = database(disk);
    let txn = db.begin_read().expect("readable");
    let mut rows = Vec::new();
    for name in TABLES {
        let table = txn
            .open_table(definition(name))
            .expect("every table is there");
        for row in table.iter().expect("readable") {
            let (key, value) = row.expect("readable");
            rows.push((name, key.value(), value.value().to_vec()));
        }
    }
    rows
}

/// Puts `value` under `key`, or removes the row.
pub(crate) fn set(disk: &Disk, table: &'static str, key: u64, value: Option<&[u8]>) {
    let db = database(disk);
    let txn = db.begin_write().expect("writable");
    {
        let mut table = txn.open_table(definition(table)).expect("writable");
        match value {
            Some(value) => table.insert(key, value).map(drop).expect("writable"),
            None => table.remove(key).map(drop).expect("writable"),
        }
    }
    txn.commit().expect("writable");
}

/// A row as the crate would seal it.
pub(crate) fn sealed(kind: u8, key: u64, body: &[u8]) -> Vec<u8> {
    let mut row = vec![1, kind];
    row.extend_from_slice(&(body.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&key.to_le_bytes()), &row);
    row.extend_from_slice(&crc32c::crc32c_append(crc, body).to_le_bytes());
    row.extend_from_slice(body);
    assert_eq!(row.len(), FRAME_BYTES + body.len());
    row
}

pub(crate) fn set_opening(disk: &Disk, opening: u32) {
    set(disk, "meta", 1, Some(&sealed(6, 1, &opening.to_le_bytes())));
}
