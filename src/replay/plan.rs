//! What a replay is going to do, settled before the first call: how much stock goes where, and what
//! becomes of each checkout.
//!
//! Every draw is a hash of the seed and a name, so a rerun with the same options plans the same,
//! whatever was interleaved with what.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::basket::{Contents, Item, Pair};

/// Lines in one reservation at most; a larger basket becomes several.
pub const LINES_MAX: usize = 200;

/// Shares of the checkouts by what becomes of them; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shares {
    /// Paid.
    pub confirm: f64,
    /// Given back.
    pub release: f64,
    /// Left to lapse.
    pub abandon: f64,
}

/// Shares that are none.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("--confirm, --release and --abandon sum to {0}; they must sum to 1, none below 0")]
pub struct BadShares(f64);

impl Shares {
    /// Checks that they are shares.
    pub fn check(self) -> Result<Self, BadShares> {
        let sum = self.confirm + self.release + self.abandon;
        let negative = [self.confirm, self.release, self.abandon]
            .iter()
            .any(|share| *share < 0.0);
        if negative || (sum - 1.0).abs() > 1e-6 || !sum.is_finite() {
            return Err(BadShares(sum));
        }
        Ok(self)
    }
}

/// What becomes of a checkout once it holds its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is paid: confirm.
    Confirm,
    /// It is given back: release.
    Release,
    /// Nobody comes back: it lapses.
    Abandon,
}

/// One reservation to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its place in [`Contents::baskets`].
    pub basket: usize,
    /// 0, or which part of a basket of more than [`LINES_MAX`] lines.
    pub part: usize,
    /// What becomes of it.
    pub fate: Fate,
}

impl Checkout {
    /// The lines it asks for.
    pub fn items<'a>(&self, contents: &'a Contents) -> &'a [Item] {
        let items = &contents.baskets[self.basket].items;
        let from = self.part * LINES_MAX;
        &items[from..items.len().min(from + LINES_MAX)]
    }
}

/// Units to be received at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stocking {
    /// Where.
    pub pair: Pair,
    /// Units the file asks for.
    pub demand: u64,
    /// Units to stock; may be 0.
    pub units: u64,
}

/// A whole replay, planned.
#[derive(Debug)]
pub struct Plan {
    /// In time order.
    pub checkouts: Vec<Checkout>,
    /// One per SKU and location the file names, ordered.
    pub stock: Vec<Stocking>,
    /// Baskets that became several reservations.
    pub baskets_split: u64,
}

impl Plan {
    /// Plans the replay of `contents`.
    pub fn new(contents: &Contents, shares: Shares, stock_factor: f64, seed: u64) -> Self {
        let mut checkouts = Vec::with_capacity(contents.baskets.len());
        let mut demand: BTreeMap<Pair, u64> = BTreeMap::new();
        let mut baskets_split = 0;
        for (place, basket) in contents.baskets.iter().enumerate() {
            let fate = draw_fate(&basket.id, shares, seed);
            let parts = basket.items.len().div_ceil(LINES_MAX);
            baskets_split += u64::from(parts > 1);
            checkouts.extend((0..parts).map(|part| Checkout {
                basket: place,
                part,
                fate,
            }));
            for item in &basket.items {
                let pair = Pair {
                    sku: item.sku,
                    location: basket.store,
                };
                *demand.entry(pair).or_default() += item.qty;
            }
        }
        let stock = demand
            .into_iter()
            .map(|(pair, demand)| {
                let name = (
                    contents.skus.name(pair.sku),
                    contents.locations.name(pair.location),
                );
                Stocking {
                    pair,
                    demand,
                    units: round(demand as f64 * stock_factor, name, seed),
                }
            })
            .collect();
        Self {
            checkouts,
            stock,
            baskets_split,
        }
    }

    /// Units to stock in all.
    pub fn units(&self) -> u64 {
        self.stock.iter().map(|stocking| stocking.units).sum()
    }
}

/// A fingerprint of everything a replay asks for: two plans that would send other bodies under the
/// same keys differ in it.
pub fn fingerprint(contents: &Contents, plan: &Plan) -> u64 {
    let mut hash = Xxh3::new();
    for stocking in &plan.stock {
        hash.update(contents.skus.name(stocking.pair.sku).as_bytes());
        hash.update(contents.locations.name(stocking.pair.location).as_bytes());
        hash.update(&stocking.units.to_le_bytes());
    }
    for checkout in &plan.checkouts {
        let basket = &contents.baskets[checkout.basket];
        hash.update(basket.id.as_bytes());
        hash.update(basket.household.as_bytes());
        hash.update(&[checkout.fate as u8]);
        for item in checkout.items(contents) {
            hash.update(contents.skus.name(item.sku).as_bytes());
            hash.update(&item.qty.to_le_bytes());
        }
    }
    hash.digest()
}

/// Rounds up with the probability of the fraction, drawn for this place: the sum over many places
/// comes out as asked even where each of them wants less than one unit.
fn round(units: f64, (sku, location): (&str, &str), seed: u64) -> u64 {
    let whole = units.floor();
    let up = draw(&format!("stock\0{sku}\0{location}"), seed) < units - whole;
    whole as u64 + u64::from(up)
}

fn draw_fate(basket: &str, shares: Shares, seed: u64) -> Fate {
    let drawn = draw(&format!("fate\0{basket}"), seed);
    if drawn < shares.confirm {
        Fate::Confirm
    } else if drawn < shares.confirm + shares.release {
        Fate::Release
    } else {
        Fate::Abandon
    }
}

/// A number in 0..1 that depends on the name and the seed alone.
pub(crate) fn draw(name: &str, seed: u64) -> f64 {
    // 53 bits: what a double holds exactly.
    (xxh3_64_with_seed(name.as_bytes(), seed) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{super::reader, *};

    const SHARES: Shares = Shares {
        confirm: 0.85,
        release: 0.05,
        abandon: 0.10,
    };

    fn contents(rows: &str) -> Contents {
        let header = "basket_id,household_id,store_id,product_id,quantity,transaction_timestamp\n";
        let file = format!("{header}{rows}");
        reader::read_rows(file.as_bytes(), "test", reader::Locations::Store, 1000)
            .expect("the header is right")
    }

    fn month(baskets: u64) -> Contents {
        let row = |n: u64| format!("{n},7,330,P{n},1,2017-01-01 10:00:00\n");
        contents(&(0..baskets).map(row).collect::<String>())
    }

    #[test]
    fn single_units_are_stocked_in_the_share_asked_for_and_the_same_every_time() {
        let contents = month(10_000);
        let units = Plan::new(&contents, SHARES, 0.7, 1).units();
        assert!((6_800..=7_200).contains(&units), "{units} of 10,000 at 0.7");
        assert_eq!(Plan::new(&contents, SHARES, 0.7, 1).units(), units);
        assert_ne!(Plan::new(&contents, SHARES, 0.7, 2).units(), units);
        assert_eq!(Plan::new(&contents, SHARES, 1.0, 1).units(), 10_000);
        assert_eq!(Plan::new(&contents, SHARES, 0.0, 1).units(), 0);
    }

    #[test]
    fn fates_come_in_the_shares_asked_for() {
        let contents = month(10_000);
        let plan = Plan::new(&contents, SHARES, 0.7, 1);
        let count = |fate| {
            plan.checkouts
                .iter()
                .filter(|checkout| checkout.fate == fate)
                .count()
        };
        assert!((8_350..=8_650).contains(&count(Fate::Confirm)));
        assert!((400..=600).contains(&count(Fate::Release)));
        assert!((850..=1_150).contains(&count(Fate::Abandon)));
    }

    #[test]
    fn a_basket_of_more_than_200_lines_becomes_several_checkouts_that_lose_no_line() {
        let row = |n: u64| format!("1,7,330,P{n},2,2017-01-01 10:00:00\n");
        let contents = contents(&(0..450).map(row).collect::<String>());
        let plan = Plan::new(&contents, SHARES, 1.0, 1);
        let lines: Vec<usize> = plan
            .checkouts
            .iter()
            .map(|c| c.items(&contents).len())
            .collect();
        assert_eq!(lines, [200, 200, 50]);
        assert_eq!(plan.baskets_split, 1);
        assert_eq!(plan.units(), 900);
    }

    #[test]
    fn another_seed_or_file_has_another_fingerprint() {
        let contents = month(50);
        let print = |seed| fingerprint(&contents, &Plan::new(&contents, SHARES, 0.7, seed));
        assert_eq!(print(1), print(1));
        assert_ne!(print(1), print(2));
    }

    #[test]
    fn shares_that_do_not_sum_to_one_are_refused_with_their_sum() {
        let refused = Shares {
            confirm: 0.5,
            ..SHARES
        }
        .check()
        .expect_err("0.65");
        assert!(refused.to_string().contains("0.65"), "{refused}");
        assert!(
            Shares {
                confirm: 1.1,
                release: -0.1,
                abandon: 0.0
            }
            .check()
            .is_err()
        );
        assert!(SHARES.check().is_ok());
    }
}
