//! From a file of real baskets: what truly happened, what the ledger was told of it, and what a
//! warehouse, an order service and sellers say, each with errors put in on purpose.
//!
//! Every draw is a hash of the seed and a name, so that the same seed derives the same. No two errors
//! hide each other: what a slow clock misses is more than all others together.
//! Deliberately absent: telling a ledger, and comparing. `tests/reconcile_derived.rs` does that with
//! an excerpt in one process, `benches/baskets.rs` with any file and the real program.

mod papers;

pub(crate) use papers::Errors;

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// SKU and store.
pub(crate) type Pair = (String, String);

/// A basket: one order.
#[derive(Clone, Debug)]
pub(crate) struct Basket {
    pub(crate) order: String,
    pub(crate) lines: BTreeMap<Pair, u32>,
    pub(crate) fate: Fate,
}

/// What became of an order, and who was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Paid, sold and gone; everybody knows.
    Whole,
    /// Given back; everybody knows.
    Released,
    /// Cancelled with the order service; the ledger was not told.
    Cancelled,
    /// Paid, and the message came after the deadline, or never.
    PaidLate,
    /// Sold, and the order service has no such order.
    NoOrder,
    /// The message that paid it came twice, with a reservation each.
    Twice,
    /// Its goods left; the message was lost.
    LostShipment,
}

/// What was wrong with what was said of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slip {
    /// Nothing.
    None,
    /// A receipt's message was repeated, and booked twice.
    RepeatedReceipt,
    /// A receipt's message with its place in the stream was repeated: it has no effect.
    RepeatedMark,
    /// Two receipts' messages with their places in the stream came the wrong way round: both count.
    Reordered,
    /// A receipt from before the count was booked after it.
    LateReceipt,
    /// The shelf was counted twice.
    DoubleCount,
    /// The seller missed a receipt.
    StaleSeller,
}

/// How a store's clock goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clock {
    /// Right.
    Right,
    /// Ahead: what it tells of has not come yet.
    Ahead,
    /// Behind: its count speaks of a moment before the last delivery.
    Behind,
}

/// Units of a receipt that is repeated or late.
pub(crate) const RECEIPT: u32 = 5;

/// Units of the last delivery to a store whose clock is behind, at each of its places.
pub(crate) const DELIVERY: u32 = 10_000;

/// Units received beyond what is sold.
const SPARE: u32 = 20;

/// What was derived.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) baskets: Vec<Basket>,
    /// Units received before everything, and what went wrong there.
    pub(crate) places: BTreeMap<Pair, (u32, Slip)>,
    /// The baskets that hold a pair, by their place in `baskets`.
    by_place: BTreeMap<Pair, Vec<usize>>,
    /// The stores, and how their clocks go.
    pub(crate) clocks: BTreeMap<String, Clock>,
}

/// Derives from the rows of a basket file, its first line included.
pub(crate) fn derive(csv: &str, seed: u64) -> Derived {
    let mut orders: BTreeMap<String, BTreeMap<Pair, u32>> = BTreeMap::new();
    for row in csv.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let [basket, _, store, product, units, _] = fields[..] else {
            continue;
        };
        let Some(units) = units
            .parse::<u32>()
            .ok()
            .filter(|units| (1..=1_000).contains(units))
        else {
            continue;
        };
        let pair = (product.to_owned(), store.to_owned());
        let lines = orders.entry(basket.to_owned()).or_default();
        *lines.entry(pair).or_default() += units;
    }
    let mut places: BTreeMap<Pair, (u32, Slip)> = BTreeMap::new();
    let mut baskets = Vec::new();
    let mut by_place: BTreeMap<Pair, Vec<usize>> = BTreeMap::new();
    for (order, lines) in orders {
        for (pair, units) in &lines {
            let slip = slip(draw(seed, &format!("{}@{}", pair.0, pair.1)));
            // Twice, since an order may be sold twice.
            places.entry(pair.clone()).or_insert((SPARE, slip)).0 += 2 * units;
            by_place
                .entry(pair.clone())
                .or_default()
                .push(baskets.len());
        }
        let fate = fate(draw(seed, &order));
        baskets.push(Basket { order, lines, fate });
    }
    let stores = places.keys().map(|(_, store)| store);
    let clocks = stores.map(|store| (store.clone(), clock(draw(seed, store))));
    let clocks = clocks.collect();
    Derived {
        baskets,
        places,
        by_place,
        clocks,
    }
}

/// Thousandths.
fn draw(seed: u64, name: &str) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), seed) % 1_000
}

fn fate(draw: u64) -> Fate {
    match draw {
        0..30 => Fate::Cancelled,
        30..60 => Fate::PaidLate,
        60..90 => Fate::NoOrder,
        90..120 => Fate::Twice,
        120..150 => Fate::LostShipment,
        150..200 => Fate::Released,
        _ => Fate::Whole,
    }
}

fn slip(draw: u64) -> Slip {
    match draw {
        0..20 => Slip::RepeatedReceipt,
        20..40 => Slip::RepeatedMark,
        40..60 => Slip::LateReceipt,
        60..80 => Slip::DoubleCount,
        80..100 => Slip::StaleSeller,
        100..120 => Slip::Reordered,
        _ => Slip::None,
    }
}

fn clock(draw: u64) -> Clock {
    match draw {
        0..100 => Clock::Ahead,
        100..200 => Clock::Behind,
        _ => Clock::Right,
    }
}

impl Fate {
    /// Whether the goods left.
    pub(crate) fn has_left(self) -> bool {
        matches!(self, Self::Whole | Self::LostShipment)
    }

    /// Whether the goods were sold, in truth.
    pub(crate) fn is_sold(self) -> bool {
        matches!(self, Self::PaidLate | Self::Twice) || self.has_left()
    }
}

impl Slip {
    /// Units that came beside those before everything.
    pub(crate) fn extra(self) -> u32 {
        match self {
            Self::RepeatedReceipt | Self::RepeatedMark | Self::LateReceipt => RECEIPT,
            Self::Reordered => 2 * RECEIPT,
            Self::None | Self::DoubleCount | Self::StaleSeller => 0,
        }
    }
}
