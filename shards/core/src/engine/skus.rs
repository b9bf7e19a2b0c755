//! The SKUs of a shard with their counters.
//!
//! SKUs and locations are interned, so that holds and lines name them by small numbers. A
//! name may be interned without being known to sell here: a line of a cart whose part lives
//! on another shard.

use super::lapses::Lapses;
use super::level::LevelCounters;
use super::life::Life;
use super::slab::Slab;
use super::subtables::SubTables;
use crate::event::Versions;
use crate::name::{Location, Sku, Slot};
use crate::snapshot::LocationRecord;
use crate::stock::{SkuConfig, Sourcing};
use crate::supply::Supply;
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// A SKU by its place in the table.
pub(super) type SkuIndex = u32;
/// A location by its place in the table.
pub(super) type LocationIndex = u16;
/// One SKU at one location.
pub(super) type LevelKey = (SkuIndex, LocationIndex);

pub(super) struct Skus {
    entries: Slab<SkuEntry>,
    by_name: SubTables<SkuIndex>,
    by_slot: Vec<Vec<SkuIndex>>,
    slots_dirty: Vec<bool>,
    locations: Vec<Location>,
    location_index: BTreeMap<Location, LocationIndex>,
    /// Locations that were declared.
    declared: BTreeMap<Location, LocationRecord>,
    /// Locations that were closed for selling.
    closed: Vec<LocationIndex>,
    plain: Arc<SkuConfig>,
    known: usize,
    /// The SKU interned last: the effects of an event mostly name one.
    last: SkuIndex,
}

pub(super) struct SkuEntry {
    pub(super) sku: Sku,
    pub(super) slot: Slot,
    /// Sequence of the last event that touched it.
    pub(super) seq: u64,
    pub(super) versions: Versions,
    pub(super) config: Arc<SkuConfig>,
    /// `main` first, then by name: the default selling order.
    pub(super) levels: SmallVec<[Level; 1]>,
    /// Streams, counts and drifts, where it has any.
    pub(super) life: Option<Box<Life>>,
    /// Unless it is enough, as it mostly is.
    pub(super) supply: Option<Box<Supply>>,
    /// Whether it was created here, not just named by a cart.
    pub(super) known: bool,
}

pub(super) struct Level {
    pub(super) location: LocationIndex,
    /// Open units of carts that their homes have not decided; a part of `reserved`.
    pub(super) undecided: u32,
    pub(super) counters: LevelCounters,
    /// Deadlines of the open holds here whose home is this shard, with their numbers.
    pub(super) lapses: Lapses,
}

impl Default for Skus {
    fn default() -> Self {
        Self {
            entries: Slab::default(),
            by_name: SubTables::default(),
            by_slot: vec![Vec::new(); usize::from(Slot::COUNT)],
            slots_dirty: vec![false; usize::from(Slot::COUNT)],
            locations: Vec::new(),
            location_index: BTreeMap::new(),
            declared: BTreeMap::new(),
            closed: Vec::new(),
            plain: Arc::default(),
            known: 0,
            last: 0,
        }
    }
}

impl Skus {
    /// How many SKUs exist here.
    pub(super) const fn len(&self) -> usize {
        self.known
    }

    /// How many names there are, of SKUs that exist here and others.
    pub(super) const fn interned(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, sku: &Sku) -> Option<SkuIndex> {
        // A sale asks for the same SKU again and again; a comparison is cheaper than a hash.
        let last = self.entries.get(u64::from(self.last));
        if last.is_some_and(|entry| entry.sku == *sku) {
            return Some(self.last);
        }
        let hash = xxh3_64(sku.as_str().as_bytes());
        self.by_name
            .find(hash, |index| self.get(*index).sku == *sku)
            .copied()
    }

    /// The SKU, if it exists here and is not just a name.
    pub(super) fn find_known(&self, sku: &Sku) -> Option<(SkuIndex, &SkuEntry)> {
        let index = self.find(sku)?;
        let entry = self.get(index);
        entry.known.then_some((index, entry))
    }

    pub(super) fn get(&self, index: SkuIndex) -> &SkuEntry {
        self.entries
            .get(u64::from(index))
            .expect("interned SKUs stay")
    }

    pub(super) fn get_mut(&mut self, index: SkuIndex) -> &mut SkuEntry {
        self.entries
            .get_mut(u64::from(index))
            .expect("interned SKUs stay")
    }

    pub(super) fn intern(&mut self, sku: &Sku) -> SkuIndex {
        if let Some(index) = self.find(sku) {
            self.last = index;
            return index;
        }
        let index = SkuIndex::try_from(self.entries.len()).expect("skus_max is below 2^32");
        let config = self.plain.clone();
        let entry = SkuEntry {
            sku: sku.clone(),
            slot: sku.slot(),
            seq: 0,
            versions: Versions::default(),
            config,
            levels: SmallVec::new(),
            life: None,
            supply: None,
            known: false,
        };
        self.entries.insert(u64::from(index), |_| entry);
        let hash = xxh3_64(sku.as_str().as_bytes());
        let entries = &self.entries;
        self.by_name.insert(hash, index, |other| {
            let entry = entries.get(u64::from(*other)).expect("interned SKUs stay");
            xxh3_64(entry.sku.as_str().as_bytes())
        });
        index
    }

    /// Makes an interned name a SKU of this shard.
    pub(super) fn make_known(&mut self, index: SkuIndex) {
        let entry = self.get_mut(index);
        if entry.known {
            return;
        }
        entry.known = true;
        let slot = usize::from(entry.slot.index());
        self.by_slot[slot].push(index);
        self.known += 1;
    }

    pub(super) fn set_config(&mut self, index: SkuIndex, config: &SkuConfig) {
        let plain = &self.plain;
        let config = if *config == **plain {
            plain.clone()
        } else {
            Arc::new(config.clone())
        };
        self.get_mut(index).config = config;
    }

    pub(super) fn in_slot(&self, slot: Slot) -> &[SkuIndex] {
        &self.by_slot[usize::from(slot.index())]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SkuIndex, &SkuEntry)> {
        self.entries
            .iter()
            .map(|(index, entry, _)| (index as SkuIndex, entry))
    }

    /// Marks a slot; true if it was clean.
    pub(super) fn mark_dirty(&mut self, slot: Slot) -> bool {
        !std::mem::replace(&mut self.slots_dirty[usize::from(slot.index())], true)
    }

    pub(super) fn mark_clean(&mut self, slot: Slot) {
        self.slots_dirty[usize::from(slot.index())] = false;
    }

    pub(super) fn location(&self, index: LocationIndex) -> &Location {
        &self.locations[usize::from(index)]
    }

    pub(super) fn find_location(&self, location: &Location) -> Option<LocationIndex> {
        // Most stock lies at one location; a comparison is cheaper than a walk.
        if self.locations.first() == Some(location) {
            return Some(0);
        }
        self.location_index.get(location).copied()
    }

    /// Whether another location can be interned.
    pub(super) fn has_room_for(&self, location: &Location) -> bool {
        self.find_location(location).is_some() || self.locations.len() < usize::from(u16::MAX)
    }

    /// Whether all of these can be interned together; one named twice counts twice.
    pub(super) fn has_room_for_all<'a>(
        &self,
        locations: impl Iterator<Item = &'a Location>,
    ) -> bool {
        let new = locations.filter(|name| self.find_location(name).is_none());
        new.count() <= usize::from(u16::MAX) - self.locations.len()
    }

    pub(super) fn intern_location(&mut self, location: &Location) -> LocationIndex {
        if let Some(index) = self.find_location(location) {
            return index;
        }
        let index = LocationIndex::try_from(self.locations.len())
            .expect("decide refuses a 65,536th location");
        self.locations.push(location.clone());
        self.location_index.insert(location.clone(), index);
        index
    }

    /// A location was declared or configured.
    pub(super) fn set_location(&mut self, record: &LocationRecord) {
        let index = self.intern_location(&record.location);
        self.closed.retain(|closed| *closed != index);
        if !record.selling {
            self.closed.push(index);
        }
        self.declared
            .insert(record.location.clone(), record.clone());
    }

    /// Whether reserves may take from a location.
    pub(super) fn is_selling(&self, location: LocationIndex) -> bool {
        self.closed.is_empty() || !self.closed.contains(&location)
    }

    pub(super) fn declared(&self, location: &Location) -> Option<&LocationRecord> {
        self.declared.get(location)
    }

    /// Locations that were declared, by name.
    pub(super) fn locations_declared(&self) -> impl Iterator<Item = &LocationRecord> {
        self.declared.values()
    }

    pub(super) fn level_mut(&mut self, index: SkuIndex, location: LocationIndex) -> &mut Level {
        let entry = self.get(index);
        let found = entry
            .levels
            .iter()
            .position(|level| level.location == location);
        let place = found.unwrap_or_else(|| self.level_place(entry, location));
        let entry = self.get_mut(index);
        if found.is_none() {
            entry.levels.insert(place, Level::new(location));
        }
        &mut entry.levels[place]
    }

    /// Where a new level goes: `main` first, then by name.
    fn level_place(&self, entry: &SkuEntry, location: LocationIndex) -> usize {
        let rank = |index| {
            let name = self.location(index).as_str();
            (name != "main", name)
        };
        entry
            .levels
            .partition_point(|level| rank(level.location) < rank(location))
    }
}

impl SkuEntry {
    /// Whether it sells now, to anybody, in the default order of locations.
    pub(super) fn sells_plainly(&self, now: Timestamp) -> bool {
        let config = &self.config;
        config.is_on_sale(now)
            && config.customer_limit.is_none()
            && config.location_order.is_empty()
            && config.sourcing == Sourcing::WholeLine
    }

    pub(super) fn level(&self, location: LocationIndex) -> Option<&Level> {
        self.levels.iter().find(|level| level.location == location)
    }
}

impl Level {
    fn new(location: LocationIndex) -> Self {
        Self {
            location,
            undecided: 0,
            counters: LevelCounters::default(),
            lapses: Lapses::default(),
        }
    }
}
