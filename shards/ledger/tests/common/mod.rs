//! What the ledger's tests share: an identity, batches, and a model of what a log holds.

#![allow(dead_code)] // each test file uses its own part

pub(crate) mod rows;

use std::cell::Cell;
use std::collections::BTreeMap;

use holdfast_ledger::faults::{Disk, Random};
use holdfast_ledger::{Batch, Chunk, Identity, Ledger, LedgerError, Log, Options, Record};
use uuid::Uuid;

pub(crate) fn identity() -> Identity {
    Identity::even(Uuid::from_u128(0x0ff5_e751), 3, 8)
}

/// Little enough for a write-ahead log to fill up again and again.
const WAL_BYTES: usize = 8 << 10;

/// A new ledger on a disk in memory, open for serving.
pub(crate) fn on_disk(disk: &Disk) -> Ledger {
    Ledger::create_with_backend(disk.clone(), &identity()).expect("a new disk takes a ledger");
    open(disk).expect("it was just made")
}

pub(crate) fn open(disk: &Disk) -> Result<Ledger, LedgerError> {
    let options = Options {
        cache_bytes: 1 << 20,
        wal_bytes: WAL_BYTES,
        ..Options::default()
    };
    Ledger::open_with_backend(disk.clone(), &identity(), options)
}

/// A batch that fits the ledger, with a body of `bytes`.
pub(crate) fn batch(ledger: &Ledger, events: u32, bytes: usize) -> Batch {
    let first = ledger.head() + 1;
    let body = (0..bytes).map(|n| (first as usize + n) as u8).collect();
    Batch {
        first,
        events,
        at: ledger.at() + 1,
        body,
        ..Batch::default()
    }
}

pub(crate) fn append(ledger: &mut Ledger, batch: &Batch) -> Result<u64, LedgerError> {
    let (head, epoch) = (ledger.head(), ledger.epoch());
    ledger.append(batch, head, epoch)
}

pub(crate) fn records(ledger: &Ledger, from: u64) -> Vec<Record> {
    let records: Result<_, _> = ledger.replay(from).expect("it can be read").collect();
    records.expect("every record is whole")
}

pub(crate) fn chunks(ledger: &Ledger) -> BTreeMap<u64, Chunk> {
    let chunks = ledger.chunks().expect("they can be read");
    chunks
        .map(|chunk| chunk.expect("every chunk is whole"))
        .map(|chunk| (chunk.id, chunk))
        .collect()
}

/// What a log holds after some appends, computed without it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) records: Vec<Record>,
    pub(crate) chunks: BTreeMap<u64, Chunk>,
    pub(crate) replay_from: u64,
    pub(crate) trim_below: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            replay_from: 1,
            trim_below: 1,
            ..Self::default()
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.records.last().map_or(0, Record::last)
    }

    pub(crate) fn apply(&mut self, batch: &Batch) {
        if 0 < batch.events {
            let Batch {
                first,
                events,
                at,
                ref body,
                ..
            } = *batch;
            self.records.push(Record {
                first,
                events,
                at,
                body: body.clone(),
            });
        }
        for chunk in &batch.chunks {
            self.chunks.insert(chunk.id, chunk.clone());
        }
        self.replay_from = batch.replay_from.unwrap_or(self.replay_from);
        let trim_below = batch.trim_below.unwrap_or(1).min(self.replay_from);
        self.trim_below = self.trim_below.max(trim_below);
    }

    /// Panics with what differs unless the ledger holds what this model does, but for records
    /// and tombstones that it was allowed to remove.
    pub(crate) fn assert_held_by(&self, ledger: &Ledger) {
        assert_eq!(ledger.head(), self.head(), "head");
        assert_eq!(ledger.replay_from(), self.replay_from, "replay_from");
        let oldest = ledger.oldest();
        let kept: Vec<&Record> = self
            .records
            .iter()
            .filter(|record| oldest <= record.last())
            .collect();
        let read = records(ledger, oldest);
        assert!(
            read.iter().eq(kept.iter().copied()),
            "records from {oldest}"
        );
        if let Some(gone) = self.records.iter().rfind(|record| record.last() < oldest) {
            assert!(
                gone.last() < self.trim_below,
                "record {} was not to be trimmed",
                gone.first
            );
        }
        let mut left = chunks(ledger);
        for chunk in self.chunks.values() {
            let due = chunk.body.is_empty() && chunk.sequence < self.replay_from;
            match left.remove(&chunk.id) {
                Some(found) => assert!(found == *chunk, "chunk {} at {}", chunk.id, chunk.sequence),
                None => assert!(due, "chunk {} is missing", chunk.id),
            }
        }
        assert!(left.is_empty(), "chunks nobody wrote: {:?}", left.keys());
    }
}

/// A batch of any kind that fits after `model`: small and large records, chunks, tombstones,
/// replay starts, trimming.
pub(crate) fn any_batch(model: &Model, random: &mut Random) -> Batch {
    let first = model.head() + 1;
    let events = if random.below(10) == 0 {
        0
    } else {
        1 + random.below(30) as u32
    };
    let bytes = match random.below(6) {
        _ if events == 0 => 0,
        0 => 4_000 + random.below(30_000),
        1 => random.below(10),
        _ => random.below(2_000),
    };
    let last = first + u64::from(events) - 1;
    let body = (0..bytes).map(|_| random.draw() as u8).collect();
    let chunks = if random.below(4) == 0 {
        1 + random.below(3)
    } else {
        0
    };
    let chunks = (0..chunks)
        .map(|_| Chunk {
            id: random.below(6) << 20,
            sequence: last - random.below(1 + last.min(5)),
            body: vec![random.draw() as u8; random.below(4) as usize * 700],
        })
        .collect::<Vec<_>>();
    // A replay start leaves no chunk behind, as a writer of snapshots would see to it.
    let replay_from = (random.below(5) == 0)
        .then(|| model.replay_from + random.below(last + 2 - model.replay_from));
    let trim_below = (random.below(7) == 0).then(|| random.below(last + 1));
    let at = model.records.last().map_or(0, |record| record.at) + random.below(3);
    Batch {
        first,
        events,
        at,
        body,
        chunks,
        replay_from,
        trim_below,
    }
}

thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });

/// Sets the thread's quiet back to what it was, also when a panic passes.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        QUIET.set(self.0);
    }
}

/// Runs `work` with the panic messages of expected failures kept off the terminal.
pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    let _restore = Restore(QUIET.replace(true));
    work()
}
