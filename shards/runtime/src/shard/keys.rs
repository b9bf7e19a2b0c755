//! What a commit does to keys, for the directory that finds them from other shards.

use super::core::Core;
use holdfast_core::{ChunkId, ChunkState, KeyTag, Slot};

impl Core {
    /// Notes the keys that the commit will free.
    pub(super) fn forget_keys(&mut self, below: u64) {
        if self.setting.placement.shards() == 1 {
            return;
        }
        let ChunkState::Shard(shard) = self.engine.chunk(ChunkId::Shard) else {
            return;
        };
        let count = below.saturating_sub(shard.first_key) as usize;
        let forgotten = self.engine.key_tags().take(count);
        self.staged.forgotten.extend(forgotten);
    }

    /// Keeps a key with the commit of what is staged, whoever is answered.
    pub(crate) fn keep_key(&mut self, tag: &KeyTag, slot: Slot) {
        if self.setting.placement.shards() > 1 {
            self.staged.keys.push((*tag, slot));
        }
    }
}
