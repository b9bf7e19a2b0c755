//! Units of each SKU, by what buyers were told and by what the server says.

use super::{Evidence, Seen};
use crate::load::{
    drive::{Standing, Told},
    targets::State,
};

/// The units of one SKU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Sold, as read back.
    pub(super) sold: i64,
    /// Held, as read back.
    pub(super) held: i64,
    /// Sold, as buyers were told.
    pub(super) told_sold: i64,
    /// In calls that were never answered and may have had their effect.
    pub(super) unsure: i64,
    /// Put on the shelf, by the server's count.
    pub(super) received: i64,
    /// What the counters say more than before the run.
    pub(super) counted: Counted,
}

/// Differences of counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) sold: i64,
    pub(super) available: i64,
    /// Units that came or went in another way than by receipt and sale.
    pub(super) other: i64,
}

/// The units of all SKUs of a run.
pub(super) struct Sums {
    pub(super) all: Vec<Sum>,
    /// SKUs whose counters were not answered.
    pub(super) missing: u64,
}

impl Sums {
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let mut all = vec![Sum::default(); evidence.names.skus.len()];
        let mut lines = Vec::new();
        let book = evidence.book;
        for (entry, seen) in book.entries.iter().zip(&evidence.look.seen) {
            evidence.plan.lines(entry.number, &mut lines);
            for line in &lines {
                let sum = &mut all[line.sku as usize];
                let units = i64::from(line.qty);
                match seen {
                    Seen::Is(Standing::Confirmed) | Seen::Odd(Standing::Confirmed) => {
                        sum.sold += units;
                    }
                    Seen::Is(Standing::Open) | Seen::Odd(Standing::Open) => sum.held += units,
                    Seen::Is(_) | Seen::Odd(_) => {}
                    Seen::Unseen | Seen::Gone | Seen::Unanswered => sum.unsure += units,
                }
                if matches!(entry.told, Told::Confirmed | Told::ConfirmedLate) {
                    sum.told_sold += units;
                }
            }
        }
        for number in &book.unanswered {
            evidence.plan.lines(*number, &mut lines);
            for line in &lines {
                all[line.sku as usize].unsure += i64::from(line.qty);
            }
        }
        let mut missing = 0;
        for (at, sum) in all.iter_mut().enumerate() {
            let before = evidence.before.get(at).copied().flatten();
            match evidence.look.after.get(at).copied().flatten() {
                Some(after) => sum.count(before.unwrap_or_default(), after),
                None => missing += 1,
            }
        }
        Self { all, missing }
    }

    /// Whether the counters say what was read back.
    pub(super) fn agree(&self) -> bool {
        self.missing == 0 && self.all.iter().all(Sum::agrees)
    }
}

impl Sum {
    fn count(&mut self, before: State, after: State) {
        let more = |of: fn(&State) -> i64| of(&after) - of(&before);
        self.received = more(|state| state.counters.received);
        self.counted = Counted {
            on_hand: more(|state| state.counters.on_hand),
            reserved: more(|state| state.counters.reserved),
            sold: more(|state| state.counters.sold),
            available: more(|state| state.available),
            other: more(|state| {
                let of = &state.counters;
                of.returned + of.damaged + of.written_off
                    - of.adjusted
                    - of.transferred
                    - of.returns_received
            }),
        };
    }

    pub(super) const fn agrees(&self) -> bool {
        self.counted.sold == self.sold && self.counted.reserved == self.held
    }

    /// Whether what differs may be the doing of calls that were never answered.
    pub(super) const fn may_agree(&self) -> bool {
        let sold = self.counted.sold - self.sold;
        let held = self.counted.reserved - self.held;
        sold >= 0 && held >= 0 && sold + held <= self.unsure
    }
}
