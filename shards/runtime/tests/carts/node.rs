//! A shard with its disk: the journal's records and the snapshot's chunks, as bytes in memory.
//!
//! What is rebuilt from them is rebuilt as the runtime does it: chunks, then the journal from
//! where they need it, then proof, then the start is recorded.

use crate::plant::Plant;
use holdfast_core::{
    ChunkId, Effect, Engine, Event, EventKind, ExpiredReason, Millis, Opening, Policy, Seen,
    Timestamp,
};
use holdfast_ledger::codec::{self, RecordEncoder};
use holdfast_ledger::{Batch, Record};
use holdfast_runtime::clock::Now;
use holdfast_runtime::shard::{Outbox, Setting, Shard, SnapshotSettings};
use holdfast_runtime::{Board, CartSettings, Directory, Placement, ShardStats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// What all shards of a world share.
pub(crate) struct Common {
    pub(crate) placement: Placement,
    pub(crate) board: Arc<Board>,
    pub(crate) keys: Arc<Directory>,
    pub(crate) policy: Policy,
    pub(crate) carts: CartSettings,
    pub(crate) snapshot_after: u64,
    pub(crate) instant: Instant,
    pub(crate) plant: Option<Plant>,
}

/// A shard, up or down, and what its disk has.
pub(crate) struct Node {
    pub(crate) index: u16,
    pub(crate) shard: Option<Shard>,
    journal: Vec<Record>,
    chunks: BTreeMap<u64, (u64, Vec<u8>)>,
    replay_from: u64,
    pub(crate) opening: u32,
    /// Batches on their way to the disk: one, unless the harness replies too early.
    flight: Vec<Batch>,
    /// Whether the shard has been told already that the batch is durable.
    told_early: bool,
    /// Its own clock, which never runs backwards.
    time: u64,
    /// What it showed when this opening began.
    opened: u64,
    /// Ids that this opening has minted and recorded.
    pub(crate) has_recorded: bool,
}

impl Node {
    pub(crate) const fn new(index: u16, time: u64) -> Self {
        Self {
            index,
            shard: None,
            journal: Vec::new(),
            chunks: BTreeMap::new(),
            replay_from: 1,
            opening: 0,
            flight: Vec::new(),
            told_early: false,
            time,
            opened: time,
            has_recorded: true,
        }
    }

    pub(crate) fn set_time(&mut self, time: u64) {
        self.time = self.time.max(time);
    }

    pub(crate) const fn time(&self) -> u64 {
        self.time
    }

    pub(crate) const fn now(&self, common: &Common) -> Now {
        Now {
            time: Timestamp::from_ms(self.time),
            instant: common.instant,
            paused: false,
        }
    }

    /// Sequence of the last event on the disk.
    pub(crate) fn head(&self) -> u64 {
        self.journal.last().map_or(0, Record::last)
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.shard.as_ref().map(Shard::engine)
    }

    pub(crate) const fn has_flight(&self) -> bool {
        !self.flight.is_empty()
    }

    /// Hands what is staged to the disk.
    pub(crate) fn hand_over(&mut self, common: &Common, out: &mut Outbox) -> bool {
        let now = self.now(common);
        let Some(shard) = &mut self.shard else {
            return false;
        };
        let Some(batch) = shard.take_batch() else {
            return false;
        };
        if common.plant == Some(Plant::ReplyBeforeDurable) {
            self.told_early = true;
            shard.committed(batch.last(), now, out);
        }
        self.flight.push(batch);
        true
    }

    /// The disk has finished; gives the events of what it wrote.
    pub(crate) fn write(&mut self, common: &Common) -> Vec<Event> {
        let mut events = Vec::new();
        for batch in std::mem::take(&mut self.flight) {
            events.extend(self.append(common, batch));
        }
        events
    }

    /// Tells the shard that its batch is durable.
    pub(crate) fn land(&mut self, common: &Common, out: &mut Outbox) {
        let (now, head) = (self.now(common), self.head());
        if !std::mem::take(&mut self.told_early)
            && let Some(shard) = &mut self.shard
        {
            shard.committed(head, now, out);
        }
    }

    fn append(&mut self, common: &Common, mut batch: Batch) -> Vec<Event> {
        let mut events = Vec::new();
        if batch.events > 0 {
            events = decode(batch.first, batch.events, &batch.body);
            if common.plant == Some(Plant::FinalRefusalNotRecorded) {
                events.iter_mut().for_each(blank_closed);
                batch.body = encode(&events);
            }
            self.journal.push(Record {
                first: batch.first,
                events: batch.events,
                at: batch.at,
                body: batch.body,
            });
        }
        for chunk in batch.chunks {
            self.chunks.insert(chunk.id, (chunk.sequence, chunk.body));
        }
        self.replay_from = batch.replay_from.unwrap_or(self.replay_from);
        let records = |event: &Event| event.kind == EventKind::ReservationCreated;
        self.has_recorded |= events.iter().any(records);
        events
    }

    /// The process dies. What is on its way to the disk is lost, or kept: [`Self::write`] first.
    pub(crate) fn die(&mut self) {
        self.shard = None;
        self.flight.clear();
        self.told_early = false;
    }

    /// The state on the disk.
    pub(crate) fn replay(&self, policy: &Policy) -> Engine {
        let mut engine = Engine::new(policy.clone());
        let mut seen = Seen::default();
        for (id, (sequence, body)) in &self.chunks {
            let id = ChunkId::from_u64(*id).expect("chunks have names");
            engine.load(&codec::chunk::decode(id, body).expect("chunks can be read"));
            seen.insert(id, *sequence);
        }
        let from = self.replay_from;
        let at = match self.journal.last() {
            Some(last) if last.last() < from => last.at,
            _ => 0,
        };
        engine.loaded(from - 1, Timestamp::from_ms(at));
        for record in self.journal.iter().filter(|record| from <= record.last()) {
            for event in decode(record.first, record.events, &record.body) {
                if from <= event.seq {
                    engine.replay(&event, &seen).expect("INV-7: no gap");
                }
            }
        }
        engine
    }

    /// Opens the disk and records the start; gives what was recorded. The shard does not serve
    /// yet: it may die before [`Self::serve`].
    pub(crate) fn open(&mut self, common: &Common) -> (Engine, Vec<Event>) {
        if common.plant == Some(Plant::ReusedId) && !self.has_recorded {
            // The clock was set back as well, so the same ids are minted.
            self.time = self.opened;
        } else {
            self.opening += 1;
            self.opened = self.time;
        }
        self.has_recorded = false;
        let mut engine = self.replay(&common.policy);
        engine.check().expect("what is recovered is sound");
        let mut events = Vec::new();
        let mut record = |engine: &mut Engine, event: Event| {
            engine.evolve(&event);
            events.push(event);
        };
        let start = engine.resume(self.now(common).time);
        record(&mut engine, start);
        if common.plant == Some(Plant::ForgottenEarly) {
            for id in crate::plant::ended_but_unsettled(&engine) {
                let event = crate::plant::forgetting(&engine, id);
                record(&mut engine, event);
            }
        }
        let batch = Batch {
            first: events[0].seq,
            events: events.len() as u32,
            at: engine.at().ms(),
            body: encode(&events),
            ..Batch::default()
        };
        self.append(common, batch);
        (engine, events)
    }

    /// Begins to serve.
    pub(crate) fn serve(&mut self, common: &Common, engine: Engine, seed: u64, out: &mut Outbox) {
        for mut view in engine.sku_views() {
            view.seq = engine.seq();
            common.board.publish(&view.sku, common.board.copy(&view));
        }
        let placement = &common.placement;
        common
            .keys
            .forget_slots(|slot| placement.shard_of(slot) == self.index);
        for (tag, slot) in engine.key_tags() {
            common.keys.keep(&tag, slot);
        }
        let setting = Setting {
            index: self.index,
            placement: placement.clone(),
            board: Arc::clone(&common.board),
            keys: Arc::clone(&common.keys),
            stats: Arc::new(ShardStats::new()),
            snapshots: SnapshotSettings {
                after_events: common.snapshot_after,
                bytes_max: 300,
                ..SnapshotSettings::default()
            },
            seed,
        };
        let opening = Opening::new(self.opening).expect("few openings");
        let mut shard = Shard::new(engine, opening, setting, common.carts.clone());
        shard.reopened(self.now(common), out);
        self.shard = Some(shard);
    }

    /// When its timers want to run, and whether that is more than forgetting. Carts rest for ten
    /// seconds at most, so one of theirs may hide behind a forgetting that is near.
    pub(crate) fn due(&self, common: &Common) -> Option<(Timestamp, bool)> {
        let shard = self.shard.as_ref()?;
        let now = self.now(common);
        let at = shard.next_deadline(now)?;
        let engine = shard.engine();
        // Homes are asked about kept holds once they may have forgotten them.
        let kept = engine
            .kept_holds()
            .filter_map(|hold| engine.kept_hold(hold));
        let kept = kept.map(|(_, due)| due).min();
        let forgets = [engine.next_forget(), kept].into_iter().flatten();
        let is_forgetting =
            engine.next_deadline().is_none() && forgets.min().is_some_and(|forget| forget <= at);
        let is_near = at <= now.time.after(Millis::from_secs(15));
        Some((at, is_near || !is_forgetting))
    }
}

fn decode(first: u64, count: u32, body: &[u8]) -> Vec<Event> {
    let events = codec::Events::new(first, count, body).expect("records can be read");
    events
        .map(|event| event.expect("events can be read"))
        .collect()
}

fn encode(events: &[Event]) -> Vec<u8> {
    let mut encoder = RecordEncoder::new();
    encoder.start(events[0].seq, Vec::new());
    for event in events {
        encoder.push(event);
    }
    encoder.finish()
}

/// Leaves nothing of a confirm's final refusal but its place.
fn blank_closed(event: &mut Event) {
    let is_refusal = event.effects.iter().any(|effect| match effect {
        Effect::HomeChanged(change) => {
            let closed = change.extra.as_ref().and_then(|extra| extra.closed);
            closed.is_some_and(|reason| reason != ExpiredReason::Closed)
        }
        _ => false,
    });
    if event.kind == EventKind::ReservationClosed && is_refusal {
        event.effects.clear();
        event.key = None;
    }
}
