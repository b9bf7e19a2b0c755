//! What every projection's file has: whose it is, how far it is, and that it is never synced.

use holdfast_ledger::{Identity, Record, Unsynced};
use redb::Database;
use redb::backends::FileBackend;
use std::fs::OpenOptions;
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
pub(crate) fn database(path: &Path, cache: usize) -> Result<Database, redb::Error> {
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
