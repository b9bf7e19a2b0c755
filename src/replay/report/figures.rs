//! The figures of a replay, as `--json` prints them.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::super::{
    Mode,
    account::{Account, Totals},
    basket::Fault,
    judgement::Lagging,
    plan::{Fate, Plan, Shares},
    reader::Locations,
};
use crate::client::Retries;

/// What the run was told to do, as far as it decides the outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Choices {
    /// Where baskets are checked out.
    pub locations: Locations,
    /// How reserves are asked for.
    pub mode: Mode,
    /// What becomes of those held.
    pub shares: Shares,
    /// Units stocked per unit asked for.
    pub stock_factor: f64,
    /// The largest quantity that is believed.
    pub qty_max: u64,
    /// For rounding and fates.
    pub seed: u64,
    /// Calls at once.
    pub connections: usize,
}

/// About the file.
#[derive(Clone, Debug, Serialize)]
pub struct FileFigures {
    /// Where it is.
    pub path: String,
    /// Rows after the header.
    pub rows: u64,
    /// Rows left out, by fault.
    pub bad_rows: BTreeMap<Fault, u64>,
    /// Baskets with at least one usable row.
    pub baskets: u64,
    /// Baskets without any.
    pub baskets_empty: u64,
    /// Baskets of more than 200 lines, sent as several reservations.
    pub baskets_split: u64,
}

/// About the shelves.
#[derive(Clone, Debug, Serialize)]
pub struct StockFigures {
    /// Products in the file.
    pub skus: u64,
    /// SKU and location pairs in the file.
    pub places: u64,
    /// Units the file asks for.
    pub units_demanded: u64,
    /// Units received.
    pub units_received: u64,
    /// Seconds it took, creation of SKUs included.
    pub seconds: f64,
}

/// About the checkouts.
#[derive(Clone, Debug, Serialize)]
pub struct CheckoutFigures {
    /// Reserves sent.
    pub reserves: u64,
    /// Of those, acknowledged as held.
    pub reserved: u64,
    /// Refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Ended as sold.
    pub confirmed: u64,
    /// Of those, after the deadline.
    pub confirmed_late: u64,
    /// Ended as given back.
    pub released: u64,
    /// Found lapsed by a confirm or a release.
    pub lapsed: u64,
    /// Left alone, to lapse.
    pub abandoned: u64,
    /// Refused confirms and releases, by call and code.
    pub settling_refused: BTreeMap<String, u64>,
    /// Units asked for.
    pub units_asked: u64,
    /// Units held.
    pub units_granted: u64,
    /// Units sold.
    pub units_sold: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// Reserves a second.
    pub reserves_per_second: f64,
}

/// About the way to the server.
#[derive(Clone, Debug, Serialize)]
pub struct ServerFigures {
    /// Where it is.
    pub address: String,
    /// Times it went away and came back.
    pub outages: u64,
    /// How long it was away in all, in seconds.
    pub outage_seconds: f64,
    /// Attempts repeated, by cause.
    pub retries: Retries,
    /// SKUs on which another client was seen at work, of those looked at because they don't add up.
    pub others_seen_on_skus: u64,
    /// SKUs whose counters were behind the answers at first.
    pub lagging: Lagging,
    /// Seconds the reads of the proof took.
    pub proof_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
}

/// What became of the checkouts, which took so long.
pub(super) fn checkouts(plan: &Plan, account: &Account, took: Duration) -> CheckoutFigures {
    let Totals {
        granted,
        sold,
        confirmed,
        late,
        given_back,
        lapsed,
        ..
    } = account.totals();
    let reserves = plan.checkouts.len() as u64;
    let abandoned = account
        .held
        .iter()
        .filter(|held| held.fate == Fate::Abandon)
        .count();
    CheckoutFigures {
        reserves,
        reserved: account.held.len() as u64,
        refused: account.refused.clone(),
        confirmed,
        confirmed_late: late,
        released: given_back,
        lapsed,
        abandoned: abandoned as u64,
        settling_refused: account.settling_refused.clone(),
        units_asked: account.units_asked,
        units_granted: granted,
        units_sold: sold,
        seconds: took.as_secs_f64(),
        reserves_per_second: reserves as f64 / took.as_secs_f64().max(0.001),
    }
}
