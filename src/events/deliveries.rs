//! Everything that carries events out in the name of somebody: consumers' places, webhooks, and
//! what they remember; started and stopped together.

use super::consumers::Consumers;
use super::hold::Hold;
use super::store::{Store, StoreError};
use super::webhooks::Webhooks;
use super::{Events, config};
use std::path::Path;
use tokio::task::AbortHandle;

/// The deliveries of a stock. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries {
    /// Consumers that come by themselves.
    pub consumers: Consumers,
    /// Receivers that are told.
    pub webhooks: Webhooks,
    store: Store,
    keeper: AbortHandle,
}

impl Deliveries {
    /// Opens what was remembered in the data directory, and goes on from there.
    pub fn start(
        events: &Events,
        dir: &Path,
        settings: &config::Events,
    ) -> Result<Self, StoreError> {
        let store = Store::open(dir, events.router().cluster())?;
        let hold = Hold::new(events.clone(), store.clone(), settings.hold_events_max);
        let consumers = Consumers::open(events.clone(), store.clone(), hold.clone(), settings)?;
        let webhooks = Webhooks::start(events.clone(), store.clone(), settings)?;
        Ok(Self {
            consumers,
            webhooks,
            store,
            keeper: hold.keep().abort_handle(),
        })
    }

    /// What deliveries remember.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ends them where they are; what they remember is durable then.
    pub async fn stop(&self) {
        self.webhooks.stop().await;
        self.keeper.abort();
        let store = self.store.clone();
        // The last commit waits for the disk.
        let stopped = tokio::task::spawn_blocking(move || store.stop()).await;
        stopped.expect("the store's thread ends by itself");
    }
}
