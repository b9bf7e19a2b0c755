//! What the journals are kept for: from the slowest place of consumers, webhooks and sinks on, but
//! never further back than a bound, so that one who never comes back fills no disk.
//!
//! Deliberately absent: telling those who were left behind. They learn it where they read on.

use super::Events;
use super::store::Store;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often the slowest place is looked for.
const EVERY: Duration = Duration::from_secs(1);

/// Holds journals for those who have still to read them. Cheap to clone.
#[derive(Clone)]
pub struct Hold {
    events: Events,
    store: Store,
    events_max: u64,
}

impl Hold {
    /// For the places in a store, up to so many events behind the head of each shard.
    pub fn new(events: Events, store: Store, events_max: u64) -> Self {
        Self {
            events,
            store,
            events_max,
        }
    }

    /// Looks for the slowest place, and holds from there on.
    pub fn apply(&self) {
        let router = self.events.router();
        for shard in 0..router.placement().shards() {
            // A shard that is being rebuilt is held where it was.
            let Some(head) = router.head_of(shard) else {
                continue;
            };
            let slowest = self.store.slowest(shard);
            let bound = head.saturating_sub(self.events_max);
            router.hold(
                shard,
                slowest.map_or(u64::MAX, |slowest| slowest.max(bound)),
            );
        }
    }

    /// Does so again and again.
    pub fn keep(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            loop {
                every.tick().await;
                self.apply();
            }
        })
    }
}
