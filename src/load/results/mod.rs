//! What a run leaves behind: `summary.json`, `report.html`, `.hgrm` files and an interval log.
//!
//! Deliberately absent: measuring. `record` has done it; this writes it down.

mod claim;
mod facts;
mod generator;
mod summary;

pub use claim::{Claim, Verdict};
pub use facts::{GeneratorFacts, Machine, Model, RunFacts};
pub use generator::Generator;
pub use summary::{
    CallLatency, Errors, Latency, MarkAt, OverTime, Phase, Point, Rates, SCHEMA, Scenario, StockAt,
    StockOf, Summary, time,
};
