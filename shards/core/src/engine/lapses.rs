//! Deadlines of one SKU at one location, earliest first.
//!
//! Most reserves ask for the same TTL, so deadlines come in order: those are queued, and one
//! that no longer counts stays in the queue until it reaches the head. The others lie in a
//! tree. Nothing moves when either grows.

use super::slab::Queue;
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
        let queued = inner.queue.front().copied();
        queued.into_iter().chain(inner.tree.first().copied()).min()
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
        if !inner.tree.is_empty() && inner.tree.remove(&lapse) {
            return;
        }
        while inner
            .queue
            .front()
            .is_some_and(|head| *head == lapse || !counts(*head))
        {
            inner.queue.pop();
        }
        if inner.queue.front().is_none() && inner.tree.is_empty() {
            self.0 = None;
        }
    }
}
