//! What the service says about itself: logs on stderr and metrics for Prometheus.
//!
//! The hot path adds to atomics that were laid out at start: no locks, no label strings, no
//! allocation. Text is made when somebody scrapes. What the runtime knows is polled then
//! ([`RuntimeSample`]), so that it needs to know nothing of metrics.
//! Deliberately absent: SKUs and customers as labels, traces, and pushing anything anywhere.

mod exposition;
mod histogram;
mod http;
mod logs;
mod runtime;

pub use exposition::{CONTENT_TYPE, Exposition, Kind};
pub use histogram::{Histogram, HistogramSample, LATENCY_MICROS};
pub use http::{AnswerCounts, Cut, HttpMetrics, Operations};
pub use logs::init;
pub use runtime::{
    ExportSample, Permits, RuntimeSample, ShardSample, ShardState, SinkSample, TableFill,
};
