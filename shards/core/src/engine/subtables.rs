//! A hash table in many small tables, so that none grows in one go.
//!
//! The tables have unequal shares of the entries, from three quarters of the mean to one and a half
//! times it. Equal ones would all double at the same fill: a storm of rehashing, and twice the
//! memory right after it. So one or another grows all the time, and memory follows the entries.

use hashbrown::HashTable;

pub(super) const TABLES: usize = 1024;

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

/// How many bits of a hash choose its table.
const TABLE_BITS: u32 = 16;

/// The table of a hash, by bits that a small table does not look at.
pub(super) const fn table_of(hash: u64) -> usize {
    let all = 1 << TABLE_BITS;
    let x = (hash >> TABLE_SHIFT) % all;
    // x² + 2x over 3, of x from 0 to 1: steeper towards the end, where tables get less.
    (x * (x + 2 * all) * TABLES as u64 / (3 * all * all)) as usize
}

impl<T> SubTables<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_share_and_none_is_beyond_the_last() {
        let mut shares = [0_u32; TABLES];
        for x in 0..1_u64 << TABLE_BITS {
            shares[table_of(x << TABLE_SHIFT)] += 1;
        }
        let mean = (1 << TABLE_BITS) / TABLES as u32;
        assert!(
            shares
                .iter()
                .all(|share| mean * 2 / 3 <= *share && *share <= mean * 13 / 8)
        );
        assert!(shares[0] > shares[TABLES - 1]);
    }
}
