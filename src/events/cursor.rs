//! A cursor: one point in the ledgers of all shards, opaque to callers.
//!
//! ```text
//! [version 1][cluster, 8 bytes][shards]{sequence}   numbers are varints, all of it in hexadecimal
//! ```
//! It says: every event up to and with this sequence of each shard has been told.

use crate::opaque::{from_cursor, to_cursor};
use holdfast_runtime::ShardIndex;
use std::fmt;

const VERSION: u8 = 1;

/// A point in all ledgers: the last event of each shard that lies before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    cluster: u64,
    seqs: Vec<u64>,
}

/// Why a text is no cursor of this stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHere {
    /// It is no cursor at all.
    #[error("this is no cursor of events; begin with `earliest`, `latest` or a snapshot's cursor")]
    Malformed,
    /// It is one of another data directory, or of another number of shards.
    #[error("this cursor is of another data directory; begin with a cursor of this one")]
    Foreign,
    /// It names events that have not happened.
    #[error(
        "this cursor is ahead of the ledgers, as after restoring an older copy; take a snapshot \
         and begin with its cursor"
    )]
    Future,
}

impl Cursor {
    /// The point behind these sequences, one for each shard.
    pub fn new(cluster: u64, seqs: impl IntoIterator<Item = u64>) -> Self {
        let seqs = seqs.into_iter().collect();
        Self { cluster, seqs }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, NotHere> {
        let bytes = from_cursor(text).ok_or(NotHere::Malformed)?;
        let (head, mut rest) = bytes.split_at_checked(9).ok_or(NotHere::Malformed)?;
        if head[0] != VERSION {
            return Err(NotHere::Malformed);
        }
        let cluster = u64::from_be_bytes(head[1..].try_into().expect("8 bytes are left of 9"));
        let shards = take(&mut rest).ok_or(NotHere::Malformed)?;
        let shards = u16::try_from(shards).map_err(|_| NotHere::Malformed)?;
        let seqs: Option<Vec<u64>> = (0..shards).map(|_| take(&mut rest)).collect();
        match seqs {
            Some(seqs) if rest.is_empty() => Ok(Self { cluster, seqs }),
            _ => Err(NotHere::Malformed),
        }
    }

    /// Refuses a cursor of another stock, of another number of shards, or of its future. A shard
    /// whose head is not known now takes any.
    pub fn check(
        &self,
        cluster: u64,
        shards: ShardIndex,
        head_of: impl Fn(ShardIndex) -> Option<u64>,
    ) -> Result<(), NotHere> {
        if (self.cluster, self.shards()) != (cluster, shards) {
            return Err(NotHere::Foreign);
        }
        for (shard, seq) in self.seqs.iter().enumerate() {
            if head_of(shard as ShardIndex).is_some_and(|head| head < *seq) {
                return Err(NotHere::Future);
            }
        }
        Ok(())
    }

    /// How many shards it speaks of.
    pub fn shards(&self) -> u16 {
        self.seqs.len() as u16
    }

    /// The last event of a shard that lies before it.
    pub fn seq(&self, shard: ShardIndex) -> u64 {
        self.seqs.get(usize::from(shard)).copied().unwrap_or(0)
    }

    /// The same with another sequence of one shard.
    #[must_use]
    pub fn at(&self, shard: ShardIndex, seq: u64) -> Self {
        let mut other = self.clone();
        other.set(shard, seq);
        other
    }

    /// Moves it on one shard.
    pub fn set(&mut self, shard: ShardIndex, seq: u64) {
        if let Some(own) = self.seqs.get_mut(usize::from(shard)) {
            *own = seq;
        }
    }

    /// Events between it and a later one.
    pub fn behind(&self, later: &Self) -> u64 {
        let pairs = self.seqs.iter().zip(&later.seqs);
        pairs.map(|(own, later)| later.saturating_sub(*own)).sum()
    }

    /// Whether it lies before another on any shard.
    pub fn is_before(&self, other: &Self) -> bool {
        let mut pairs = self.seqs.iter().zip(&other.seqs);
        pairs.any(|(own, other)| own < other)
    }

    /// The later of both, shard by shard.
    #[must_use]
    pub fn or_later(&self, other: &Self) -> Self {
        let pairs = self.seqs.iter().zip(&other.seqs);
        Self::new(self.cluster, pairs.map(|(own, other)| *own.max(other)))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(10 + 5 * self.seqs.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.cluster.to_be_bytes());
        put(&mut bytes, self.seqs.len() as u64);
        self.seqs.iter().for_each(|seq| put(&mut bytes, *seq));
        f.write_str(&to_cursor(&bytes))
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_judged() {
        let cursor = Cursor::new(7, [0, 300, u64::MAX]);
        let text = cursor.to_string();
        assert_eq!(Cursor::parse(&text), Ok(cursor.clone()));
        let head_of = |shard| Some([5, 300, u64::MAX][usize::from(shard)]);
        assert_eq!(cursor.check(7, 3, head_of), Ok(()));
        assert_eq!(cursor.check(8, 3, head_of), Err(NotHere::Foreign));
        assert_eq!(cursor.check(7, 3, |_| Some(299)), Err(NotHere::Future));
        assert_eq!(cursor.check(7, 3, |_| None), Ok(()));
        for shards in [0, 2, 4] {
            let other = cursor.check(7, shards, |_| None);
            assert_eq!(other, Err(NotHere::Foreign), "{shards} shards");
        }
        assert_eq!(cursor.behind(&Cursor::new(7, [2, 310, u64::MAX])), 12);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let good = Cursor::new(7, [1, 2]).to_string();
        let cut = &good[..good.len() - 2];
        let longer = format!("{good}00");
        let other = format!("02{}", &good[2..]);
        for bad in ["", "0", "zz", "01", cut, &longer, &other, "latest", "é"] {
            assert_eq!(Cursor::parse(bad), Err(NotHere::Malformed), "{bad:?}");
        }
    }
}
