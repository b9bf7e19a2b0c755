//! Filling the shelves: SKUs first, then what is to be sold, in batches.

use serde_json::{Value, json};

use super::{
    account::Account,
    baseline::Baseline,
    basket::Contents,
    plan::{Plan, Stocking},
};
use crate::client::{Receipt, wire::Problem};

/// Receipts in one call.
pub(super) const BATCH: usize = 1_000;

/// The SKU by name, and what its locations have to be configured with.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    pub(super) sku: String,
    pub(super) config: Value,
}

/// A `PUT` for every SKU that doesn't know one of its locations yet: a location is known once
/// configured, and a place that is stocked with nothing must be known to be sold out there rather
/// than unknown. What is known already is left as it is.
pub(super) fn configurations(
    contents: &Contents,
    plan: &Plan,
    baseline: &Baseline,
) -> Vec<Configuration> {
    let mut needed: Vec<Configuration> = Vec::new();
    for stocking in &plan.stock {
        let sku = contents.skus.name(stocking.pair.sku);
        let location = contents.locations.name(stocking.pair.location);
        if baseline.knows(sku, location) {
            continue;
        }
        // The stock is ordered by SKU, so one SKU's places are neighbours.
        if needed.last().is_none_or(|last| last.sku != sku) {
            needed.push(Configuration {
                sku: sku.to_owned(),
                config: json!({ "locations": {} }),
            });
        }
        if let Some(last) = needed.last_mut() {
            last.config["locations"][location] = json!({ "safety_stock": 0 });
        }
    }
    needed
}

/// The receipts of a run, in the plan's order: the key of each is the run's id and its place there.
pub(super) fn receipts(contents: &Contents, plan: &Plan, run: &str) -> Vec<(Stocking, Receipt)> {
    let stocked = plan.stock.iter().filter(|stocking| stocking.units > 0);
    stocked
        .enumerate()
        .map(|(place, stocking)| {
            let receipt = Receipt {
                key: format!("{run}:stock:{place}"),
                sku: contents.skus.name(stocking.pair.sku).to_owned(),
                location: contents.locations.name(stocking.pair.location).to_owned(),
                qty: stocking.units,
            };
            (*stocking, receipt)
        })
        .collect()
}

/// Books the answers to `receipts`; the first refusal ends the run, since what can't be stocked
/// can't be sold.
pub(super) fn book(
    account: &mut Account,
    receipts: &[(Stocking, Receipt)],
    answers: Vec<Result<(), Box<Problem>>>,
) -> Result<(), Refused> {
    for ((stocking, receipt), answer) in receipts.iter().zip(answers) {
        answer.map_err(|problem| Refused {
            sku: receipt.sku.clone(),
            problem,
        })?;
        *account.received.entry(stocking.pair).or_default() += stocking.units;
    }
    Ok(())
}

/// A SKU that could not be created or stocked.
#[derive(Debug, thiserror::Error)]
#[error("can't stock {sku}: {} {}: {}", .problem.status, .problem.code, .problem.detail)]
pub struct Refused {
    /// Which.
    pub sku: String,
    /// What the server said.
    pub problem: Box<Problem>,
}
