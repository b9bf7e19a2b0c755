//! What a run leaves behind: `summary.json`, `report.html`, `.hgrm` files and an interval log.
//!
//! Deliberately absent: measuring. `record` has done it; this writes it down.

/// Adds formatted text to a `String`.
macro_rules! put {
    ($to:expr, $($what:tt)*) => {{
        use std::fmt::Write as _;
        write!($to, $($what)*).expect("a String takes whatever comes")
    }};
}

mod claim;
mod facts;
mod files;
mod generator;
mod hdr;
pub mod report;
mod summary;

#[cfg(test)]
mod tests;

pub use claim::{Claim, Verdict};
pub use facts::{GeneratorFacts, Machine, Model, RunFacts};
pub use files::{Repeated, Unreadable, read, write, write_repeated};
pub use generator::Generator;
pub use summary::{
    CallLatency, Errors, Latency, MarkAt, OverTime, Phase, Point, Rates, SCHEMA, Scenario, StockAt,
    StockOf, Summary, median, time,
};
