//! Rebuilding a shard's state from its ledger, twice where the journal is whole.

use super::audit::Audit;
use super::{Checks, Claim};
use holdfast_core::{ChunkId, Engine, Policy, Seen, Timestamp};
use holdfast_ledger::codec::{self, CodecError};
use holdfast_ledger::{Chunk, Item, LedgerError, Place, Record};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A shard's state on its way back.
pub(super) struct Rebuild {
    shard: u16,
    replay_from: u64,
    chunks: Vec<(ChunkId, Chunk)>,
    seen: Seen,
    /// What a start would recover.
    recovered: Engine,
    is_loaded: bool,
    /// What the whole journal gives, where nothing of it was trimmed.
    whole: Option<Engine>,
    audit: Option<Audit>,
    /// The last event read.
    last: u64,
    at: Timestamp,
}

impl Rebuild {
    pub(super) fn new(shard: u16, oldest: u64, replay_from: u64) -> Self {
        let is_whole = oldest <= 1;
        Self {
            shard,
            replay_from: replay_from.max(1),
            chunks: Vec::new(),
            seen: Seen::default(),
            recovered: Engine::new(Policy::default()),
            is_loaded: false,
            whole: is_whole.then(|| Engine::new(Policy::default())),
            audit: is_whole.then(Audit::default),
            last: 0,
            at: Timestamp::ZERO,
        }
    }

    /// Takes what the ledger holds, chunks first; returns how many events it was.
    pub(super) fn take(&mut self, item: Item) -> Result<u64, LedgerError> {
        match item {
            Item::Chunk(chunk) => {
                let meaning = ChunkId::from_u64(chunk.id);
                let id = meaning.ok_or_else(|| {
                    self.corrupt(
                        Place::Chunk(chunk.id),
                        "its number has no meaning".to_owned(),
                    )
                })?;
                self.chunks.push((id, chunk));
                Ok(0)
            }
            Item::Record(record) => {
                self.load()?;
                self.record(&record)?;
                Ok(u64::from(record.events))
            }
        }
    }

    /// Loads the chunks, once all have come.
    fn load(&mut self) -> Result<(), LedgerError> {
        if self.is_loaded {
            return Ok(());
        }
        self.is_loaded = true;
        let mut chunks = std::mem::take(&mut self.chunks);
        chunks.sort_unstable_by_key(|(id, _)| *id);
        for (id, chunk) in chunks {
            let place = Place::Chunk(chunk.id);
            let state = codec::chunk::decode(id, &chunk.body)
                .map_err(|error| self.corrupt(place, error.to_string()))?;
            let recovered = &mut self.recovered;
            unpanicked(|| recovered.load(&state)).map_err(|why| self.corrupt(place, why))?;
            self.seen.insert(id, chunk.sequence);
        }
        self.recovered.loaded(self.replay_from - 1, Timestamp::ZERO);
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), LedgerError> {
        let place = Place::Record(record.first);
        let unreadable = |shard| {
            move |error: CodecError| LedgerError::Corrupt {
                shard,
                place,
                detail: error.to_string(),
            }
        };
        let events = codec::Events::new(record.first, record.events, &record.body)
            .map_err(unreadable(self.shard))?;
        for event in events {
            let event = event.map_err(unreadable(self.shard))?;
            if event.at < self.at {
                let detail = format!("INV-7: time runs backwards at event {}", event.seq);
                return Err(self.corrupt(place, detail));
            }
            self.at = event.at;
            self.last = event.seq;
            if let Some(audit) = &mut self.audit {
                audit.take(&event);
            }
            let (recovered, whole, seen) = (&mut self.recovered, &mut self.whole, &self.seen);
            let replay_from = self.replay_from;
            let replayed = unpanicked(|| {
                if replay_from <= event.seq {
                    recovered
                        .replay(&event, seen)
                        .map_err(|fatal| fatal.to_string())?;
                }
                if let Some(whole) = whole {
                    whole.evolve(&event);
                }
                Ok::<(), String>(())
            });
            replayed
                .and_then(|replayed| replayed)
                .map_err(|why| self.corrupt(place, format!("event {}: {why}", event.seq)))?;
        }
        Ok(())
    }

    /// The recovered state, once it is proved.
    pub(super) fn finish(mut self, checks: &mut Checks) -> Result<Engine, String> {
        self.load().map_err(|error| error.to_string())?;
        let shard = self.shard;
        if let Err(broken) = self.recovered.check() {
            checks.broken(Claim::Holds, format!("shard {shard}: {broken}"));
        }
        if let Some(whole) = &self.whole {
            if let Some(difference) = difference(whole, &self.recovered) {
                checks.broken(Claim::Replay, format!("shard {shard}: {difference}"));
            }
        } else {
            let why = format!(
                "shard {shard}: the journal was trimmed, so what lies before it is taken from the \
                 snapshot"
            );
            for claim in [Claim::Replay, Claim::Counters, Claim::Oversell] {
                checks.limit(claim, why.clone());
            }
        }
        if let Some(audit) = self.audit {
            audit.finish(shard, &self.recovered, checks);
        }
        Ok(self.recovered)
    }

    fn corrupt(&self, place: Place, detail: String) -> LedgerError {
        LedgerError::Corrupt {
            shard: self.shard,
            place,
            detail,
        }
    }
}

/// The first chunk in which two states differ.
fn difference(whole: &Engine, recovered: &Engine) -> Option<String> {
    let (one, other) = (whole.all_chunks(), recovered.all_chunks());
    let differs = one
        .iter()
        .zip(&other)
        .find(|(a, b)| a != b)
        .map(|(a, _)| a.0);
    let lone = (one.len() != other.len()).then(|| {
        let longer = if one.len() < other.len() {
            &other
        } else {
            &one
        };
        longer[one.len().min(other.len())].0
    });
    differs
        .or(lone)
        .map(|chunk| format!("{chunk:?} differs from what the journal gives"))
}

/// Runs what asserts its invariants, and hands a broken one back as text.
fn unpanicked<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "an invariant does not hold".to_owned())
    })
}
