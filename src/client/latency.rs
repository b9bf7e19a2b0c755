//! How long the answered calls took.

use std::{sync::Mutex, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `PUT /v1/skus/{sku}`.
    Configure,
    /// `POST /v1/batch`, up to 1,000 receipts.
    Receive,
    /// `POST /v1/reservations`.
    Reserve,
    /// `POST /v1/reservations/{id}/confirm`.
    Confirm,
    /// `POST /v1/reservations/{id}/release`.
    Release,
    /// The reads of the proof.
    Read,
}

const CALLS: [(Call, &str); 6] = [
    (Call::Configure, "configure"),
    (Call::Receive, "receive (batch)"),
    (Call::Reserve, "reserve"),
    (Call::Confirm, "confirm"),
    (Call::Release, "release"),
    (Call::Read, "read"),
];

/// A histogram per kind of call. A value is the answered attempt alone; the attempts before it and
/// the pauses between are in the counts of retries and outages.
#[derive(Debug)]
pub struct Latencies([Mutex<Histogram<u64>>; CALLS.len()]);

/// A kind of call, summed up.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Which.
    pub call: &'static str,
    /// How many were answered.
    pub calls: u64,
    /// Milliseconds: the median.
    pub p50_ms: f64,
    /// Milliseconds: 90 in 100 were faster.
    pub p90_ms: f64,
    /// Milliseconds: 99 in 100 were faster.
    pub p99_ms: f64,
    /// Milliseconds: the slowest.
    pub max_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = || {
            // From 1 µs to 5 min in steps of a thousandth.
            let histogram = Histogram::new_with_bounds(1, 300_000_000, 3);
            Mutex::new(histogram.expect("the bounds are constant and good"))
        };
        Self(std::array::from_fn(|_| histogram()))
    }
}

impl Latencies {
    /// Notes one answered call.
    pub fn record(&self, call: Call, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.of(call).saturating_record(micros);
    }

    /// The kinds that were called at all.
    pub fn summaries(&self) -> Vec<Summary> {
        CALLS
            .into_iter()
            .filter_map(|(call, name)| {
                let histogram = self.of(call);
                let millis = |micros: u64| micros as f64 / 1000.0;
                (!histogram.is_empty()).then(|| Summary {
                    call: name,
                    calls: histogram.len(),
                    p50_ms: millis(histogram.value_at_quantile(0.50)),
                    p90_ms: millis(histogram.value_at_quantile(0.90)),
                    p99_ms: millis(histogram.value_at_quantile(0.99)),
                    max_ms: millis(histogram.max()),
                })
            })
            .collect()
    }

    fn of(&self, call: Call) -> std::sync::MutexGuard<'_, Histogram<u64>> {
        self.0[call as usize]
            .lock()
            .expect("no holder of this lock can panic")
    }
}
