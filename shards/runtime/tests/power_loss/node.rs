//! A shard on a disk that can lose power: the runtime's recovery, the real ledger, the real shard.

use crate::plan::Plan;
use crate::state::{Fault, State};
use holdfast_core::{Engine, EventKind, Opening};
use holdfast_ledger::codec::Events;
use holdfast_ledger::faults::Disk;
use holdfast_ledger::{Batch, Identity, Ledger, Log, Options};
use holdfast_runtime::clock::Now;
use holdfast_runtime::recovery;
use holdfast_runtime::shard::{Outbox, Setting, Shard, SnapshotSettings};
use holdfast_runtime::{Board, Directory, ShardStats};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the shards of one process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) board: Arc<Board>,
    pub(crate) keys: Arc<Directory>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            board: Board::new(),
            keys: Directory::new(),
        }
    }
}

/// What was written, so that nobody believes in a history that lacks it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) events: BTreeMap<u8, u64>,
    pub(crate) chunks: u64,
    pub(crate) tombstones: u64,
    pub(crate) trims: u64,
    pub(crate) keys: u64,
}

/// A shard that is up.
pub(crate) struct Node {
    pub(crate) index: u16,
    pub(crate) disk: Disk,
    pub(crate) ledger: Ledger,
    pub(crate) shard: Shard,
    /// A batch that was handed over and not appended yet.
    flight: Option<Batch>,
    /// A sequence that is on the disk and of which the shard was not told yet.
    landing: Option<u64>,
    /// The state at the last append that returned.
    pub(crate) durable: State,
    /// The state at the last hand-over.
    pub(crate) handed: State,
    pub(crate) tally: Tally,
}

pub(crate) fn create(disk: &Disk, index: u16, plan: &Plan) {
    Ledger::create_with_backend(disk.clone(), &plan.identity(index)).expect("an empty disk");
}

/// Opens what is on a disk as the runtime does, up to the state it describes.
pub(crate) fn open(
    disk: &Disk,
    identity: &Identity,
    plan: &Plan,
) -> Result<(Ledger, Engine), Fault> {
    let options = Options {
        cache_bytes: 1 << 20,
        wal_bytes: 8 << 10,
        ..Options::default()
    };
    let ledger = Ledger::open_with_backend(disk.clone(), identity, options);
    let ledger = ledger.map_err(|error| error.to_string())?;
    let engine =
        recovery::replay(&ledger, plan.policy.clone()).map_err(|error| error.to_string())?;
    Ok((ledger, engine))
}

impl Node {
    /// Brings a shard up from a disk; also gives the state that was found there.
    pub(crate) fn recover(
        disk: &Disk,
        index: u16,
        shared: &Shared,
        plan: &Plan,
        now: Now,
    ) -> Result<(Self, State), Fault> {
        let (mut ledger, mut engine) = open(disk, &plan.identity(index), plan)?;
        let found = State::of(&engine, &plan.customers);
        recovery::resume(&mut engine, &mut ledger, now.time).map_err(|error| error.to_string())?;
        engine.check().map_err(|broken| broken.to_string())?;
        recovery::show(&engine, index, &plan.placement, &shared.board, &shared.keys);
        let state = State::of(&engine, &plan.customers);
        let setting = Setting {
            index,
            placement: plan.placement.clone(),
            board: Arc::clone(&shared.board),
            keys: Arc::clone(&shared.keys),
            stats: Arc::new(ShardStats::new()),
            snapshots: SnapshotSettings {
                after_events: plan.snapshot_after,
                bytes_max: 600,
                journal_kept: Some(plan.journal_kept),
                ..SnapshotSettings::default()
            },
            seed: plan.seed ^ u64::from(ledger.opening()) << 8 ^ u64::from(index),
        };
        let opening = Opening::new(ledger.opening()).ok_or("the ledger is worn")?;
        let node = Self {
            index,
            disk: disk.clone(),
            shard: Shard::new(engine, opening, setting, plan.carts.clone()),
            ledger,
            flight: None,
            landing: None,
            durable: state.clone(),
            handed: state,
            tally: Tally::default(),
        };
        Ok((node, found))
    }

    /// Whether anything is between the shard and its disk.
    pub(crate) const fn is_busy(&self) -> bool {
        self.flight.is_some() || self.landing.is_some()
    }

    /// Hands over what is staged, if nothing is under way.
    pub(crate) fn hand_over(&mut self, plan: &Plan) -> Result<(), Fault> {
        if self.is_busy() {
            return Ok(());
        }
        if let Some(batch) = self.shard.take_batch() {
            self.handed = State::of(self.shard.engine(), &plan.customers);
            self.tally.take(&batch)?;
            self.flight = Some(batch);
        }
        Ok(())
    }

    /// Appends what was handed over.
    pub(crate) fn append(&mut self) -> Result<(), Fault> {
        if let Some(batch) = self.flight.take() {
            let (head, epoch) = (self.ledger.head(), self.ledger.epoch());
            let seq = self.ledger.append(&batch, head, epoch);
            self.landing = Some(seq.map_err(|error| error.to_string())?);
            self.durable = self.handed.clone();
        }
        Ok(())
    }

    /// Tells the shard of its append, and with that everybody who waits.
    pub(crate) fn land(&mut self, now: Now, out: &mut Outbox) {
        if let Some(seq) = self.landing.take() {
            let landed = self.shard.land(seq, Vec::new());
            self.shard.publish(landed, now, out);
        }
    }

    /// The bug: everybody is told before the disk has it.
    pub(crate) fn land_too_early(&mut self, now: Now, out: &mut Outbox) {
        if self.flight.is_some() {
            let seq = self.handed.seq;
            let landed = self.shard.land(seq, Vec::new());
            self.shard.publish(landed, now, out);
        }
    }

    /// The bug, second half: the disk has it now, and nobody needs to be told.
    pub(crate) fn forget_landing(&mut self) {
        self.landing = None;
    }
}

impl Tally {
    fn take(&mut self, batch: &Batch) -> Result<(), Fault> {
        if batch.events > 0 {
            let events = Events::new(batch.first, batch.events, &batch.body);
            for event in events.map_err(|error| error.to_string())? {
                let event = event.map_err(|error| error.to_string())?;
                *self.events.entry(event.kind as u8).or_default() += 1;
                self.keys += u64::from(event.key.is_some());
            }
        }
        let is_empty = |body: &Vec<u8>| u64::from(body.is_empty());
        let empty: u64 = batch.chunks.iter().map(|chunk| is_empty(&chunk.body)).sum();
        self.tombstones += empty;
        self.chunks += batch.chunks.len() as u64 - empty;
        self.trims += u64::from(batch.trim_below.is_some());
        Ok(())
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (kind, count) in &other.events {
            *self.events.entry(*kind).or_default() += count;
        }
        self.chunks += other.chunks;
        self.tombstones += other.tombstones;
        self.trims += other.trims;
        self.keys += other.keys;
    }

    /// Kinds of events that never happened.
    pub(crate) fn missing(&self, wanted: &[EventKind]) -> Vec<EventKind> {
        let wanted = wanted.iter().copied();
        wanted
            .filter(|kind| !self.events.contains_key(&(*kind as u8)))
            .collect()
    }
}
