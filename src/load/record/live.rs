//! The run as it stands, for those who watch it.
//!
//! Deliberately absent: histograms. A glance needs a few numbers, and is taken a few times a second.

use std::time::Duration;

use super::{CallTally, Mark, Outcome, PhaseBegun};

/// The run as it stands.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Since the start.
    pub elapsed: Duration,
    /// The phase under way.
    pub phase: Option<PhaseBegun>,
    /// Buyers who came so far.
    pub arrived: u64,
    /// Of those, who could not be sent.
    pub dropped: u64,
    /// Calls that ended so far, by [`Outcome`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Milliseconds from the intended send time, of the whole run so far.
    pub whole: Quantiles,
    /// Milliseconds from the actual send time, of the whole run so far.
    pub service: Quantiles,
    /// The last interval that all workers have left.
    pub last: Last,
    /// Answers a second of the intervals before, oldest first.
    pub rates: Vec<u64>,
    /// The hot SKUs.
    pub skus: Vec<SkuNow>,
    /// What happened so far.
    pub marks: Vec<Mark>,
}

/// One interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct Last {
    /// Buyers who came, a second.
    pub arrived_rate: f64,
    /// Answers a second.
    pub rate: f64,
    /// Milliseconds from the intended send time.
    pub response: Quantiles,
}

/// A few of many times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// 99 in 100 were faster.
    pub p99: f64,
    /// 999 in 1,000 were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl Quantiles {
    pub(super) fn of(hist: &super::Hist) -> Self {
        Self {
            p50: hist.quantile_ms(0.5),
            p99: hist.quantile_ms(0.99),
            p999: hist.quantile_ms(0.999),
            max: hist.max_ms(),
        }
    }
}

/// A hot SKU as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkuNow {
    /// Which.
    pub sku: String,
    /// Units that may be reserved.
    pub available: i64,
    /// Units held.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
    /// The most that ever was available.
    pub top: i64,
}

impl Live {
    pub(super) fn count(&mut self, all: &CallTally) {
        self.outcomes = all.outcomes;
        self.whole = Quantiles::of(&all.response);
        self.service = Quantiles::of(&all.service);
    }

    /// Answers so far.
    pub fn answered(&self) -> u64 {
        super::answers(&self.outcomes)
    }
}
