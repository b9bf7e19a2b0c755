//! The entries of the board in the order of their names, without the names.
//!
//! Chunks of numbers; whoever asks compares. Deliberately absent: removal.

use super::EntryId;

/// The most numbers in a chunk.
const CHUNK: usize = 512;

/// New entries that are fewer than one in so many are put in one by one.
const FEW: usize = 16;

/// Numbers of entries, sorted by what they stand for.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// None is empty.
    chunks: Vec<Vec<EntryId>>,
    count: usize,
}

/// A place in the order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    chunk: usize,
    at: usize,
}

impl Names {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The first place whose entry, and every later one, is not before what is looked for.
    pub(super) fn place(&self, mut is_before: impl FnMut(EntryId) -> bool) -> Place {
        let after = self.chunks.partition_point(|chunk| is_before(chunk[0]));
        let Some(chunk) = after.checked_sub(1) else {
            return Place { chunk: 0, at: 0 };
        };
        let at = self.chunks[chunk].partition_point(|id| is_before(*id));
        Place { chunk, at }
    }

    /// The entries from a place on.
    pub(super) fn from(&self, place: Place) -> impl Iterator<Item = EntryId> {
        let chunks = self.chunks.get(place.chunk..).unwrap_or_default();
        chunks.iter().flatten().copied().skip(place.at)
    }

    /// Puts a new entry into its place.
    pub(super) fn insert(&mut self, id: EntryId, mut is_before: impl FnMut(EntryId) -> bool) {
        self.count += 1;
        // Many come in order; the end is looked at first.
        let last = self.chunks.last().and_then(|chunk| chunk.last());
        if last.is_none_or(|last| is_before(*last)) {
            return self.push(id);
        }
        let Place { chunk, at } = self.place(is_before);
        let ids = &mut self.chunks[chunk];
        ids.insert(at, id);
        if CHUNK < ids.len() {
            let rest = ids.split_off(CHUNK / 2);
            self.chunks.insert(chunk + 1, rest);
        }
    }

    /// Puts many new entries, which are in order, into their places: each old one is looked at once,
    /// where one after another would look for every place anew.
    pub(super) fn merge<T>(
        &mut self,
        new: Vec<(T, EntryId)>,
        is_before: impl Fn(EntryId, &T) -> bool,
    ) {
        if new.len() < self.count / FEW {
            for (name, id) in new {
                self.insert(id, |other| is_before(other, &name));
            }
            return;
        }
        self.count += new.len();
        let mut old = std::mem::take(&mut self.chunks)
            .into_iter()
            .flatten()
            .peekable();
        for (name, id) in new {
            while let Some(other) = old.next_if(|other| is_before(*other, &name)) {
                self.push(other);
            }
            self.push(id);
        }
        old.for_each(|other| self.push(other));
    }

    /// Puts an entry behind all others.
    fn push(&mut self, id: EntryId) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(id),
            Some(_) | None => self.chunks.push(vec![id]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that stand for themselves.
    fn sorted(order: impl Iterator<Item = u32>) -> Names {
        let mut names = Names::default();
        for number in order {
            names.insert(EntryId(number), |other| other.0 < number);
        }
        names
    }

    #[test]
    fn entries_come_in_order_however_they_were_put_in() {
        let count = 5000;
        let scattered = (0..count).map(|number| number * 7919 % count);
        let orders: [Vec<u32>; 3] = [
            (0..count).collect(),
            (0..count).rev().collect(),
            scattered.collect(),
        ];
        for order in orders {
            let mut distinct = order.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), count as usize, "the orders name each once");
            let names = sorted(order.into_iter());
            let all: Vec<u32> = names.from(names.place(|_| false)).map(|id| id.0).collect();
            assert_eq!((all, names.len()), (distinct, count as usize));
            for start in [0, 1, 511, 512, 513, 4999, 5000] {
                let from = names.place(|id| id.0 < start);
                let first = names.from(from).next().map(|id| id.0);
                assert_eq!(first, (start < count).then_some(start));
            }
        }
    }
    #[test]
    fn many_that_are_merged_lie_as_if_they_had_come_one_by_one() {
        for (old, new) in [(0, 1000), (1000, 1000), (5000, 1), (5000, 1000), (1, 5000)] {
            let mut names = sorted((0..old).map(|number| number * 2));
            let added = (0..new).map(|number| (number * 2 + 1, EntryId(number * 2 + 1)));
            names.merge(added.collect(), |other, number| other.0 < *number);
            let mut all: Vec<u32> = (0..old).map(|number| number * 2).collect();
            all.extend((0..new).map(|number| number * 2 + 1));
            all.sort_unstable();
            let found = names.from(names.place(|_| false)).map(|id| id.0);
            assert!(found.eq(all.iter().copied()), "{old} and {new}");
            assert_eq!(names.len(), all.len());
            assert!(
                names
                    .chunks
                    .iter()
                    .all(|chunk| (1..=CHUNK).contains(&chunk.len()))
            );
        }
    }
}
