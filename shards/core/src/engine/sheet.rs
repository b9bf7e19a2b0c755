//! A sheet: what a movement changes in the counters of one SKU, location by location.
//!
//! Nothing is booked by it; it becomes the effects of one event, and asserts that the counters
//! they leave behind are possible.

use super::Engine;
use super::skus::SkuEntry;
use crate::event::{Effect, StockEffect, Versions};
use crate::name::Location;
use crate::stock::{Counter, Counters};
use smallvec::SmallVec;

pub(super) struct Sheet<'a> {
    engine: &'a Engine,
    pub(super) entry: &'a SkuEntry,
    pages: SmallVec<[Page; 1]>,
}

/// One location's counters, before and after.
pub(super) struct Page {
    pub(super) location: Location,
    pub(super) before: Counters,
    pub(super) after: Counters,
}

impl<'a> Sheet<'a> {
    /// A sheet about a SKU, open at a location: that becomes known even if nothing changes there.
    pub(super) fn new(engine: &'a Engine, entry: &'a SkuEntry, location: &Location) -> Self {
        let mut sheet = Self {
            engine,
            entry,
            pages: SmallVec::new(),
        };
        sheet.page(location);
        sheet
    }

    /// A counter as this sheet leaves it.
    pub(super) fn get(&mut self, location: &Location, counter: Counter) -> i64 {
        self.page(location).after.get(counter)
    }

    /// Units of a sale that are still at a location, as this sheet leaves it.
    pub(super) fn unshipped(&mut self, location: &Location) -> i64 {
        self.page(location).after.unshipped()
    }

    pub(super) fn add(&mut self, location: &Location, counter: Counter, delta: i64) {
        let after = &mut self.page(location).after;
        let sum = after.get(counter).checked_add(delta);
        after.set(counter, sum.expect("INV-1: counters fit 63 bits"));
    }

    /// Units change from one counter to another at one location.
    pub(super) fn change(&mut self, location: &Location, (from, to): (Counter, Counter), by: i64) {
        self.add(location, from, -by);
        self.add(location, to, by);
    }

    pub(super) fn page(&mut self, location: &Location) -> &mut Page {
        let found = self
            .pages
            .iter()
            .position(|page| page.location == *location);
        let at = found.unwrap_or_else(|| {
            let before = self.engine.counters_at(self.entry, location);
            let before = before.unwrap_or_default();
            self.pages.push(Page {
                location: location.clone(),
                after: before.clone(),
                before,
            });
            self.pages.len() - 1
        });
        &mut self.pages[at]
    }

    pub(super) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The effects of the event that this becomes.
    pub(super) fn effects(&self, versions: Versions) -> impl Iterator<Item = Effect> + '_ {
        self.pages.iter().map(move |page| {
            page.check();
            let changed = Counter::ALL.into_iter().filter_map(|counter| {
                let after = page.after.get(counter);
                (after != page.before.get(counter)).then_some((counter, after))
            });
            Effect::Stock(Box::new(StockEffect {
                sku: self.entry.sku.clone(),
                location: page.location.clone(),
                counters: changed.collect(),
                versions,
            }))
        })
    }
}

impl Page {
    fn check(&self) {
        for counter in Counter::ALL
            .into_iter()
            .filter(|counter| !counter.is_signed())
        {
            let after = self.after.get(counter);
            assert!(0 <= after, "INV-1: {} would be {after}", counter.name());
        }
        assert!(
            self.after.is_conserved(),
            "INV-4: units would come or go unexplained"
        );
        assert!(
            0 <= self.after.unshipped(),
            "INV-8: more would be shipped than was sold"
        );
    }

    /// Whether units that are held went away.
    pub(super) fn falls_short(&self) -> bool {
        self.before.shortfall() < self.after.shortfall()
    }

    /// Whether `on_hand` fell below what is reserved.
    pub(super) fn is_below_reserved(&self) -> bool {
        self.after.get(Counter::OnHand) < self.before.get(Counter::OnHand)
            && self.after.shortfall() > 0
    }
}
