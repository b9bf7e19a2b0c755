//! Thresholds, in the words that stand right of the arrow.

use super::tell::moment;
use super::{Subject, World};
use holdfast_core::{Effect, EventKind};

/// What was told of a SKU since this was last asked, and since when it is depleted and sold out.
pub(super) fn words<S: Subject>(world: &World<S>, name: &str) -> String {
    let sku = super::translate::sku_of(name);
    let mut parts = Vec::new();
    let asked = world.supplied.get(name).copied().unwrap_or(0);
    for event in &world.journal[asked..] {
        let word = match event.kind {
            EventKind::StockLow => "low",
            EventKind::StockDepleted => "depleted",
            EventKind::StockReplenished => "replenished",
            _ => continue,
        };
        let is_own = |effect: &Effect| matches!(effect, Effect::Supply(of) if of.sku == sku);
        if event.effects.iter().any(is_own) {
            parts.push(format!("{word} {}", moment(event.at)));
        }
    }
    if parts.is_empty() {
        parts.push("nothing told".to_owned());
    }
    let view = world.subject.engine().sku(&sku);
    let supply = view.map(|view| view.supply).unwrap_or_default();
    for (word, at) in [
        ("depleted_at", supply.depleted_at),
        ("sold_out_at", supply.sold_out_at),
    ] {
        if let Some(at) = at {
            parts.push(format!("{word}={}", moment(at)));
        }
    }
    parts.join(", ")
}
