//! The plan of a run: who arrives when, wants what and does what, all of it a function of the
//! scenario and the seed.
//!
//! Nothing of it is stored: buyer number n is drawn from (seed, n) whenever somebody asks, and the
//! times of arrival from a stream that every worker follows for itself. So a plan of a hundred
//! million buyers takes no memory, and the number of workers doesn't change it.

mod arrivals;
mod draw;
mod wants;

use std::{path::Path, time::Duration};

use crate::replay::reader::{Locations, Unusable};

use super::scenario::{Payment, Popularity, Scenario};
pub use arrivals::Schedule;
use draw::Draw;
pub use wants::Line;
use wants::Wants;

/// Units believed in one row of a basket file.
const QTY_MAX: u64 = 10_000;

/// Who arrives when, wants what and does what.
#[derive(Clone, Debug)]
pub struct Plan {
    scenario: Scenario,
    seed: u64,
    wants: Wants,
}

/// What one buyer is going to do.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn on its own")]
pub struct Buyer {
    /// With what is held.
    pub fate: Fate,
    /// How long from the answer to the reserve to the next step.
    pub thinks: Duration,
    /// The customer id: one of its own, or one of the bots'.
    pub customer: Customer,
    /// Looks at a product page first.
    pub looks: bool,
    /// The reserve is sent again after its answer.
    pub reserve_after: bool,
    /// The reserve is sent twice at the same moment.
    pub reserve_at_once: bool,
    /// The confirm is sent again after its answer.
    pub confirm_after: bool,
    /// The confirm is sent twice at the same moment.
    pub confirm_at_once: bool,
}

/// What becomes of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Paid in time.
    Pay,
    /// Paid after it has lapsed.
    PayLate,
    /// Given back.
    Release,
    /// Left.
    Abandon,
}

/// Who reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Customer {
    /// Somebody of their own.
    Own,
    /// One of the bots' ids.
    Bot(u32),
}

impl Plan {
    /// Plans a run; reads the basket file where the scenario names one.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<Self, Unusable> {
        let wants = match &scenario.popularity {
            Popularity::OneHot { share } => {
                Wants::one_hot(scenario.basket, scenario.stock.skus, *share)
            }
            Popularity::Zipf { exponent } => {
                Wants::zipf(scenario.basket, scenario.stock.skus, *exponent)
            }
            Popularity::Uniform => Wants::zipf(scenario.basket, scenario.stock.skus, 0.0),
            Popularity::Baskets { file } => {
                let contents =
                    crate::replay::reader::read(Path::new(file), Locations::One, QTY_MAX)?;
                Wants::baskets(&contents)
            }
        };
        Ok(Self {
            scenario: scenario.clone(),
            seed,
            wants,
        })
    }

    /// The scenario it was made of.
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// How many SKUs there are.
    pub fn skus(&self) -> u32 {
        self.wants.skus()
    }

    /// The times of arrival.
    pub fn schedule(&self) -> Schedule {
        Schedule::new(&self.scenario, self.seed)
    }

    /// What buyer `number` is going to do.
    pub fn buyer(&self, number: u32) -> Buyer {
        let scenario = &self.scenario;
        let mut draw = Draw::of(self.seed, number, 1);
        let buyers = scenario.buyers;
        let at = draw.share();
        let fate = if at < buyers.abandon {
            Fate::Abandon
        } else if at < buyers.abandon + buyers.release {
            Fate::Release
        } else if at < buyers.abandon + buyers.release + buyers.late {
            Fate::PayLate
        } else {
            Fate::Pay
        };
        let pays_after = payment(scenario.payment, &mut draw);
        let late = Duration::from_millis(buyers.ttl_ms + buyers.late_by_ms);
        let customer = if draw.share() < scenario.bots.share {
            Customer::Bot(draw.below(scenario.bots.customers))
        } else {
            Customer::Own
        };
        let again = scenario.duplicates;
        Buyer {
            fate,
            thinks: if fate == Fate::PayLate {
                late
            } else {
                pays_after
            },
            customer,
            looks: draw.share() < scenario.looks.share,
            reserve_after: draw.share() < again.reserve_after,
            reserve_at_once: draw.share() < again.reserve_at_once,
            confirm_after: draw.share() < again.confirm_after,
            confirm_at_once: draw.share() < again.confirm_at_once,
        }
    }

    /// What buyer `number` wants, in place of what is in `lines`.
    pub fn lines(&self, number: u32, lines: &mut Vec<Line>) {
        let mut draw = Draw::of(self.seed, number, 2);
        self.wants.draw(number, &mut draw, lines);
    }

    /// The SKUs on the page that buyer `number` looks at: its own lines first.
    pub fn page(&self, number: u32, lines: &mut Vec<Line>) {
        self.lines(number, lines);
        let mut draw = Draw::of(self.seed, number, 3);
        let wanted = (self.scenario.looks.skus).min(self.skus()) as usize;
        lines.truncate(wanted);
        for _ in 0..wanted.saturating_mul(4) {
            if lines.len() == wanted {
                break;
            }
            let sku = draw.below(self.skus());
            if lines.iter().all(|line| line.sku != sku) {
                lines.push(Line { sku, qty: 1 });
            }
        }
    }
}

fn payment(payment: Payment, draw: &mut Draw) -> Duration {
    let ms = match payment {
        Payment::Fixed { ms } => ms,
        Payment::Uniform { min_ms, max_ms } => min_ms + (max_ms - min_ms) * draw.share(),
        Payment::Exponential { mean_ms } => mean_ms * draw.exponential(),
        Payment::Lognormal { median_ms, sigma } => median_ms * (sigma * draw.normal()).exp(),
    };
    // A day is longer than any hold.
    Duration::from_secs_f64(ms.min(86_400_000.0) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::scenario::find;

    fn plan(name: &str, seed: u64) -> Plan {
        Plan::new(&find(name).expect("it is built in").0, seed).expect("it names no file")
    }

    fn many(plan: &Plan) -> Vec<(Buyer, Vec<Line>)> {
        let one = |number| {
            let mut lines = Vec::new();
            plan.lines(number, &mut lines);
            (plan.buyer(number), lines)
        };
        (0..10_000).map(one).collect()
    }

    #[test]
    fn a_seed_is_a_crowd_and_another_seed_is_another() {
        let crowd = many(&plan("baskets", 7));
        assert_eq!(crowd, many(&plan("baskets", 7)));
        assert_ne!(crowd, many(&plan("baskets", 8)));
        let times = |seed| plan("baskets", seed).schedule().collect::<Vec<_>>();
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
    }

    #[test]
    fn shares_of_buyers_are_those_of_the_scenario() {
        let crowd = many(&plan("abandoned-carts", 1));
        let share = |of: Fate| {
            let found = crowd.iter().filter(|(buyer, _)| buyer.fate == of);
            found.count() as f64 / crowd.len() as f64
        };
        assert!((share(Fate::Abandon) - 0.70).abs() < 0.02);
        assert!((share(Fate::Release) - 0.05).abs() < 0.01);
        assert!((share(Fate::PayLate) - 0.10).abs() < 0.01);
        let late = crowd.iter().find(|(buyer, _)| buyer.fate == Fate::PayLate);
        let late = late.expect("one of ten").0.thinks;
        assert_eq!(late, Duration::from_millis(3_400));
    }

    #[test]
    fn payment_times_have_the_median_and_mean_they_should() {
        let mut draw = Draw::of(1, 1, 1);
        let mut times = |of: Payment| -> Vec<f64> {
            let one = |_| payment(of, &mut draw).as_secs_f64() * 1e3;
            let mut times: Vec<f64> = (0..20_000).map(one).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let lognormal = times(Payment::Lognormal {
            median_ms: 800.0,
            sigma: 0.5,
        });
        assert!((lognormal[10_000] - 800.0).abs() < 30.0);
        assert!(
            (lognormal[16_826] - 800.0 * 0.5_f64.exp()).abs() < 60.0,
            "one sigma"
        );
        let exponential = times(Payment::Exponential { mean_ms: 600.0 });
        let mean = exponential.iter().sum::<f64>() / 20_000.0;
        assert!((mean - 600.0).abs() < 20.0, "{mean}");
        let uniform = times(Payment::Uniform {
            min_ms: 10.0,
            max_ms: 20.0,
        });
        assert!(uniform[0] >= 10.0 && uniform[19_999] < 20.0);
    }

    #[test]
    fn lines_of_one_buyer_name_different_skus_within_the_bounds() {
        let mut hot = 0;
        for (_, lines) in many(&plan("hot-and-cold", 3)) {
            assert!((1..=3).contains(&lines.len()));
            assert!(lines.iter().all(|line| (1..=2).contains(&line.qty)));
            let mut skus: Vec<u32> = lines.iter().map(|line| line.sku).collect();
            hot += usize::from(skus.contains(&0));
            skus.sort_unstable();
            skus.dedup();
            assert_eq!(skus.len(), lines.len());
        }
        assert!((2_000..4_500).contains(&hot), "{hot} of 10,000");
        let mut page = Vec::new();
        plan("hot-and-cold", 3).page(5, &mut page);
        assert_eq!(page.len(), 20);
    }
}
