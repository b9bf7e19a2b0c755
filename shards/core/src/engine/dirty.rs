//! Which chunks changed since they were last taken, in the order in which they first did.

use super::Engine;
use super::homes::{HomeRef, Homes};
use super::skus::SkuIndex;
use crate::name::Slot;
use crate::snapshot::{CHUNK_ENTRIES, ChunkId};

impl Engine {
    pub(super) fn home_dirty(&mut self, place: HomeRef) {
        if self.homes.mark_dirty(place) {
            self.list_home(place);
        }
    }

    /// Lists the block of a reservation, which was clean until now.
    pub(super) fn list_home(&mut self, place: HomeRef) {
        let (opening, block) = Homes::block_of(place);
        self.dirty
            .push_back((self.seq, ChunkId::Homes(opening, block)));
    }

    pub(super) fn hold_dirty(&mut self, number: u64) {
        if self.holds.mark_dirty(number) {
            self.list_hold(number);
        }
    }

    /// Lists the block of a hold, which was clean until now.
    pub(super) fn list_hold(&mut self, number: u64) {
        self.dirty
            .push_back((self.seq, ChunkId::Holds(number / CHUNK_ENTRIES)));
    }

    pub(super) fn key_dirty(&mut self, index: u64) {
        if self.keys.mark_dirty(index) {
            self.list_key(index);
        }
    }

    /// Lists the block of a key, which was clean until now.
    pub(super) fn list_key(&mut self, index: u64) {
        self.dirty
            .push_back((self.seq, ChunkId::Keys(index / CHUNK_ENTRIES)));
    }

    pub(super) fn sku_dirty(&mut self, sku: SkuIndex) {
        self.slot_dirty(self.skus.get(sku).slot);
    }

    pub(super) fn slot_dirty(&mut self, slot: Slot) {
        if self.skus.mark_dirty(slot) {
            self.dirty.push_back((self.seq, ChunkId::Skus(slot)));
        }
    }

    pub(super) fn shard_dirty(&mut self) {
        if !std::mem::replace(&mut self.shard_is_dirty, true) {
            self.dirty.push_back((self.seq, ChunkId::Shard));
        }
    }
}
