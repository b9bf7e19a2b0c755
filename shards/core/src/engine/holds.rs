//! Holds: units set aside, in a slab indexed by their number.

use super::homes::HomeRef;
use super::skus::{LocationIndex, SkuIndex};
use super::slab::{Block, Slab};
use super::subtables::SubTables;
use crate::id::ReservationId;
use crate::name::Text;
use crate::snapshot::{HoldPhase, HoldRecord};
use crate::stock::CustomerLimit;
use crate::time::Timestamp;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Default)]
pub(super) struct Holds {
    slab: Slab<Hold>,
    /// The number of the next hold.
    pub(super) next: u64,
    /// Holds that count for a customer's limit, by SKU and customer.
    counted: SubTables<u64>,
    /// Ended holds that still count, by when they stop.
    pub(super) counting: BTreeSet<(Timestamp, u64)>,
    /// Tentative holds by the try that made them.
    pub(super) tries: BTreeMap<(ReservationId, u32), SmallVec<[u64; 2]>>,
    /// Open holds whose home is another shard.
    pub(super) foreign: BTreeSet<u64>,
    /// Holds with nothing open that are kept for a home on another shard.
    pub(super) kept: BTreeSet<u64>,
}

pub(super) struct Hold {
    pub(super) home: HomeRef,
    pub(super) deadline: Timestamp,
    pub(super) sku: SkuIndex,
    pub(super) units: u32,
    pub(super) location: LocationIndex,
    pub(super) phase: HoldPhase,
    pub(super) graced: bool,
    pub(super) extra: Option<Box<HoldExtra>>,
}

/// What only holds of other shards' carts, holds of limited SKUs and holds that ended in part have.
pub(super) struct HoldExtra {
    /// Home's, where that is another shard or a limit counts the hold.
    pub(super) id: Option<ReservationId>,
    pub(super) attempt: u32,
    pub(super) requested: u32,
    pub(super) counted: Option<(Text, Timestamp)>,
    /// Home's version that a hold of another shard's cart was brought to.
    version: u32,
    /// Confirmed, released, expired.
    totals: [u32; 3],
    /// Of the confirmed ones, cancelled and shipped.
    after: [u32; 2],
    /// Shipped ones that its home, on another shard, has heard of.
    told: u32,
}

impl Hold {
    /// A hold as its record says.
    pub(super) fn new(record: &HoldRecord, sku: SkuIndex, location: LocationIndex) -> Self {
        let mut hold = Self {
            home: HomeRef::of(record.id),
            deadline: record.deadline,
            sku,
            units: record.units,
            location,
            phase: record.phase,
            graced: record.graced,
            extra: None,
        };
        if record.phase != HoldPhase::Local || record.counted.is_some() {
            let extra = hold.extra_mut();
            extra.id = Some(record.id);
            extra.attempt = record.attempt;
            extra.requested = record.requested;
            extra.counted.clone_from(&record.counted);
        }
        hold.settle(record.version, record.totals);
        if record.after != [0; 2] {
            hold.set_after(record.after, record.told);
        }
        hold
    }

    fn extra_mut(&mut self) -> &mut HoldExtra {
        self.extra.get_or_insert_with(|| {
            Box::new(HoldExtra {
                id: None,
                attempt: 0,
                requested: self.units,
                counted: None,
                version: 1,
                totals: [0; 3],
                after: [0; 2],
                told: 0,
            })
        })
    }

    /// Brings it to a version of its home, and to new totals. A local hold keeps no version: it
    /// changes in the same event as its home.
    pub(super) fn settle(&mut self, version: u32, totals: [u32; 3]) {
        let is_local = self.phase == HoldPhase::Local;
        if is_local && self.extra.is_none() && totals == [0; 3] {
            return;
        }
        let extra = self.extra_mut();
        extra.totals = totals;
        extra.version = if is_local { 1 } else { version };
    }

    pub(super) fn version(&self) -> u32 {
        self.extra.as_ref().map_or(1, |extra| extra.version)
    }

    /// Confirmed, released, expired.
    pub(super) fn totals(&self) -> [u32; 3] {
        self.extra.as_ref().map_or([0; 3], |extra| extra.totals)
    }

    /// Of the confirmed units, cancelled and shipped ones.
    pub(super) fn after(&self) -> [u32; 2] {
        self.extra.as_ref().map_or([0; 2], |extra| extra.after)
    }

    /// Shipped units that its home has heard of.
    pub(super) fn told(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.told)
    }

    pub(super) fn set_after(&mut self, after: [u32; 2], told: u32) {
        let extra = self.extra_mut();
        extra.after = after;
        extra.told = told;
    }

    /// Whether nothing is left to come of it, here or for a limit.
    pub(super) fn is_over(&self) -> bool {
        let counts = self.counted().is_some() && self.counts() > 0;
        self.open() == 0 && !counts && !self.is_kept()
    }

    /// Whether it has nothing open, and yet what another shard's cart sold under it may be cancelled
    /// or leave, or that home has not heard what left. It is kept until then, or until home has
    /// forgotten it: totals are absolute, so they must find what they are compared with.
    pub(super) fn is_kept(&self) -> bool {
        let [confirmed, ..] = self.totals();
        let [cancelled, shipped] = self.after();
        self.phase == HoldPhase::Bound
            && self.open() == 0
            && (cancelled + shipped < confirmed || self.told() < shipped)
    }

    pub(super) fn open(&self) -> u32 {
        let [confirmed, released, expired] = self.totals();
        self.units - confirmed - released - expired
    }

    /// Units that count for the customer's limit: open and confirmed ones, less cancelled ones.
    pub(super) fn counts(&self) -> u32 {
        let [_, released, expired] = self.totals();
        let [cancelled, _] = self.after();
        self.units - released - expired - cancelled
    }

    pub(super) fn counted(&self) -> Option<&(Text, Timestamp)> {
        self.extra.as_ref()?.counted.as_ref()
    }

    /// When it stops to count for its customer's limit once it has ended, whatever the limit may
    /// become: one that is lifted or narrowed for a while must find it again.
    pub(super) fn counts_until(&self) -> Option<Timestamp> {
        let (_, at) = self.counted()?;
        Some(at.after(CustomerLimit::WINDOW_MAX))
    }
}

fn hash_of(sku: SkuIndex, customer: &Text) -> u64 {
    xxh3_64_with_seed(customer.as_str().as_bytes(), u64::from(sku))
}

impl Holds {
    pub(super) fn get(&self, number: u64) -> Option<&Hold> {
        self.slab.get(number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Hold> {
        self.slab.get_mut(number)
    }

    /// Stores a hold; true if its block was clean.
    pub(super) fn insert(&mut self, number: u64, hold: Hold) -> bool {
        let counted = hold
            .counted()
            .map(|(customer, _)| hash_of(hold.sku, customer));
        let was_clean = self.slab.insert(number, |_| hold);
        if let Some(hash) = counted {
            let slab = &self.slab;
            self.counted.insert(hash, number, |other| {
                let hold = slab.get(*other).expect("counted holds are stored");
                let (customer, _) = hold.counted().expect("counted holds name a customer");
                hash_of(hold.sku, customer)
            });
        }
        self.next = self.next.max(number + 1);
        was_clean
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Hold> {
        if let Some(hash) = self.get(number).and_then(|hold| {
            let (customer, _) = hold.counted()?;
            Some(hash_of(hold.sku, customer))
        }) {
            self.counted.remove(hash, |other| *other == number);
        }
        self.slab.remove(number)
    }

    /// The holds that count for a customer's limit on a SKU.
    pub(super) fn counted_for<'a>(
        &'a self,
        sku: SkuIndex,
        customer: &'a Text,
    ) -> impl Iterator<Item = (u64, &'a Hold, Timestamp)> {
        self.counted
            .all(hash_of(sku, customer))
            .filter_map(move |number| {
                let hold = self.get(*number)?;
                let (name, at) = hold.counted()?;
                (hold.sku == sku && name == customer).then_some((*number, hold, *at))
            })
    }

    pub(super) fn block(&self, block: u64) -> Option<&Block<Hold>> {
        self.slab.block(block)
    }

    pub(super) fn mark_dirty(&mut self, number: u64) -> bool {
        self.slab.mark_dirty(number)
    }

    pub(super) fn mark_clean(&mut self, block: u64) {
        self.slab.mark_clean(block);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Hold)> {
        self.slab.iter().map(|(number, hold, _)| (number, hold))
    }
}
