//! Chunked storage indexed by a number that only grows.
//!
//! No table may grow or be swept in one go: entries live in blocks of 512 that are allocated
//! and freed singly, so the longest pause is one block. A block also carries the texts of
//! its entries and whether it changed since its last snapshot.

use crate::snapshot::CHUNK_ENTRIES;
use std::collections::VecDeque;

pub(super) struct Slab<T> {
    first: u64,
    blocks: VecDeque<Option<Box<Block<T>>>>,
    live: usize,
}

pub(super) struct Block<T> {
    entries: Vec<Option<T>>,
    live: u32,
    pub(super) dirty: bool,
    pub(super) text: Vec<u8>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            first: 0,
            blocks: VecDeque::new(),
            live: 0,
        }
    }
}

const fn split(index: u64) -> (u64, usize) {
    (index / CHUNK_ENTRIES, (index % CHUNK_ENTRIES) as usize)
}

impl<T> Slab<T> {
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    pub(super) fn block(&self, block: u64) -> Option<&Block<T>> {
        let at = block.checked_sub(self.first)?;
        self.blocks.get(at as usize)?.as_deref()
    }

    fn block_mut(&mut self, block: u64) -> Option<&mut Block<T>> {
        let at = block.checked_sub(self.first)?;
        self.blocks.get_mut(at as usize)?.as_deref_mut()
    }

    pub(super) fn get(&self, index: u64) -> Option<&T> {
        let (block, at) = split(index);
        self.block(block)?.entries[at].as_ref()
    }

    /// The entry together with the texts of its block.
    pub(super) fn get_with_text(&self, index: u64) -> Option<(&T, &[u8])> {
        let (block, at) = split(index);
        let block = self.block(block)?;
        Some((block.entries[at].as_ref()?, &block.text))
    }

    pub(super) fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        let (block, at) = split(index);
        self.block_mut(block)?.entries[at].as_mut()
    }

    /// Puts an entry where none is; `make` may append to the texts of the block. The block is
    /// dirty then; true if it was clean.
    pub(super) fn insert(&mut self, index: u64, make: impl FnOnce(&mut Vec<u8>) -> T) -> bool {
        let (block, at) = split(index);
        if self.block(block).is_none() {
            self.reach(block);
        }
        let slot = self.block_mut(block).expect("reach has made the block");
        let entry = &mut slot.entries[at];
        assert!(entry.is_none(), "an index is given to one entry only");
        *entry = Some(make(&mut slot.text));
        slot.live += 1;
        if at + 1 == CHUNK_ENTRIES as usize {
            slot.text.shrink_to_fit();
        }
        let was_clean = !std::mem::replace(&mut slot.dirty, true);
        self.live += 1;
        was_clean
    }

    /// Takes an entry out; an empty block is freed.
    pub(super) fn remove(&mut self, index: u64) -> Option<T> {
        let (block, at) = split(index);
        let slot = self.block_mut(block)?;
        let entry = slot.entries[at].take()?;
        slot.live -= 1;
        let is_empty = slot.live == 0;
        self.live -= 1;
        if is_empty {
            let place = (block - self.first) as usize;
            self.blocks[place] = None;
            while matches!(self.blocks.front(), Some(None)) {
                self.blocks.pop_front();
                self.first += 1;
            }
        }
        Some(entry)
    }

    /// Marks the block of an entry; true if it was clean.
    pub(super) fn mark_dirty(&mut self, index: u64) -> bool {
        match self.block_mut(split(index).0) {
            Some(block) => !std::mem::replace(&mut block.dirty, true),
            None => true,
        }
    }

    pub(super) fn mark_clean(&mut self, block: u64) {
        if let Some(block) = self.block_mut(block) {
            block.dirty = false;
        }
    }

    /// All entries by index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T, &[u8])> {
        let present = self.blocks.iter().enumerate();
        present
            .filter_map(|(at, block)| Some((self.first + at as u64, block.as_deref()?)))
            .flat_map(|(number, block)| {
                let base = number * CHUNK_ENTRIES;
                let entries = block.entries.iter().enumerate();
                entries.filter_map(move |(at, entry)| {
                    Some((base + at as u64, entry.as_ref()?, block.text.as_slice()))
                })
            })
    }

    fn reach(&mut self, block: u64) {
        if self.blocks.is_empty() {
            self.first = block;
        }
        while block < self.first {
            self.blocks.push_front(None);
            self.first -= 1;
        }
        let at = (block - self.first) as usize;
        while self.blocks.len() <= at {
            self.blocks.push_back(None);
        }
        self.blocks[at].get_or_insert_with(|| Box::new(Block::new()));
    }
}

impl<T> Block<T> {
    fn new() -> Self {
        let entries = std::iter::repeat_with(|| None)
            .take(CHUNK_ENTRIES as usize)
            .collect();
        Self {
            entries,
            live: 0,
            dirty: false,
            text: Vec::new(),
        }
    }

    /// Entries of this block by their place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| Some((at, entry.as_ref()?)))
    }
}
