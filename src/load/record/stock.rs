//! Stock over time of the hot SKUs.
//!
//! Deliberately absent: where the counts come from; `drive` reads them of the server.

use std::time::Duration;

/// How many points are kept of a SKU; beyond that every second one goes.
pub const STOCK_POINTS_MAX: usize = 600;

/// A SKU at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockPoint {
    /// From the start of the run.
    pub at: Duration,
    /// Place in the recorder's list of SKUs.
    pub sku: usize,
    /// Units that may be reserved.
    pub available: i64,
    /// Units held.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
}

/// The points of one SKU. First and last are always kept.
#[derive(Debug, Default)]
pub(super) struct Series {
    points: Vec<StockPoint>,
    /// The newest; not yet in `points` unless it is due.
    last: Option<StockPoint>,
    /// How many came since the last one that was kept.
    since: usize,
    /// One in this many is kept.
    every: usize,
}

impl Series {
    pub(super) fn push(&mut self, point: StockPoint) {
        self.every = self.every.max(1);
        self.last = Some(point);
        self.since += 1;
        if !self.points.is_empty() && self.since < self.every {
            return;
        }
        self.since = 0;
        self.points.push(point);
        if self.points.len() >= STOCK_POINTS_MAX {
            let mut place = 0;
            self.points.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.every *= 2;
        }
    }

    pub(super) fn last(&self) -> Option<StockPoint> {
        self.last
    }

    /// The most that ever was available, for the length of a bar.
    pub(super) fn top(&self) -> i64 {
        let all = self.points.iter().chain(&self.last);
        all.map(|point| point.available).max().unwrap_or(0)
    }

    pub(super) fn points(&self) -> Vec<StockPoint> {
        let mut points = self.points.clone();
        if let Some(last) = self.last.filter(|last| points.last() != Some(last)) {
            points.push(last);
        }
        points
    }
}
