//! The load laboratory: what a sale does to a stock, rehearsed from outside, measured and proved.
//!
//! Like any other client it knows the HTTP contract alone; the engine in process is the one target
//! that does not.

pub mod drive;
pub mod plan;
pub mod record;
pub mod results;
pub mod scenario;
pub mod threshold;
pub mod wire;
