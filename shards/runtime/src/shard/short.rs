//! What a shard does about holds whose units are gone.
//!
//! Deliberately absent: asking other shards. What a cart homed elsewhere holds is its home's to end.

use super::Shard;
use crate::clock::Now;
use holdfast_core::Millis;

/// Where holds without units can't be released, they are looked at this often.
pub(super) const SHORT_EVERY: Millis = Millis::from_secs(1);

impl Shard {
    /// Releases holds whose units are gone, where their SKU's policy says so.
    pub(super) fn release_short(&mut self, now: Now, limit: usize) {
        let is_due = self.looked_short.after(SHORT_EVERY) <= now.time;
        if now.paused || self.core.is_full() || !is_due || !self.core.engine.wants_release() {
            return;
        }
        match self.core.engine.release_short(now.time, limit) {
            Some(event) => self.core.record(&event),
            // What is left is pinned, or its home's: it is looked at again.
            None => self.looked_short = now.time,
        }
    }
}
