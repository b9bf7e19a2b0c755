//! One worker's notes.
//!
//! Deliberately absent: waiting. A note costs two records into histograms of its own; the shared
//! lock is taken when an interval ends, and when the worker goes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Call, Outcome, Recorder, Tally};

/// Notes of one thread or task. What it has not yet given away it gives when it is dropped.
#[derive(Debug)]
pub struct Worker {
    recorder: Arc<Recorder>,
    start: Instant,
    interval: Duration,
    /// Which interval it notes for, and when that ends.
    index: u64,
    ends: Instant,
    tally: Box<Tally>,
    is_empty: bool,
}

impl Worker {
    pub(super) fn new(recorder: Arc<Recorder>, start: Instant, interval: Duration) -> Self {
        Self {
            recorder,
            start,
            interval,
            index: 0,
            ends: start + interval,
            tally: Box::default(),
            is_empty: true,
        }
    }

    /// So many buyers came, at the time of the last note or [`Worker::tick`].
    pub fn arrived(&mut self, n: u64) {
        self.tally.arrived += n;
        self.is_empty = false;
    }

    /// A buyer who was to be sent at `intended` could not be sent.
    pub fn dropped(&mut self, intended: Instant) {
        self.tick(intended);
        self.tally.dropped += 1;
        self.is_empty = false;
    }

    /// An answer came, or will not come any more.
    pub fn answered(
        &mut self,
        call: Call,
        outcome: Outcome,
        intended: Instant,
        sent: Instant,
        done: Instant,
    ) {
        self.tick(done);
        let response = done.saturating_duration_since(intended);
        let service = done.saturating_duration_since(sent);
        self.tally.calls[call as usize].note(outcome, response, service);
        self.is_empty = false;
    }

    /// Something was sent so much later than intended although a connection was free.
    pub fn late_send(&mut self, lag: Duration) {
        self.tally.lag.note(lag);
        self.is_empty = false;
    }

    /// It is `now`: gives away what belongs to an interval that is over. Notes with a time do this
    /// by themselves.
    pub fn tick(&mut self, now: Instant) {
        if now < self.ends {
            return;
        }
        self.flush();
        let since = now.saturating_duration_since(self.start).as_nanos();
        self.index = (since / self.interval.as_nanos()) as u64;
        let nanos = self.interval.as_nanos() as u64;
        self.ends = self.start + Duration::from_nanos(nanos.saturating_mul(self.index + 1));
    }

    /// Gives away what it has.
    pub fn flush(&mut self) {
        if !self.is_empty {
            self.recorder.take(self.index, &self.tally);
            self.tally.clear();
            self.is_empty = true;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.flush();
    }
}
