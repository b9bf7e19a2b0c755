//! What is true of what was derived, the papers that say so or something else, and the differences
//! that these must show.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Clock, DELIVERY, Derived, Fate, Pair, RECEIPT, Slip};

/// Whether a paper has the errors that were put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    /// It has.
    In,
    /// Whoever wrote it has looked again.
    Out,
}

impl Derived {
    /// How the clock of a place's store goes.
    pub(crate) fn clock(&self, pair: &Pair) -> Clock {
        self.clocks[&pair.1]
    }

    /// What went wrong with what was said of a place.
    pub(crate) fn slip(&self, pair: &Pair) -> Slip {
        self.places[pair].1
    }

    /// Units that left a place without a word.
    pub(crate) fn lost(&self, pair: &Pair) -> i64 {
        self.sum(pair, |fate| fate == Fate::LostShipment)
    }

    /// What lies on the shelf, in truth.
    pub(crate) fn physical(&self, pair: &Pair) -> i64 {
        self.received(pair) - self.sum(pair, Fate::has_left)
    }

    /// What can be sold, in truth.
    pub(crate) fn on_hand(&self, pair: &Pair) -> i64 {
        self.received(pair) - self.sum(pair, Fate::is_sold)
    }

    fn received(&self, pair: &Pair) -> i64 {
        let (received, slip) = self.places[pair];
        let delivered = match self.clock(pair) {
            Clock::Behind => DELIVERY,
            Clock::Right | Clock::Ahead => 0,
        };
        i64::from(received + slip.extra() + delivered)
    }

    fn sum(&self, pair: &Pair, counts: impl Fn(Fate) -> bool) -> i64 {
        let baskets = self.by_place.get(pair).into_iter().flatten();
        let units = baskets.filter_map(|at| {
            let basket = &self.baskets[*at];
            counts(basket.fate).then(|| i64::from(basket.lines[pair]))
        });
        units.sum()
    }

    /// The order export: the first reservation of each order, as it was made.
    pub(crate) fn orders(&self, made: &BTreeMap<String, Vec<String>>) -> String {
        let mut file = "order_ref,reservation,state,sku,location,qty\n".to_owned();
        for basket in &self.baskets {
            let state = match basket.fate {
                Fate::NoOrder => continue,
                Fate::Cancelled | Fate::Released => "cancelled",
                Fate::Whole | Fate::PaidLate | Fate::Twice | Fate::LostShipment => "paid",
            };
            let id = &made[&basket.order][0];
            for (pair, count) in &basket.lines {
                let order = &basket.order;
                writeln!(file, "{order},{id},{state},{},{},{count}", pair.0, pair.1).expect("text");
            }
        }
        file
    }

    /// The warehouse's count, each store's rows of the moment that its clock says.
    pub(crate) fn count(&self, errors: Errors, moment: impl Fn(Clock) -> String) -> String {
        let mut file = "sku,location,counted,taken_at\n".to_owned();
        for pair in self.places.keys() {
            let is_double = errors == Errors::In && self.slip(pair) == Slip::DoubleCount;
            let counted = self.physical(pair) * if is_double { 2 } else { 1 };
            let taken_at = moment(self.clock(pair));
            writeln!(file, "{},{},{counted},{taken_at}", pair.0, pair.1).expect("text");
        }
        file
    }

    /// What the sellers of some stores believe they have.
    pub(crate) fn feed(&self, is_of: impl Fn(&str) -> bool, errors: Errors) -> String {
        let mut file = "sku,location,on_hand\n".to_owned();
        for pair in self.places.keys().filter(|pair| is_of(&pair.1)) {
            let is_stale = errors == Errors::In && self.slip(pair) == Slip::StaleSeller;
            let on_hand = self.on_hand(pair) - i64::from(is_stale) * i64::from(RECEIPT);
            writeln!(file, "{},{},{on_hand}", pair.0, pair.1).expect("text");
        }
        file
    }

    /// What the order export must show, sorted.
    pub(crate) fn wrong_orders(&self) -> Vec<String> {
        let mut all = Vec::new();
        for basket in &self.baskets {
            let kind = match basket.fate {
                Fate::Cancelled => "cancelled-confirmed",
                Fate::NoOrder => "no-order",
                Fate::Twice => "confirmed-twice",
                Fate::PaidLate => {
                    let (pair, _) = basket.lines.iter().next().expect("a line");
                    let paid: u32 = basket.lines.values().sum();
                    all.push(format!("paid-expired {} {} {paid}", pair.0, pair.1));
                    continue;
                }
                Fate::Whole | Fate::Released | Fate::LostShipment => continue,
            };
            let line =
                |(pair, units): (&Pair, &u32)| format!("{kind} {} {} -{units}", pair.0, pair.1);
            all.extend(basket.lines.iter().map(line));
        }
        all.sort_unstable();
        all
    }

    /// What a place's first count differs by from the ledger.
    fn miscounted(&self, pair: &Pair) -> i64 {
        let wrong = match self.slip(pair) {
            Slip::RepeatedReceipt => -i64::from(RECEIPT),
            Slip::DoubleCount => self.physical(pair),
            Slip::None
            | Slip::RepeatedMark
            | Slip::Reordered
            | Slip::LateReceipt
            | Slip::StaleSeller => 0,
        };
        let missed = match self.clock(pair) {
            Clock::Behind => i64::from(DELIVERY),
            Clock::Right | Clock::Ahead => 0,
        };
        wrong + missed - self.lost(pair)
    }

    /// Whether what a first count shows is the ledger's error alone, so that its correction is right.
    /// Else whoever looks finds the count wrong, or books what left, and it is counted again.
    pub(crate) fn is_ledgers_error(&self, pair: &Pair) -> bool {
        let is_right = self.clock(pair) != Clock::Behind && self.lost(pair) == 0;
        is_right && self.slip(pair) == Slip::RepeatedReceipt
    }

    /// What the first counts must show, sorted.
    pub(crate) fn wrong_counts(&self) -> Vec<String> {
        let all = self.places.keys();
        let wrong = all.map(|pair| (pair, self.miscounted(pair)));
        lines("warehouse", wrong.filter(|(_, units)| *units != 0))
    }

    /// What the second counts must show after the first were decided on, sorted.
    pub(crate) fn wrong_recounts(&self) -> Vec<String> {
        let all = self.places.keys();
        let left = all.filter(|pair| {
            self.slip(pair) == Slip::RepeatedReceipt && !self.is_ledgers_error(pair)
        });
        lines("warehouse", left.map(|pair| (pair, -i64::from(RECEIPT))))
    }

    /// What the sellers' feeds must show once the counts agree, sorted.
    pub(crate) fn wrong_feeds(&self) -> Vec<String> {
        let all = self.places.keys();
        let stale = all.filter(|pair| self.slip(pair) == Slip::StaleSeller);
        lines("seller", stale.map(|pair| (pair, -i64::from(RECEIPT))))
    }
}

fn lines<'a>(kind: &str, wrong: impl Iterator<Item = (&'a Pair, i64)>) -> Vec<String> {
    let line = |(pair, units): (&Pair, i64)| format!("{kind} {} {} {units}", pair.0, pair.1);
    let mut all: Vec<String> = wrong.map(line).collect();
    all.sort_unstable();
    all
}
