//! The numbered invariants, checked over a whole state.
//!
//! The cheap ones stand as assertions where state changes; these are the linear ones, for
//! debug builds, simulation, recovery and `verify`. INV-6 compares two states by their
//! chunks; INV-7 is kept by `evolve` and `replay`.

use super::Engine;
use super::homes::HomeRef;
use super::skus::{Level, LevelKey, LocationIndex};
use crate::snapshot::HoldPhase;
use crate::stock::Counter;
use smallvec::SmallVec;
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

/// What the holds of a SKU add up to, per location; nearly always one.
type HeldAt = SmallVec<[(LocationIndex, Held); 1]>;

/// What the holds at a level add up to.
#[derive(Clone, Copy, Default)]
struct Held {
    units: i64,
    undecided: u32,
    first: Option<super::lapses::Lapse>,
}

fn broken(number: u8, detail: String) -> Result<(), InvariantBroken> {
    Err(InvariantBroken { number, detail })
}

fn held_at(held: &mut HeldAt, location: LocationIndex) -> &mut Held {
    let found = held.iter().position(|(at, _)| *at == location);
    let place = found.unwrap_or_else(|| {
        held.push((location, Held::default()));
        held.len() - 1
    });
    &mut held[place].1
}

impl Engine {
    /// Checks INV-1, 2, 4, 5 and 8 over the whole state, and that derived indexes agree.
    pub fn check(&self) -> Result<(), InvariantBroken> {
        let mut held: Vec<HeldAt> = vec![SmallVec::new(); self.skus.interned()];
        for (number, hold) in self.holds.iter() {
            self.check_hold(number)?;
            let sum = held_at(&mut held[hold.sku as usize], hold.location);
            sum.units += i64::from(hold.open());
            match hold.phase {
                HoldPhase::Tentative => sum.undecided += hold.open(),
                HoldPhase::Local if hold.open() > 0 => {
                    let lapse = (hold.deadline, number);
                    sum.first = Some(sum.first.map_or(lapse, |first| first.min(lapse)));
                }
                HoldPhase::Local | HoldPhase::Bound => {}
            }
        }
        for (index, entry) in self.skus.iter() {
            for level in &entry.levels {
                let sum = held_at(&mut held[index as usize], level.location);
                self.check_level((index, level.location), sum)?;
            }
            let moved = |level: &Level| level.counters.get(Counter::Transferred);
            let lost: i64 = entry.levels.iter().map(moved).sum();
            if lost != 0 {
                return broken(4, format!("{}: transferred sums to {lost}", entry.sku));
            }
        }
        for (place, _) in self.homes.iter() {
            self.check_home(place)?;
        }
        self.check_first_deadline()
    }

    /// What expires next is known without looking at every level.
    fn check_first_deadline(&self) -> Result<(), InvariantBroken> {
        let levels = self
            .skus
            .iter()
            .flat_map(|(sku, entry)| entry.levels.iter().map(move |level| (sku, level)));
        let first = levels
            .filter_map(|(sku, level)| Some((level.lapses.first()?.0, (sku, level.location))))
            .min();
        let listed = self.lapses.first();
        if listed == first {
            Ok(())
        } else {
            broken(2, format!("first deadline of all {listed:?}, is {first:?}"))
        }
    }

    fn check_level(&self, (sku, location): LevelKey, held: &Held) -> Result<(), InvariantBroken> {
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
        if reserved != held.units {
            return broken(
                2,
                format!("{}: reserved {reserved}, open holds {}", name(), held.units),
            );
        }
        if level.undecided != held.undecided {
            let detail = format!(
                "{}: undecided {} of {}",
                name(),
                level.undecided,
                held.undecided
            );
            return broken(2, detail);
        }
        if level.lapses.first() != held.first {
            let listed = level.lapses.first();
            return broken(
                2,
                format!("{}: first deadline {listed:?}, is {:?}", name(), held.first),
            );
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
        let ended: u64 = hold.totals().into_iter().map(u64::from).sum();
        if u64::from(hold.units) < ended {
            return broken(5, format!("hold {number}: {ended} ended of {}", hold.units));
        }
        let ([confirmed, ..], [cancelled, shipped]) = (hold.totals(), hold.after());
        if confirmed < cancelled + shipped {
            let detail = format!(
                "hold {number}: {cancelled} cancelled and {shipped} shipped of {confirmed}"
            );
            return broken(5, detail);
        }
        if hold.phase == HoldPhase::Local && hold.open() > 0 {
            let home = self.homes.at(hold.home);
            let line = home.and_then(|home| {
                home.lines
                    .iter()
                    .find(|line| !line.foreign && line.hold == number)
            });
            if line.is_none_or(|line| line.totals != hold.totals() || line.units != hold.units) {
                return broken(5, format!("hold {number}: its reservation says otherwise"));
            }
        }
        Ok(())
    }

    fn check_home(&self, place: HomeRef) -> Result<(), InvariantBroken> {
        let home = self.homes.at(place).expect("the caller listed it");
        let extra = home.extra.as_ref();
        let after = extra.map_or(0, |extra| extra.after.len());
        if after != 0 && after != home.lines.as_slice().len() {
            return broken(
                5,
                format!("{}: what became of {after} lines", home.id(place)),
            );
        }
        for (at, line) in home.lines.iter().enumerate() {
            let [cancelled, shipped] = home.after(at);
            if line.confirmed() < cancelled + shipped {
                let confirmed = line.confirmed();
                let detail = format!(
                    "{}: {cancelled} cancelled and {shipped} shipped of {confirmed}",
                    home.id(place)
                );
                return broken(5, detail);
            }
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
