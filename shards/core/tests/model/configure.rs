//! Creating and configuring a SKU.

use super::{Model, Outcome, What};
use holdfast_core::{Configure, Counter, KeyOutcome, KeyTarget, Patch, Refusal};

impl Model {
    pub(super) fn configure(&mut self, command: &Configure) -> Outcome {
        let known = self.skus.get(&command.sku);
        let actual = known.map_or(0, |shelf| shelf.versions.config);
        if let Some(expected) = command.expected_version
            && expected != actual
        {
            return Outcome::refused(Refusal::VersionChanged { expected, actual });
        }
        let created = known.is_none();
        if created && self.skus.len() >= self.policy.skus_max {
            return Outcome {
                what: What::Full("skus"),
                recorded: None,
                is_noted: false,
            };
        }

        let set = known.map(|shelf| shelf.config.clone()).unwrap_or_default();
        let low_at = after(set.low_at, &command.low_at).unwrap_or(0);
        if let Some(replenished_at) = after(set.replenished_at, &command.replenished_at)
            && low_at >= replenished_at
        {
            return Outcome::refused(Refusal::ReplenishedNotAboveLow {
                replenished_at,
                low_at,
            });
        }

        let shelf = self.skus.entry(command.sku.clone()).or_default();
        let before = (shelf.config.clone(), shelf.levels.clone());
        for (location, units) in &command.safety_stock {
            let level = shelf.levels.entry(location.clone()).or_default();
            match units {
                Patch::Keep => {}
                Patch::Clear => level.set(Counter::SafetyStock, 0),
                Patch::Set(units) => level.set(Counter::SafetyStock, i64::from(*units)),
            }
        }
        let config = &mut shelf.config;
        optional(&mut config.customer_limit, &command.customer_limit);
        optional(&mut config.opens_at, &command.opens_at);
        optional(&mut config.closes_at, &command.closes_at);
        optional(&mut config.low_at, &command.low_at);
        optional(&mut config.replenished_at, &command.replenished_at);
        plain(&mut config.paused, &command.paused);
        plain(&mut config.sourcing, &command.sourcing);
        plain(&mut config.on_shortfall, &command.on_shortfall);
        plain(&mut config.location_order, &command.location_order);
        let what = What::Sku {
            sku: command.sku.clone(),
            created,
        };
        if !created && before == (shelf.config.clone(), shelf.levels.clone()) {
            return Outcome {
                what,
                recorded: None,
                is_noted: false,
            };
        }
        shelf.versions.all += 1;
        shelf.versions.stock += 1;
        shelf.versions.config += 1;

        let kind = if created {
            KeyOutcome::SkuCreated
        } else {
            KeyOutcome::SkuConfigured
        };
        Outcome {
            what,
            recorded: Some((kind, KeyTarget::Sku(command.sku.clone()))),
            is_noted: false,
        }
    }
}

fn optional<T: Clone>(value: &mut Option<T>, patch: &Patch<T>) {
    match patch {
        Patch::Keep => {}
        Patch::Clear => *value = None,
        Patch::Set(new) => *value = Some(new.clone()),
    }
}

fn after(mut value: Option<u32>, patch: &Patch<u32>) -> Option<u32> {
    optional(&mut value, patch);
    value
}

fn plain<T: Clone + Default>(value: &mut T, patch: &Patch<T>) {
    match patch {
        Patch::Keep => {}
        Patch::Clear => *value = T::default(),
        Patch::Set(new) => *value = new.clone(),
    }
}
