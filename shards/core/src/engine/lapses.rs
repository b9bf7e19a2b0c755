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

#[derive(Default)]
pub(super) struct Lapses(Option<Box<Inner>>);

#[derive(Default)]
struct Inner {
    /// Ascending; an entry counts while its hold is open with that deadline.
    queue: Queue<Lapse>,
    last: Option<Lapse>,
    /// Those that came out of order.
    tree: BTreeSet<Lapse>,
}

impl Lapses {
    /// The earliest. The head of the queue always counts.
    pub(super) fn first(&self) -> Option<Lapse> {
        let inner = self.0.as_ref()?;
        let queued = inner.queue.front();
        queued.into_iter().chain(inner.tree.first().copied()).min()
    }

    /// All of them, in no order; some count no more, and one may come twice.
    pub(super) fn iter(&self) -> impl Iterator<Item = Lapse> {
        let inner = self.0.iter();
        inner.flat_map(|inner| inner.queue.iter().chain(inner.tree.iter().copied()))
    }

    pub(super) fn insert(&mut self, lapse: Lapse) {
        let inner = self.0.get_or_insert_default();
        if inner.last.is_none_or(|last| last < lapse) {
            inner.last = Some(lapse);
            inner.queue.push(lapse);
        } else {
            inner.tree.insert(lapse);
        }
    }

    /// Takes a deadline out; `counts` says of others whether they still do.
    pub(super) fn remove(&mut self, lapse: Lapse, counts: impl Fn(Lapse) -> bool) {
        let Some(inner) = &mut self.0 else { return };
        // One that was taken out and put in again may lie in both.
        if !inner.tree.is_empty() {
            inner.tree.remove(&lapse);
        }
        while inner
            .queue
            .front()
            .is_some_and(|head| head == lapse || !counts(head))
        {
            inner.queue.pop();
        }
        if inner.queue.front().is_none() && inner.tree.is_empty() {
            self.0 = None;
        }
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
