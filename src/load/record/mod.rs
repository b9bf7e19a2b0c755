//! What is noted while a load runs: how many calls, what came of each, and how long it took.
//!
//! Every worker of the generator notes into a [`Worker`] of its own and gives what it has to the
//! shared [`Recorder`] once an interval, so that no answer waits for another's lock. Memory is
//! bounded whatever the length of the run: see [`INTERVALS_MAX`] and [`STOCK_POINTS_MAX`].
//!
//! Deliberately absent: verdicts. What the figures mean is for `results` and `threshold`.

mod live;
mod recorder;
mod stock;
mod tally;
mod vocabulary;
mod worker;

#[cfg(test)]
mod tests;

pub use live::{Last, Live, Quantiles, SkuNow};
pub use recorder::{INTERVALS_MAX, Mark, PhaseBegun, Recorded, Recorder};
pub use stock::{STOCK_POINTS_MAX, StockPoint};
pub use tally::{CallTally, Hist, Interval, Tally, answers, millis};
pub use vocabulary::{Call, Outcome};
pub use worker::Worker;
