//! A hash table in many small tables, so that none grows in one go.

use hashbrown::HashTable;

const TABLES: usize = 1024;

/// Entries found by a hash of theirs; entries may share one.
pub(super) struct SubTables<T> {
    tables: Box<[HashTable<T>]>,
}

impl<T> Default for SubTables<T> {
    fn default() -> Self {
        let tables = std::iter::repeat_with(HashTable::new)
            .take(TABLES)
            .collect();
        Self { tables }
    }
}

// hashbrown uses the top 7 bits and the low ones; these lie between.
const TABLE_SHIFT: u32 = 40;

const fn table_of(hash: u64) -> usize {
    ((hash >> TABLE_SHIFT) as usize) % TABLES
}

impl<T> SubTables<T> {
    /// `hash` with the table that `other` chooses, for entries that keep a few bits of theirs.
    pub(super) const fn in_table(hash: u64, other: u64) -> u64 {
        let mask = (TABLES as u64 - 1) << TABLE_SHIFT;
        hash & !mask | other & mask
    }

    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&T> {
        self.tables[table_of(hash)].find(hash, is_it)
    }

    pub(super) fn insert(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        self.tables[table_of(hash)].insert_unique(hash, entry, hash_of);
    }

    pub(super) fn remove(&mut self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<T> {
        let found = self.tables[table_of(hash)].find_entry(hash, is_it).ok()?;
        Some(found.remove().0)
    }

    /// Every entry with this hash.
    pub(super) fn all(&self, hash: u64) -> impl Iterator<Item = &T> {
        self.tables[table_of(hash)].iter_hash(hash)
    }
}
