//! Deadlines of one SKU at one location, earliest first.
//!
//! Most reserves ask for the same TTL, so deadlines come in order: those are queued, and one
//! that no longer counts stays in the queue until it reaches the head. The others lie in a
//! tree. Nothing moves when either grows.

use super::queue::Queue;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// A deadline with the number of its hold.
pub(super) type Lapse = (Timestamp, u64);

/// A SKU that is reserved now and then has one, a million of which lie beside each other.
#[derive(Default)]
pub(super) enum Lapses {
    #[default]
    None,
    One(Box<Lapse>),
    /// And what has been so, until none is left.
    Many(Box<Many>),
}

#[derive(Default)]
pub(super) struct Many {
    /// Ascending; an entry counts while its hold is open with that deadline.
    queue: Queue<Lapse>,
    last: Option<Lapse>,
    /// Those that came out of order.
    tree: BTreeSet<Lapse>,
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
        let many = many.into_iter();
        one.into_iter()
            .chain(many.flat_map(|many| many.queue.iter().chain(many.tree.iter().copied())))
    }

    pub(super) fn insert(&mut self, lapse: Lapse) {
        match self {
            Self::None => *self = Self::One(Box::new(lapse)),
            Self::One(one) => {
                let mut many = Many::default();
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

impl Many {
    fn first(&self) -> Option<Lapse> {
        let queued = self.queue.front();
        queued.into_iter().chain(self.tree.first().copied()).min()
    }

    fn insert(&mut self, lapse: Lapse) {
        if self.last.is_none_or(|last| last < lapse) {
            self.last = Some(lapse);
            self.queue.push(lapse);
        } else {
            self.tree.insert(lapse);
        }
    }

    /// True if none is left.
    fn remove(&mut self, lapse: Lapse, counts: impl Fn(Lapse) -> bool) -> bool {
        // One that was taken out and put in again may lie in both.
        if !self.tree.is_empty() {
            self.tree.remove(&lapse);
        }
        while self
            .queue
            .front()
            .is_some_and(|head| head == lapse || !counts(head))
        {
            self.queue.pop();
        }
        self.queue.front().is_none() && self.tree.is_empty()
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
