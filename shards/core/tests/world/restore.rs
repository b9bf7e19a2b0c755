//! Engines put together from chunks and a journal, as recovery does it.

use holdfast_core::{ChunkId, ChunkState, Engine, Event, Policy, Seen};
use std::collections::BTreeMap;

/// Chunks by name, each with the sequence it was taken at.
pub(crate) type Snapshots = BTreeMap<ChunkId, (u64, ChunkState)>;

/// An engine from chunks that may each be of another moment, and the events after `from`.
pub(crate) fn restore(policy: Policy, chunks: &Snapshots, journal: &[Event], from: u64) -> Engine {
    let mut engine = Engine::new(policy);
    let mut seen = Seen::default();
    for (id, (seq, state)) in chunks {
        engine.load(state);
        seen.insert(*id, *seq);
    }
    let from = usize::try_from(from).expect("stories are short");
    let at = from
        .checked_sub(1)
        .map_or_else(Default::default, |last| journal[last].at);
    engine.loaded(from as u64, at);
    for event in &journal[from..] {
        engine
            .replay(event, &seen)
            .expect("INV-7: the journal is gapless");
    }
    engine
}
