//! Idempotency keys with the outcomes of their commands, in the order they came.

use super::homes::HomeRef;
use super::places::Places;
use super::skus::SkuIndex;
use super::slab::{Block, Slab};
use crate::event::{KeyOutcome, KeyTag};
use crate::id::ReservationId;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

#[derive(Default)]
pub(super) struct Keys {
    slab: Slab<Key>,
    by_hash: Places,
    movements: BTreeMap<u64, ReservationId>,
    /// Keys below this index are forgotten.
    pub(super) first: u64,
    /// The index of the next key.
    pub(super) next: u64,
}

pub(super) struct Key {
    pub(super) tag: KeyTag,
    pub(super) at: Timestamp,
    /// 1 bit that is set, 5 of outcome, 2 of what the target is, the target in the rest.
    packed: NonZeroU64,
}

const TAKEN: u64 = 1 << 63;
const OUTCOME_SHIFT: u32 = 58;
const KIND_SHIFT: u32 = 56;

/// What a stored key was about.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Home(HomeRef),
    Sku(SkuIndex),
    Movement(ReservationId, SkuIndex),
}

impl Key {
    pub(super) fn outcome(&self) -> KeyOutcome {
        KeyOutcome::ALL[(self.packed.get() >> OUTCOME_SHIFT & 0b1_1111) as usize]
    }
}

impl Keys {
    pub(super) const fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn find(&self, tag: &KeyTag) -> Option<(u64, &Key)> {
        let low = self.by_hash.find(tag.hash[0], |low| {
            let key = self.slab.get(self.widen(low));
            key.is_some_and(|key| key.tag.hash == tag.hash)
        })?;
        let index = self.widen(low);
        Some((index, self.slab.get(index)?))
    }

    /// The table keeps the low half of indexes; all live ones lie within 2^32 of the first.
    const fn widen(&self, low: u32) -> u64 {
        self.first + low.wrapping_sub(self.first as u32) as u64
    }

    pub(super) fn target(&self, index: u64, key: &Key) -> Target {
        let rest = key.packed.get() & ((1 << KIND_SHIFT) - 1);
        match key.packed.get() >> KIND_SHIFT & 0b11 {
            0 => Target::Home(HomeRef::from_bits(rest)),
            1 => Target::Sku(rest as SkuIndex),
            _ => {
                let id = self
                    .movements
                    .get(&index)
                    .expect("a movement's key has its id");
                Target::Movement(*id, rest as SkuIndex)
            }
        }
    }

    /// Stores a key; true if its block was clean.
    pub(super) fn insert(
        &mut self,
        index: u64,
        tag: KeyTag,
        outcome: KeyOutcome,
        target: Target,
        at: Timestamp,
    ) -> bool {
        let (kind, rest) = match target {
            Target::Home(place) => (0, place.bits()),
            Target::Sku(sku) => (1, u64::from(sku)),
            Target::Movement(id, sku) => {
                self.movements.insert(index, id);
                (2, u64::from(sku))
            }
        };
        let packed = TAKEN | (outcome as u64) << OUTCOME_SHIFT | kind << KIND_SHIFT | rest;
        let packed = NonZeroU64::new(packed).expect("a bit of it is set");
        self.by_hash.insert(tag.hash[0], index as u32);
        self.next = self.next.max(index + 1);
        self.slab.insert(index, |_| Key { tag, at, packed })
    }

    pub(super) fn get(&self, index: u64) -> Option<&Key> {
        self.slab.get(index)
    }

    pub(super) fn remove(&mut self, index: u64) {
        if let Some(key) = self.slab.get(index) {
            self.by_hash.remove(key.tag.hash[0], index as u32);
        }
        self.slab.remove(index);
        self.movements.remove(&index);
    }

    pub(super) fn block(&self, block: u64) -> Option<&Block<Key>> {
        self.slab.block(block)
    }

    pub(super) fn mark_dirty(&mut self, index: u64) -> bool {
        self.slab.mark_dirty(index)
    }

    pub(super) fn mark_clean(&mut self, block: u64) {
        self.slab.mark_clean(block);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Key)> {
        self.slab.iter().map(|(index, key, _)| (index, key))
    }
}
