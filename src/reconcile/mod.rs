//! Reconciliation: the ledger against what warehouses, orders and sellers say.
//!
//! A file is compared with the ledger as of a moment; each difference opens a drift with what would
//! put it right. Small ones may be approved by the configured policy, the others wait for people. A
//! file that comes again finds what is known, and changes nothing.
//! Deliberately absent: correcting anything by itself. A correction is a recorded movement that
//! names its drift, and the engine's to decide.

mod agreed;
mod desk;
mod drop;
mod finding;
mod job;
mod judge;
mod orders;
mod reader;
mod report;
mod retention;
mod row;
mod run;
mod run_orders;
mod run_stock;
mod stock;
pub mod when;

pub use desk::{Desk, Rejected};
pub use drop::Reconciler;
pub use job::{AsOf, Order, Source, Wanted};
pub use report::{Counts, Difference, Drifts, Report, State, Told};
pub use run::Limits;
