//! What a shard does about holds whose units are gone.
//!
//! Deliberately absent: ending what a cart homed elsewhere holds. Its home is asked (`carts`).

use super::{Outbox, Shard};
use crate::clock::Now;
use holdfast_core::Millis;

/// Where holds without units can't be released, they are looked at this often.
pub(super) const SHORT_EVERY: Millis = Millis::from_secs(1);

impl Shard {
    /// Releases holds whose units are gone, where their SKU's policy says so, and has homes of other
    /// shards release theirs.
    pub(super) fn release_short(&mut self, now: Now, limit: usize, out: &mut Outbox) {
        let is_due = self.looked_short.after(SHORT_EVERY) <= now.time;
        if now.paused || self.core.is_full() || !is_due || !self.core.engine.wants_release() {
            return;
        }
        let is_kept = |hold: u64| self.carts.is_kept(hold, now.time);
        let short = self.core.engine.release_short(now.time, limit, is_kept);
        self.core.record_all(&short.events);
        if short.events.is_empty() {
            // What is left is pinned, or its home's: it is looked at again.
            self.looked_short = now.time;
        }
        if !short.ask.is_empty() {
            let turn = &mut self.core.turn(now, out);
            self.carts.ask_to_release(turn, &short.ask);
        }
    }
}
