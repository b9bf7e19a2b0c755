//! Counters, versions and configurations of SKUs.

use holdfast_core::{
    Counter, Counters, CustomerLimit, Millis, OnShortfall, SkuConfig, SkuEffect, Sourcing,
    StockEffect,
};
use smallvec::SmallVec;

use super::Fault;
use super::names::Place;
use super::reserved::follow;
use super::wire::{Decoder, Encoder, Read, flag};

/// Flags of a stock effect, in the upper half of its head, above those of the place: its versions
/// are the last ones, one event on.
const STOCK_VERSIONS: u8 = 1 << 7;
const STOCK_PLACE_SHIFT: u8 = 4;

/// Instead of one bit per counter, in ascending order: a list follows.
const COUNTERS_LIST: u64 = 1 << Counter::ALL.len();

const CONFIG_LIMIT: u8 = 1;
const CONFIG_OPENS: u8 = 1 << 1;
const CONFIG_CLOSES: u8 = 1 << 2;
const CONFIG_PAUSED: u8 = 1 << 3;
const CONFIG_LOW: u8 = 1 << 4;
const CONFIG_ORDER: u8 = 1 << 5;
/// How lines choose locations, and what a shortfall does, in four bits each.
const CONFIG_POLICIES: u8 = 1 << 6;
/// A second byte of flags follows, for what few SKUs have.
const CONFIG_MORE: u8 = 1 << 7;
const MORE_REPLENISHED: u8 = 1;

impl Encoder {
    /// Writes new values of counters, with the effect's head.
    pub(super) fn stock(&mut self, tag: u8, stock: &StockEffect) {
        let place = self.place_flags(&stock.sku, &stock.location);
        let follow = follow(self.recent.versions) == stock.versions;
        self.byte(tag | place << STOCK_PLACE_SHIFT | flag(follow, STOCK_VERSIONS));
        self.place(place, &stock.sku, &stock.location);
        if !follow {
            self.versions(stock.versions);
        }
        self.recent.versions = stock.versions;
        let ascending = stock.counters.is_sorted_by(|(a, _), (b, _)| a < b);
        if ascending {
            let mask = stock
                .counters
                .iter()
                .map(|(counter, _)| 1 << *counter as u64)
                .sum();
            self.varint(mask);
        } else {
            self.varint(COUNTERS_LIST);
            self.varint(stock.counters.len() as u64);
        }
        for (counter, value) in &stock.counters {
            if !ascending {
                self.byte(*counter as u8);
            }
            let last = &mut self.recent.counters[*counter as usize];
            let step = value.wrapping_sub(*last);
            *last = *value;
            self.signed(step);
        }
    }

    pub(super) fn sku_effect(&mut self, effect: &SkuEffect) {
        self.sku(&effect.sku);
        self.config(&effect.config);
        self.versions(effect.versions);
    }

    pub(super) fn config(&mut self, config: &SkuConfig) {
        let policies = config.sourcing as u8 | (config.on_shortfall as u8) << 4;
        let more = flag(config.replenished_at.is_some(), MORE_REPLENISHED);
        self.byte(
            flag(policies != 0, CONFIG_POLICIES)
                | flag(more != 0, CONFIG_MORE)
                | flag(config.customer_limit.is_some(), CONFIG_LIMIT)
                | flag(config.opens_at.is_some(), CONFIG_OPENS)
                | flag(config.closes_at.is_some(), CONFIG_CLOSES)
                | flag(config.paused, CONFIG_PAUSED)
                | flag(config.low_at.is_some(), CONFIG_LOW)
                | flag(!config.location_order.is_empty(), CONFIG_ORDER),
        );
        if let Some(limit) = config.customer_limit {
            self.varint(u64::from(limit.units));
            self.varint(limit.window.ms());
        }
        for time in [config.opens_at, config.closes_at].into_iter().flatten() {
            self.time(time);
        }
        if let Some(low_at) = config.low_at {
            self.varint(u64::from(low_at));
        }
        if !config.location_order.is_empty() {
            self.varint(config.location_order.len() as u64);
            config
                .location_order
                .iter()
                .for_each(|location| self.location(location));
        }
        if policies != 0 {
            self.byte(policies);
        }
        if more != 0 {
            self.byte(more);
        }
        if let Some(replenished_at) = config.replenished_at {
            self.varint(u64::from(replenished_at));
        }
    }

    /// Writes all counters, of which zeros take no byte.
    pub(super) fn counters(&mut self, counters: &Counters) {
        let set = Counter::ALL
            .into_iter()
            .filter(|counter| counters.get(*counter) != 0);
        self.varint(set.clone().map(|counter| 1 << counter as u64).sum());
        set.for_each(|counter| self.signed(counters.get(counter)));
    }
}

impl Decoder<'_> {
    pub(super) fn stock(&mut self, flags: u8) -> Read<StockEffect> {
        let Place { sku, location } = self.place(flags >> STOCK_PLACE_SHIFT & 0b111)?;
        self.recent.versions = if flags & STOCK_VERSIONS == 0 {
            self.versions()?
        } else {
            follow(self.recent.versions)
        };
        let mask = self.varint()?;
        let mut counters = SmallVec::new();
        if mask == COUNTERS_LIST {
            for _ in 0..self.count()? {
                let number = usize::from(self.byte()?);
                let counter = *Counter::ALL.get(number).ok_or(Fault::Unknown)?;
                counters.push((counter, self.counter(counter)?));
            }
        } else {
            let mut left = mask;
            while left != 0 {
                let number = left.trailing_zeros() as usize;
                let counter = *Counter::ALL.get(number).ok_or(Fault::Unknown)?;
                counters.push((counter, self.counter(counter)?));
                left &= left - 1;
            }
        }
        Ok(StockEffect {
            sku,
            location,
            counters,
            versions: self.recent.versions,
        })
    }

    #[inline]
    fn counter(&mut self, counter: Counter) -> Read<i64> {
        let step = self.signed()?;
        let last = &mut self.recent.counters[counter as usize];
        *last = last.wrapping_add(step);
        Ok(*last)
    }

    pub(super) fn sku_effect(&mut self) -> Read<SkuEffect> {
        Ok(SkuEffect {
            sku: self.sku()?,
            config: self.config()?,
            versions: self.versions()?,
        })
    }

    pub(super) fn config(&mut self) -> Read<SkuConfig> {
        let flags = self.byte()?;
        let has = |bit| flags & bit != 0;
        let mut config = SkuConfig {
            paused: has(CONFIG_PAUSED),
            ..SkuConfig::default()
        };
        if has(CONFIG_LIMIT) {
            let (units, window) = (self.varint_u32()?, Millis::new(self.varint()?));
            config.customer_limit = Some(CustomerLimit { units, window });
        }
        if has(CONFIG_OPENS) {
            config.opens_at = Some(self.time()?);
        }
        if has(CONFIG_CLOSES) {
            config.closes_at = Some(self.time()?);
        }
        if has(CONFIG_LOW) {
            config.low_at = Some(self.varint_u32()?);
        }
        if has(CONFIG_ORDER) {
            for _ in 0..self.count()? {
                config.location_order.push(self.location()?);
            }
        }
        if has(CONFIG_POLICIES) {
            let policies = self.byte()?;
            let sourcing = Sourcing::ALL.get(usize::from(policies & 0b1111));
            config.sourcing = *sourcing.ok_or(Fault::Unknown)?;
            let shortfall = OnShortfall::ALL.get(usize::from(policies >> 4));
            config.on_shortfall = *shortfall.ok_or(Fault::Unknown)?;
        }
        if has(CONFIG_MORE) {
            // Later ones may follow in flags that are not known here.
            if self.byte()? != MORE_REPLENISHED {
                return Err(Fault::Unknown);
            }
            config.replenished_at = Some(self.varint_u32()?);
        }
        Ok(config)
    }

    pub(super) fn counters(&mut self) -> Read<Counters> {
        let mut left = self.varint()?;
        let mut counters = Counters::default();
        while left != 0 {
            let number = left.trailing_zeros() as usize;
            let counter = *Counter::ALL.get(number).ok_or(Fault::Unknown)?;
            counters.set(counter, self.signed()?);
            left &= left - 1;
        }
        Ok(counters)
    }
}
