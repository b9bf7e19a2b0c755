//! The proof of a run: what buyers were told, held against what the server says afterwards.
//!
//! It leans on nothing but the contract: every acknowledged reservation is read back, a sample of
//! the reserves is repeated with its key, the counters are compared as differences from before the
//! run, and where the target was started here its ledgers are verified. What could not be checked
//! is said to be so; it never counts as proved.

mod claims;
mod look;
mod sums;

use super::{
    drive::{Book, Standing},
    plan::Plan,
    scenario::CustomerLimit,
    targets::{Ledgers, State},
    wire::Names,
};

pub use claims::judge;
pub use look::{Look, Patience, look};
use sums::Sums;

/// All that a proof weighs.
pub struct Evidence<'a> {
    /// What buyers wanted.
    pub plan: &'a Plan,
    /// What the run's things are called.
    pub names: &'a Names,
    /// What buyers were told.
    pub book: &'a Book,
    /// Units that were put on the shelf of each SKU.
    pub units: u64,
    /// What one customer may have.
    pub customer_limit: Option<CustomerLimit>,
    /// The counters of each SKU before it was stocked.
    pub before: &'a [Option<State>],
    /// What the server said afterwards.
    pub look: &'a Look,
    /// What its ledgers say, where they could be read.
    pub ledgers: Option<&'a Ledgers>,
    /// How long the run took, in milliseconds.
    pub ran_ms: u64,
}

/// What was found of an acknowledged reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not looked at yet.
    Unseen,
    /// It is there, and its units are those asked for.
    Is(Standing),
    /// It is there, and its units are not those asked for, or not where its standing says.
    Odd(Standing),
    /// The server says that there is no such reservation.
    Gone,
    /// The server did not say.
    Unanswered,
}
