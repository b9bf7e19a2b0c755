//! What few SKUs have: streams of sources, messages seen, counts taken, drifts.
//!
//! It lies in a box beside the SKU, so that a million plain SKUs don't pay for it, and it belongs
//! to the SKU's chunk. What decides about it is in `feed.rs`, `count.rs` and `drifts.rs`.

use super::Engine;
use super::skus::{LocationIndex, SkuIndex};
use crate::count::Basis;
use crate::drift::DriftRecord;
use crate::event::{CountedEffect, MessageEffect, Quarantine, StreamEffect, StreamKey};
use crate::id::ReservationId;
use crate::name::{Sku, Text};
use crate::snapshot::{STREAM_WINDOW, StreamRecord};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A count: when it was taken, the last event before it, and what it compared.
pub(super) type CountMark = (Timestamp, u64, Basis);

/// What few SKUs have.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// By location and source.
    pub(super) streams: Vec<Stream>,
    /// Messages seen, by the hash of source and id.
    pub(super) messages: BTreeMap<u64, Timestamp>,
    /// The same, by when that was.
    message_times: BTreeSet<(Timestamp, u64)>,
    /// The newest count per location.
    pub(super) counted: Vec<(LocationIndex, CountMark)>,
    /// By id.
    pub(super) drifts: Vec<DriftRecord>,
}

/// A source's stream at one location.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) location: LocationIndex,
    pub(super) source: Text,
    pub(super) epoch: u64,
    /// Sequences seen within the window, with a hash of their content, and the newest below it: what
    /// lies between that one and the first of the window has not come.
    pub(super) seen: BTreeMap<u64, u32>,
    /// Sequence and time of the newest absolute that applied.
    pub(super) absolute: Option<(u64, Timestamp)>,
    pub(super) late: u64,
    pub(super) stale: u64,
    pub(super) quarantined: Option<Quarantine>,
    pub(super) at: Timestamp,
}

/// Where the shard finds what lies with its SKUs.
#[derive(Debug, Default)]
pub(super) struct LifeIndex {
    /// Drifts of this shard, with their SKUs.
    pub(super) drifts: BTreeMap<ReservationId, SkuIndex>,
    /// Decided drifts by when that was.
    pub(super) decided: BTreeSet<(Timestamp, ReservationId)>,
    /// SKUs that have messages, by when the oldest was seen.
    pub(super) messages: BTreeSet<(Timestamp, SkuIndex)>,
    /// Streams by when they were last heard of.
    pub(super) streams: BTreeSet<(Timestamp, SkuIndex, LocationIndex, Text)>,
}

impl Stream {
    fn new(location: LocationIndex, source: &Text) -> Self {
        Self {
            location,
            source: source.clone(),
            epoch: 0,
            seen: BTreeMap::new(),
            absolute: None,
            late: 0,
            stale: 0,
            quarantined: None,
            at: Timestamp::ZERO,
        }
    }

    /// The highest sequence seen.
    pub(super) fn highest(&self) -> Option<u64> {
        self.seen.last_key_value().map(|(sequence, _)| *sequence)
    }

    /// Sequences up to this one are too old to be told from seen ones.
    pub(super) fn floor(&self) -> u64 {
        self.highest()
            .map_or(0, |highest| highest.saturating_sub(STREAM_WINDOW))
    }

    /// Whether a sequence is too old to be told from seen ones.
    pub(super) fn is_below(&self, sequence: Option<u64>) -> bool {
        let floor = self.floor();
        0 < floor && sequence.is_some_and(|sequence| sequence <= floor)
    }

    /// Sequences that have not come, first and last. What came before the first message was never
    /// awaited; what fell below the window can't come any more, and only the newest of it is told.
    pub(super) fn gaps(&self) -> Vec<(u64, u64)> {
        let seen = self.seen.keys().copied();
        let pairs = seen.clone().zip(seen.skip(1));
        let gaps = pairs.filter(|(before, after)| before + 1 < *after);
        gaps.map(|(before, after)| (before + 1, after - 1))
            .collect()
    }

    fn apply(&mut self, effect: &StreamEffect) {
        if let Some(mark) = effect.mark {
            if self.epoch < mark.epoch {
                self.epoch = mark.epoch;
                self.seen.clear();
            }
            self.seen.insert(mark.sequence, mark.content);
            while self.is_below(self.seen.keys().nth(1).copied()) {
                self.seen.pop_first();
            }
        }
        self.absolute = effect.absolute;
        self.late = effect.late;
        self.stale = effect.stale;
        self.quarantined = effect.quarantined;
        self.at = effect.at;
    }
}

impl Life {
    fn is_empty(&self) -> bool {
        self.streams.is_empty()
            && self.messages.is_empty()
            && self.counted.is_empty()
            && self.drifts.is_empty()
    }

    fn add_message(&mut self, hash: u64, at: Timestamp) {
        if let Some(before) = self.messages.insert(hash, at) {
            self.message_times.remove(&(before, hash));
        }
        self.message_times.insert((at, hash));
    }

    pub(super) fn stream(&self, location: LocationIndex, source: &Text) -> Option<&Stream> {
        self.streams
            .iter()
            .find(|stream| stream.location == location && stream.source == *source)
    }

    pub(super) fn drift(&self, id: ReservationId) -> Option<&DriftRecord> {
        self.drifts.iter().find(|drift| drift.id == id)
    }

    /// The newest count at a location.
    pub(super) fn counted(&self, location: LocationIndex) -> Option<CountMark> {
        let found = self.counted.iter().find(|(other, _)| *other == location);
        found.map(|(_, mark)| *mark)
    }
}

impl Engine {
    /// Changes what a SKU has beside its counters; an empty box goes.
    fn with_life<T>(&mut self, sku: SkuIndex, change: impl FnOnce(&mut Life) -> T) -> T {
        let entry = self.skus.get_mut(sku);
        let life = entry.life.get_or_insert_default();
        let result = change(life);
        if life.is_empty() {
            entry.life = None;
        }
        self.sku_dirty(sku);
        result
    }

    pub(super) fn stream_changed(&mut self, effect: &StreamEffect) {
        let sku = self.skus.intern(&effect.key.sku);
        let location = self.skus.intern_location(&effect.key.location);
        let source = &effect.key.source;
        let before = self.with_life(sku, |life| {
            let found = life
                .streams
                .iter()
                .position(|stream| stream.location == location && stream.source == *source);
            let place = found.unwrap_or_else(|| {
                life.streams.push(Stream::new(location, source));
                life.streams.len() - 1
            });
            let stream = &mut life.streams[place];
            let before = stream.at;
            stream.apply(effect);
            before
        });
        let index = &mut self.life.streams;
        index.remove(&(before, sku, location, source.clone()));
        index.insert((effect.at, sku, location, source.clone()));
    }

    pub(super) fn stream_forgotten(&mut self, key: &StreamKey) {
        let sku = self.skus.intern(&key.sku);
        let location = self.skus.intern_location(&key.location);
        let removed = self.with_life(sku, |life| {
            let found = life
                .streams
                .iter()
                .position(|stream| stream.location == location && stream.source == key.source);
            found.map(|place| life.streams.remove(place))
        });
        if let Some(stream) = removed {
            let entry = (stream.at, sku, location, stream.source);
            self.life.streams.remove(&entry);
        }
    }

    pub(super) fn counted(&mut self, effect: &CountedEffect) {
        let sku = self.skus.intern(&effect.sku);
        let location = self.skus.intern_location(&effect.location);
        let mark = (effect.taken_at, effect.taken_seq, effect.basis);
        self.count_marked(sku, location, mark);
    }

    fn count_marked(&mut self, sku: SkuIndex, location: LocationIndex, mark: CountMark) {
        self.with_life(sku, |life| {
            let mut marks = life.counted.iter_mut();
            match marks.find(|(other, _)| *other == location) {
                Some((_, newest)) => *newest = mark,
                None => life.counted.push((location, mark)),
            }
        });
    }

    pub(super) fn drift_changed(&mut self, drift: &DriftRecord) {
        let sku = self.skus.intern(&drift.sku);
        self.with_life(sku, |life| {
            match life
                .drifts
                .binary_search_by_key(&drift.id, |other| other.id)
            {
                Ok(place) => life.drifts[place] = drift.clone(),
                Err(place) => life.drifts.insert(place, drift.clone()),
            }
        });
        self.life.drifts.insert(drift.id, sku);
        if let Some(at) = drift.decided_at() {
            self.life.decided.insert((at, drift.id));
        }
    }

    pub(super) fn drift_forgotten(&mut self, sku: &Sku, id: ReservationId) {
        let sku = self.skus.intern(sku);
        let decided = self.with_life(sku, |life| {
            let place = life.drifts.binary_search_by_key(&id, |other| other.id);
            life.drifts.remove(place.ok()?).decided_at()
        });
        self.life.drifts.remove(&id);
        if let Some(at) = decided {
            self.life.decided.remove(&(at, id));
        }
    }

    pub(super) fn message_seen(&mut self, effect: &MessageEffect) {
        let sku = self.skus.intern(&effect.sku);
        self.unlist_messages(sku);
        self.with_life(sku, |life| life.add_message(effect.hash, effect.at));
        self.list_messages(sku);
    }

    pub(super) fn messages_forgotten(&mut self, sku: &Sku, before: Timestamp) {
        let sku = self.skus.intern(sku);
        self.unlist_messages(sku);
        self.with_life(sku, |life| {
            while let Some((at, hash)) = life.message_times.first().copied()
                && at < before
            {
                life.message_times.pop_first();
                life.messages.remove(&hash);
            }
        });
        self.list_messages(sku);
    }

    fn oldest_message(&self, sku: SkuIndex) -> Option<(Timestamp, SkuIndex)> {
        let life = self.skus.get(sku).life.as_ref()?;
        let (at, _) = life.message_times.first()?;
        Some((*at, sku))
    }

    fn unlist_messages(&mut self, sku: SkuIndex) {
        if let Some(entry) = self.oldest_message(sku) {
            self.life.messages.remove(&entry);
        }
    }

    fn list_messages(&mut self, sku: SkuIndex) {
        if let Some(entry) = self.oldest_message(sku) {
            self.life.messages.insert(entry);
        }
    }

    /// Puts back what a chunk kept of a SKU's streams, messages and drifts.
    pub(super) fn load_life(&mut self, record: &crate::snapshot::SkuRecord) {
        let sku = self.skus.intern(&record.sku);
        for level in &record.levels {
            if let Some(mark) = level.counted {
                let location = self.skus.intern_location(&level.location);
                self.count_marked(sku, location, mark);
            }
        }
        for kept in &record.streams {
            let location = self.skus.intern_location(&kept.location);
            let mut stream = Stream::new(location, &kept.source);
            stream.epoch = kept.epoch;
            stream.seen = kept.seen.iter().copied().collect();
            stream.absolute = kept.absolute;
            stream.late = kept.late;
            stream.stale = kept.stale;
            stream.quarantined = kept.quarantined;
            stream.at = kept.at;
            let entry = (kept.at, sku, location, kept.source.clone());
            self.life.streams.insert(entry);
            self.with_life(sku, |life| life.streams.push(stream));
        }
        self.with_life(sku, |life| {
            for (hash, at) in &record.messages {
                life.add_message(*hash, *at);
            }
        });
        self.list_messages(sku);
        for drift in &record.drifts {
            self.drift_changed(drift);
        }
    }

    /// All streams of this shard, those silent for longest first.
    pub fn streams(&self) -> impl Iterator<Item = (&Sku, StreamRecord)> {
        self.life
            .streams
            .iter()
            .filter_map(|(_, sku, location, source)| {
                let entry = self.skus.get(*sku);
                let stream = entry.life.as_ref()?.stream(*location, source)?;
                Some((&entry.sku, self.stream_record(stream)))
            })
    }

    /// A SKU's streams in exchange form, by location and source.
    pub(super) fn stream_records(&self, life: &Life) -> Vec<StreamRecord> {
        let mut records: Vec<StreamRecord> = life
            .streams
            .iter()
            .map(|stream| self.stream_record(stream))
            .collect();
        records.sort_by(|a, b| (&a.location, &a.source).cmp(&(&b.location, &b.source)));
        records
    }

    fn stream_record(&self, stream: &Stream) -> StreamRecord {
        StreamRecord {
            location: self.skus.location(stream.location).clone(),
            source: stream.source.clone(),
            epoch: stream.epoch,
            seen: stream.seen.iter().map(|(a, b)| (*a, *b)).collect(),
            absolute: stream.absolute,
            late: stream.late,
            stale: stream.stale,
            quarantined: stream.quarantined,
            at: stream.at,
        }
    }
}
