//! The entries of the board in the order of their names, without the names.
//!
//! Chunks of numbers; whoever asks compares. Deliberately absent: removal.

use super::EntryId;

/// The most numbers in a chunk.
const CHUNK: usize = 512;

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
            match self.chunks.last_mut() {
                Some(chunk) if chunk.len() < CHUNK => chunk.push(id),
                Some(_) | None => self.chunks.push(vec![id]),
            }
            return;
        }
        let Place { chunk, at } = self.place(is_before);
        let ids = &mut self.chunks[chunk];
        ids.insert(at, id);
        if CHUNK < ids.len() {
            let rest = ids.split_off(CHUNK / 2);
            self.chunks.insert(chunk + 1, rest);
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
}
