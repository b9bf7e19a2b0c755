//! A block: a SKU's counters at some point, and the entries that follow it.
//!
//! ```text
//! [flags][time][locations n]{[length][name][mask]{counter}}  then per entry
//! [sequence step][time step][kind and flag][changes n]{[location][mask]{counter step}}
//! ```
//! Numbers are varints, signed ones zigzag. A location's number is its place in the block; the
//! number after the last one is followed by a name. Deliberately absent: where blocks are kept.

use holdfast_core::{Counter, Counters, Location};
use smallvec::SmallVec;

/// Set in a block that was begun from a snapshot: what lies before it is not known.
const FLAG_BASE: u64 = 1;

/// Set beside the kind of an entry that speaks of an earlier moment.
const FLAG_PAST: u8 = 1 << 7;

/// A block takes no more entries from so many bytes on, or twice what its counters take.
const BYTES_MAX: usize = 1_900;

/// Counters per location, in the order in which locations came.
pub(crate) type Levels = Vec<(Location, Counters)>;

/// Counters with their new values.
pub(crate) type Values = SmallVec<[(Counter, i64); 3]>;

/// An event of a SKU, on its way into a block.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    /// The kind's number.
    pub(crate) kind: u8,
    /// Whether it speaks of an earlier moment: a count, or a fact with a time of its own.
    pub(crate) is_of_past: bool,
    pub(crate) changes: SmallVec<[(Location, Values); 1]>,
}

/// An entry, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) kind: u8,
    pub(crate) is_of_past: bool,
    /// Locations by their place in the levels, with their counters before.
    pub(crate) changed: SmallVec<[(usize, Counters); 1]>,
}

/// A block whose bytes make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a block makes no sense")]
pub(crate) struct Senseless;

/// A block that is being written.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    head_bytes: usize,
    is_base: bool,
    /// The last event in it.
    seq: u64,
    at: u64,
    pub(crate) levels: Levels,
}

impl Block {
    /// A block whose first entry is to have this sequence and time.
    pub(crate) fn begin(seq: u64, at: u64, levels: Levels) -> Self {
        Self::with_flags(0, seq, at, levels)
    }

    /// A block of what a snapshot that has seen `seq` says.
    pub(crate) fn base(seq: u64, at: u64, levels: Levels) -> Self {
        Self::with_flags(FLAG_BASE, seq, at, levels)
    }

    fn with_flags(flags: u64, seq: u64, at: u64, levels: Levels) -> Self {
        let mut bytes = Vec::with_capacity(256);
        put(&mut bytes, flags);
        put(&mut bytes, at);
        put(&mut bytes, levels.len() as u64);
        for (location, counters) in &levels {
            put_name(&mut bytes, location);
            let mut values = Values::new();
            let set = Counter::ALL
                .into_iter()
                .map(|counter| (counter, counters.get(counter)));
            values.extend(set.filter(|(_, value)| *value != 0));
            put_values(&mut bytes, &values);
        }
        Self {
            head_bytes: bytes.len(),
            bytes,
            is_base: flags & FLAG_BASE != 0,
            seq,
            at,
            levels,
        }
    }

    /// Goes on with a block that was written as `bytes`, under the key `first`.
    pub(crate) fn resume(first: u64, bytes: &[u8]) -> Option<Self> {
        let mut reader = BlockReader::open(first, bytes)?;
        let head_bytes = bytes.len() - reader.rest.len();
        while reader.next_line().ok()?.is_some() {}
        Some(Self {
            bytes: bytes.to_vec(),
            head_bytes,
            is_base: reader.is_base,
            seq: reader.seq,
            at: reader.at,
            levels: reader.levels,
        })
    }

    /// Whether the next entry belongs into a new block.
    pub(crate) fn is_full(&self) -> bool {
        BYTES_MAX.max(2 * self.head_bytes) <= self.bytes.len()
    }

    /// Whether an event is not in it yet, nor in the snapshot that it began with.
    pub(crate) fn lacks(&self, seq: u64) -> bool {
        let is_fresh = !self.is_base && self.bytes.len() == self.head_bytes;
        self.seq < seq || is_fresh && self.seq == seq
    }

    /// Adds an entry that it [lacks](Self::lacks).
    pub(crate) fn push(&mut self, touch: &Touch) {
        put(&mut self.bytes, touch.seq - self.seq);
        put_signed(&mut self.bytes, touch.at.wrapping_sub(self.at) as i64);
        let flag = if touch.is_of_past { FLAG_PAST } else { 0 };
        self.bytes.push(touch.kind | flag);
        put(&mut self.bytes, touch.changes.len() as u64);
        for (location, values) in &touch.changes {
            let known = self.levels.iter().position(|(own, _)| own == location);
            let place = known.unwrap_or(self.levels.len());
            put(&mut self.bytes, place as u64);
            if known.is_none() {
                put_name(&mut self.bytes, location);
                self.levels.push((location.clone(), Counters::default()));
            }
            let counters = &mut self.levels[place].1;
            let mut steps = Values::new();
            for counter in Counter::ALL {
                let new = values.iter().rev().find(|(own, _)| *own == counter);
                let step = new.map_or(0, |(_, value)| value.wrapping_sub(counters.get(counter)));
                if step != 0 {
                    steps.push((counter, step));
                    counters.set(counter, counters.get(counter).wrapping_add(step));
                }
            }
            put_values(&mut self.bytes, &steps);
        }
        (self.seq, self.at) = (touch.seq, touch.at);
    }
}

/// Reads a block's entries; `levels` are the counters after the last one read.
pub(crate) struct BlockReader<'a> {
    rest: &'a [u8],
    is_base: bool,
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) levels: Levels,
}

impl<'a> BlockReader<'a> {
    /// Reads the head of a block under the key `first`.
    pub(crate) fn open(first: u64, bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let flags = take(&mut rest)?;
        let at = take(&mut rest)?;
        let mut levels = Levels::new();
        for _ in 0..take(&mut rest)? {
            let location = take_name(&mut rest)?;
            let mut counters = Counters::default();
            take_values(&mut rest, |counter, value| counters.set(counter, value))?;
            levels.push((location, counters));
        }
        Some(Self {
            rest,
            is_base: flags & FLAG_BASE != 0,
            seq: first,
            at,
            levels,
        })
    }

    /// Whether what lies before it is not known.
    pub(crate) fn is_base(&self) -> bool {
        self.is_base
    }

    /// The next entry; none at the end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>, Senseless> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.line().map(Some).ok_or(Senseless)
    }

    fn line(&mut self) -> Option<Line> {
        self.seq = self.seq.checked_add(take(&mut self.rest)?)?;
        self.at = self.at.wrapping_add(take_signed(&mut self.rest)? as u64);
        let (kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        let mut changed: SmallVec<[(usize, Counters); 1]> = SmallVec::new();
        for _ in 0..take(&mut self.rest)? {
            let place = usize::try_from(take(&mut self.rest)?).ok()?;
            if place == self.levels.len() {
                let location = take_name(&mut self.rest)?;
                self.levels.push((location, Counters::default()));
            }
            let counters = &mut self.levels.get_mut(place)?.1;
            if changed.iter().all(|(own, _)| *own != place) {
                changed.push((place, counters.clone()));
            }
            take_values(&mut self.rest, |counter, step| {
                counters.set(counter, counters.get(counter).wrapping_add(step));
            })?;
        }
        Some(Line {
            seq: self.seq,
            at: self.at,
            kind: kind & !FLAG_PAST,
            is_of_past: kind & FLAG_PAST != 0,
            changed,
        })
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

fn put_name(out: &mut Vec<u8>, location: &Location) {
    let name = location.as_str().as_bytes();
    put(out, name.len() as u64);
    out.extend_from_slice(name);
}

fn put_values(out: &mut Vec<u8>, values: &Values) {
    let mask = values
        .iter()
        .fold(0, |mask, (counter, _)| mask | 1_u64 << *counter as u8);
    put(out, mask);
    values.iter().for_each(|(_, value)| put_signed(out, *value));
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_signed(rest: &mut &[u8]) -> Option<i64> {
    let value = take(rest)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn take_name(rest: &mut &[u8]) -> Option<Location> {
    let length = usize::try_from(take(rest)?).ok()?;
    let (name, after) = rest.split_at_checked(length)?;
    *rest = after;
    Location::parse(std::str::from_utf8(name).ok()?).ok()
}

fn take_values(rest: &mut &[u8], mut each: impl FnMut(Counter, i64)) -> Option<()> {
    let mut left = take(rest)?;
    while left != 0 {
        let counter = *Counter::ALL.get(left.trailing_zeros() as usize)?;
        each(counter, take_signed(rest)?);
        left &= left - 1;
    }
    Some(())
}

/// Counters summed over locations.
pub(super) fn sum(levels: &Levels) -> Counters {
    let Some(((_, first), others)) = levels.split_first() else {
        return Counters::default();
    };
    let mut sum = first.clone();
    for (_, counters) in others {
        sum.add(counters);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn touch(seq: u64, place: &str, values: &[(Counter, i64)]) -> Touch {
        let location = Location::parse(place).expect("a name");
        Touch {
            seq,
            at: seq * 10,
            kind: 33,
            is_of_past: seq.is_multiple_of(2),
            changes: smallvec![(location, Values::from_slice(values))],
        }
    }

    #[test]
    fn what_is_pushed_is_read_back_also_after_the_block_was_stored() {
        let mut block = Block::begin(7, 70, Levels::new());
        let touches = [
            touch(7, "main", &[(Counter::OnHand, 5), (Counter::Received, 5)]),
            touch(9, "store", &[(Counter::OnHand, i64::MAX)]),
            touch(300, "main", &[(Counter::OnHand, -3), (Counter::OnHand, 2)]),
        ];
        for touch in &touches {
            block = Block::resume(7, &block.bytes).expect("it is whole");
            block.push(touch);
        }
        let mut reader = BlockReader::open(7, &block.bytes).expect("it is whole");
        for touch in &touches {
            let line = reader.next_line().expect("whole").expect("one more");
            assert_eq!(
                (line.seq, line.at, line.is_of_past),
                (touch.seq, touch.at, touch.is_of_past)
            );
        }
        assert_eq!(reader.next_line(), Ok(None));
        let on_hand: Vec<i64> = reader
            .levels
            .iter()
            .map(|(_, counters)| counters.get(Counter::OnHand))
            .collect();
        assert_eq!(on_hand, [2, i64::MAX]);
        assert_eq!(reader.levels[0].1.get(Counter::Received), 5);
    }

    #[test]
    fn a_block_cut_short_is_refused() {
        let mut block = Block::begin(7, 70, Levels::new());
        block.push(&touch(7, "main", &[(Counter::OnHand, 500)]));
        let cut = &block.bytes[..block.bytes.len() - 1];
        assert!(Block::resume(7, cut).is_none());
    }
}
