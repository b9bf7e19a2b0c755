//! The key directory: which slots have a key, in flight or kept.
//!
//! It finds a key that comes again with other content, whose home may be another shard. A key in
//! flight is here whole, with its content. Of a kept one there is a fingerprint and its slot, in
//! eight bytes: its home has the rest, and is asked. Two keys that look the same here do no harm:
//! the other's home is asked, does not know the key, and the command goes its way. Where one of
//! two such keys of one slot is forgotten, so is the other, and comes again unnoticed elsewhere.
//!
//! Deliberately absent: the outcome of a key, which its home keeps in the record of the change. A
//! runtime of one shard has one home for every key, which sees them all, and asks nobody here.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use holdfast_core::{KeyTag, Slot};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sub-tables; none may grow in one go.
const TABLES: usize = 1024;

/// The bits of a kept key that are its slot; the others are of its hash.
const SLOT_BITS: u64 = Slot::COUNT as u64 - 1;

/// The most operations in flight with one key.
const USES_MAX: u16 = u16::MAX;

/// All keys of a runtime that are kept or in flight.
#[derive(Debug)]
pub struct Directory {
    tables: Box<[Mutex<Table>]>,
}

#[derive(Debug, Default)]
struct Table {
    kept: HashTable<Kept>,
    flying: HashTable<Flying>,
}

/// 52 bits of a hash, whose low ones chose the table, and 12 of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept(u64);

#[derive(Debug)]
struct Flying {
    hash: [u64; 2],
    content: u64,
    uses: u16,
}

/// An operation in flight with a key. When the last of a key's guards goes, so does the key,
/// unless a commit has kept it.
#[derive(Debug)]
pub struct KeyGuard {
    of: Arc<Directory>,
    hash: [u64; 2],
    slot: Slot,
    kept: bool,
    elsewhere: Vec<Slot>,
}

/// The guards of the operations of one message.
#[derive(Debug)]
pub(crate) struct KeyGuards {
    of: Arc<Directory>,
    guards: Vec<Guard>,
    /// What was marked as kept is.
    is_durable: bool,
}

#[derive(Debug)]
struct Guard {
    hash: [u64; 2],
    /// The operation's place in its message.
    at: u32,
    slot: Slot,
    state: State,
}

/// What becomes of a key when its guard goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Held,
    /// Kept, if the message becomes durable.
    Kept,
    /// It has a guard of its own.
    Taken,
}

/// Why a key may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefused {
    /// It is in flight with other content.
    Reused,
    /// Too many repeats of it are in flight.
    Busy,
}

impl Kept {
    fn new(hash: [u64; 2], slot: Slot) -> Self {
        Self(hash[0] & !SLOT_BITS | u64::from(slot.index()))
    }

    fn slot(self) -> Slot {
        Slot::new((self.0 & SLOT_BITS) as u16).expect("12 bits are a slot")
    }

    /// The table takes its place from the low bits and a tag from the top ones.
    const fn spread(self) -> u64 {
        let bits = self.0 & !SLOT_BITS;
        bits ^ (bits >> 12)
    }
}

impl Flying {
    const fn spread(&self) -> u64 {
        self.hash[1]
    }
}

impl Directory {
    /// An empty directory.
    pub fn new() -> Arc<Self> {
        let tables = std::iter::repeat_with(Mutex::default).take(TABLES);
        Arc::new(Self {
            tables: tables.collect(),
        })
    }

    fn table(&self, hash: [u64; 2]) -> MutexGuard<'_, Table> {
        let table = &self.tables[hash[0] as usize % TABLES];
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys are in flight and kept; one that is both counts twice.
    pub fn len(&self) -> usize {
        let lock = |table: &Mutex<Table>| {
            let table = table.lock().unwrap_or_else(PoisonError::into_inner);
            table.kept.len() + table.flying.len()
        };
        self.tables.iter().map(lock).sum()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Enters an operation with a key that belongs to `slot`.
    pub fn enter(self: &Arc<Self>, tag: &KeyTag, slot: Slot) -> Result<KeyGuard, KeyRefused> {
        let elsewhere = self.fly(tag, slot)?;
        Ok(KeyGuard {
            of: Arc::clone(self),
            hash: tag.hash,
            slot,
            kept: false,
            elsewhere,
        })
    }

    /// Notes one more in flight, and says which other slots seem to have kept the key.
    fn fly(&self, tag: &KeyTag, slot: Slot) -> Result<Vec<Slot>, KeyRefused> {
        let hash = tag.hash;
        let mut table = self.table(hash);
        let is_it = |flying: &Flying| flying.hash == hash;
        match table.flying.entry(hash[1], is_it, Flying::spread) {
            Entry::Occupied(mut found) => {
                let flying = found.get_mut();
                if flying.content != tag.content {
                    return Err(KeyRefused::Reused);
                }
                if flying.uses == USES_MAX {
                    return Err(KeyRefused::Busy);
                }
                flying.uses += 1;
            }
            Entry::Vacant(free) => {
                free.insert(Flying {
                    hash,
                    content: tag.content,
                    uses: 1,
                });
            }
        }
        let here = Kept::new(hash, slot);
        let alike = table.kept.iter_hash(here.spread());
        let elsewhere = alike.filter(|kept| kept.spread() == here.spread() && **kept != here);
        Ok(elsewhere.map(|kept| kept.slot()).collect())
    }

    fn land(&self, hash: [u64; 2], slot: Slot, kept: bool) {
        let mut table = self.table(hash);
        if kept {
            table.keep(Kept::new(hash, slot));
        }
        let is_it = |flying: &Flying| flying.hash == hash;
        if let Ok(mut found) = table.flying.find_entry(hash[1], is_it) {
            let flying = found.get_mut();
            flying.uses -= 1;
            if flying.uses == 0 {
                found.remove();
            }
        }
    }

    /// A commit or a recovery has found this key in the ledger of `slot`'s shard.
    pub fn keep(&self, tag: &KeyTag, slot: Slot) {
        self.table(tag.hash).keep(Kept::new(tag.hash, slot));
    }

    /// The ledger of `slot`'s shard has forgotten this key.
    pub fn forget(&self, tag: &KeyTag, slot: Slot) {
        let kept = Kept::new(tag.hash, slot);
        let mut table = self.table(tag.hash);
        let found = table.kept.find_entry(kept.spread(), |other| *other == kept);
        if let Ok(found) = found {
            found.remove();
        }
    }

    /// Forgets all kept keys of some slots; a recovery keeps anew what the ledger has.
    pub fn forget_slots(&self, is_meant: impl Fn(Slot) -> bool) {
        for table in &self.tables {
            let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
            table.kept.retain(|kept| !is_meant(kept.slot()));
        }
    }
}

impl Table {
    fn keep(&mut self, kept: Kept) {
        let entry = self
            .kept
            .entry(kept.spread(), |other| *other == kept, |kept| kept.spread());
        if let Entry::Vacant(free) = entry {
            free.insert(kept);
        }
    }
}

impl KeyGuard {
    /// Other slots that seem to have kept this key; their homes know whether they do.
    pub fn elsewhere(&self) -> &[Slot] {
        &self.elsewhere
    }

    /// A commit has kept the key.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.of.land(self.hash, self.slot, self.kept);
    }
}

impl KeyGuards {
    /// Room for so many.
    pub(crate) fn new(of: Arc<Directory>, most: usize) -> Self {
        Self {
            of,
            guards: Vec::with_capacity(most),
            is_durable: false,
        }
    }

    /// Enters the operation at `at`, and says which other slots seem to have kept its key. Places
    /// come in ascending order.
    pub(crate) fn enter(
        &mut self,
        at: u32,
        tag: &KeyTag,
        slot: Slot,
    ) -> Result<Vec<Slot>, KeyRefused> {
        let elsewhere = self.of.fly(tag, slot)?;
        self.guards.push(Guard {
            hash: tag.hash,
            at,
            slot,
            state: State::Held,
        });
        Ok(elsewhere)
    }

    fn find(&mut self, at: u32) -> Option<&mut Guard> {
        let place = self.guards.binary_search_by_key(&at, |guard| guard.at);
        self.guards.get_mut(place.ok()?)
    }

    /// The operation at `at` goes on by itself, with its guard.
    pub(crate) fn take(&mut self, at: u32) -> Option<KeyGuard> {
        let of = Arc::clone(&self.of);
        let guard = self.find(at)?;
        guard.state = State::Taken;
        Some(KeyGuard {
            of,
            hash: guard.hash,
            slot: guard.slot,
            kept: false,
            elsewhere: Vec::new(),
        })
    }

    /// The operation that was just entered goes on by itself; its key may be known elsewhere.
    pub(crate) fn take_last(&mut self, elsewhere: Vec<Slot>) -> KeyGuard {
        let guard = self.guards.pop().expect("one was just entered");
        KeyGuard {
            of: Arc::clone(&self.of),
            hash: guard.hash,
            slot: guard.slot,
            kept: false,
            elsewhere,
        }
    }

    /// The commit that the message waits for keeps the key of the operation at `at`.
    pub(crate) fn keep(&mut self, at: u32) {
        if let Some(guard) = self.find(at) {
            guard.state = State::Kept;
        }
    }

    /// That commit is durable.
    pub(crate) const fn landed(&mut self) {
        self.is_durable = true;
    }

    /// Gives the guards new places, or back where there is none; in the same order.
    pub(crate) fn renumber(&mut self, place: impl Fn(u32) -> Option<u32>) {
        for guard in &mut self.guards {
            if let Some(at) = place(guard.at) {
                guard.at = at;
            } else {
                self.of.land(guard.hash, guard.slot, false);
                guard.state = State::Taken;
            }
        }
        self.guards.retain(|guard| guard.state != State::Taken);
    }
}

impl Drop for KeyGuards {
    fn drop(&mut self) {
        for guard in &self.guards {
            let kept = self.is_durable && guard.state == State::Kept;
            if guard.state != State::Taken {
                self.of.land(guard.hash, guard.slot, kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: KeyTag = KeyTag {
        hash: [7, 8],
        content: 9,
    };

    fn slot(index: u16) -> Slot {
        Slot::new(index).expect("a slot")
    }

    #[test]
    fn a_key_in_flight_refuses_other_content_until_its_last_guard_is_gone() {
        let directory = Directory::new();
        let first = directory.enter(&TAG, slot(1)).expect("new");
        let repeat = directory.enter(&TAG, slot(1)).expect("same content");
        let other = KeyTag { content: 10, ..TAG };
        let refused = || directory.enter(&other, slot(2)).err();
        assert_eq!(refused(), Some(KeyRefused::Reused));
        drop(first);
        assert_eq!(refused(), Some(KeyRefused::Reused));
        drop(repeat);
        assert!(directory.is_empty());
        assert!(directory.enter(&other, slot(2)).is_ok());
    }

    #[test]
    fn a_kept_key_leads_to_its_slot_until_it_is_forgotten() {
        let directory = Directory::new();
        directory.enter(&TAG, slot(1)).expect("new").keep();
        assert_eq!(directory.len(), 1);
        let other = KeyTag { content: 10, ..TAG };
        let elsewhere = |at| {
            let guard = directory.enter(&other, slot(at)).expect("none in flight");
            guard.elsewhere().to_vec()
        };
        assert_eq!(elsewhere(2), [slot(1)]);
        assert_eq!(elsewhere(1), []);
        directory.keep(&TAG, slot(1));
        directory.forget(&TAG, slot(2));
        assert_eq!(elsewhere(2), [slot(1)]);
        directory.forget(&TAG, slot(1));
        assert!(directory.is_empty());
        directory.keep(&TAG, slot(3));
        directory.forget_slots(|slot| slot.index() == 3);
        assert!(directory.is_empty());
    }

    #[test]
    fn keys_that_look_the_same_are_all_asked_about_and_forgotten_one_by_one() {
        let directory = Directory::new();
        let alike = KeyTag {
            hash: [TAG.hash[0], 99],
            content: 1,
        };
        directory.keep(&TAG, slot(1));
        directory.keep(&alike, slot(2));
        let elsewhere = || {
            let guard = directory.enter(&TAG, slot(3)).expect("none in flight");
            let mut slots = guard.elsewhere().to_vec();
            slots.sort_unstable();
            slots
        };
        assert_eq!(elsewhere(), [slot(1), slot(2)]);
        directory.forget(&alike, slot(2));
        assert_eq!(elsewhere(), [slot(1)]);
    }

    #[test]
    fn the_guards_of_a_message_keep_what_was_marked_once_it_is_durable_and_nothing_before() {
        let directory = Directory::new();
        let tag = |number| KeyTag {
            hash: [number << 12, number],
            content: number,
        };
        let entered = || {
            let mut guards = KeyGuards::new(Arc::clone(&directory), 4);
            for at in 0..4 {
                let entered = guards.enter(at, &tag(u64::from(at)), slot(1));
                assert_eq!(entered, Ok(vec![]));
            }
            guards.keep(1);
            guards.keep(2);
            guards
        };
        drop(entered());
        assert!(directory.is_empty());
        let mut guards = entered();
        let taken = guards.take(2);
        guards.renumber(|at| (at != 3).then_some(at));
        guards.landed();
        drop(guards);
        assert_eq!(
            directory.len(),
            2,
            "one kept, one taken and still in flight"
        );
        drop(taken);
        assert_eq!(directory.len(), 1);
        let other = KeyTag {
            content: 10,
            ..tag(1)
        };
        let guard = directory.enter(&other, slot(2)).expect("none in flight");
        assert_eq!(guard.elsewhere(), [slot(1)]);
    }
}
