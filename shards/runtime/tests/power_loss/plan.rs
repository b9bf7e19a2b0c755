//! What all processes of a history agree on: bounds short enough that everything ends in it.

use holdfast_core::{Location, Millis, Policy, Sku, Text};
use holdfast_ledger::Identity;
use holdfast_runtime::{CartSettings, Placement};
use std::time::Instant;
use uuid::Uuid;

pub(crate) const SHARDS: u16 = 2;

/// Bounds, names, and who owns what.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) policy: Policy,
    pub(crate) carts: CartSettings,
    pub(crate) placement: Placement,
    pub(crate) snapshot_after: u64,
    pub(crate) journal_kept: Millis,
    /// Three on each shard.
    pub(crate) skus: Vec<Vec<Sku>>,
    pub(crate) locations: Vec<Location>,
    pub(crate) customers: Vec<Text>,
    pub(crate) instant: Instant,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let placement = Placement::new((0..SHARDS).map(|index| identity(index).slots));
        let names = |shard: u16| {
            let names = (0..).map(|n| Sku::parse(&format!("SKU-{n}")).expect("a name"));
            let placement = &placement;
            let own = names.filter(move |sku| placement.shard_of_sku(sku) == shard);
            own.take(3).collect()
        };
        let location = |name: &str| Location::parse(name).expect("a name");
        let customer = |name: &str| Text::parse(name).expect("a text");
        Self {
            seed,
            policy: policy(),
            carts: CartSettings {
                try_timeout: Millis::new(1500),
                ..CartSettings::default()
            },
            skus: (0..SHARDS).map(names).collect(),
            placement,
            snapshot_after: 4 + seed % 20,
            journal_kept: Millis::from_secs(20),
            locations: ["main", "north", "south"].map(location).to_vec(),
            customers: ["ann", "ben"].map(customer).to_vec(),
            instant: holdfast_runtime::clock::instant(),
        }
    }

    #[allow(clippy::unused_self, reason = "reads beside the others")]
    pub(crate) fn identity(&self, index: u16) -> Identity {
        identity(index)
    }
}

fn identity(index: u16) -> Identity {
    Identity::even(Uuid::from_u128(0x0ff5_e751), index, SHARDS)
}

fn policy() -> Policy {
    Policy {
        ttl_default: Millis::from_secs(8),
        ttl_max: Millis::from_secs(30),
        lifetime_max: Millis::from_secs(60),
        pin_max: Millis::from_secs(20),
        late_window: Millis::from_secs(40),
        retention: Millis::from_secs(60),
        order_retention: Millis::from_secs(80),
        key_retention: Millis::from_secs(50),
        reservations_max: 400,
        expire_per_turn: 4,
        resume_grace: Millis::from_secs(3),
        ..Policy::default()
    }
}
