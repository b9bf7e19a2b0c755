//! The metrics that are compared.
//!
//! Deliberately absent: the slowest of all. One call in millions says nothing of a change.

use serde::Serialize;

use crate::load::results::{Latency, Summary};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The less the better.
    Lower,
    /// The more the better.
    Higher,
}

/// A metric and where a run has it.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    /// Nothing where the run has none.
    pub(super) value: fn(&Summary) -> Option<f64>,
}

fn response(of: &Summary, call: &str) -> Option<Latency> {
    let found = of.latency.get(call).map(|call| call.response.clone());
    found.filter(|latency| latency.count > 0)
}

fn service(of: &Summary) -> Option<Latency> {
    let found = of.latency.get("all").map(|call| call.service.clone());
    found.filter(|latency| latency.count > 0)
}

/// In the order in which they are shown.
pub(super) fn metrics() -> Vec<Metric> {
    let metric = |name, unit, better, value| Metric {
        name,
        unit,
        better,
        value,
    };
    let time = |name, value| metric(name, "ms", Better::Lower, value);
    vec![
        metric("rate", "/s", Better::Higher, |of| {
            Some(of.rates.answers_per_s)
        }),
        metric("reserved", "/s", Better::Higher, |of| {
            Some(of.rates.reserved_per_s)
        }),
        time("response.p50", |of| Some(response(of, "all")?.p50_ms)),
        time("response.p90", |of| Some(response(of, "all")?.p90_ms)),
        time("response.p99", |of| Some(response(of, "all")?.p99_ms)),
        time("response.p999", |of| Some(response(of, "all")?.p999_ms)),
        time("service.p50", |of| Some(service(of)?.p50_ms)),
        time("service.p99", |of| Some(service(of)?.p99_ms)),
        time("reserve.response.p50", |of| {
            Some(response(of, "reserve")?.p50_ms)
        }),
        time("reserve.response.p99", |of| {
            Some(response(of, "reserve")?.p99_ms)
        }),
        time("confirm.response.p50", |of| {
            Some(response(of, "confirm")?.p50_ms)
        }),
        time("confirm.response.p99", |of| {
            Some(response(of, "confirm")?.p99_ms)
        }),
        metric("errors.rate", "", Better::Lower, |of| Some(of.errors.rate)),
        metric("dropped", "", Better::Lower, |of| Some(of.dropped as f64)),
    ]
}
