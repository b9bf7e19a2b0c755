//! The crowd: who comes when, and what each of them is going to do. Drawn from the seed before the
//! sale begins.

use std::time::Duration;

use crate::replay::plan::draw;

/// What a buyer does with a unit once it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Pays.
    Pay,
    /// Pays, and the payment button is pressed twice.
    PayTwice,
    /// The payment fails: the unit is given back.
    PaymentFails,
    /// Closes the browser: the unit lapses.
    Abandon,
}

/// How a buyer presses the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Click {
    /// Once.
    Once,
    /// Twice at the same time, with one key.
    Double,
    /// Loses the connection with the call under way, and tries again with the same key.
    Impatient,
}

/// One buyer.
#[derive(Clone, Debug)]
pub(super) struct Buyer {
    pub(super) number: usize,
    /// When they come, after the opening.
    pub(super) comes_after: Duration,
    /// How long they take to pay or to change their mind.
    pub(super) thinks: Duration,
    pub(super) fate: Fate,
    pub(super) click: Click,
    /// How often they look again when it is sold out.
    pub(super) comes_back: u32,
}

/// Between two looks of one buyer.
pub(super) const LOOKS_AGAIN_AFTER: Duration = Duration::from_millis(1_500);

/// How long a cart holds its unit: long enough to pay, short enough for an abandoned one to be sold
/// again while people still want it.
pub(super) const CART_TTL: Duration = Duration::from_millis(2_500);

/// Draws the crowd: most come at the opening, the last at the end of the rush.
pub(super) fn draw_crowd(buyers: usize, rush: Duration, seed: u64) -> Vec<Buyer> {
    let mut crowd: Vec<Buyer> = (0..buyers)
        .map(|number| {
            let drawn = |what: &str| draw(&format!("{what}\0{number}"), seed);
            Buyer {
                number,
                comes_after: rush.mul_f64(drawn("comes").powf(1.6)),
                thinks: Duration::from_millis(100 + (1_400.0 * drawn("thinks")) as u64),
                fate: match drawn("fate") {
                    ..0.62 => Fate::Pay,
                    ..0.70 => Fate::PayTwice,
                    ..0.82 => Fate::PaymentFails,
                    _ => Fate::Abandon,
                },
                click: match drawn("click") {
                    ..0.10 => Click::Double,
                    ..0.15 => Click::Impatient,
                    _ => Click::Once,
                },
                comes_back: (3.0 * drawn("back")) as u32,
            }
        })
        .collect();
    crowd.sort_by_key(|buyer| buyer.comes_after);
    crowd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crowd_is_the_same_for_a_seed_and_comes_mostly_at_the_opening() {
        let rush = Duration::from_secs(8);
        let crowd = draw_crowd(10_000, rush, 1);
        let early = crowd
            .iter()
            .filter(|buyer| buyer.comes_after < rush / 2)
            .count();
        assert!(
            (6_000..=7_000).contains(&early),
            "{early} of 10,000 in the first half"
        );
        let again = draw_crowd(10_000, rush, 1);
        assert_eq!(again[77].number, crowd[77].number);
        let abandoned = crowd
            .iter()
            .filter(|buyer| buyer.fate == Fate::Abandon)
            .count();
        assert!((1_700..=1_900).contains(&abandoned), "{abandoned}");
    }

    #[test]
    fn every_buyer_can_pay_before_the_cart_lapses() {
        let slowest = draw_crowd(10_000, Duration::from_secs(8), 1)
            .iter()
            .map(|buyer| buyer.thinks)
            .max();
        assert!(slowest < Some(CART_TTL));
    }
}
