//! Carts over several shards: home's totals against what the parts have settled.
//!
//! A part may lag behind a decision by a message; it is told again at the next start. What can't
//! be is a part ahead of its home, or a bound hold that no home names.

use super::{Checks, Claim};
use holdfast_core::{ChunkState, Engine, HoldPhase, HoldRecord, ReservationId, Settle, Sku};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Carts {
    /// What homes decided, by cart and hold.
    decided: HashMap<(ReservationId, u16, u64), Settle>,
    /// Holds of carts of other shards.
    parts: Vec<(u16, HoldRecord)>,
    /// SKUs and the shards they were found on.
    homes: Vec<(Sku, Settle)>,
    owner: HashMap<Sku, u16>,
}

impl Carts {
    pub(super) fn add(&mut self, shard: u16, engine: &Engine) {
        for view in engine.sku_views() {
            self.owner.insert(view.sku, shard);
        }
        for (_, state) in engine.all_chunks() {
            match state {
                ChunkState::Holds(holds) => {
                    let foreign = holds
                        .into_iter()
                        .filter(|hold| hold.phase != HoldPhase::Local);
                    self.parts.extend(foreign.map(|hold| (shard, hold)));
                }
                ChunkState::Homes(homes) => {
                    let spread = homes
                        .iter()
                        .filter(|home| home.lines.iter().any(|l| l.foreign));
                    for home in spread {
                        self.homes.extend(engine.decided(home.id));
                    }
                }
                ChunkState::Shard(_) | ChunkState::Skus(_) | ChunkState::Keys(_) => {}
            }
        }
    }

    pub(super) fn check(mut self, shards: u16, checks: &mut Checks) {
        for (sku, settle) in std::mem::take(&mut self.homes) {
            if let Some(shard) = self.owner.get(&sku) {
                self.decided
                    .insert((settle.id, *shard, settle.hold), settle);
            }
        }
        let mut lagging = 0_u64;
        for (shard, hold) in &self.parts {
            let Some(home) = self.decided.get(&(hold.id, *shard, hold.number)) else {
                if hold.phase == HoldPhase::Bound && hold.open() > 0 {
                    let detail = format!(
                        "shard {shard}: hold {} of {} has no home",
                        hold.number, hold.id
                    );
                    checks.broken(Claim::Carts, detail);
                } else {
                    lagging += u64::from(hold.open() > 0);
                }
                continue;
            };
            let is_ahead = home.version < hold.version
                || (home.version == hold.version
                    && hold.totals != [home.confirmed, home.released, home.expired]);
            if is_ahead && hold.phase == HoldPhase::Bound {
                let detail = format!(
                    "shard {shard}: hold {} of {} is ahead of home",
                    hold.number, hold.id
                );
                checks.broken(Claim::Carts, detail);
            }
            lagging += u64::from(hold.version < home.version || hold.phase == HoldPhase::Tentative);
        }
        if lagging > 0 && shards > 1 {
            let why = format!("{lagging} parts will learn of a decision at the next start");
            checks.limit(Claim::Carts, why);
        }
    }
}
