//! Evolve: apply an event. The live path and replay share it.
//!
//! Each effect touches the entry it names and what is derived from that entry alone, so that
//! replay may skip the effects that a chunk has seen already.

use super::Engine;
use super::holds::Hold;
use super::homes::{Home, HomeRef, Line, Lines};
use super::keys::Target;
use super::seen::Seen;
use super::skus::SkuEntry;
use crate::event::{
    Effect, Event, HoldAfter, HoldChange, HomeChange, HomeLines, KeyEffect, KeyTarget, Reserved,
    Resumed, SkuEffect, StockEffect, Versions,
};
use crate::id::{Opening, ReservationId};
use crate::name::Text;
use crate::snapshot::{CHUNK_ENTRIES, ChunkId, HoldPhase, HoldRecord, HomeRecord, LocationRecord};
use crate::stock::Counter;
use crate::time::Timestamp;
use std::fmt;

/// An event that does not follow the state it is applied to (INV-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FatalEvent {
    /// The sequence that would have followed.
    pub expected: u64,
    /// The event's.
    pub found: u64,
}

impl fmt::Display for FatalEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "INV-7: expected event {}, found {}",
            self.expected, self.found
        )
    }
}

impl std::error::Error for FatalEvent {}

impl Engine {
    /// Applies the next event.
    ///
    /// # Panics
    /// If it does not follow the last one (INV-7), or its values break an invariant.
    pub fn evolve(&mut self, event: &Event) {
        assert_eq!(event.seq, self.seq + 1, "INV-7: events are gapless");
        assert!(self.at <= event.at, "INV-7: time never runs backwards");
        self.seq = event.seq;
        self.at = event.at;
        if let Some(key) = &event.key {
            self.key_added(key, event.at);
        }
        for effect in &event.effects {
            self.apply(effect, event, None);
        }
    }

    /// Applies an event in recovery: effects that their chunk has seen are skipped.
    pub fn replay(&mut self, event: &Event, seen: &Seen) -> Result<(), FatalEvent> {
        if event.seq != self.seq + 1 {
            return Err(FatalEvent {
                expected: self.seq + 1,
                found: event.seq,
            });
        }
        self.seq = event.seq;
        self.at = self.at.max(event.at);
        if let Some(key) = &event.key {
            let has_seen = seen.has(ChunkId::Keys(key.index / CHUNK_ENTRIES), event.seq);
            if self.keys.first <= key.index && !has_seen {
                self.key_added(key, event.at);
            }
            self.keys.next = self.keys.next.max(key.index + 1);
        }
        for effect in event.spelled_out().iter() {
            let chunk = chunk_of(effect);
            if chunk.is_none_or(|chunk| !seen.has(chunk, event.seq)) {
                self.apply(effect, event, Some(seen));
            }
            if let Effect::HoldCreated(record) = effect {
                self.holds.next = self.holds.next.max(record.number + 1);
            }
        }
        if seen.is_shard_behind(event) {
            self.shard_dirty();
        }
        Ok(())
    }

    fn apply(&mut self, effect: &Effect, event: &Event, seen: Option<&Seen>) {
        match effect {
            Effect::Reserved(new) => self.reserved(new, event.seq),
            Effect::HomeCreated(record) => self.home_created(record, event.seq),
            Effect::HomeChanged(change) => self.home_changed(change, event.seq),
            Effect::HomeForgotten(id) => self.home_forgotten(*id),
            Effect::HoldCreated(record) => self.hold_created(record),
            Effect::HoldChanged(change) => self.hold_changed(change),
            Effect::HoldForgotten(number) => self.hold_forgotten(*number),
            Effect::Stock(effect) => self.stock_changed(effect, event.seq),
            Effect::Sku(effect) => self.sku_configured(effect, event.seq),
            Effect::Resumed(resumed) => self.resumed(*resumed, event.seq, seen),
            Effect::KeysForgotten(below) => self.keys_forgotten(*below, event.seq, seen),
            Effect::HoldAfter(after) => self.hold_after(*after),
            Effect::HomeLines(change) => self.home_lines(change, event.seq),
            Effect::Location(record) => self.location_changed(record),
            Effect::Stream(effect) => self.stream_changed(effect),
            Effect::StreamForgotten(key) => self.stream_forgotten(key),
            Effect::Counted(effect) => self.counted(effect),
            Effect::Drift(drift) => self.drift_changed(drift),
            Effect::DriftForgotten(which) => self.drift_forgotten(&which.0, which.1),
            Effect::Message(effect) => self.message_seen(effect),
            Effect::MessagesForgotten(which) => self.messages_forgotten(&which.0, which.1),
            Effect::Supply(effect) => self.supply_changed(effect, event.seq),
        }
    }

    pub(super) fn key_added(&mut self, key: &KeyEffect, at: Timestamp) {
        let target = match &key.target {
            KeyTarget::Reservation(id) => Target::Home(HomeRef::of(*id)),
            KeyTarget::Sku(sku) => Target::Sku(self.skus.intern(sku)),
            KeyTarget::Movement(id, sku) => Target::Movement(*id, self.skus.intern(sku)),
        };
        if self
            .keys
            .insert(key.index, key.tag, key.outcome, target, at)
        {
            self.list_key(key.index);
        }
        self.shard_dirty();
    }

    /// All of a plain reserve in one go; what it does is what its effects spelled out do.
    fn reserved(&mut self, new: &Reserved, seq: u64) {
        let sku = self.skus.intern(&new.sku);
        let location = self.skus.intern_location(&new.location);
        let place = HomeRef::of(new.id);
        let line = Line {
            hold: new.hold,
            sku,
            units: new.units,
            totals: [0; 3],
            location,
            foreign: false,
        };
        let order_ref = new.order_ref.as_ref().map(Text::as_str);
        let customer = new.customer.as_ref().map(Text::as_str);
        let was_clean = self.homes.insert(place, order_ref, customer, |text| {
            let mut home = Home::new(new.id, Lines::One(line), new.expires_at);
            home.text = text;
            home.seq = seq;
            home
        });
        if was_clean {
            self.list_home(place);
        }
        self.homes.open += 1;
        let hold = Hold {
            home: place,
            deadline: new.expires_at,
            sku,
            units: new.units,
            location,
            phase: HoldPhase::Local,
            graced: false,
            extra: None,
        };
        if self.holds.insert(new.hold, hold) {
            self.list_hold(new.hold);
        }
        assert!(0 <= new.reserved, "INV-1: reserved below 0");
        let entry = self.skus.get_mut(sku);
        entry_changed(entry, new.versions, seq);
        let mut levels = entry.levels.iter_mut();
        let level = levels.find(|level| level.location == location);
        let level = level.expect("units were free there");
        level.counters.set(Counter::Reserved, new.reserved);
        let before = level.lapses.first();
        level.lapses.insert((new.expires_at, new.hold));
        let slot = entry.slot;
        if before.is_none_or(|(first, _)| new.expires_at < first) {
            self.first_lapse_changed((sku, location), before);
        }
        self.slot_dirty(slot);
        self.shard_dirty();
    }

    pub(super) fn home_created(&mut self, record: &HomeRecord, seq: u64) {
        let place = HomeRef::of(record.id);
        let lines = record.lines.iter().map(|line| {
            let kept = Line {
                hold: line.hold,
                sku: self.skus.intern(&line.sku),
                units: line.units,
                totals: line.totals,
                location: self.skus.intern_location(&line.location),
                foreign: line.foreign,
            };
            (kept, line.requested)
        });
        let lines = Lines::new(lines);
        let order_ref = record.order_ref.as_ref().map(Text::as_str);
        let customer = record.customer.as_ref().map(Text::as_str);
        // Made where it will lie: it is big, and copying what was just written stalls.
        let was_clean = self.homes.insert(place, order_ref, customer, |text| {
            let mut home = Home::new(record.id, lines, record.expires_at);
            home.text = text;
            home.version = record.version;
            home.seq = seq;
            home.extra.clone_from(&record.extra);
            home.set_ended(record.ended_at);
            home
        });
        if was_clean {
            self.list_home(place);
        }
        self.home_enters(place);
    }

    fn home_changed(&mut self, change: &HomeChange, seq: u64) {
        let place = HomeRef::of(change.id);
        self.home_leaves(place);
        let Some(home) = self.homes.at_mut(place) else {
            panic!("reservation {} changed and is not here", change.id)
        };
        home.version = change.version;
        home.expires_at = change.expires_at;
        home.seq = seq;
        for (line, totals) in home.lines.as_mut_slice().iter_mut().zip(&change.totals) {
            line.totals = *totals;
            assert!(
                totals.iter().sum::<u32>() <= line.units,
                "INV-5: more ended than was held"
            );
        }
        if change.extra.is_some() {
            home.extra.clone_from(&change.extra);
        }
        home.set_ended(change.ended_at);
        self.home_enters(place);
        self.home_dirty(place);
    }

    fn home_forgotten(&mut self, id: ReservationId) {
        let place = HomeRef::of(id);
        self.home_leaves(place);
        self.homes.remove(place);
        self.homes.drop_stale();
        self.home_dirty(place);
    }

    pub(super) fn hold_created(&mut self, record: &HoldRecord) {
        let sku = self.skus.intern(&record.sku);
        let location = self.skus.intern_location(&record.location);
        let hold = Hold::new(record, sku, location);
        if self.holds.insert(record.number, hold) {
            self.list_hold(record.number);
        }
        self.hold_enters(record.number);
        self.shard_dirty();
    }

    fn hold_changed(&mut self, change: &HoldChange) {
        let number = change.number;
        self.hold_leaves(number);
        let hold = self
            .holds
            .get_mut(number)
            .expect("changed holds are stored");
        hold.deadline = change.deadline;
        hold.phase = change.phase;
        assert!(
            change.totals.iter().sum::<u32>() <= hold.units,
            "INV-5: more ended than was held"
        );
        hold.settle(change.version, change.totals);
        if hold.is_over() {
            self.holds.remove(number);
        } else {
            self.hold_enters(number);
        }
        self.hold_dirty(number);
    }

    /// What was confirmed is cancelled or leaves; a hold of which nothing is left to come is gone.
    fn hold_after(&mut self, change: HoldAfter) {
        let number = change.number;
        self.hold_leaves(number);
        let hold = self
            .holds
            .get_mut(number)
            .expect("changed holds are stored");
        hold.set_after(change.after, change.told);
        if hold.is_over() {
            self.holds.remove(number);
        } else {
            self.hold_enters(number);
        }
        self.hold_dirty(number);
    }

    /// A reservation's lines changed places; its holds have effects of their own.
    fn home_lines(&mut self, change: &HomeLines, seq: u64) {
        let place = HomeRef::of(change.id);
        self.home_leaves(place);
        let lines = change.lines.iter().map(|line| {
            let kept = Line {
                hold: line.hold,
                sku: self.skus.intern(&line.sku),
                units: line.units,
                totals: line.totals,
                location: self.skus.intern_location(&line.location),
                foreign: line.foreign,
            };
            (kept, line.requested)
        });
        let lines = Lines::new(lines);
        let home = self.homes.at_mut(place).expect("moved lines have a home");
        home.version = change.version;
        home.seq = seq;
        home.lines = lines;
        self.home_enters(place);
        self.home_dirty(place);
    }

    fn location_changed(&mut self, record: &LocationRecord) {
        self.skus.set_location(record);
        self.shard_dirty();
    }

    fn hold_forgotten(&mut self, number: u64) {
        self.hold_leaves(number);
        self.holds.remove(number);
        self.hold_dirty(number);
    }

    fn stock_changed(&mut self, effect: &StockEffect, seq: u64) {
        let sku = self.skus.intern(&effect.sku);
        let location = self.skus.intern_location(&effect.location);
        let level = self.skus.level_mut(sku, location);
        for (counter, value) in &effect.counters {
            assert!(
                0 <= *value || counter.is_signed(),
                "INV-1: {} below 0",
                counter.name()
            );
            level.counters.set(*counter, *value);
        }
        debug_assert!(
            level.counters.is_conserved(),
            "INV-4: units came or went unexplained"
        );
        let (sold, shipped) = (Counter::Sold, Counter::Shipped);
        assert!(
            level.counters.get(shipped) <= level.counters.get(sold),
            "INV-8: more is shipped than was sold"
        );
        entry_changed(self.skus.get_mut(sku), effect.versions, seq);
        self.list_short((sku, location));
        self.sku_dirty(sku);
    }

    fn sku_configured(&mut self, effect: &SkuEffect, seq: u64) {
        let sku = self.skus.intern(&effect.sku);
        self.skus.make_known(sku);
        self.skus.set_config(sku, &effect.config);
        self.list_all_short(sku);
        entry_changed(self.skus.get_mut(sku), effect.versions, seq);
        self.sku_dirty(sku);
    }

    /// Moves deadlines that fell into the downtime, once per reservation and hold.
    fn resumed(&mut self, resumed: Resumed, seq: u64, seen: Option<&Seen>) {
        let fell = |deadline: Timestamp| resumed.last < deadline && deadline <= resumed.start;
        let has_seen = |chunk| seen.is_some_and(|seen| seen.has(chunk, seq));
        let moved = resumed.start.after(resumed.grace);
        let homes: Vec<HomeRef> = self
            .homes
            .iter()
            .filter(|(place, home)| {
                let (opening, block) = super::homes::Homes::block_of(*place);
                let graced = home.extra.as_ref().is_some_and(|extra| extra.graced);
                home.is_open()
                    && fell(home.expires_at)
                    && !graced
                    && !has_seen(ChunkId::Homes(opening, block))
            })
            .map(|(place, _)| place)
            .collect();
        for place in homes {
            self.home_leaves(place);
            let home = self.homes.at_mut(place).expect("just listed");
            home.expires_at = moved;
            home.seq = seq;
            home.extra.get_or_insert_default().graced = true;
            self.home_enters(place);
            self.home_dirty(place);
        }
        let holds: Vec<u64> = self
            .holds
            .iter()
            .filter(|(number, hold)| {
                let chunk = ChunkId::Holds(*number / CHUNK_ENTRIES);
                hold.open() > 0 && fell(hold.deadline) && !hold.graced && !has_seen(chunk)
            })
            .map(|(number, _)| number)
            .collect();
        for number in holds {
            self.hold_leaves(number);
            let hold = self.holds.get_mut(number).expect("just listed");
            hold.deadline = moved;
            hold.graced = true;
            self.hold_enters(number);
            self.hold_dirty(number);
        }
    }

    fn keys_forgotten(&mut self, below: u64, seq: u64, seen: Option<&Seen>) {
        // Raised at the end: the table finds keys relative to the first.
        for index in self.keys.first..below {
            let chunk = ChunkId::Keys(index / CHUNK_ENTRIES);
            if seen.is_none_or(|seen| !seen.has(chunk, seq)) {
                self.keys.remove(index);
                self.key_dirty(index);
            }
        }
        // Older chunks still have keys that were not even loaded: they are to be written anew.
        for block in seen
            .into_iter()
            .flat_map(|seen| seen.key_blocks_before(seq))
        {
            if block * CHUNK_ENTRIES < below {
                self.key_dirty(block * CHUNK_ENTRIES);
            }
        }
        self.keys.first = self.keys.first.max(below);
        self.shard_dirty();
    }
}

const fn entry_changed(entry: &mut SkuEntry, versions: Versions, seq: u64) {
    entry.versions = versions;
    entry.seq = seq;
}

/// The chunk an effect belongs to; an effect on many chunks looks at each itself.
fn chunk_of(effect: &Effect) -> Option<ChunkId> {
    let home = |id: ReservationId| {
        let (opening, block): (Opening, u32) = super::homes::Homes::block_of(HomeRef::of(id));
        ChunkId::Homes(opening, block)
    };
    Some(match effect {
        Effect::HomeCreated(record) => home(record.id),
        Effect::HomeChanged(change) => home(change.id),
        Effect::HomeForgotten(id) => home(*id),
        Effect::HoldCreated(record) => ChunkId::Holds(record.number / CHUNK_ENTRIES),
        Effect::HoldChanged(change) => ChunkId::Holds(change.number / CHUNK_ENTRIES),
        Effect::HoldForgotten(number) => ChunkId::Holds(number / CHUNK_ENTRIES),
        Effect::Stock(effect) => ChunkId::Skus(effect.sku.slot()),
        Effect::Sku(effect) => ChunkId::Skus(effect.sku.slot()),
        Effect::HoldAfter(after) => ChunkId::Holds(after.number / CHUNK_ENTRIES),
        Effect::HomeLines(change) => home(change.id),
        Effect::Location(_) => ChunkId::Shard,
        Effect::Stream(effect) => ChunkId::Skus(effect.key.sku.slot()),
        Effect::StreamForgotten(key) => ChunkId::Skus(key.sku.slot()),
        Effect::Counted(effect) => ChunkId::Skus(effect.sku.slot()),
        Effect::Drift(drift) => ChunkId::Skus(drift.sku.slot()),
        Effect::DriftForgotten(which) => ChunkId::Skus(which.0.slot()),
        Effect::Message(effect) => ChunkId::Skus(effect.sku.slot()),
        Effect::MessagesForgotten(which) => ChunkId::Skus(which.0.slot()),
        Effect::Supply(effect) => ChunkId::Skus(effect.sku.slot()),
        // A plain reserve belongs to three, and is spelled out before this is asked.
        Effect::Reserved(_) | Effect::Resumed(_) | Effect::KeysForgotten(_) => return None,
    })
}
