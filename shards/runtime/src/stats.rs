//! What operators measure: plain atomics, read at any time without touching a mailbox.
//!
//! Deliberately absent: names of metrics and text forms, which the service has.

use holdfast_core::Fill;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Upper bounds of commit latency, in microseconds.
pub const LATENCY_BOUNDS_US: &[u64] = &[
    50, 100, 200, 300, 500, 750, 1000, 2000, 3000, 5000, 7500, 10_000, 20_000, 50_000, 100_000,
    200_000, 500_000, 1_000_000, 5_000_000,
];

/// Upper bounds of events in a batch.
pub const BATCH_BOUNDS: &[u64] = &[
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536,
];

/// Counts of values by upper bound.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds, for what is beyond.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            bounds,
            counts,
            sum: AtomicU64::new(0),
        }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Upper bounds with how many values each took (not cumulated), then what is beyond them.
    pub fn counts(&self) -> (Vec<(u64, u64)>, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let bounded = self
            .bounds
            .iter()
            .zip(&self.counts)
            .map(|(bound, n)| (*bound, load(n)));
        (bounded.collect(), self.counts.last().map_or(0, load))
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

/// The measures of one shard. They outlive its restarts.
#[derive(Debug)]
pub struct ShardStats {
    /// Time of each commit, in microseconds.
    pub commit_us: Histogram,
    /// Events of each commit.
    pub batch_events: Histogram,
    /// Commands answered.
    pub answered: AtomicU64,
    /// Operations turned away for want of a permit.
    pub overloaded: AtomicU64,
    /// The same of configuration and movements.
    pub config_overloaded: AtomicU64,
    /// Commands dropped before they were begun.
    pub dropped: AtomicU64,
    /// Expiries recorded.
    pub expired: AtomicU64,
    /// Snapshot chunks written.
    pub chunks: AtomicU64,
    /// How often it was rebuilt.
    pub restarts: AtomicU64,
    /// Invariants found broken.
    pub violations: AtomicU64,
    /// Sequence of its last commit.
    pub committed: AtomicU64,
    /// Events read for counts of the past because statements had not taken them yet.
    pub lag_read: AtomicU64,
    /// SKU and location pairs with lapsed holds at the last look: a lower bound of what is due.
    pub backlog: AtomicUsize,
    /// Commands waiting in the shard behind the one at its head.
    pub waiting: AtomicUsize,
    /// Carts homed here that have not been decided.
    pub undecided: AtomicUsize,
    reservations: AtomicUsize,
    open: AtomicUsize,
    keys: AtomicUsize,
    skus: AtomicUsize,
    foreign_holds: AtomicUsize,
    tries: AtomicUsize,
}

impl ShardStats {
    /// All zero.
    pub fn new() -> Self {
        Self {
            commit_us: Histogram::new(LATENCY_BOUNDS_US),
            batch_events: Histogram::new(BATCH_BOUNDS),
            answered: AtomicU64::new(0),
            overloaded: AtomicU64::new(0),
            config_overloaded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            violations: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            lag_read: AtomicU64::new(0),
            backlog: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            undecided: AtomicUsize::new(0),
            reservations: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            keys: AtomicUsize::new(0),
            skus: AtomicUsize::new(0),
            foreign_holds: AtomicUsize::new(0),
            tries: AtomicUsize::new(0),
        }
    }

    /// How full the shard's tables were at its last commit.
    pub fn fill(&self) -> Fill {
        let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        Fill {
            reservations: load(&self.reservations),
            open: load(&self.open),
            keys: load(&self.keys),
            skus: load(&self.skus),
            foreign_holds: load(&self.foreign_holds),
            undecided: load(&self.tries),
        }
    }

    pub(crate) fn set_fill(&self, fill: Fill) {
        self.reservations
            .store(fill.reservations, Ordering::Relaxed);
        self.open.store(fill.open, Ordering::Relaxed);
        self.keys.store(fill.keys, Ordering::Relaxed);
        self.skus.store(fill.skus, Ordering::Relaxed);
        self.foreign_holds
            .store(fill.foreign_holds, Ordering::Relaxed);
        self.tries.store(fill.undecided, Ordering::Relaxed);
    }
}

impl Default for ShardStats {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_under_the_first_bound_that_holds_it() {
        let histogram = Histogram::new(BATCH_BOUNDS);
        for value in [1, 2, 3, 4, 70_000] {
            histogram.record(value);
        }
        let (counts, beyond) = histogram.counts();
        assert_eq!(counts[..4], [(1, 1), (2, 1), (4, 2), (8, 0)]);
        assert_eq!((beyond, histogram.sum()), (1, 70_010));
    }
}
