//! The numbered invariants, checked over a whole state.
//!
//! The cheap ones stand as assertions where state changes; these are the linear ones, for
//! debug builds, simulation, recovery and `verify`. INV-6 compares two states by their
//! chunks; INV-7 is kept by `evolve` and `replay`.

use super::Engine;
use super::homes::HomeRef;
use crate::snapshot::HoldPhase;
use crate::stock::Counter;
use std::collections::HashMap;
use std::fmt;

/// An invariant that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantBroken {
    /// Its number on the domain page.
    pub number: u8,
    /// Where, and how far off.
    pub detail: String,
}

impl fmt::Display for InvariantBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INV-{}: {}", self.number, self.detail)
    }
}

impl std::error::Error for InvariantBroken {}

fn broken(number: u8, detail: String) -> Result<(), InvariantBroken> {
    Err(InvariantBroken { number, detail })
}

impl Engine {
    /// Checks INV-1, 2, 4, 5 and 8 over the whole state, and that derived indexes agree.
    pub fn check(&self) -> Result<(), InvariantBroken> {
        let mut reserved: HashMap<super::skus::LevelKey, (i64, u32)> = HashMap::new();
        for (number, hold) in self.holds.iter() {
            self.check_hold(number)?;
            let sum = reserved.entry((hold.sku, hold.location)).or_default();
            sum.0 += i64::from(hold.open());
            if hold.phase == HoldPhase::Tentative {
                sum.1 += hold.open();
            }
        }
        for (index, entry) in self.skus.iter() {
            for level in &entry.levels {
                let key = (index, level.location);
                let (held, undecided) = reserved.remove(&key).unwrap_or_default();
                self.check_level(key, held, undecided)?;
            }
        }
        for (place, _) in self.homes.iter() {
            self.check_home(place)?;
        }
        Ok(())
    }

    fn check_level(
        &self,
        (sku, location): super::skus::LevelKey,
        held: i64,
        undecided: u32,
    ) -> Result<(), InvariantBroken> {
        let entry = self.skus.get(sku);
        let level = entry.level(location).expect("the caller listed it");
        let name = || format!("{} at {}", entry.sku, self.skus.location(location));
        for counter in Counter::ALL {
            let value = level.counters.get(counter);
            if value < 0 && !counter.is_signed() {
                return broken(1, format!("{}: {} is {value}", name(), counter.name()));
            }
        }
        let reserved = level.counters.get(Counter::Reserved);
        if reserved != held {
            return broken(
                2,
                format!("{}: reserved {reserved}, open holds {held}", name()),
            );
        }
        if level.undecided != undecided {
            let detail = format!("{}: undecided {} of {undecided}", name(), level.undecided);
            return broken(2, detail);
        }
        if !level.counters.is_conserved() {
            return broken(4, format!("{}: {:?}", name(), level.counters));
        }
        let (shipped, sold) = (
            level.counters.get(Counter::Shipped),
            level.counters.get(Counter::Sold),
        );
        if sold < shipped {
            return broken(8, format!("{}: shipped {shipped} of {sold} sold", name()));
        }
        Ok(())
    }

    fn check_hold(&self, number: u64) -> Result<(), InvariantBroken> {
        let hold = self.holds.get(number).expect("the caller listed it");
        let ended: u64 = hold.totals.iter().map(|units| u64::from(*units)).sum();
        if u64::from(hold.units) < ended {
            return broken(5, format!("hold {number}: {ended} ended of {}", hold.units));
        }
        if hold.phase == HoldPhase::Local && hold.open() > 0 {
            let home = self.homes.at(hold.home);
            let line = home.and_then(|home| {
                home.lines
                    .iter()
                    .find(|line| !line.foreign && line.hold == number)
            });
            if line.is_none_or(|line| line.totals != hold.totals || line.units != hold.units) {
                return broken(5, format!("hold {number}: its reservation says otherwise"));
            }
            let level = self.skus.get(hold.sku).level(hold.location);
            if !level.is_some_and(|level| level.lapses.contains(&(hold.deadline, number))) {
                return broken(2, format!("hold {number}: its deadline is not listed"));
            }
        }
        Ok(())
    }

    fn check_home(&self, place: HomeRef) -> Result<(), InvariantBroken> {
        let home = self.homes.at(place).expect("the caller listed it");
        for line in home.lines.iter() {
            let ended: u64 = line.totals.iter().map(|units| u64::from(*units)).sum();
            let id = home.id(place);
            if u64::from(line.units) < ended {
                return broken(5, format!("{id}: {ended} ended of {}", line.units));
            }
            let is_held = self
                .holds
                .get(line.hold)
                .is_some_and(|hold| hold.open() == line.open());
            if !line.foreign && line.open() > 0 && !is_held {
                return broken(5, format!("{id}: open units without a hold"));
            }
        }
        Ok(())
    }
}
