//! Where keys lie, by their hash: many small tables of open addressing.
//!
//! A general hash table keeps a byte beside each entry in another place, so that a key which is
//! looked for and then entered touches two lines of memory that no cache has, and the stores that
//! follow wait for the second. Here both are one line: an entry is six bytes, 16 bits of hash and the
//! low half of the key's index, and the hash bits say where it belongs, so that tables grow and close
//! up without a look at the keys themselves.
//! Deliberately absent: shrinking; keys come as fast as they are forgotten.

use super::subtables::{TABLES, table_of};

/// 16 bits of hash, 0 where there is no entry, and the low half of an index.
#[derive(Clone, Copy)]
struct Entry([u16; 3]);

/// Low halves of indexes by 64 bits of hash; several may share them.
pub(super) struct Places {
    tables: Box<[Table]>,
}

#[derive(Clone, Default)]
struct Table {
    /// At most three quarters are taken, so that a search ends soon.
    entries: Vec<Entry>,
    taken: usize,
}

impl Default for Places {
    fn default() -> Self {
        let tables = vec![Table::default(); TABLES].into_boxed_slice();
        Self { tables }
    }
}

impl Entry {
    const NONE: Self = Self([0; 3]);

    const fn new(mark: u16, index: u32) -> Self {
        Self([mark, index as u16, (index >> 16) as u16])
    }

    const fn is_none(self) -> bool {
        self.0[0] == 0
    }

    const fn index(self) -> u32 {
        self.0[1] as u32 | (self.0[2] as u32) << 16
    }

    /// Where it belongs in a table of this length.
    const fn home(self, len: usize) -> usize {
        home(self.0[0], len)
    }
}

/// What an entry keeps of its hash: bits that do not choose the table, and never 0.
const fn mark(hash: u64) -> u16 {
    let mark = hash as u16;
    if mark == 0 { 1 } else { mark }
}

const fn home(mark: u16, len: usize) -> usize {
    (mark as usize * len) >> 16
}

impl Places {
    /// The entry with this hash that is the one.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let table = &self.tables[table_of(hash)];
        let at = table.find(mark(hash), is_it)?;
        Some(table.entries[at].index())
    }

    pub(super) fn insert(&mut self, hash: u64, index: u32) {
        self.tables[table_of(hash)].insert(Entry::new(mark(hash), index));
    }

    /// Takes an entry out; one that is not there is left alone.
    pub(super) fn remove(&mut self, hash: u64, index: u32) {
        let table = &mut self.tables[table_of(hash)];
        if let Some(at) = table.find(mark(hash), |other| other == index) {
            table.remove(at);
        }
    }
}

impl Table {
    fn find(&self, mark: u16, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut at = home(mark, self.entries.len());
        // An empty table has no place to look at; any other has a free one.
        while let Some(entry) = self.entries.get(at) {
            if entry.is_none() {
                return None;
            }
            if entry.0[0] == mark && is_it(entry.index()) {
                return Some(at);
            }
            at = self.after(at);
        }
        None
    }

    fn insert(&mut self, entry: Entry) {
        if self.entries.len() * 3 <= self.taken * 4 {
            self.grow();
        }
        self.put(entry);
        self.taken += 1;
    }

    /// Puts an entry into the first free place from where it belongs.
    fn put(&mut self, entry: Entry) {
        let mut at = entry.home(self.entries.len());
        while !self.entries[at].is_none() {
            at = self.after(at);
        }
        self.entries[at] = entry;
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() {
            0
        } else {
            at + 1
        }
    }

    fn grow(&mut self) {
        let len = (self.entries.len() * 3 / 2).max(8);
        let old = std::mem::replace(&mut self.entries, vec![Entry::NONE; len]);
        for entry in old.into_iter().filter(|entry| !entry.is_none()) {
            self.put(entry);
        }
    }

    /// Frees a place, and closes the gap with those that a search would not find beyond it.
    fn remove(&mut self, at: usize) {
        let len = self.entries.len();
        let mut gap = at;
        let mut next = self.after(gap);
        while !self.entries[next].is_none() {
            let entry = self.entries[next];
            let from_home = (next + len - entry.home(len)) % len;
            let from_gap = (next + len - gap) % len;
            if from_gap <= from_home {
                self.entries[gap] = entry;
                gap = next;
            }
            next = self.after(next);
        }
        self.entries[gap] = Entry::NONE;
        self.taken -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Entries come and go at random, many with the same hash bits, and are compared with a map.
    #[test]
    fn what_was_entered_is_found_until_it_is_taken_out() {
        let (mut places, mut model) = (Places::default(), BTreeMap::new());
        let mut random = 1_u64;
        for index in 0..20_000_u32 {
            random = random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(index.into());
            // Few tables and few marks, those at both ends of a table among them.
            let marks = [0, 1, 2, 0x7fff, 0xfffe, 0xffff, random >> 8 & 0xffff];
            let hash = (random >> 62) << 40 | marks[(random >> 40) as usize % marks.len()];
            places.insert(hash, index);
            model.insert(index, hash);
            // One of the last five hundred goes, and who has outlived them, but for a few.
            let oldest = index.checked_sub(500).filter(|old| old % 64 != 0);
            let any = index.saturating_sub((random >> 32) as u32 % 500);
            for other in oldest.into_iter().chain([any]) {
                let Some(hash) = model.remove(&other) else {
                    continue;
                };
                assert_eq!(places.find(hash, |it| it == other), Some(other));
                places.remove(hash, other);
                assert_eq!(places.find(hash, |it| it == other), None);
            }
            if index % 500 == 0 {
                let taken = places.tables.iter().map(|table| table.taken);
                assert_eq!(taken.sum::<usize>(), model.len());
            }
        }
        assert!(100 < model.len());
        for (index, hash) in &model {
            assert_eq!(places.find(*hash, |it| it == *index), Some(*index));
            places.remove(*hash, *index);
        }
        assert!(places.tables.iter().all(|table| table.taken == 0));
        let mut entries = places.tables.iter().flat_map(|table| &table.entries);
        assert!(entries.all(|entry| entry.is_none()));
    }

    #[test]
    fn a_table_keeps_a_quarter_free_and_grows_by_half() {
        let mut places = Places::default();
        for n in 0..1_000_000_u32 {
            places.insert(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15), n);
        }
        for table in &places.tables {
            let len = table.entries.len();
            assert!(table.taken * 4 <= len * 3 && len <= table.taken * 9 / 4);
        }
    }
}
