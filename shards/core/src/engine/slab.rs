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

/// Entries lie in parts of eight: one that is larger than 64 KiB takes the allocator's next 128.
const PART: usize = 8;
const PARTS: usize = CHUNK_ENTRIES as usize / PART;

type Part<T> = Box<[Option<T>; PART]>;

pub(super) struct Block<T> {
    parts: [Option<Part<T>>; PARTS],
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
        self.block(block)?.entry(at)
    }

    /// The entry together with the texts of its block.
    pub(super) fn get_with_text(&self, index: u64) -> Option<(&T, &[u8])> {
        let (block, at) = split(index);
        let block = self.block(block)?;
        Some((block.entry(at)?, &block.text))
    }

    pub(super) fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        let (block, at) = split(index);
        self.block_mut(block)?.place(at)?.as_mut()
    }

    /// Puts an entry where none is; `make` may append to the texts of the block. The block is
    /// dirty then; true if it was clean.
    pub(super) fn insert(&mut self, index: u64, make: impl FnOnce(&mut Vec<u8>) -> T) -> bool {
        let (block, at) = split(index);
        if self.block(block).is_none() {
            self.reach(block);
        }
        let slot = self.block_mut(block).expect("reach has made the block");
        let made = make(&mut slot.text);
        let part = slot.parts[at / PART].get_or_insert_with(|| Box::new([const { None }; PART]));
        let entry = &mut part[at % PART];
        assert!(entry.is_none(), "an index is given to one entry only");
        *entry = Some(made);
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
        let entry = slot.place(at)?.take()?;
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
                let entries = block.iter();
                entries.map(move |(at, entry)| (base + at as u64, entry, block.text.as_slice()))
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
        Self {
            parts: [const { None }; PARTS],
            live: 0,
            dirty: false,
            text: Vec::new(),
        }
    }

    fn entry(&self, at: usize) -> Option<&T> {
        self.parts[at / PART].as_ref()?[at % PART].as_ref()
    }

    /// Where an entry is or could be, unless none of its part ever was.
    fn place(&mut self, at: usize) -> Option<&mut Option<T>> {
        Some(&mut self.parts[at / PART].as_mut()?[at % PART])
    }

    /// Entries of this block by their place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let parts = self.parts.iter().enumerate();
        let parts = parts.filter_map(|(number, part)| Some((number * PART, part.as_ref()?)));
        parts.flat_map(|(first, part)| {
            let entries = part.iter().enumerate();
            entries.filter_map(move |(at, entry)| Some((first + at, entry.as_ref()?)))
        })
    }
}
