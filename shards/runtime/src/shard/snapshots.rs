//! When chunks of the snapshot are written, and what of the journal may go.
//!
//! While the journal since the oldest dirty chunk is longer than configured, every hand-over
//! takes a few dirty chunks along, oldest first. Each is taken at the engine's sequence, in the
//! transaction that makes all events up to it durable.

use holdfast_core::{Engine, Millis, Timestamp};
use holdfast_ledger::{Chunk, codec};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many markers of time and sequence are kept over the retention of the journal.
const MARKERS: u64 = 64;

/// Bytes of chunks for each byte of the record they go along with, and beside the shortest. A
/// shard of many SKUs that are bought at random writes some seven times as much as its journal has.
const BESIDE: usize = 8;
const BESIDE_BYTES_MIN: usize = 32 << 10;

/// When snapshots are written and the journal is trimmed.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// Chunks are written while more events than this would have to be replayed.
    pub after_events: u64,
    /// Bytes of chunks that one commit takes along.
    pub bytes_max: usize,
    /// How long the journal is kept at least; for ever if absent.
    pub journal_kept: Option<Millis>,
    /// Up to where projections have read; nothing beyond is trimmed.
    pub read_up_to: Vec<Arc<AtomicU64>>,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self {
            after_events: 1_000_000,
            bytes_max: 256 << 10,
            journal_kept: None,
            read_up_to: Vec::new(),
        }
    }
}

pub(super) struct Snapshots {
    settings: SnapshotSettings,
    /// Whether chunks are being written: begun above the bound, ended below half of it.
    writing: bool,
    /// Whether all dirty chunks are to be written.
    all: bool,
    /// Sequences and when they were reached, for trimming.
    markers: VecDeque<(Timestamp, u64)>,
    replay_from: u64,
    trimmed_below: u64,
}

/// What a hand-over takes along.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) chunks: Vec<Chunk>,
    pub(super) replay_from: Option<u64>,
    pub(super) trim_below: Option<u64>,
}

impl Written {
    pub(super) const fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.trim_below.is_none()
    }
}

impl Snapshots {
    pub(super) const fn new(settings: SnapshotSettings) -> Self {
        Self {
            settings,
            writing: false,
            all: false,
            markers: VecDeque::new(),
            replay_from: 0,
            trimmed_below: 0,
        }
    }

    /// From now on all dirty chunks are written.
    pub(super) const fn write_all(&mut self) {
        self.all = true;
    }

    /// What goes along with a record of `record` bytes: some eight times as much at most, since a
    /// short one is waited for, and little enough that chunks keep up with any load.
    pub(super) fn take(&mut self, engine: &mut Engine, record: usize) -> Written {
        let mut written = Written::default();
        let mut bytes = 0;
        let mut bytes_max = self.settings.bytes_max;
        if !self.all {
            bytes_max = bytes_max.min(BESIDE_BYTES_MIN.max(record * BESIDE));
        }
        while bytes < bytes_max && self.is_due(engine) {
            let Some((id, state)) = engine.take_dirty_chunk() else {
                break;
            };
            let body = codec::chunk::encode(&state);
            bytes += body.len();
            written.chunks.push(Chunk {
                id: id.to_u64(),
                sequence: engine.seq(),
                body,
            });
        }
        if !written.chunks.is_empty() {
            let replay_from = engine.oldest_dirty().unwrap_or(engine.seq() + 1);
            if self.replay_from < replay_from {
                self.replay_from = replay_from;
                written.replay_from = Some(replay_from);
            }
        }
        written.trim_below = self.trim(engine.at());
        written
    }

    fn is_due(&mut self, engine: &Engine) -> bool {
        let Some(oldest) = engine.oldest_dirty() else {
            self.writing = false;
            return false;
        };
        let events = engine.seq() + 1 - oldest;
        let bound = self.settings.after_events;
        self.writing = if self.writing {
            bound / 2 < events
        } else {
            bound < events
        };
        self.writing || self.all
    }

    /// Notes how far the journal is, for trimming by time.
    pub(super) fn landed(&mut self, seq: u64, at: Timestamp) {
        let Some(kept) = self.settings.journal_kept else {
            return;
        };
        let is_next = |(last, _): &(Timestamp, u64)| kept.ms() / MARKERS < at.since(*last).ms();
        if self.markers.back().is_none_or(is_next) {
            self.markers.push_back((at, seq));
        }
    }

    fn trim(&mut self, at: Timestamp) -> Option<u64> {
        let kept = self.settings.journal_kept?;
        let mut below = None;
        while let Some((marked, seq)) = self.markers.front() {
            if at < marked.after(kept) {
                break;
            }
            below = Some(*seq);
            self.markers.pop_front();
        }
        let readers = self.settings.read_up_to.iter();
        let read_up_to = readers.map(|reader| reader.load(Ordering::Acquire)).min();
        let below = below?.min(self.replay_from);
        let below = below.min(read_up_to.unwrap_or(u64::MAX));
        if below <= self.trimmed_below {
            return None;
        }
        self.trimmed_below = below;
        Some(below)
    }
}
