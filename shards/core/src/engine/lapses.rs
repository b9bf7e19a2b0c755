//! Deadlines, earliest first: of one SKU at one location, and of all of them, each with its first.
//!
//! Most reserves ask for the same TTL, so deadlines come in order: those are queued, and one
//! that no longer counts stays in the queue until it reaches the head. The others lie in a
//! tree. Nothing moves when either grows.

use super::queue::{Entry, Queue};
use super::skus::LevelKey;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// A deadline with the number of its hold.
pub(super) type Lapse = (Timestamp, u64);

/// The first deadline of each level.
pub(super) type Firsts = Ordered<(Timestamp, LevelKey)>;

/// The deadlines of one level. A SKU that is reserved now and then has one, a million of which lie
/// beside each other.
#[derive(Default)]
pub(super) enum Lapses {
    #[default]
    None,
    One(Box<Lapse>),
    /// And what has been so, until none is left.
    Many(Box<Ordered<Lapse>>),
}

/// Entries in order. Who takes one out says of others whether they still count.
pub(super) struct Ordered<T> {
    /// Ascending; those that count no more lie behind one that does.
    queue: Queue<T>,
    last: Option<T>,
    /// Those that came out of order.
    tree: BTreeSet<T>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self {
            queue: Queue::default(),
            last: None,
            tree: BTreeSet::new(),
        }
    }
}

impl Lapses {
    /// The earliest. The head of the queue always counts.
    pub(super) fn first(&self) -> Option<Lapse> {
        match self {
            Self::None => None,
            Self::One(one) => Some(**one),
            Self::Many(many) => many.first(),
        }
    }

    /// All of them, in no order; some count no more, and one may come twice.
    pub(super) fn iter(&self) -> impl Iterator<Item = Lapse> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(one) => (Some(**one), None),
            Self::Many(many) => (None, Some(many)),
        };
        let many = many.into_iter().flat_map(|many| many.iter());
        one.into_iter().chain(many)
    }

    pub(super) fn insert(&mut self, lapse: Lapse) {
        match self {
            Self::None => *self = Self::One(Box::new(lapse)),
            Self::One(one) => {
                let mut many = Ordered::default();
                many.insert(**one);
                many.insert(lapse);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.insert(lapse),
        }
    }

    /// Takes a deadline out; `counts` says of others whether they still do.
    pub(super) fn remove(&mut self, lapse: Lapse, counts: impl Fn(Lapse) -> bool) {
        let is_empty = match self {
            Self::None => return,
            Self::One(one) => **one == lapse || !counts(**one),
            Self::Many(many) => many.remove(lapse, counts),
        };
        if is_empty {
            *self = Self::None;
        }
    }
}

impl<T: Entry> Ordered<T> {
    /// The earliest. The head of the queue always counts.
    pub(super) fn first(&self) -> Option<T> {
        let queued = self.queue.front();
        queued.into_iter().chain(self.tree.first().copied()).min()
    }

    /// All of them: those that came in order, then the others; some count no more, and one may come
    /// twice.
    pub(super) fn iter(&self) -> impl Iterator<Item = T> {
        self.queue.iter().chain(self.tree.iter().copied())
    }

    /// Those up to a time, as [`Self::iter`] has them.
    pub(super) fn until(&self, at: Timestamp) -> impl Iterator<Item = T> {
        let is_due = move |item: &T| item.bits()[0] <= at.ms();
        let queued = self.queue.iter().take_while(is_due);
        queued.chain(self.tree.iter().copied().take_while(is_due))
    }

    pub(super) fn insert(&mut self, item: T) {
        if self.last.is_none_or(|last| last < item) {
            self.last = Some(item);
            self.queue.push(item);
        } else {
            self.tree.insert(item);
        }
    }

    /// Takes one out; `counts` says of others whether they still do. True if none is left.
    pub(super) fn remove(&mut self, item: T, counts: impl Fn(T) -> bool) -> bool {
        // One that was taken out and put in again may lie in both.
        if !self.tree.is_empty() {
            self.tree.remove(&item);
        }
        while self
            .queue
            .front()
            .is_some_and(|head| head == item || !counts(head))
        {
            self.queue.pop();
        }
        let is_empty = self.queue.front().is_none() && self.tree.is_empty();
        if is_empty {
            self.last = None;
        }
        is_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A partial confirm takes a hold's deadline out and puts it in again. Not being at the head,
    /// it stayed in the queue and went into the tree as well; its end then took it out of the tree
    /// alone. The head of the queue named a hold that was gone, and the next sweep died of it.
    #[test]
    fn a_deadline_that_was_taken_out_and_put_in_again_leaves_nothing_behind() {
        let at = Timestamp::from_ms;
        let (first, second) = ((at(10), 1), (at(20), 2));
        let mut lapses = Lapses::default();
        lapses.insert(first);
        lapses.insert(second);
        lapses.remove(second, |_| true);
        lapses.insert(second);
        lapses.remove(first, |_| true);
        assert_eq!(lapses.first(), Some(second));
        lapses.remove(second, |_| true);
        assert_eq!(lapses.first(), None);
    }
}
