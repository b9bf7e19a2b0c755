//! The chunks of the snapshot: id → what that piece was at a sequence.
//!
//! A chunk that became empty leaves a tombstone, in a table of its own so that its space is free
//! at once and the few there are can be found without reading every chunk. A tombstone goes once
//! replay starts beyond its sequence: no event replayed could then touch what it stands for.
//!
//! Deliberately absent: what a chunk covers.

use redb::{TableDefinition, WriteTransaction};

use crate::error::{LedgerError, Place, guarded};
use crate::frame::{self, FRAME_BYTES, Kind, u64_at};
use crate::log::Chunk;

pub(crate) const CHUNKS: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("chunks");
pub(crate) const TOMBSTONES: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("tombstones");

type ChunkTable<'txn> = redb::Table<'txn, u64, &'static [u8]>;
pub(crate) type ReadTable = redb::ReadOnlyTable<u64, &'static [u8]>;
type AllRows = redb::Range<'static, u64, &'static [u8]>;

const SEQUENCE_BYTES: usize = 8;

/// Writes chunks, those that are empty as tombstones; of two with one id the later counts.
pub(crate) fn write(txn: &WriteTransaction, written: &[Chunk]) -> Result<(), redb::Error> {
    if written.is_empty() {
        return Ok(());
    }
    let mut chunks = txn.open_table(CHUNKS)?;
    let mut tombstones = txn.open_table(TOMBSTONES)?;
    for chunk in written {
        if chunk.body.is_empty() {
            chunks.remove(chunk.id)?;
            put(&mut tombstones, Kind::Tombstone, chunk)?;
        } else {
            put(&mut chunks, Kind::Chunk, chunk)?;
            tombstones.remove(chunk.id)?;
        }
    }
    Ok(())
}

/// Removes tombstones.
pub(crate) fn purge(txn: &WriteTransaction, due: &[u64]) -> Result<(), redb::Error> {
    if due.is_empty() {
        return Ok(());
    }
    let mut tombstones = txn.open_table(TOMBSTONES)?;
    for id in due {
        tombstones.remove(id)?;
    }
    Ok(())
}

fn put(table: &mut ChunkTable<'_>, kind: Kind, chunk: &Chunk) -> redb::Result<()> {
    let start = FRAME_BYTES + SEQUENCE_BYTES;
    let mut guard = table.insert_reserve(chunk.id, start + chunk.body.len())?;
    let value = guard.as_mut();
    value[FRAME_BYTES..start].copy_from_slice(&chunk.sequence.to_le_bytes());
    value[start..].copy_from_slice(&chunk.body);
    frame::seal(value, kind, chunk.id);
    Ok(())
}

/// All chunks, then all tombstones.
pub(crate) fn read(
    chunks: &ReadTable,
    tombstones: &ReadTable,
    shard: u16,
) -> Result<ChunkIter, LedgerError> {
    let tombstones = (Kind::Tombstone, all(tombstones, shard)?);
    Ok(ChunkIter {
        ranges: vec![tombstones, (Kind::Chunk, all(chunks, shard)?)],
        shard,
    })
}

/// The tombstones alone.
pub(crate) fn read_tombstones(table: &ReadTable, shard: u16) -> Result<ChunkIter, LedgerError> {
    Ok(ChunkIter {
        ranges: vec![(Kind::Tombstone, all(table, shard)?)],
        shard,
    })
}

fn all(table: &ReadTable, shard: u16) -> Result<AllRows, LedgerError> {
    table
        .range::<u64>(..)
        .map_err(|error| LedgerError::redb(shard, "reading the chunks", error))
}

/// Chunks, each checked.
pub(crate) struct ChunkIter {
    /// What is left to read, the table in hand last.
    ranges: Vec<(Kind, AllRows)>,
    shard: u16,
}

impl ChunkIter {
    fn read(&mut self) -> Result<Option<Chunk>, LedgerError> {
        while let Some((kind, range)) = self.ranges.last_mut() {
            let Some(row) = range.next() else {
                self.ranges.pop();
                continue;
            };
            let (key, value) =
                row.map_err(|error| LedgerError::redb(self.shard, "reading the chunks", error))?;
            return decode(*kind, key.value(), value.value(), self.shard).map(Some);
        }
        Ok(None)
    }
}

impl Iterator for ChunkIter {
    type Item = Result<Chunk, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let shard = self.shard;
        let read = guarded(shard, || self.read());
        if read.is_err() {
            self.ranges.clear();
        }
        read.transpose()
    }
}

fn decode(kind: Kind, id: u64, row: &[u8], shard: u16) -> Result<Chunk, LedgerError> {
    let body = frame::open_at(row, kind, id, shard, Place::Chunk(id))?;
    let fits = match kind {
        Kind::Tombstone => body.len() == SEQUENCE_BYTES,
        _ => SEQUENCE_BYTES < body.len(),
    };
    if !fits {
        let detail = format!("its body has {} bytes", body.len());
        return Err(LedgerError::Corrupt {
            shard,
            place: Place::Chunk(id),
            detail,
        });
    }
    Ok(Chunk {
        id,
        sequence: u64_at(body, 0),
        body: body[SEQUENCE_BYTES..].to_vec(),
    })
}
