//! The auditor: sums of its own over the events, sharing no code with the engine.

use super::{Checks, Claim};
use holdfast_core::{Counter, Effect, Engine, Event, EventKind, StockEffect};
use std::collections::HashMap;

/// Counters as the events tell them, per SKU and location.
#[derive(Default)]
pub(super) struct Audit {
    levels: HashMap<(String, String), [i64; 14]>,
    broken: Vec<(Claim, String)>,
}

impl Audit {
    pub(super) fn take(&mut self, event: &Event) {
        for effect in event.spelled_out().iter() {
            if let Effect::Stock(stock) = effect {
                self.stock(event, stock);
            }
        }
    }

    fn stock(&mut self, event: &Event, stock: &StockEffect) {
        let key = (stock.sku.to_string(), stock.location.to_string());
        let level = self.levels.entry(key).or_default();
        let before = *level;
        for (counter, value) in &stock.counters {
            level[*counter as usize] = *value;
        }
        let after = *level;
        let place = || format!("event {}: {} at {}", event.seq, stock.sku, stock.location);
        let get = |counters: [i64; 14], counter: Counter| counters[counter as usize];
        for counter in Counter::ALL {
            let value = get(after, counter);
            let is_signed = matches!(counter, Counter::Adjusted | Counter::Transferred);
            if value < 0 && !is_signed {
                let detail = format!("{}: {} is {value}", place(), counter.name());
                self.broken.push((Claim::Counters, detail));
            }
        }
        // Only these take units for a promise; a replaced reservation gives its own back first, and
        // one that moves takes them where it goes to.
        let promises = matches!(
            event.kind,
            EventKind::ReservationCreated | EventKind::ReservationMoved | EventKind::CartHeld
        );
        let taken = get(after, Counter::Reserved) - get(before, Counter::Reserved);
        let free = get(after, Counter::OnHand)
            - get(after, Counter::Reserved)
            - get(after, Counter::SafetyStock);
        if promises && taken > 0 && free < 0 {
            let detail = format!("{}: {taken} taken, {} too many", place(), -free);
            self.broken.push((Claim::Oversell, detail));
        }
        let [shipped, sold] = [Counter::Shipped, Counter::Sold].map(|each| get(after, each));
        if sold < shipped {
            let detail = format!("{}: {shipped} shipped, {sold} sold", place());
            self.broken.push((Claim::Holds, detail));
        }
        let flows = get(after, Counter::Received)
            + get(after, Counter::Adjusted)
            + get(after, Counter::Transferred)
            + get(after, Counter::ReturnsReceived);
        let places = get(after, Counter::OnHand)
            + get(after, Counter::Sold)
            + get(after, Counter::Returned)
            + get(after, Counter::Damaged)
            + get(after, Counter::WrittenOff);
        if flows != places {
            let detail = format!("{}: {flows} came in, {places} are accounted for", place());
            self.broken.push((Claim::Conservation, detail));
        }
    }

    /// Holds the sums against the engine's counters.
    pub(super) fn finish(self, shard: u16, engine: &Engine, checks: &mut Checks) {
        for (claim, detail) in self.broken {
            checks.broken(claim, format!("shard {shard}: {detail}"));
        }
        let mut left = self.levels;
        for view in engine.sku_views() {
            let mut transferred = 0;
            for (location, counters) in &view.levels {
                let key = (view.sku.to_string(), location.to_string());
                let audited = left.remove(&key).unwrap_or_default();
                transferred += audited[Counter::Transferred as usize];
                let differs = Counter::ALL
                    .into_iter()
                    .find(|counter| counters.get(*counter) != audited[*counter as usize]);
                if let Some(counter) = differs {
                    let (sku, location) = key;
                    let detail = format!(
                        "shard {shard}: {sku} at {location}: {} is {}, the events say {}",
                        counter.name(),
                        counters.get(counter),
                        audited[counter as usize],
                    );
                    checks.broken(Claim::Conservation, detail);
                }
            }
            if transferred != 0 {
                let sku = &view.sku;
                let detail = format!("shard {shard}: {sku}: transferred sums to {transferred}");
                checks.broken(Claim::Conservation, detail);
            }
        }
        if let Some((sku, location)) = left.into_keys().next() {
            let detail = format!("shard {shard}: {sku} at {location} is in the events alone");
            checks.broken(Claim::Conservation, detail);
        }
    }
}
