//! Counts and histograms, per call and in all.
//!
//! Deliberately absent: threads. A tally belongs to one worker, or lies behind the recorder's lock.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Call, Outcome};

/// Nanoseconds, three significant digits from 131 µs on and steps of 64 ns below; up to
/// [`HIGHEST`]. It grows with what it has seen, to 190 KB.
#[derive(Clone, Debug)]
pub struct Hist(Histogram<u64>);

/// The longest time told apart: whatever took longer counts as this.
const HIGHEST: Duration = Duration::from_mins(5);
const FINEST_NS: u64 = 100;
const FIRST_HIGHEST_NS: u64 = 1_000_000;

impl Default for Hist {
    fn default() -> Self {
        let mut histogram = Histogram::new_with_bounds(FINEST_NS, FIRST_HIGHEST_NS, 3)
            .expect("the bounds are constant and good");
        histogram.auto(true);
        Self(histogram)
    }
}

impl Hist {
    /// Notes one time.
    pub fn note(&mut self, took: Duration) {
        let took = took.min(HIGHEST).as_nanos() as u64;
        self.0
            .record(took)
            .expect("it grows, and the longest time has an end");
    }

    /// Adds what another has seen.
    pub fn add(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("it grows, and both have the same bounds");
    }

    /// Forgets all; keeps its memory.
    pub fn clear(&mut self) {
        if !self.0.is_empty() {
            self.0.reset();
        }
    }

    /// The crate's own, in nanoseconds.
    pub fn inner(&self) -> &Histogram<u64> {
        &self.0
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Milliseconds that this share took at most; 0 of none.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        millis(self.0.value_at_quantile(quantile).min(self.0.max()))
    }

    /// Milliseconds of the slowest.
    pub fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }

    /// Milliseconds on average.
    pub fn mean_ms(&self) -> f64 {
        self.0.mean() / 1e6
    }
}

/// Nanoseconds as milliseconds.
pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// One kind of call.
#[derive(Clone, Debug, Default)]
pub struct CallTally {
    /// From the intended send time to the answer, or until it was waited for in vain; broken
    /// connections are not in it.
    pub response: Hist,
    /// From the actual send time to the same.
    pub service: Hist,
    /// How many by [`Outcome`], in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
}

impl CallTally {
    pub(super) fn note(&mut self, outcome: Outcome, response: Duration, service: Duration) {
        self.outcomes[outcome as usize] += 1;
        // A connection refused at once would make a dead server look fast. One that was waited for
        // in vain took at least so long.
        if outcome == Outcome::Broken {
            return;
        }
        self.response.note(response);
        self.service.note(service);
    }

    fn add(&mut self, other: &Self) {
        self.response.add(&other.response);
        self.service.add(&other.service);
        add_each(&mut self.outcomes, &other.outcomes);
    }

    fn clear(&mut self) {
        self.response.clear();
        self.service.clear();
        self.outcomes = Default::default();
    }
}

/// A whole run, or what one worker has not yet given away.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By [`Call`], in the order of [`Call::ALL`].
    pub calls: [CallTally; Call::ALL.len()],
    /// Buyers who came.
    pub arrived: u64,
    /// Of those, who could not be sent.
    pub dropped: u64,
    /// How much later than intended was sent although a connection was free.
    pub lag: Hist,
}

impl Tally {
    /// One kind of call.
    pub fn call(&self, call: Call) -> &CallTally {
        &self.calls[call as usize]
    }

    /// All kinds of call together.
    pub fn all(&self) -> CallTally {
        let mut all = CallTally::default();
        for call in &self.calls {
            all.add(call);
        }
        all
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.calls.iter_mut().zip(&other.calls) {
            own.add(other);
        }
        self.arrived += other.arrived;
        self.dropped += other.dropped;
        self.lag.add(&other.lag);
    }

    pub(super) fn clear(&mut self) {
        for call in &mut self.calls {
            call.clear();
        }
        (self.arrived, self.dropped) = (0, 0);
        self.lag.clear();
    }
}

/// A piece of the run's time.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    /// When it began, from the start of the run.
    pub begins: Duration,
    /// How long it is; the last one may be cut short by the end of the run.
    pub length: Duration,
    /// Buyers who came.
    pub arrived: u64,
    /// Of those, who could not be sent.
    pub dropped: u64,
    /// How many calls ended, by call and [`Outcome`].
    pub outcomes: [[u64; Outcome::ALL.len()]; Call::ALL.len()],
    /// From the intended send time to the answer, all calls together.
    pub response: Hist,
    /// From the actual send time to the answer, all calls together.
    pub service: Hist,
}

impl Interval {
    /// How many answers came, of whatever kind; time-outs and broken connections are none.
    pub fn answered(&self) -> u64 {
        self.outcomes.iter().map(answers).sum()
    }

    /// How many answers were of this kind.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.iter().map(|of| of[outcome as usize]).sum()
    }

    pub(super) fn take(&mut self, tally: &Tally) {
        self.arrived += tally.arrived;
        self.dropped += tally.dropped;
        for (own, call) in self.outcomes.iter_mut().zip(&tally.calls) {
            add_each(own, &call.outcomes);
            self.response.add(&call.response);
            self.service.add(&call.service);
        }
    }

    /// Joins the one after it.
    pub(super) fn join(&mut self, next: &Self) {
        self.length += next.length;
        self.arrived += next.arrived;
        self.dropped += next.dropped;
        for (own, other) in self.outcomes.iter_mut().zip(&next.outcomes) {
            add_each(own, other);
        }
        self.response.add(&next.response);
        self.service.add(&next.service);
    }
}

/// How many of these are answers.
pub fn answers(outcomes: &[u64; Outcome::ALL.len()]) -> u64 {
    let all = Outcome::ALL.into_iter().zip(outcomes);
    all.filter(|(outcome, _)| outcome.is_answer())
        .map(|(_, number)| number)
        .sum()
}

fn add_each(own: &mut [u64], other: &[u64]) {
    for (own, other) in own.iter_mut().zip(other) {
        *own += other;
    }
}
