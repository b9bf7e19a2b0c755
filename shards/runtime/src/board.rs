//! The stock board: what is committed of every SKU, readable without entering a mailbox.
//!
//! A shard publishes copies taken at hand-over, after their commit and before the replies, so a
//! caller reads its own writes. Entries are packed, since there may be millions of idle SKUs: a
//! name is stored once, a hash table and the sorted list name entries by numbers.
//!
//! Deliberately absent: staged state, reservations, history, and taking a SKU off.

mod names;

use hashbrown::HashTable;
use holdfast_core::{
    Band, Counter, Counters, Location, Sku, SkuConfig, SkuView, Supply, Timestamp, Versions,
};
use names::Names;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use xxhash_rust::xxh3::xxh3_64;

/// Bits beside the number of configurations: the band, and which moments there are.
const SUPPLY_BITS: u32 = 4;

/// Sub-tables; no table may grow in one go. A power of two.
const TABLES: usize = 256;

/// Entries that are stored side by side.
const BLOCK: usize = 64;

/// SKU → committed counters, versions and `as_of`.
#[derive(Debug)]
pub struct Board {
    tables: Box<[RwLock<Table>]>,
    /// Every SKU, sorted, for listings.
    names: RwLock<Names>,
    locations: RwLock<Locations>,
}

/// The SKUs whose names hash alike.
#[derive(Debug, Default)]
struct Table {
    by_name: HashTable<u32>,
    blocks: Vec<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    sku: Sku,
    copied: Copied,
}

/// An entry's number: its place in its table, and the table in the low bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EntryId(u32);

/// A SKU's state at a hand-over, on its way to the board.
#[derive(Clone, Debug)]
pub struct Copied {
    config: Arc<SkuConfig>,
    /// Most fit beside the others; a SKU of many counters or locations has memory of its own.
    packed: SmallVec<[u8; 32]>,
}

/// Locations by number, since few are shared by many SKUs.
#[derive(Debug)]
struct Locations {
    names: Vec<Location>,
    numbers: HashMap<Location, u32>,
}

/// The location that is number 0.
const MAIN: &str = "main";

impl Locations {
    fn with_main() -> Self {
        let main = Location::main();
        Self {
            numbers: HashMap::from([(main.clone(), 0)]),
            names: vec![main],
        }
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

impl Table {
    fn entry(&self, at: u32) -> &Entry {
        &self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    fn find(&self, hash: u64, sku: &Sku) -> Option<u32> {
        let is_it = |at: &u32| self.entry(*at).sku == *sku;
        self.by_name.find(hash, is_it).copied()
    }

    /// Replaces or adds an entry; the place of one that is new.
    fn put(&mut self, hash: u64, sku: &Sku, copied: Copied) -> Option<u32> {
        if let Some(at) = self.find(hash, sku) {
            let at = at as usize;
            self.blocks[at / BLOCK][at % BLOCK].copied = copied;
            return None;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let block = self.blocks.len() - 1;
        let at = (block * BLOCK + self.blocks[block].len()) as u32;
        let sku = sku.clone();
        self.blocks[block].push(Entry { sku, copied });
        let blocks = &self.blocks;
        self.by_name.insert_unique(hash, at, |at| {
            hash_of(&blocks[*at as usize / BLOCK][*at as usize % BLOCK].sku)
        });
        Some(at)
    }
}

impl Board {
    /// An empty board.
    pub fn new() -> Arc<Self> {
        let tables = std::iter::repeat_with(RwLock::default).take(TABLES);
        Arc::new(Self {
            tables: tables.collect(),
            names: RwLock::default(),
            locations: RwLock::new(Locations::with_main()),
        })
    }

    /// How many SKUs are on it.
    pub fn len(&self) -> usize {
        read(&self.names).len()
    }

    /// Whether no SKU is on it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A SKU as committed.
    pub fn sku(&self, sku: &Sku) -> Option<SkuView> {
        let hash = hash_of(sku);
        let copied = {
            let table = read(&self.tables[table_of(hash)]);
            table.entry(table.find(hash, sku)?).copied.clone()
        };
        Some(self.unpack(sku.clone(), &copied))
    }

    /// Up to `limit` SKUs whose names begin with `prefix` and come after `after`, by name.
    pub fn skus(&self, prefix: &str, after: Option<&Sku>, limit: usize) -> Vec<SkuView> {
        let is_before = |sku: &Sku| match after {
            Some(after) if prefix <= after.as_str() => sku <= after,
            _ => sku.as_str() < prefix,
        };
        let ids: Vec<EntryId> = {
            let names = read(&self.names);
            let from = names.place(|id| self.with(id, |entry| is_before(&entry.sku)));
            names.from(from).take(limit).collect()
        };
        let entries = ids
            .into_iter()
            .map(|id| self.with(id, |entry| (entry.sku.clone(), entry.copied.clone())));
        let matching = entries.take_while(|(sku, _)| sku.as_str().starts_with(prefix));
        matching
            .map(|(sku, copied)| self.unpack(sku, &copied))
            .collect()
    }

    /// Looks at an entry.
    fn with<T>(&self, id: EntryId, look: impl FnOnce(&Entry) -> T) -> T {
        let table = read(&self.tables[id.0 as usize % TABLES]);
        look(table.entry(id.0 / TABLES as u32))
    }

    /// Shows a copy, once it is committed.
    pub fn publish(&self, sku: &Sku, copied: Copied) {
        if let Some(id) = self.put(sku, copied) {
            let mut names = write(&self.names);
            names.insert(id, |other| self.with(other, |entry| entry.sku < *sku));
        }
    }

    /// Shows many at once: what a recovery has found.
    pub fn publish_all(&self, copies: impl Iterator<Item = (Sku, Copied)>) {
        let put = |(sku, copied)| {
            let id = self.put(&sku, copied)?;
            Some((sku, id))
        };
        let mut new: Vec<(Sku, EntryId)> = copies.filter_map(put).collect();
        new.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let is_before = |other, sku: &Sku| self.with(other, |entry| entry.sku < *sku);
        write(&self.names).merge(new, is_before);
    }

    fn put(&self, sku: &Sku, copied: Copied) -> Option<EntryId> {
        let hash = hash_of(sku);
        let table = table_of(hash);
        let at = write(&self.tables[table]).put(hash, sku, copied)?;
        Some(EntryId(at * TABLES as u32 + table as u32))
    }

    /// Packs a copy of a SKU's state.
    pub fn copy(&self, view: &SkuView) -> Copied {
        let mut packer = Packer::default();
        let Supply {
            band,
            depleted_at,
            sold_out_at,
        } = view.supply;
        // Configurations are few, so what there is of the supply costs them no byte.
        let moments = u64::from(depleted_at.is_some()) | u64::from(sold_out_at.is_some()) << 1;
        let config = view.versions.config << SUPPLY_BITS | moments << 2 | band as u64;
        let versions = [view.versions.all, view.versions.stock, config];
        for number in [view.seq, view.at.ms()].into_iter().chain(versions) {
            packer.put(number);
        }
        for at in [depleted_at, sold_out_at].into_iter().flatten() {
            packer.put(at.ms());
        }
        for (location, counters) in &view.levels {
            packer.flush();
            packer.put(u64::from(self.number_of(location)));
            let mask_at = packer.used;
            packer.used += 2;
            let mut mask: u16 = 0;
            for counter in Counter::ALL {
                let value = counters.get(counter);
                if value != 0 {
                    mask |= 1 << counter as u16;
                    packer.put(zigzag(value));
                }
            }
            packer.part[mask_at..mask_at + 2].copy_from_slice(&mask.to_le_bytes());
        }
        packer.flush();
        Copied {
            config: Arc::clone(&view.config),
            packed: packer.packed,
        }
    }

    fn unpack(&self, sku: Sku, copied: &Copied) -> SkuView {
        let mut rest = &*copied.packed;
        let mut next = || take(&mut rest).expect("the board reads what it packed");
        let (seq, at) = (next(), Timestamp::from_ms(next()));
        let (all, stock, config) = (next(), next(), next());
        let versions = Versions {
            all,
            stock,
            config: config >> SUPPLY_BITS,
        };
        let band = usize::try_from(config & 0b11).unwrap_or(0);
        let mut moment = |bit| (config & bit != 0).then(|| Timestamp::from_ms(next()));
        let supply = Supply {
            band: *Band::ALL.get(band).expect("the board reads what it packed"),
            depleted_at: moment(1 << 2),
            sold_out_at: moment(1 << 3),
        };
        let mut levels = Vec::new();
        while !rest.is_empty() {
            let mut next = || take(&mut rest).expect("the board reads what it packed");
            let location = self.location(next() as u32);
            let mask = take_mask(&mut rest).expect("the board reads what it packed");
            let mut next = || take(&mut rest).expect("the board reads what it packed");
            let mut counters = Counters::default();
            for counter in Counter::ALL {
                if mask & (1 << counter as u16) != 0 {
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
            supply,
            levels,
            seq,
            at,
        }
    }

    fn location(&self, number: u32) -> Location {
        if number == 0 {
            return Location::main();
        }
        read(&self.locations).names[number as usize].clone()
    }

    fn number_of(&self, location: &Location) -> u32 {
        if location.as_str() == MAIN {
            return 0;
        }
        if let Some(number) = read(&self.locations).numbers.get(location) {
            return *number;
        }
        let mut locations = write(&self.locations);
        let next = u32::try_from(locations.names.len()).expect("each shard has at most 2^16");
        let number = *locations.numbers.entry(location.clone()).or_insert(next);
        if number == next {
            locations.names.push(location.clone());
        }
        number
    }
}

fn hash_of(sku: &Sku) -> u64 {
    xxh3_64(sku.as_str().as_bytes())
}

/// hashbrown uses the top 7 bits and the low ones; these lie between.
const fn table_of(hash: u64) -> usize {
    (hash >> 40) as usize % TABLES
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Packs numbers, part by part.
struct Packer {
    packed: SmallVec<[u8; 32]>,
    part: [u8; PART],
    used: usize,
}

/// Room for a location: its number, the counters it has, and ten bytes for each.
const PART: usize = 5 + 2 + 10 * Counter::ALL.len();

impl Default for Packer {
    fn default() -> Self {
        Self {
            packed: SmallVec::new(),
            part: [0; PART],
            used: 0,
        }
    }
}

impl Packer {
    fn put(&mut self, mut value: u64) {
        while value > 0x7f {
            self.part[self.used] = value as u8 | 0x80;
            self.used += 1;
            value >>= 7;
        }
        self.part[self.used] = value as u8;
        self.used += 1;
    }

    fn flush(&mut self) {
        self.packed.extend_from_slice(&self.part[..self.used]);
        self.used = 0;
    }
}

fn take_mask(rest: &mut &[u8]) -> Option<u16> {
    let (mask, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(u16::from_le_bytes(*mask))
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
            supply: Supply {
                band: Band::Depleted,
                depleted_at: Some(Timestamp::from_ms(1_799_999_999_999)),
                sold_out_at: None,
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
