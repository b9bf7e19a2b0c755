//! What each chunk of a recovered state has seen of the journal.

use crate::event::{Effect, Event};
use crate::snapshot::ChunkId;
use std::collections::BTreeMap;

/// The sequences up to which chunks of a recovered state have seen the journal.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<ChunkId, u64>);

impl Seen {
    /// A chunk was loaded as of this sequence.
    pub fn insert(&mut self, chunk: ChunkId, seq: u64) {
        self.0.insert(chunk, seq);
    }

    pub(super) fn has(&self, chunk: ChunkId, seq: u64) -> bool {
        self.0.get(&chunk).is_some_and(|seen| seq <= *seen)
    }

    /// Whether an event gave numbers, or took them back, that the shard's own chunk does not have:
    /// the chunks of the entries may be newer, and it then has to catch up.
    pub(super) fn is_shard_behind(&self, event: &Event) -> bool {
        let gives = |effect: &Effect| {
            matches!(
                effect,
                Effect::Reserved(_)
                    | Effect::HoldCreated(_)
                    | Effect::KeysForgotten(_)
                    | Effect::Location(_)
            )
        };
        let is_numbered = event.key.is_some() || event.effects.iter().any(gives);
        is_numbered && !self.has(ChunkId::Shard, event.seq)
    }

    /// Blocks of keys that have not seen an event.
    pub(super) fn key_blocks_before(&self, seq: u64) -> impl Iterator<Item = u64> {
        self.0.iter().filter_map(move |(chunk, seen)| match chunk {
            ChunkId::Keys(block) if *seen < seq => Some(*block),
            _ => None,
        })
    }
}
