//! What a shard's carts wait for, by time.

use holdfast_core::{ReservationId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Something to look at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A try at its home.
    Try(ReservationId),
    /// A decision that parts have not settled.
    Drive(ReservationId),
    /// A hold whose home is to be asked.
    Question(u64),
    /// A hold of whose shipments home has not heard.
    Report(u64),
}

/// Timers, at most one for each thing.
#[derive(Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Timestamp, Timer)>,
    at: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Sets a timer in place of the one before.
    pub(super) fn set(&mut self, timer: Timer, at: Timestamp) {
        self.clear(timer);
        self.by_time.insert((at, timer));
        self.at.insert(timer, at);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// The earliest timer that has run out.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        let (_, timer) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.clear(timer);
        Some(timer)
    }
}
