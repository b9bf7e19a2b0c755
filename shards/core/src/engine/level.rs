//! The counters of one SKU at one location, small while nothing much has happened there.
//!
//! A stocked SKU that waits to be sold has units on hand that were received, and perhaps some
//! reserved. The other counters come with its life, in a box, so that millions of idle SKUs fit.

use crate::stock::{Counter, Counters};

/// The same values as [`Counters`], which is their exchange form.
#[derive(Debug, Default)]
pub(super) struct LevelCounters {
    on_hand: i64,
    reserved: i64,
    received: i64,
    /// The other counters, once one of them is not 0. Those above are 0 in it.
    others: Option<Box<Counters>>,
}

impl LevelCounters {
    pub(super) fn get(&self, counter: Counter) -> i64 {
        match counter {
            Counter::OnHand => self.on_hand,
            Counter::Reserved => self.reserved,
            Counter::Received => self.received,
            other => self.others.as_ref().map_or(0, |all| all.get(other)),
        }
    }

    pub(super) fn set(&mut self, counter: Counter, value: i64) {
        match counter {
            Counter::OnHand => self.on_hand = value,
            Counter::Reserved => self.reserved = value,
            Counter::Received => self.received = value,
            other => {
                if value != 0 || self.others.is_some() {
                    self.others.get_or_insert_default().set(other, value);
                }
            }
        }
    }

    /// [`Counters::free`].
    pub(super) fn free(&self) -> i64 {
        self.on_hand - self.reserved - self.get(Counter::SafetyStock)
    }

    /// [`Counters::available`].
    pub(super) fn available(&self) -> i64 {
        self.free().max(0)
    }

    /// [`Counters::is_conserved`].
    pub(super) fn is_conserved(&self) -> bool {
        self.all().is_conserved()
    }

    pub(super) fn all(&self) -> Counters {
        let mut all = self.others.as_deref().cloned().unwrap_or_default();
        all.set(Counter::OnHand, self.on_hand);
        all.set(Counter::Reserved, self.reserved);
        all.set(Counter::Received, self.received);
        all
    }
}

impl From<&Counters> for LevelCounters {
    fn from(all: &Counters) -> Self {
        let mut level = Self::default();
        for counter in Counter::ALL {
            level.set(counter, all.get(counter));
        }
        level
    }
}
