//! First-in, first-out queues of times and what they are for.
//!
//! They lie in pieces, so that none grows in one go. An entry takes eight bytes: how far it is from
//! its piece's first. Deadlines come in order and numbers are given in order, so that nearly always
//! fits; where it doesn't, a piece begins. The last piece lies in the queue itself: a short queue is
//! one piece, and one look away.

use super::homes::HomeRef;
use super::skus::LevelKey;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Entries of a piece.
const PIECE: usize = 4096;

/// A time and 64 bits that say what it is for.
pub(super) trait Entry: Copy + Ord {
    fn bits(self) -> [u64; 2];
    fn from_bits(bits: [u64; 2]) -> Self;
}

impl Entry for (Timestamp, u64) {
    fn bits(self) -> [u64; 2] {
        [self.0.ms(), self.1]
    }
    fn from_bits([at, number]: [u64; 2]) -> Self {
        (Timestamp::from_ms(at), number)
    }
}

impl Entry for (Timestamp, LevelKey) {
    fn bits(self) -> [u64; 2] {
        let (at, (sku, location)) = self;
        [at.ms(), u64::from(location) << 32 | u64::from(sku)]
    }
    fn from_bits([at, level]: [u64; 2]) -> Self {
        let key = (level as u32, (level >> 32) as u16);
        (Timestamp::from_ms(at), key)
    }
}

impl Entry for (Timestamp, HomeRef) {
    fn bits(self) -> [u64; 2] {
        [self.0.ms(), self.1.bits()]
    }
    fn from_bits([at, place]: [u64; 2]) -> Self {
        (Timestamp::from_ms(at), HomeRef::from_bits(place))
    }
}

pub(super) struct Queue<T> {
    /// Those before the last, in order; none is empty.
    full: VecDeque<Piece>,
    last: Piece,
    of: std::marker::PhantomData<T>,
}

#[derive(Default)]
struct Piece {
    base: [u64; 2],
    steps: VecDeque<[i32; 2]>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            full: VecDeque::new(),
            last: Piece::default(),
            of: std::marker::PhantomData,
        }
    }
}

impl<T: Entry> Queue<T> {
    pub(super) fn push(&mut self, item: T) {
        let bits = item.bits();
        if !self.last.push(bits) {
            self.full.push_back(std::mem::take(&mut self.last));
            self.last.base = bits;
            assert!(self.last.push(bits), "an entry is near itself");
        }
    }

    pub(super) fn front(&self) -> Option<T> {
        let piece = self.full.front().unwrap_or(&self.last);
        piece.iter().next()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> {
        let pieces = self.full.iter().chain([&self.last]);
        pieces.flat_map(Piece::iter)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let front = self.front()?;
        if let Some(piece) = self.full.front_mut() {
            piece.steps.pop_front();
            if piece.steps.is_empty() {
                self.full.pop_front();
            }
        } else {
            self.last.steps.pop_front();
            if self.last.steps.is_empty() {
                self.last = Piece::default();
            }
        }
        Some(front)
    }

    /// Sorts all items; for recovery, where a pause costs nothing.
    pub(super) fn sort(&mut self) {
        let mut items: Vec<T> = self.iter().collect();
        items.sort_unstable();
        *self = Self::default();
        for item in items {
            self.push(item);
        }
    }
}

impl Piece {
    /// Adds an entry, unless it is too far from the first or the piece is full.
    fn push(&mut self, bits: [u64; 2]) -> bool {
        if self.steps.is_empty() {
            self.base = bits;
        }
        let step = |at: usize| i32::try_from(bits[at].wrapping_sub(self.base[at]) as i64);
        match (step(0), step(1)) {
            (Ok(time), Ok(number)) if self.steps.len() < PIECE => {
                self.steps.push_back([time, number]);
                true
            }
            _ => false,
        }
    }

    fn iter<T: Entry>(&self) -> impl Iterator<Item = T> {
        let whole = |at: usize, step: i32| self.base[at].wrapping_add(i64::from(step) as u64);
        self.steps
            .iter()
            .map(move |[time, number]| T::from_bits([whole(0, *time), whole(1, *number)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_gives_back_what_it_was_given_however_far_apart() {
        let mut queue = Queue::default();
        let mut given = VecDeque::new();
        let far = [0, 1, u64::MAX / 2, 3, 1 << 31, (1 << 31) - 1, u64::MAX, 7];
        for n in 0..20_000_u64 {
            let number = if n % 5_000 < 8 {
                far[n as usize % 8]
            } else {
                n
            };
            let item = (Timestamp::from_ms(n * 1_000_003), number);
            queue.push(item);
            given.push_back(item);
            if n % 3 == 0 {
                assert_eq!(queue.pop(), given.pop_front());
            }
        }
        assert!(queue.iter().eq(given.iter().copied()));
        while let Some(item) = given.pop_front() {
            assert_eq!(queue.front(), Some(item));
            assert_eq!(queue.pop(), Some(item));
        }
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_sorted_queue_has_all_its_items_in_order() {
        let mut queue = Queue::default();
        for n in (0..10_000_u64).rev() {
            queue.push((Timestamp::from_ms(n), n ^ 1));
        }
        queue.sort();
        assert!(
            queue
                .iter()
                .eq((0..10_000).map(|n| (Timestamp::from_ms(n), n ^ 1)))
        );
    }
}
