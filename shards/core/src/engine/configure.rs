//! Configure a SKU: create it, or change how it sells.

use super::{Decision, Engine, Outcome, Reply};
use crate::command::{Configure, Patch};
use crate::event::{
    Effect, EventKind, KeyOutcome, KeyTag, KeyTarget, Note, SkuEffect, StockEffect, Versions,
};
use crate::refusal::Refusal;
use crate::stock::{Counter, SkuConfig};
use crate::time::Timestamp;
use smallvec::smallvec;

impl Engine {
    pub(super) fn decide_configure(
        &self,
        command: &Configure,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let known = self.skus.find_known(&command.sku);
        let (read, before, config) = match known {
            Some((_, entry)) => (entry.seq, entry.versions, (*entry.config).clone()),
            None => (self.seq, Versions::default(), SkuConfig::default()),
        };
        if let Some(expected) = command
            .expected_version
            .filter(|version| *version != before.config)
        {
            let refusal = Refusal::VersionChanged {
                expected,
                actual: before.config,
            };
            return Decision::refused(refusal, read);
        }
        if known.is_none() && self.skus.len() >= self.policy.skus_max {
            return Decision::outcome(Outcome::Full("skus"), self.seq);
        }
        let named = command.safety_stock.iter().map(|(location, _)| location);
        if !self.skus.has_room_for_all(named) {
            return Decision::outcome(Outcome::Full("locations"), self.seq);
        }
        let changed = patched(&config, command);
        if let Some(refusal) = unfit(&changed) {
            return Decision::refused(refusal, read);
        }
        // Nothing below can refuse.
        let created = known.is_none();
        let sku = command.sku.clone();
        let reply = Reply::Sku {
            sku: sku.clone(),
            created,
            replayed: false,
        };
        let levels = self.safety_changes(command);
        if !created && changed == config && levels.is_empty() {
            return Decision::outcome(Outcome::Done(reply), read);
        }
        let versions = Versions {
            all: before.all + 1,
            stock: before.stock + 1,
            config: before.config + 1,
        };
        let mut draft = self.draft(EventKind::SkuConfigured, now);
        draft.effect(Effect::Sku(Box::new(SkuEffect {
            sku: sku.clone(),
            config: changed,
            versions,
        })));
        for (location, safety_stock) in levels {
            let counters = smallvec![(Counter::SafetyStock, safety_stock)];
            let sku = sku.clone();
            draft.effect(Effect::Stock(Box::new(StockEffect {
                sku,
                location,
                counters,
                versions,
            })));
        }
        draft.note = command.reason.clone().map(|reason| {
            Box::new(Note {
                reason: Some(reason),
                ..Note::default()
            })
        });
        let outcome = if created {
            KeyOutcome::SkuCreated
        } else {
            KeyOutcome::SkuConfigured
        };
        let event = draft.finish(key.map(|tag| (tag, outcome, KeyTarget::Sku(sku))));
        Decision::with(event, Outcome::Done(reply))
    }

    /// Safety stocks that change, and locations that become known.
    fn safety_changes(&self, command: &Configure) -> Vec<(crate::name::Location, i64)> {
        let mut changes: Vec<(crate::name::Location, i64)> = Vec::new();
        for (location, patch) in &command.safety_stock {
            let level = self
                .skus
                .find_known(&command.sku)
                .and_then(|(_, entry)| entry.level(self.skus.find_location(location)?));
            let before = level.map(|level| level.counters.get(Counter::SafetyStock));
            let after = match patch {
                Patch::Keep => before.unwrap_or(0),
                Patch::Clear => 0,
                Patch::Set(units) => i64::from(*units),
            };
            changes.retain(|(other, _)| other != location);
            if before != Some(after) {
                changes.push((location.clone(), after));
            }
        }
        changes
    }
}

/// Why settings don't fit each other. What is changed now may not fit what was set before.
fn unfit(config: &SkuConfig) -> Option<Refusal> {
    let replenished_at = config.replenished_at?;
    let low_at = config.low_at.unwrap_or(0);
    (replenished_at <= low_at).then_some(Refusal::ReplenishedNotAboveLow {
        replenished_at,
        low_at,
    })
}

fn patched(config: &SkuConfig, command: &Configure) -> SkuConfig {
    fn optional<T: Clone>(before: Option<&T>, patch: &Patch<T>) -> Option<T> {
        match patch {
            Patch::Keep => before.cloned(),
            Patch::Clear => None,
            Patch::Set(value) => Some(value.clone()),
        }
    }
    SkuConfig {
        customer_limit: optional(config.customer_limit.as_ref(), &command.customer_limit),
        opens_at: optional(config.opens_at.as_ref(), &command.opens_at),
        closes_at: optional(config.closes_at.as_ref(), &command.closes_at),
        paused: optional(Some(&config.paused), &command.paused).unwrap_or(false),
        low_at: optional(config.low_at.as_ref(), &command.low_at),
        replenished_at: optional(config.replenished_at.as_ref(), &command.replenished_at),
        location_order: optional(Some(&config.location_order), &command.location_order)
            .unwrap_or_default(),
        sourcing: optional(Some(&config.sourcing), &command.sourcing).unwrap_or_default(),
        on_shortfall: optional(Some(&config.on_shortfall), &command.on_shortfall)
            .unwrap_or_default(),
    }
}
