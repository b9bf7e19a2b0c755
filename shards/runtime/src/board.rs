//! The stock board: what is committed of every SKU, readable without entering a mailbox.
//!
//! A shard publishes copies taken at hand-over, after their commit and before the replies, so a
//! caller reads its own writes. Entries are packed, since there may be millions of idle SKUs.
//!
//! Deliberately absent: staged state, reservations, and history.

use dashmap::DashMap;
use holdfast_core::{Counter, Counters, Location, Sku, SkuConfig, SkuView, Timestamp, Versions};
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};
use xxhash_rust::xxh3::xxh3_64;

/// Sub-tables; no table may grow in one go.
const TABLES: usize = 1024;

/// SKU → committed counters, versions and `as_of`.
#[derive(Debug)]
pub struct Board {
    skus: DashMap<Sku, Copied, BuildHasherDefault<XxHasher>>,
    /// The same names, sorted, for listings.
    names: RwLock<BTreeSet<Name>>,
    locations: RwLock<Locations>,
}

/// A SKU's state at a hand-over, on its way to the board.
#[derive(Clone, Debug)]
pub struct Copied {
    config: Arc<SkuConfig>,
    packed: Box<[u8]>,
}

/// Locations by number, since few are shared by many SKUs.
#[derive(Debug, Default)]
struct Locations {
    names: Vec<Location>,
    numbers: HashMap<Location, u32>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Sku);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

/// Hashes short names at once.
#[derive(Debug, Default)]
pub(crate) struct XxHasher(u64);

impl Hasher for XxHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(1) ^ xxh3_64(bytes);
    }
    fn write_u8(&mut self, byte: u8) {
        self.0 ^= u64::from(byte);
    }
}

impl Board {
    /// An empty board.
    pub fn new() -> Arc<Self> {
        let hasher = BuildHasherDefault::default();
        Arc::new(Self {
            skus: DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher, TABLES),
            names: RwLock::default(),
            locations: RwLock::default(),
        })
    }

    /// How many SKUs are on it.
    pub fn len(&self) -> usize {
        self.skus.len()
    }

    /// Whether no SKU is on it.
    pub fn is_empty(&self) -> bool {
        self.skus.is_empty()
    }

    /// A SKU as committed.
    pub fn sku(&self, sku: &Sku) -> Option<SkuView> {
        let entry = self.skus.get(sku)?;
        Some(self.unpack(entry.key().clone(), entry.value()))
    }

    /// Up to `limit` SKUs whose names begin with `prefix` and come after `after`, by name.
    pub fn skus(&self, prefix: &str, after: Option<&Sku>, limit: usize) -> Vec<SkuView> {
        let from = match after {
            Some(after) if prefix <= after.as_str() => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let names: Vec<Sku> = {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            let listed = names.range::<str, _>((from, Bound::Unbounded));
            let matching = listed.take_while(|name| name.0.as_str().starts_with(prefix));
            matching.take(limit).map(|name| name.0.clone()).collect()
        };
        names.iter().filter_map(|sku| self.sku(sku)).collect()
    }

    /// Packs a copy of a SKU's state.
    pub fn copy(&self, view: &SkuView) -> Copied {
        let mut packed = Vec::with_capacity(64);
        let versions = [view.versions.all, view.versions.stock, view.versions.config];
        for number in [view.seq, view.at.ms()].into_iter().chain(versions) {
            put(&mut packed, number);
        }
        for (location, counters) in &view.levels {
            put(&mut packed, u64::from(self.number_of(location)));
            let values = Counter::ALL.map(|counter| counters.get(counter));
            let is_set = |at: &usize| values[*at] != 0;
            let mask = (0..values.len())
                .filter(is_set)
                .fold(0, |mask, at| mask | 1 << at);
            put(&mut packed, mask);
            for value in values.into_iter().filter(|value| *value != 0) {
                put(&mut packed, zigzag(value));
            }
        }
        Copied {
            config: Arc::clone(&view.config),
            packed: packed.into_boxed_slice(),
        }
    }

    /// Shows a copy, once it is committed.
    pub fn publish(&self, sku: &Sku, copied: Copied) {
        if let Some(mut entry) = self.skus.get_mut(sku) {
            *entry = copied;
            return;
        }
        if self.skus.insert(sku.clone(), copied).is_none() {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            names.insert(Name(sku.clone()));
        }
    }

    fn unpack(&self, sku: Sku, copied: &Copied) -> SkuView {
        let mut rest = &*copied.packed;
        let mut next = || take(&mut rest).expect("the board reads what it packed");
        let (seq, at) = (next(), Timestamp::from_ms(next()));
        let versions = Versions {
            all: next(),
            stock: next(),
            config: next(),
        };
        let mut levels = Vec::new();
        while !rest.is_empty() {
            let mut next = || take(&mut rest).expect("the board reads what it packed");
            let location = self.location(next() as u32);
            let mask = next();
            let mut counters = Counters::default();
            for counter in Counter::ALL {
                if mask & (1 << counter as u64) != 0 {
                    counters.set(counter, unzigzag(next()));
                }
            }
            levels.push((location, counters));
        }
        let config = Arc::clone(&copied.config);
        SkuView {
            sku,
            config,
            versions,
            levels,
            seq,
            at,
        }
    }

    fn location(&self, number: u32) -> Location {
        let locations = self
            .locations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        locations.names[number as usize].clone()
    }

    fn number_of(&self, location: &Location) -> u32 {
        {
            let locations = self
                .locations
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(number) = locations.numbers.get(location) {
                return *number;
            }
        }
        let mut locations = self
            .locations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let next = u32::try_from(locations.names.len()).expect("each shard has at most 2^16");
        let number = *locations.numbers.entry(location.clone()).or_insert(next);
        if number == next {
            locations.names.push(location.clone());
        }
        number
    }
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn put(packed: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        packed.push(value as u8 | 0x80);
        value >>= 7;
    }
    packed.push(value as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    let mut shift = 0;
    loop {
        let (first, others) = rest.split_first()?;
        *rest = others;
        value |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sku: &str, on_hand: i64) -> SkuView {
        let mut main = Counters::default();
        main.set(Counter::OnHand, on_hand);
        main.set(Counter::Adjusted, -3);
        let mut store = Counters::default();
        store.set(Counter::Expired, i64::MAX);
        SkuView {
            sku: Sku::parse(sku).expect("a name"),
            config: Arc::default(),
            versions: Versions {
                all: 300,
                stock: 2,
                config: 1,
            },
            levels: vec![
                (Location::main(), main),
                (Location::parse("store-7").expect("a name"), store),
            ],
            seq: u64::MAX,
            at: Timestamp::from_ms(1_800_000_000_000),
        }
    }

    #[test]
    fn a_sku_comes_back_from_the_board_as_it_was_published() {
        let board = Board::new();
        let view = view("TEE-RED-M", 500);
        board.publish(&view.sku, board.copy(&view));
        assert_eq!(board.sku(&view.sku), Some(view));
        assert_eq!(board.sku(&Sku::parse("TEE").expect("a name")), None);
    }

    #[test]
    fn a_listing_is_sorted_bounded_and_goes_on_after_the_last_name() {
        let board = Board::new();
        for name in ["b", "a-2", "a-3", "a-1", "c", "a"] {
            let view = view(name, 1);
            board.publish(&view.sku, board.copy(&view));
        }
        let names = |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
            let after = after.map(|after| Sku::parse(after).expect("a name"));
            let listed = board.skus(prefix, after.as_ref(), limit);
            listed.iter().map(|view| view.sku.to_string()).collect()
        };
        assert_eq!(names("", None, 10), ["a", "a-1", "a-2", "a-3", "b", "c"]);
        assert_eq!(names("a-", None, 2), ["a-1", "a-2"]);
        assert_eq!(names("a-", Some("a-2"), 2), ["a-3"]);
        assert_eq!(names("a-", Some("a"), 1), ["a-1"]);
        assert!(names("d", None, 10).is_empty());
    }
}
