//! What the demo claims at its end, each with its numbers.
//!
//! The counters are weighed against the buyers' own account by the same rules as a replay's
//! ([`crate::replay::proof`]); the demo adds what only it can know: it looked on, it repeated every
//! call, and it had the stopped directory verified.

use std::collections::HashMap;

use super::{Options, SKU, book::Told, buyer::PAIR};
use crate::{
    client::wire::{Place, Sku},
    replay::{
        account::Account,
        basket::Contents,
        proof::{Evidence, Finding, Kind, ReadBackAnswers, Verdict, deviations, read_back},
    },
    show::{count, counted},
};

/// What was seen of the server's side.
#[derive(Debug)]
pub(super) struct Seen {
    /// The counters right after the sale.
    pub(super) sku: Sku,
    /// And after everything was read back and repeated.
    pub(super) after: Sku,
    pub(super) read_back: ReadBackAnswers,
    /// Repeats of a first call that got another answer.
    pub(super) repeated_otherwise: Vec<String>,
    /// Looks at the counters during the sale.
    pub(super) looks: u64,
    /// Those that didn't add up.
    pub(super) oversold: Vec<String>,
}

/// Judges the sale. `stopped` and `verified` are exit codes; `None` where a signal ended it.
pub(super) fn prove(
    options: &Options,
    told: &Told,
    seen: &Seen,
    stopped: Option<i32>,
    verified: Option<i32>,
) -> Vec<Finding> {
    let mut contents = Contents::default();
    contents.skus.intern(SKU);
    contents.locations.intern("main");
    let received = HashMap::from([(PAIR, options.units)]);
    let account = Account {
        received,
        ..told.account.clone()
    };
    let after: HashMap<_, Place> = seen
        .sku
        .locations
        .get("main")
        .map(|place| (PAIR, *place))
        .into_iter()
        .collect();
    let evidence = Evidence {
        contents: &contents,
        account: &account,
        before: &HashMap::new(),
        after: &after,
        sums_wrong: &[],
        read_back: &seen.read_back,
        others: 0,
    };
    let differing = deviations(&evidence);
    let of = |kinds: &[Kind]| -> Vec<String> {
        let found = differing
            .iter()
            .filter(|deviation| kinds.contains(&deviation.kind));
        found
            .map(|one| {
                format!(
                    "{:?}: {} explained, {} found",
                    one.kind, one.expected, one.found
                )
            })
            .collect()
    };
    let sold = seen.sku.counters.sold;
    let bought = account.totals().sold;
    let misfits = account
        .misfits
        .iter()
        .map(|misfit| format!("{}: {}", misfit.basket, misfit.what));
    vec![
        finding(
            "never oversold",
            format!(
                "{sold} sold of {}; {} at the counters during the sale, none over",
                options.units,
                counted(seen.looks, "look")
            ),
            [
                of(&[Kind::Oversold]),
                seen.oversold.clone(),
                too_many(options, sold),
            ]
            .concat(),
        ),
        finding(
            "every payment taken is one sale",
            format!("{} = {sold} sold", counted(bought, "payment")),
            of(&[Kind::Sold, Kind::OnHand, Kind::Received]),
        ),
        Finding {
            claim: "every acknowledged reservation survived",
            numbers: format!(
                "{} read back, {} of them from before the kill -9",
                count(seen.read_back.len() as u64),
                count(told.held_before_kill)
            ),
            ..read_back(&evidence)
        },
        finding(
            "every repeat got the first answer",
            format!(
                "{} double clicks, {} broken off, {} repeated afterwards",
                count(told.doubles),
                count(told.walked_away),
                count(told.reserves.len() as u64)
            ),
            [seen.repeated_otherwise.clone(), changed_by_repeats(seen)].concat(),
        ),
        finding(
            "every answer fits its question",
            format!(
                "{} reserves, nothing else was ever refused",
                count(told.reserves_sent)
            ),
            misfits.collect(),
        ),
        unit_by_unit(options, seen, of(&[Kind::Holds, Kind::Conserved])),
        finding(
            "the ledger checks out",
            "holdfast verify read every record and rebuilt the state".to_owned(),
            [("serve", stopped), ("verify", verified)]
                .into_iter()
                .filter(|(_, code)| *code != Some(0))
                .map(|(command, code)| format!("holdfast {command} ended with {code:?}"))
                .collect(),
        ),
    ]
}

fn finding(claim: &'static str, numbers: String, exceptions: Vec<String>) -> Finding {
    Finding {
        claim,
        verdict: if exceptions.is_empty() {
            Verdict::Holds
        } else {
            Verdict::Fails
        },
        numbers,
        exceptions: exceptions.len() as u64,
        examples: exceptions.into_iter().take(5).collect(),
    }
}

fn too_many(options: &Options, sold: i64) -> Vec<String> {
    let over = sold - options.units as i64;
    if over > 0 {
        vec![format!("{over} more than there were")]
    } else {
        Vec::new()
    }
}

/// A repeat has no effect: what was sold before the repeats is what is sold after them.
fn changed_by_repeats(seen: &Seen) -> Vec<String> {
    let (was, is) = (seen.sku.counters, seen.after.counters);
    let holds = |counters: crate::client::wire::Counters| counters.reserved + counters.expired;
    if (was.sold, was.released, holds(was)) == (is.sold, is.released, holds(is)) {
        return Vec::new();
    }
    vec![format!("the counters moved from {was:?} to {is:?}")]
}

fn unit_by_unit(options: &Options, seen: &Seen, mut wrong: Vec<String>) -> Finding {
    let counters = seen.sku.counters;
    let (sold, held, free) = (counters.sold, counters.reserved, seen.sku.available);
    let sum = sold + held + free;
    if sum != options.units as i64 {
        wrong.push(format!("the sum is {sum}"));
    }
    let numbers = format!(
        "{sold} sold + {held} in carts + {free} free = {}",
        options.units
    );
    finding("every unit is explained", numbers, wrong)
}

#[cfg(test)]
mod tests;
