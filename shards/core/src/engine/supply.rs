//! Thresholds: what a decision does to a SKU's supply.
//!
//! Every decision that moved stock or a threshold comes through here, whatever it was about. What is
//! told is an event of its own behind those of the decision; a moment that is not told (units that
//! came and went below the threshold, the last hold of a depleted SKU) goes into the event that
//! brought it. Deliberately absent: what the bands are, which `supply.rs` of the core says.

use super::skus::{Level, SkuEntry, SkuIndex};
use super::{Decision, Engine};
use crate::event::{Effect, Effects, Event, EventList, Versions};
use crate::name::{Location, Sku};
use crate::stock::Counter;
use crate::supply::{Band, Marks, Stocked, Supply, SupplyEffect};
use smallvec::SmallVec;

/// On hand, held, kept back.
type Shelf = [i64; 3];

/// A SKU as the events of a decision leave it.
struct Touched<'a> {
    index: SkuIndex,
    shelves: SmallVec<[(&'a Location, Shelf); 2]>,
    marks: Marks,
    versions: Versions,
    /// The last event that touched it, by its place.
    event: usize,
}

impl Engine {
    /// Adds what a decision crosses to its events.
    pub(super) fn add_crossings(&self, decision: &mut Decision) {
        let before = decision.events.len();
        self.cross(&mut decision.events);
        if before < decision.events.len() {
            // What is told of a SKU shows the state after all events.
            let last = decision.events.last().map_or(0, |event| event.seq);
            decision.read = decision.read.max(last);
        }
    }

    /// One event with what it crosses.
    pub(super) fn crossed(&self, event: Event) -> EventList {
        let mut events = EventList::from_buf([event]);
        self.cross(&mut events);
        events
    }

    /// Adds what the events of one decision cross.
    fn cross(&self, events: &mut EventList) {
        let effects = events.iter().flat_map(|event| &event.effects);
        if !effects.into_iter().any(|effect| self.may_cross(effect)) {
            return;
        }
        let mut changes: SmallVec<[(usize, Band, SupplyEffect); 1]> = SmallVec::new();
        for touched in self.touched(events) {
            let entry = self.skus.get(touched.index);
            let at = events[touched.event].at;
            let was = entry.supply();
            let supply = was.after(entry.stocked(), touched.stocked(), at);
            if supply != was {
                let effect = SupplyEffect {
                    sku: entry.sku.clone(),
                    supply,
                    versions: touched.versions,
                };
                changes.push((touched.event, was.band, effect));
            }
        }
        for (event, band, mut effect) in changes {
            if effect.supply.band == band {
                events[event].effects.push(Effect::Supply(Box::new(effect)));
                continue;
            }
            effect.versions.all += 1;
            let last = events.last().expect("something was crossed");
            let kind = effect.supply.band.told_by();
            let (seq, at) = (last.seq + 1, last.at);
            let mut effects = Effects::new();
            effects.push(Effect::Supply(Box::new(effect)));
            events.push(Event {
                seq,
                at,
                kind,
                key: None,
                effects,
                note: None,
            });
        }
    }

    /// Whether an effect may change a SKU's supply. Most can't: where nothing is to be told of a SKU
    /// but that it fell, its sum can't be lower than what is left where it did.
    fn may_cross(&self, effect: &Effect) -> bool {
        let stock = match effect {
            Effect::Stock(stock) => stock,
            Effect::Sku(_) | Effect::Reserved(_) => return true,
            _ => return false,
        };
        let Some((_, entry)) = self.skus.find_known(&stock.sku) else {
            return false;
        };
        let is_here = |level: &&Level| *self.skus.location(level.location) == stock.location;
        let level = entry.levels.iter().find(is_here);
        let mut shelf = level.map_or([0; 3], Level::shelf);
        let before = free(shelf);
        for (counter, value) in &stock.counters {
            if let Some(place) = place_of(*counter) {
                shelf[place] = *value;
            }
        }
        let after = free(shelf);
        entry.supply.is_some() || after < before && entry.may_cross(after)
    }

    /// The SKUs whose counters or thresholds these events change.
    fn touched<'a>(&'a self, events: &'a [Event]) -> SmallVec<[Touched<'a>; 1]> {
        let mut all: SmallVec<[Touched<'a>; 1]> = SmallVec::new();
        for (place, event) in events.iter().enumerate() {
            for effect in &event.effects {
                let (sku, versions) = match effect {
                    Effect::Stock(stock) => (&stock.sku, stock.versions),
                    Effect::Sku(change) => (&change.sku, change.versions),
                    Effect::Reserved(new) => (&new.sku, new.versions),
                    _ => continue,
                };
                let Some(touched) = self.touch_of(&mut all, sku) else {
                    continue;
                };
                touched.versions = versions;
                touched.event = place;
                match effect {
                    Effect::Stock(stock) => {
                        for (counter, value) in &stock.counters {
                            touched.set(&stock.location, *counter, *value);
                        }
                    }
                    Effect::Sku(change) => touched.marks = change.config.marks(),
                    Effect::Reserved(new) => {
                        touched.set(&new.location, Counter::Reserved, new.reserved);
                    }
                    _ => {}
                }
            }
        }
        all
    }

    /// A SKU as the events so far leave it; none that was not there before, which has nothing yet.
    fn touch_of<'a, 't>(
        &'a self,
        all: &'t mut SmallVec<[Touched<'a>; 1]>,
        sku: &Sku,
    ) -> Option<&'t mut Touched<'a>> {
        let known = |touched: &Touched<'_>| self.skus.get(touched.index).sku == *sku;
        if let Some(place) = all.iter().position(known) {
            return all.get_mut(place);
        }
        let (index, entry) = self.skus.find_known(sku)?;
        let shelves = entry
            .levels
            .iter()
            .map(|level| (self.skus.location(level.location), level.shelf()));
        all.push(Touched {
            index,
            shelves: shelves.collect(),
            marks: entry.config.marks(),
            versions: entry.versions,
            event: 0,
        });
        all.last_mut()
    }

    pub(super) fn supply_changed(&mut self, effect: &SupplyEffect, seq: u64) {
        let sku = self.skus.intern(&effect.sku);
        let entry = self.skus.get_mut(sku);
        entry.set_supply(effect.supply);
        entry.versions = effect.versions;
        entry.seq = seq;
        self.sku_dirty(sku);
    }
}

/// The counter's place on a shelf, if it has one.
const fn place_of(counter: Counter) -> Option<usize> {
    match counter {
        Counter::OnHand => Some(0),
        Counter::Reserved => Some(1),
        Counter::SafetyStock => Some(2),
        Counter::Sold
        | Counter::Shipped
        | Counter::Returned
        | Counter::Damaged
        | Counter::Received
        | Counter::ReturnsReceived
        | Counter::Adjusted
        | Counter::Transferred
        | Counter::WrittenOff
        | Counter::Released
        | Counter::Expired => None,
    }
}

const fn free([on_hand, reserved, kept]: Shelf) -> i64 {
    on_hand - reserved - kept
}

impl Level {
    fn shelf(&self) -> Shelf {
        let shelf = [Counter::OnHand, Counter::Reserved, Counter::SafetyStock];
        shelf.map(|counter| self.counters.get(counter))
    }
}

impl<'a> Touched<'a> {
    fn set(&mut self, location: &'a Location, counter: Counter, value: i64) {
        let Some(place) = place_of(counter) else {
            return;
        };
        let is_there = |(name, _): &(&Location, Shelf)| *name == location;
        let found = self.shelves.iter().position(is_there);
        let found = found.unwrap_or_else(|| {
            self.shelves.push((location, [0; 3]));
            self.shelves.len() - 1
        });
        self.shelves[found].1[place] = value;
    }

    fn stocked(&self) -> Stocked {
        let shelves = self.shelves.iter();
        Stocked {
            available: shelves.clone().map(|(_, shelf)| free(*shelf).max(0)).sum(),
            reserved: shelves.map(|(_, [_, reserved, _])| *reserved).sum(),
            marks: self.marks,
        }
    }
}

impl SkuEntry {
    pub(super) fn supply(&self) -> Supply {
        self.supply.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn set_supply(&mut self, supply: Supply) {
        self.supply = (supply != Supply::default()).then(|| Box::new(supply));
    }

    fn stocked(&self) -> Stocked {
        let levels = self.levels.iter();
        let held = levels
            .clone()
            .map(|level| level.counters.get(Counter::Reserved));
        Stocked {
            available: levels.map(|level| level.counters.available()).sum(),
            reserved: held.sum(),
            marks: self.config.marks(),
        }
    }

    /// Whether a reserve that leaves so many units free at a location may cross a threshold: what
    /// is available elsewhere only adds to them.
    pub(super) fn may_cross(&self, free: i64) -> bool {
        let mark = match &self.supply {
            None => self.config.low_at.map_or(0, i64::from),
            Some(_) => 0,
        };
        free <= mark
    }
}
