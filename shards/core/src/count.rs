//! Counts: what somebody found when he looked, or believes is there.
//!
//! Deliberately absent: what is done about it (`engine/count.rs`), and reading the past a count
//! speaks of, which is a projection's.

use crate::stock::{Counter, Counters};
use crate::time::Timestamp;

/// A physical count, or what somebody believes is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// What was counted, in units.
    pub counted: u64,
    /// What the counter counted.
    pub measure: Measure,
    /// Whether units that came back were left out.
    pub excludes_returned: bool,
    /// Whether damaged units were left out.
    pub excludes_damaged: bool,
    /// The past it speaks of; absent: now.
    pub then: Option<Then>,
}

/// The past that a count speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Only known by name: what was then has not been read, or can't be.
    At(At),
    /// The counters then.
    Read(Box<CountThen>),
}

/// A moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the event with this sequence of the SKU's shard.
    Sequence(u64),
    /// After the last event up to this ledger time.
    Time(Timestamp),
}

/// The counters at the moment a count was taken, read from the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountThen {
    /// The last event before the count.
    pub seq: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// The counters then, with the corrections of counts taken at or before it and the facts that
    /// happened before it, even if these were recorded later.
    pub counters: Counters,
    /// The SKU's `stock_version` when this was read; a count that meets another one asks again.
    pub stock_version: u64,
}

/// What a count measured; its number is what the journal writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Measure {
    /// Everything on the shelf: `on_hand + unshipped + returned + damaged`.
    #[default]
    Physical = 0,
    /// What can be sold: `on_hand`.
    Sellable = 1,
    /// What can be promised: `on_hand − reserved`; speaks of a position.
    Available = 2,
}

/// What a count compared: its measure, less what the counter left out.
///
/// It is kept with the newest count of a location, since it says which later news of older facts
/// the count has seen already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// What was counted.
    pub measure: Measure,
    /// Whether units that came back were left out.
    pub excludes_returned: bool,
    /// Whether damaged units were left out.
    pub excludes_damaged: bool,
}

impl Basis {
    /// What a count on this basis finds where the counters are these.
    pub const fn of(self, counters: &Counters) -> i64 {
        let on_hand = counters.get(Counter::OnHand);
        match self.measure {
            Measure::Sellable => on_hand,
            Measure::Available => on_hand - counters.get(Counter::Reserved),
            Measure::Physical => {
                let mut units = on_hand + counters.unshipped();
                if !self.excludes_returned {
                    units += counters.get(Counter::Returned);
                }
                if !self.excludes_damaged {
                    units += counters.get(Counter::Damaged);
                }
                units
            }
        }
    }
}

impl Count {
    /// The counters it is compared with, where it speaks of the past and that was read.
    pub fn read(&self) -> Option<&CountThen> {
        match &self.then {
            Some(Then::Read(then)) => Some(then),
            Some(Then::At(_)) | None => None,
        }
    }

    /// What it compares.
    pub const fn basis(&self) -> Basis {
        Basis {
            measure: self.measure,
            excludes_returned: self.excludes_returned,
            excludes_damaged: self.excludes_damaged,
        }
    }
}
