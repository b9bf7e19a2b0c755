//! Who else was there: another client at work on SKUs that don't add up.
//!
//! Counters that don't add up mean either that the server lies or that another client was at work.
//! Only what shows another client excuses them: a reservation that isn't this run's, or a counter
//! that this run never moves. Once one is seen, no difference can be laid at the server's door.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    account::Account,
    basket::{Contents, Pair},
    proof::Deviation,
};
use crate::client::{
    Client, Failure,
    wire::{Counters, Place, Reservation, Status},
};

/// SKUs looked at, of all that don't add up.
const LOOKED_AT_MAX: usize = 64;
/// The list of reservations is a projection and may lag.
const ROUNDS: u32 = 3;

/// What to look at.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) contents: &'a Contents,
    pub(super) account: &'a Account,
    pub(super) before: &'a HashMap<Pair, Place>,
    pub(super) after: &'a HashMap<Pair, Place>,
    pub(super) run: &'a str,
    /// When the run began.
    pub(super) since: jiff::Timestamp,
}

/// On how many of the SKUs that deviate another client was seen.
pub(super) async fn find(
    client: &Client,
    search: &Search<'_>,
    deviations: &[Deviation],
) -> Result<u64, Failure> {
    let Search {
        contents,
        account,
        before,
        after,
        ..
    } = *search;
    let all: BTreeSet<u32> = deviations
        .iter()
        .map(|deviation| deviation.pair.sku)
        .collect();
    let suspects: BTreeSet<u32> = all.into_iter().take(LOOKED_AT_MAX).collect();
    let mut foreign: HashSet<u32> = HashSet::new();
    for pair in after.keys().filter(|pair| suspects.contains(&pair.sku)) {
        let was = before.get(pair).copied().unwrap_or_default().counters;
        if untouched(was) != untouched(after[pair].counters) {
            foreign.insert(pair.sku);
        }
    }
    let own: HashSet<&str> = account.held.iter().map(|held| held.id.as_str()).collect();
    let others = |item: &Reservation| !own.contains(item.id.as_str()) && search.others(item);
    for round in 0..ROUNDS {
        let open: Vec<u32> = suspects
            .iter()
            .copied()
            .filter(|sku| !foreign.contains(sku))
            .collect();
        if !foreign.is_empty() {
            break;
        }
        if round > 0 && !open.is_empty() {
            sleep(Duration::from_millis(300)).await;
        }
        for sku in open {
            let Ok(page) = client
                .reservations_of(contents.skus.name(sku))
                .await?
                .result
            else {
                continue;
            };
            if page.items.iter().any(others) {
                foreign.insert(sku);
            }
        }
    }
    Ok(foreign.len() as u64)
}

impl Search<'_> {
    /// Whether an unknown reservation shows another client at work during the run. One that carries
    /// this run's order reference doesn't: the server would have made it twice of one key.
    fn others(&self, item: &Reservation) -> bool {
        let ours = item.order_ref.as_ref().is_some_and(|order| {
            order
                .strip_prefix(self.run)
                .is_some_and(|rest| rest.starts_with(':'))
        });
        let at: Option<jiff::Timestamp> = item.created_at.parse().ok();
        !ours && (item.status == Status::Open || at.is_some_and(|at| self.since <= at))
    }
}

/// The counters that a replay never moves.
fn untouched(counters: Counters) -> [i64; 8] {
    let Counters {
        safety_stock,
        shipped,
        returned,
        damaged,
        ..
    } = counters;
    let Counters {
        returns_received,
        adjusted,
        transferred,
        written_off,
        ..
    } = counters;
    [
        safety_stock,
        shipped,
        returned,
        damaged,
        returns_received,
        adjusted,
        transferred,
        written_off,
    ]
}
