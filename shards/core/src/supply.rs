//! How much of a SKU may be promised: enough, little or nothing, and since when.
//!
//! Thresholds are told once per crossing. What was told last is a band, and a band is left upwards
//! only at a mark of its own, some units above the one at which it was entered, so that a SKU whose
//! units go back and forth around a threshold is not told of again and again. Deliberately absent: who is told, and when a decision looks (`engine/supply.rs`).

use crate::event::{EventKind, Versions};
use crate::name::Sku;
use crate::stock::SkuConfig;
use crate::time::Timestamp;

/// What was last told of how much is available; its number is what the journal writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Band {
    /// Nothing was told, or that it was replenished.
    #[default]
    Enough = 0,
    /// That it fell to the low mark.
    Low = 1,
    /// That nothing was left.
    Depleted = 2,
}

impl Band {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Enough, Self::Low, Self::Depleted];

    /// The kind of event that tells of it.
    pub const fn told_by(self) -> EventKind {
        match self {
            Self::Enough => EventKind::StockReplenished,
            Self::Low => EventKind::StockLow,
            Self::Depleted => EventKind::StockDepleted,
        }
    }
}

/// A SKU's supply over all its locations.
///
/// Invariants: `sold_out_at` is there only with `depleted_at`, and that only in [`Band::Depleted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// What was told last.
    pub band: Band,
    /// Since when nothing is available; none while something is, and of a SKU that never had any.
    pub depleted_at: Option<Timestamp>,
    /// Since when nothing is reserved either.
    pub sold_out_at: Option<Timestamp>,
}

/// What a SKU's supply depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stocked {
    /// Units that may be promised, over all locations.
    pub available: i64,
    /// Units held, over all locations.
    pub reserved: i64,
    /// Where it is told of.
    pub marks: Marks,
}

/// Units available at which a SKU is told of. Between them, what was told last holds.
///
/// Invariant: `low < enough`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// At most so many are low; 0 where that is not told.
    pub low: i64,
    /// At least so many are enough.
    pub enough: i64,
}

impl SkuConfig {
    /// Where the SKU is told of. Unless it says from where on it is replenished, that is a fifth of
    /// `low_at`, rounded up, above what is just not low: 7 for 5, and the first unit without `low_at`.
    pub fn marks(&self) -> Marks {
        let low = self.low_at.map_or(0, i64::from);
        let enough = self
            .replenished_at
            .map_or(low + 1 + (low + 4) / 5, i64::from);
        Marks { low, enough }
    }
}

impl Supply {
    /// The supply after a decision at this time brought what was there to what is there.
    #[must_use]
    pub fn after(self, was: Stocked, is: Stocked, at: Timestamp) -> Self {
        if is.available == 0 {
            // What never had any has lost none.
            if was.available == 0 && self.depleted_at.is_none() {
                return self;
            }
            let sold_out_at = (is.reserved == 0).then(|| self.sold_out_at.unwrap_or(at));
            return Self {
                band: Band::Depleted,
                depleted_at: self.depleted_at.or(Some(at)),
                sold_out_at,
            };
        }
        let fell = is.available < was.available || was.marks.low < is.marks.low;
        let band = match self.band {
            _ if is.marks.enough <= is.available => Band::Enough,
            Band::Enough if fell && is.available <= is.marks.low => Band::Low,
            band @ (Band::Enough | Band::Low | Band::Depleted) => band,
        };
        Self {
            band,
            depleted_at: None,
            sold_out_at: None,
        }
    }
}

/// New values of a SKU's supply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyEffect {
    /// Which SKU.
    pub sku: Sku,
    /// Its supply.
    pub supply: Supply,
    /// Its versions after this event.
    pub versions: Versions,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn config(low_at: Option<u32>, replenished_at: Option<u32>) -> SkuConfig {
        SkuConfig {
            low_at,
            replenished_at,
            ..SkuConfig::default()
        }
    }

    fn stocked(available: i64, reserved: i64, low_at: Option<u32>) -> Stocked {
        Stocked {
            available,
            reserved,
            marks: config(low_at, None).marks(),
        }
    }

    /// Plays what is available, and gives the band after each.
    fn played(marks: Marks, available: &[i64]) -> Vec<Band> {
        let mut supply = Supply::default();
        let at_first = stocked(0, 0, None);
        let mut was = Stocked { marks, ..at_first };
        let mut bands = Vec::new();
        for (now, available) in (1..).zip(available) {
            let is = Stocked {
                available: *available,
                reserved: 1,
                marks,
            };
            supply = supply.after(was, is, at(now));
            assert_eq!(supply.depleted_at.is_some(), *available == 0 && now > 1);
            was = is;
            bands.push(supply.band);
        }
        bands
    }

    /// With a threshold of 5.
    fn bands(available: &[i64]) -> Vec<Band> {
        played(config(Some(5), None).marks(), available)
    }

    #[test]
    fn a_fifth_and_one_lie_between_low_and_replenished_unless_it_is_said() {
        let enough = |low_at, replenished_at| config(low_at, replenished_at).marks().enough;
        let lows = [0, 1, 5, 6, 100, u32::MAX];
        let own = lows.map(|low| enough(Some(low), None));
        assert_eq!(own, [1, 3, 7, 9, 121, 5_153_960_755]);
        assert_eq!((enough(None, None), enough(None, Some(4))), (1, 4));
        assert_eq!(enough(Some(5), Some(6)), 6);
    }

    #[test]
    fn what_never_had_any_is_not_depleted_and_its_first_units_are_neither_low_nor_a_replenishment()
    {
        assert_eq!(bands(&[0, 3, 4]), [Band::Enough; 3]);
        assert_eq!(bands(&[0, 9]), [Band::Enough; 2]);
    }

    #[test]
    fn it_is_low_at_the_threshold_and_enough_only_some_units_above_it() {
        use Band::{Depleted, Enough, Low};
        assert_eq!(bands(&[9, 6, 5, 4, 5]), [Enough, Enough, Low, Low, Low]);
        let flapping = bands(&[9, 5, 6, 5, 6, 7, 6, 5]);
        assert_eq!(flapping, [Enough, Low, Low, Low, Low, Enough, Enough, Low]);
        let gone = [Enough, Depleted, Depleted, Depleted, Depleted, Enough];
        assert_eq!(bands(&[9, 0, 1, 0, 6, 7]), gone);
        assert_eq!(bands(&[6, 5, 6, 7]), [Enough, Low, Low, Enough]);
    }

    #[test]
    fn what_is_never_low_is_replenished_by_one_unit_or_by_as_many_as_it_says() {
        use Band::{Depleted, Enough};
        let first = config(None, None).marks();
        assert_eq!(
            played(first, &[2, 0, 1, 0]),
            [Enough, Depleted, Enough, Depleted]
        );
        let fourth = config(None, Some(4)).marks();
        let quiet = [
            Enough, Depleted, Depleted, Depleted, Depleted, Enough, Enough,
        ];
        assert_eq!(played(fourth, &[2, 0, 1, 0, 3, 4, 1]), quiet);
    }

    #[test]
    fn a_threshold_that_moves_over_what_is_there_is_a_crossing() {
        let (none, five) = (stocked(4, 0, None), stocked(4, 0, Some(5)));
        let low = Supply::default().after(none, five, at(1));
        assert_eq!(low.band, Band::Low);
        assert_eq!(low.after(five, none, at(2)).band, Band::Enough);
    }

    #[test]
    fn it_is_sold_out_once_nothing_is_held_either_and_no_more_once_something_is() {
        let (some, held, sold) = (
            stocked(2, 0, None),
            stocked(0, 2, None),
            stocked(0, 0, None),
        );
        let depleted = Supply::default().after(some, held, at(1));
        assert_eq!(
            (depleted.depleted_at, depleted.sold_out_at),
            (Some(at(1)), None)
        );
        let gone = depleted.after(held, sold, at(2));
        assert_eq!(
            (gone.depleted_at, gone.sold_out_at),
            (Some(at(1)), Some(at(2)))
        );
        let short = gone.after(sold, held, at(3));
        assert_eq!((short.depleted_at, short.sold_out_at), (Some(at(1)), None));
        assert_eq!(short.after(held, some, at(4)), Supply::default());
    }
}
