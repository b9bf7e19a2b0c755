//! Which SKUs a buyer wants, and how many units of each.

use std::collections::HashMap;

use super::draw::Draw;
use crate::{load::scenario::Basket, replay::basket::Contents};

/// Units of one SKU, both as numbers of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub sku: u32,
    /// How many.
    pub qty: u32,
}

/// How wants are drawn.
#[derive(Clone, Debug)]
pub(super) enum Wants {
    /// From a distribution: for each SKU the share of all before and of itself.
    Drawn { basket: Basket, upto: Vec<f64> },
    /// From a file, one basket after the other: where each begins, and the lines of all.
    File {
        begins: Vec<u32>,
        lines: Vec<Line>,
        skus: u32,
    },
}

/// Lines of one reservation at most; what a basket has beyond is left.
const LINES_MAX: usize = 200;

impl Wants {
    pub(super) fn one_hot(basket: Basket, skus: u32, share: f64) -> Self {
        let others = f64::from(skus.saturating_sub(1)).max(1.0);
        let weight = |sku| {
            if sku == 0 {
                share
            } else {
                (1.0 - share) / others
            }
        };
        Self::weighed(basket, skus, weight)
    }

    pub(super) fn zipf(basket: Basket, skus: u32, exponent: f64) -> Self {
        Self::weighed(basket, skus, |sku| f64::from(sku + 1).powf(-exponent))
    }

    fn weighed(basket: Basket, skus: u32, weight: impl Fn(u32) -> f64) -> Self {
        let mut sum = 0.0;
        let upto = (0..skus).map(|sku| {
            sum += weight(sku);
            sum
        });
        let mut upto: Vec<f64> = upto.collect();
        for share in &mut upto {
            *share /= sum;
        }
        Self::Drawn { basket, upto }
    }

    pub(super) fn baskets(contents: &Contents) -> Self {
        let mut lines = Vec::new();
        let mut begins = Vec::new();
        let mut known: HashMap<u32, u32> = HashMap::new();
        for basket in &contents.baskets {
            begins.push(lines.len() as u32);
            for item in basket.items.iter().take(LINES_MAX) {
                let next = known.len() as u32;
                lines.push(Line {
                    sku: *known.entry(item.sku).or_insert(next),
                    qty: item.qty as u32,
                });
            }
        }
        begins.push(lines.len() as u32);
        let skus = known.len() as u32;
        Self::File {
            begins,
            lines,
            skus,
        }
    }

    pub(super) fn skus(&self) -> u32 {
        match self {
            Self::Drawn { upto, .. } => upto.len() as u32,
            Self::File { skus, .. } => *skus,
        }
    }

    pub(super) fn draw(&self, number: u32, draw: &mut Draw, into: &mut Vec<Line>) {
        into.clear();
        match self {
            Self::Drawn { basket, upto } => {
                let between =
                    |draw: &mut Draw, least, most: u32| least + draw.below(most - least + 1);
                let wanted = between(draw, basket.lines_min, basket.lines_max);
                let wanted = (wanted as usize).min(upto.len());
                // Where a few SKUs are nearly all there is to draw, some lines stay undrawn.
                for _ in 0..wanted.saturating_mul(4) {
                    if into.len() == wanted {
                        break;
                    }
                    let at = draw.share();
                    let sku = upto.partition_point(|share| *share <= at);
                    let sku = sku.min(upto.len() - 1) as u32;
                    if into.iter().all(|line| line.sku != sku) {
                        let qty = between(draw, basket.units_min, basket.units_max);
                        into.push(Line { sku, qty });
                    }
                }
            }
            Self::File { begins, lines, .. } => {
                let baskets = begins.len() - 1;
                if baskets > 0 {
                    let at = number as usize % baskets;
                    into.extend_from_slice(&lines[begins[at] as usize..begins[at + 1] as usize]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hot_one_has_its_share_and_the_others_the_rest() {
        let basket = Basket::default();
        let wants = Wants::one_hot(basket, 11, 0.9);
        let mut counts = [0; 11];
        let mut lines = Vec::new();
        for number in 0..20_000 {
            wants.draw(number, &mut Draw::of(1, number, 2), &mut lines);
            counts[lines[0].sku as usize] += 1;
        }
        assert!((17_800..18_200).contains(&counts[0]), "{counts:?}");
        assert!(counts[1..].iter().all(|n| (140..260).contains(n)));
    }

    #[test]
    fn baskets_of_a_file_come_one_after_the_other_and_again() {
        let rows: &[u8] = b"basket_id,household_id,store_id,product_id,quantity,\
            transaction_timestamp\nb1,h,s,milk,2,2017-01-01 10:00:00\n\
            b1,h,s,eggs,1,2017-01-01 10:00:00\nb2,h,s,eggs,3,2017-01-01 11:00:00\n";
        let one = crate::replay::reader::Locations::One;
        let contents = crate::replay::reader::read_rows(rows, "x", one, 10).expect("rows");
        let wants = Wants::baskets(&contents);
        assert_eq!(wants.skus(), 2);
        let mut lines = Vec::new();
        let mut draw = Draw::of(1, 1, 2);
        wants.draw(2, &mut draw, &mut lines);
        let line = |sku, qty| Line { sku, qty };
        assert_eq!(lines, [line(0, 2), line(1, 1)]);
        wants.draw(3, &mut draw, &mut lines);
        assert_eq!(lines, [line(1, 3)]);
    }
}
