//! Thresholds: what is told of how much of a SKU is there, looked at after everything recorded.
//!
//! Little or nothing is told as it comes, and enough only some units above that; in between, what was
//! told last holds. What never was there is not gone.

use super::Model;
use holdfast_core::{Band, EventKind, Sku, Supply, Timestamp};

/// What was last known of a SKU.
#[derive(Clone, Default)]
pub(super) struct Known {
    available: i64,
    mark: i64,
    /// Whether any was ever available.
    had: bool,
    told: Option<EventKind>,
    gone_since: Option<Timestamp>,
    sold_since: Option<Timestamp>,
}

impl Known {
    pub(super) fn shown(&self) -> Supply {
        Supply {
            band: match self.told {
                Some(EventKind::StockLow) => Band::Low,
                Some(EventKind::StockDepleted) => Band::Depleted,
                _ => Band::Enough,
            },
            depleted_at: self.gone_since,
            sold_out_at: self.sold_since,
        }
    }
}

impl Model {
    /// Something was recorded at this time.
    pub(super) fn cross(&mut self, at: Timestamp) {
        let skus: Vec<Sku> = self.skus.keys().cloned().collect();
        for sku in skus {
            self.cross_one(&sku, at);
        }
    }

    /// When which SKU crossed what, since this was last asked.
    pub(crate) fn crossed(&mut self) -> Vec<(Timestamp, String, u8)> {
        std::mem::take(&mut self.crossed)
    }

    fn cross_one(&mut self, sku: &Sku, at: Timestamp) {
        let places = self.skus[sku].levels.keys();
        let available: i64 = places.clone().map(|at| self.free(sku, at).max(0)).sum();
        let held: i64 = places.map(|at| self.reserved(sku, at)).sum();
        let shelf = self.skus.get_mut(sku).expect("it was just looked at");
        let mark = shelf.config.low_at.map_or(0, i64::from);
        // A fifth, of which a part counts as a whole, and one to be above.
        let fifth = mark / 5 + i64::from(mark % 5 != 0);
        let back = shelf.config.replenished_at.map(i64::from);
        let back = back.unwrap_or(mark + fifth + 1);
        let known = &mut shelf.supply;
        let is_less = available < known.available || known.mark < mark;
        (known.available, known.mark) = (available, mark);
        known.had |= available > 0;
        let is_gone = known.had && available == 0;
        known.gone_since = is_gone.then(|| known.gone_since.unwrap_or(at));
        let is_sold = is_gone && held == 0;
        known.sold_since = is_sold.then(|| known.sold_since.unwrap_or(at));
        let was_enough = matches!(known.told, None | Some(EventKind::StockReplenished));
        let news = if is_gone {
            (known.told != Some(EventKind::StockDepleted)).then_some(EventKind::StockDepleted)
        } else if available >= back {
            (!was_enough).then_some(EventKind::StockReplenished)
        } else {
            (was_enough && is_less && available > 0 && available <= mark)
                .then_some(EventKind::StockLow)
        };
        if let Some(kind) = news {
            known.told = Some(kind);
            shelf.versions.all += 1;
            self.crossed.push((at, sku.to_string(), kind as u8));
        }
    }
}
