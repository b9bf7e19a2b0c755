//! State in pieces: chunks to write between commits, and a state put together from them.

use super::homes::{Home, HomeRef, Homes};
use super::{Engine, holds::Hold};
use crate::id::Opening;
use crate::name::{Slot, Text};
use crate::snapshot::{
    CHUNK_ENTRIES, ChunkId, ChunkState, HoldPhase, HoldRecord, HomeRecord, KeyRecord, LevelRecord,
    LineRecord, ShardRecord, SkuRecord,
};
use crate::time::Timestamp;

impl Engine {
    /// The first sequence not contained in the chunks as last taken; replay starts there.
    pub fn oldest_dirty(&self) -> Option<u64> {
        self.dirty.front().map(|(seq, _)| *seq)
    }

    /// How many chunks changed since they were last taken.
    pub fn dirty_chunks(&self) -> usize {
        self.dirty.len()
    }

    /// Takes the chunk that has waited longest, as of now ([`Engine::seq`]).
    pub fn take_dirty_chunk(&mut self) -> Option<(ChunkId, ChunkState)> {
        let (_, chunk) = self.dirty.pop_front()?;
        match chunk {
            ChunkId::Shard => self.shard_is_dirty = false,
            ChunkId::Skus(slot) => self.skus.mark_clean(slot),
            ChunkId::Homes(opening, block) => self.homes.mark_clean(opening, block),
            ChunkId::Holds(block) => self.holds.mark_clean(block),
            ChunkId::Keys(block) => self.keys.mark_clean(block),
        }
        Some((chunk, self.chunk(chunk)))
    }

    /// A chunk as of now.
    pub fn chunk(&self, chunk: ChunkId) -> ChunkState {
        match chunk {
            ChunkId::Shard => ChunkState::Shard(ShardRecord {
                next_hold: self.holds.next,
                next_key: self.keys.next,
                first_key: self.keys.first,
                locations: self.skus.locations_declared().cloned().collect(),
            }),
            ChunkId::Skus(slot) => ChunkState::Skus(self.sku_records(slot)),
            ChunkId::Homes(opening, block) => ChunkState::Homes(self.home_records(opening, block)),
            ChunkId::Holds(block) => ChunkState::Holds(self.hold_records(block)),
            ChunkId::Keys(block) => ChunkState::Keys(self.key_records(block)),
        }
    }

    /// Every chunk that is not empty, in order: the canonical form of the state (INV-6).
    pub fn all_chunks(&self) -> Vec<(ChunkId, ChunkState)> {
        let mut ids = vec![ChunkId::Shard];
        ids.extend(self.skus.iter().map(|(_, entry)| ChunkId::Skus(entry.slot)));
        ids.extend(self.homes.iter().map(|(place, _)| {
            let (opening, block) = Homes::block_of(place);
            ChunkId::Homes(opening, block)
        }));
        ids.extend(
            self.holds
                .iter()
                .map(|(number, _)| ChunkId::Holds(number / CHUNK_ENTRIES)),
        );
        ids.extend(
            self.keys
                .iter()
                .map(|(index, _)| ChunkId::Keys(index / CHUNK_ENTRIES)),
        );
        ids.sort_unstable();
        ids.dedup();
        let states = ids.into_iter().map(|id| (id, self.chunk(id)));
        states.filter(|(_, state)| !state.is_empty()).collect()
    }

    /// Puts a chunk's records into an engine that does not have them. Load all chunks in the
    /// order of their ids, then replay from where the oldest needs it.
    pub fn load(&mut self, state: &ChunkState) {
        match state {
            ChunkState::Shard(record) => {
                self.holds.next = record.next_hold;
                self.keys.next = record.next_key;
                self.keys.first = record.first_key;
                for location in &record.locations {
                    self.skus.set_location(location);
                }
            }
            ChunkState::Skus(records) => records.iter().for_each(|record| self.load_sku(record)),
            ChunkState::Homes(records) => {
                let lines = records.iter().flat_map(|record| &record.lines);
                std::hint::black_box(self.warm_skus(lines.map(|line| &line.sku)));
                for record in records {
                    self.home_created(record, 0);
                }
            }
            ChunkState::Holds(records) => {
                std::hint::black_box(self.warm_skus(records.iter().map(|record| &record.sku)));
                for record in records {
                    self.hold_created(record);
                }
            }
            ChunkState::Keys(records) => records.iter().for_each(|record| self.load_key(record)),
        }
    }

    /// Ends loading: replay goes on after this sequence and time. Nothing is dirty yet.
    pub fn loaded(&mut self, seq: u64, at: Timestamp) {
        self.seq = seq;
        self.at = at;
        while self.take_clean() {}
        self.homes.sort_ended();
    }

    fn take_clean(&mut self) -> bool {
        let Some((_, chunk)) = self.dirty.pop_front() else {
            return false;
        };
        match chunk {
            ChunkId::Shard => self.shard_is_dirty = false,
            ChunkId::Skus(slot) => self.skus.mark_clean(slot),
            ChunkId::Homes(opening, block) => self.homes.mark_clean(opening, block),
            ChunkId::Holds(block) => self.holds.mark_clean(block),
            ChunkId::Keys(block) => self.keys.mark_clean(block),
        }
        true
    }

    /// Ids up to here have been minted, which tells forgotten reservations from unknown ones.
    pub fn note_minted(&mut self, opening: Opening, next: u64) {
        self.minted = self.minted.max((opening.number(), next));
    }

    pub(super) fn has_minted(&self, id: crate::id::ReservationId) -> bool {
        id.is_mintable()
            && (id.opening().number(), id.counter()) < self.minted
            && id.at() <= self.at
    }

    fn load_sku(&mut self, record: &SkuRecord) {
        let sku = self.skus.intern(&record.sku);
        self.skus.make_known(sku);
        self.skus.set_config(sku, &record.config);
        let entry = self.skus.get_mut(sku);
        entry.versions = record.versions;
        entry.set_supply(record.supply);
        for level in &record.levels {
            let location = self.skus.intern_location(&level.location);
            self.skus.level_mut(sku, location).counters = (&level.counters).into();
        }
        self.list_all_short(sku);
        self.load_life(record);
    }

    fn load_key(&mut self, record: &KeyRecord) {
        // The shard's own chunk may be newer than this one, and know that the key is forgotten.
        if record.index < self.keys.first {
            return;
        }
        let key = crate::event::KeyEffect {
            index: record.index,
            tag: record.tag,
            outcome: record.outcome,
            target: record.target.clone(),
        };
        self.key_added(&key, record.at);
    }

    fn sku_records(&self, slot: Slot) -> Vec<SkuRecord> {
        let entries = self
            .skus
            .in_slot(slot)
            .iter()
            .map(|index| self.skus.get(*index));
        let mut records: Vec<SkuRecord> = entries
            .map(|entry| {
                let life = entry.life.as_deref();
                let levels = entry.levels.iter().map(|level| LevelRecord {
                    location: self.skus.location(level.location).clone(),
                    counters: level.counters.all(),
                    counted: life.and_then(|life| life.counted(level.location)),
                });
                let mut levels: Vec<_> = levels.collect();
                levels.sort_by(|a, b| a.location.cmp(&b.location));
                let messages = life.into_iter().flat_map(|life| &life.messages);
                SkuRecord {
                    sku: entry.sku.clone(),
                    config: (*entry.config).clone(),
                    versions: entry.versions,
                    supply: entry.supply(),
                    levels,
                    streams: life.map_or_else(Vec::new, |life| self.stream_records(life)),
                    messages: messages.map(|(hash, at)| (*hash, *at)).collect(),
                    drifts: life.map_or_else(Vec::new, |life| life.drifts.clone()),
                }
            })
            .collect();
        records.sort_by(|a, b| a.sku.cmp(&b.sku));
        records
    }

    fn home_records(&self, opening: Opening, block: u32) -> Vec<HomeRecord> {
        let entries = self
            .homes
            .block(opening, block)
            .into_iter()
            .flat_map(super::slab::Block::iter);
        entries
            .map(|(at, home)| self.home_record(Homes::place(opening, block, at), home))
            .collect()
    }

    pub(super) fn home_record(&self, place: HomeRef, home: &Home) -> HomeRecord {
        let text = |text: &str| Text::parse(text).expect("stored texts were parsed once");
        let (order_ref, customer) = self.homes.texts(place);
        let lines = home.lines.iter().enumerate().map(|(at, line)| LineRecord {
            sku: self.skus.get(line.sku).sku.clone(),
            location: self.skus.location(line.location).clone(),
            hold: line.hold,
            foreign: line.foreign,
            requested: home.lines.requested(at),
            units: line.units,
            totals: line.totals,
        });
        HomeRecord {
            id: home.id(place),
            order_ref: order_ref.map(text),
            customer: customer.map(text),
            version: home.version,
            expires_at: home.expires_at,
            ended_at: home.ended_at(),
            lines: lines.collect(),
            extra: home.extra.clone(),
        }
    }

    fn hold_records(&self, block: u64) -> Vec<HoldRecord> {
        let entries = self
            .holds
            .block(block)
            .into_iter()
            .flat_map(super::slab::Block::iter);
        entries
            .map(|(at, hold)| self.hold_record(block * CHUNK_ENTRIES + at as u64, hold))
            .collect()
    }

    pub(super) fn hold_record(&self, number: u64, hold: &Hold) -> HoldRecord {
        let extra = hold.extra.as_ref();
        let id = extra
            .and_then(|extra| extra.id)
            .or_else(|| self.homes.at(hold.home).map(|home| home.id(hold.home)));
        HoldRecord {
            number,
            id: id.expect("an open hold's reservation is kept"),
            attempt: extra.map_or(0, |extra| extra.attempt),
            phase: hold.phase,
            sku: self.skus.get(hold.sku).sku.clone(),
            location: self.skus.location(hold.location).clone(),
            requested: match hold.phase {
                HoldPhase::Local => hold.units,
                HoldPhase::Tentative | HoldPhase::Bound => {
                    extra.map_or(hold.units, |extra| extra.requested)
                }
            },
            units: hold.units,
            version: hold.version(),
            deadline: hold.deadline,
            totals: hold.totals(),
            counted: hold.counted().cloned(),
            graced: hold.graced,
            after: hold.after(),
            told: hold.told(),
        }
    }

    fn key_records(&self, block: u64) -> Vec<KeyRecord> {
        let entries = self
            .keys
            .block(block)
            .into_iter()
            .flat_map(super::slab::Block::iter);
        entries
            .map(|(at, key)| {
                let index = block * CHUNK_ENTRIES + at as u64;
                let target = self.key_target(self.keys.target(index, key));
                KeyRecord {
                    index,
                    tag: key.tag,
                    outcome: key.outcome(),
                    target: target.expect("a key's reservation outlives it"),
                    at: key.at,
                }
            })
            .collect()
    }

    /// All keys with their content and the slot they are kept in, for the directory.
    pub fn key_tags(&self) -> impl Iterator<Item = (crate::event::KeyTag, Slot)> + '_ {
        self.keys.iter().filter_map(|(index, key)| {
            let slot = match self.key_target(self.keys.target(index, key))? {
                crate::event::KeyTarget::Reservation(id) => id.slot(),
                crate::event::KeyTarget::Sku(sku) | crate::event::KeyTarget::Movement(_, sku) => {
                    sku.slot()
                }
            };
            Some((key.tag, slot))
        })
    }
}
