//! The key directory: idempotency key → the slot that has it, and a check of its content.
//!
//! It finds a key that comes again with other content, which may have another home. The outcome
//! of a key is not here: the home shard keeps that in the record of the change itself. An
//! operation in flight holds a [`KeyGuard`]; when the last guard of a key goes, so does the
//! entry, unless a commit has kept it.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as MapEntry;
use holdfast_core::{KeyTag, Slot};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// Sub-tables; no table may grow in one go.
pub(crate) const TABLES: usize = 1024;

const KEPT: u16 = 1 << 15;

/// All keys of a runtime that are kept or in flight.
#[derive(Debug)]
pub struct Directory {
    keys: DashMap<KeyHash, Entry, BuildHasherDefault<AsItIs>>,
}

/// An operation in flight with a key.
#[derive(Debug)]
pub struct KeyGuard {
    of: Handle,
    hash: KeyHash,
    slot: Slot,
    kept: bool,
}

/// The directory, as the guards of one message share it: a count of references that all threads
/// change would be fought over.
pub(crate) type Handle = Arc<Arc<Directory>>;

/// Why a key may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefused {
    /// It came before, with other content.
    Reused,
    /// Too many repeats of it are in flight.
    Busy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyHash([u64; 2]);

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Half of the content's hash; the home compares the whole.
    content: u32,
    slot: Slot,
    /// The top bit: kept by a commit. The others: guards.
    uses: u16,
}

/// Keys are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

impl Directory {
    /// An empty directory.
    pub fn new() -> Arc<Self> {
        let hasher = BuildHasherDefault::default();
        let keys = DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher, TABLES);
        Arc::new(Self { keys })
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Enters an operation with a key; its home is to be at `slot` if the key is new.
    pub fn enter(self: &Arc<Self>, tag: &KeyTag, slot: Slot) -> Result<KeyGuard, KeyRefused> {
        Self::enter_with(&Arc::new(Arc::clone(self)), tag, slot)
    }

    pub(crate) fn enter_with(
        of: &Handle,
        tag: &KeyTag,
        slot: Slot,
    ) -> Result<KeyGuard, KeyRefused> {
        let (hash, content) = (KeyHash(tag.hash), tag.content as u32);
        let slot = match of.keys.entry(hash) {
            MapEntry::Occupied(mut entry) => {
                let entry = entry.get_mut();
                if entry.content != content {
                    return Err(KeyRefused::Reused);
                }
                if entry.uses & !KEPT == !KEPT {
                    return Err(KeyRefused::Busy);
                }
                entry.uses += 1;
                entry.slot
            }
            MapEntry::Vacant(entry) => {
                entry.insert(Entry {
                    content,
                    slot,
                    uses: 1,
                });
                slot
            }
        };
        Ok(KeyGuard {
            of: Arc::clone(of),
            hash,
            slot,
            kept: false,
        })
    }

    /// A commit or a recovery has found this key in the ledger.
    pub fn keep(&self, tag: &KeyTag, slot: Slot) {
        let content = tag.content as u32;
        let new = Entry {
            content,
            slot,
            uses: KEPT,
        };
        self.keys
            .entry(KeyHash(tag.hash))
            .and_modify(|entry| entry.uses |= KEPT)
            .or_insert(new);
    }

    /// The ledger has forgotten this key.
    pub fn forget(&self, tag: &KeyTag) {
        if let MapEntry::Occupied(mut entry) = self.keys.entry(KeyHash(tag.hash)) {
            entry.get_mut().uses &= !KEPT;
            if entry.get().uses == 0 {
                entry.remove();
            }
        }
    }

    /// Forgets all keys of some slots; a recovery keeps anew what the ledger has.
    pub fn forget_slots(&self, is_meant: impl Fn(Slot) -> bool) {
        self.keys.retain(|_, entry| {
            if is_meant(entry.slot) {
                entry.uses &= !KEPT;
            }
            entry.uses != 0
        });
    }
}

impl KeyGuard {
    /// Where this key's home is.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// A commit has kept the key.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        if let MapEntry::Occupied(mut entry) = self.of.keys.entry(self.hash) {
            entry.get_mut().uses -= 1;
            if self.kept {
                entry.get_mut().uses |= KEPT;
            }
            if entry.get().uses == 0 {
                entry.remove();
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
    fn a_key_in_flight_finds_its_first_home_and_refuses_other_content() {
        let directory = Directory::new();
        let first = directory.enter(&TAG, slot(1)).expect("new");
        let repeat = directory.enter(&TAG, slot(2)).expect("same content");
        assert_eq!(repeat.slot(), slot(1));
        let other = KeyTag { content: 10, ..TAG };
        assert_eq!(
            directory.enter(&other, slot(1)).err(),
            Some(KeyRefused::Reused)
        );
        drop(first);
        assert_eq!(
            directory.enter(&other, slot(1)).err(),
            Some(KeyRefused::Reused)
        );
        drop(repeat);
        assert!(directory.is_empty());
        assert!(directory.enter(&other, slot(1)).is_ok());
    }

    #[test]
    fn a_kept_key_stays_until_it_is_forgotten() {
        let directory = Directory::new();
        directory.enter(&TAG, slot(1)).expect("new").keep();
        assert_eq!(directory.len(), 1);
        let repeat = directory.enter(&TAG, slot(1)).expect("same content");
        directory.forget(&TAG);
        assert_eq!(directory.len(), 1);
        drop(repeat);
        assert!(directory.is_empty());
        directory.keep(&TAG, slot(3));
        directory.forget_slots(|slot| slot.index() == 3);
        assert!(directory.is_empty());
    }
}
