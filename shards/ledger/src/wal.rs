//! The write-ahead log: records that are acknowledged and not yet in redb's tables.
//!
//! A redb commit writes seven to nine pages at places that do not touch, in two syncs. A small
//! record goes here first, with one write and one sync, and with all others of its kind into the
//! tables once the log is full. Every opening takes what is here into the tables before anything
//! else, in the transaction that counts the opening; so a record names its opening, and those of
//! an earlier one are no more than remains.
//!
//! Records lie one after another from the front's first byte, each framed as rows are. What ends
//! the log is a record that does not check: the last one, torn by a crash. That one was never
//! acknowledged; where a whole record of this opening lies behind it, it was, and the log is
//! corrupt. After a failed write or sync nothing is written here again.
//!
//! Deliberately absent: when records move to the tables ([`Ledger`](crate::Ledger) decides).

use std::sync::Arc;

use crate::error::{LedgerError, Place};
use crate::frame::{self, FRAME_BYTES, Kind, u32_at, u64_at};
use crate::journal::Entry;
use crate::log::Record;
use crate::store::{FRONT_BYTES, Front};

/// `[opening u32][first u64][events u32][at u64]`, in front of a record's body.
const HEAD_BYTES: usize = 24;

/// Records begin at multiples of this.
const ALIGN: usize = 16;

/// Records that lie in the log, in order. Shared with readers as it is at a moment.
pub(crate) type Tail = Arc<Vec<Arc<Record>>>;

/// The log, open for writing.
#[derive(Debug)]
pub(crate) struct Wal {
    front: Front,
    opening: u32,
    /// Where the next record goes.
    end: usize,
    /// As long as it may get.
    bound: usize,
    /// The record under way, kept for its space.
    record: Vec<u8>,
}

impl Wal {
    /// An empty log for the records of `opening`, of at most `bound` bytes.
    pub(crate) fn new(front: Front, opening: u32, bound: usize) -> Self {
        Self {
            front,
            opening,
            end: 0,
            bound: bound.min(FRONT_BYTES as usize),
            record: Vec::new(),
        }
    }

    /// Whether a record with a body of so many bytes still goes in.
    pub(crate) fn takes(&self, body: usize) -> bool {
        self.end + size(body) <= self.bound
    }

    /// Writes a record that fits, and waits until the disk has it.
    pub(crate) fn write(&mut self, entry: Entry<'_>) -> std::io::Result<()> {
        self.record.clear();
        self.record.resize(FRAME_BYTES, 0);
        self.record.extend_from_slice(&self.opening.to_le_bytes());
        self.record.extend_from_slice(&entry.first.to_le_bytes());
        self.record.extend_from_slice(&entry.events.to_le_bytes());
        self.record.extend_from_slice(&entry.at.to_le_bytes());
        self.record.extend_from_slice(entry.body);
        frame::seal(&mut self.record, Kind::Logged, entry.first);
        self.record.resize(size(entry.body.len()), 0);
        self.front.write(self.end as u64, &self.record)?;
        self.end += self.record.len();
        Ok(())
    }

    /// Begins anew at the front: all that was in it is in the tables.
    pub(crate) fn rewind(&mut self) {
        self.end = 0;
    }
}

/// What a record with such a body takes of the log.
fn size(body: usize) -> usize {
    (FRAME_BYTES + HEAD_BYTES + body).next_multiple_of(ALIGN)
}

/// The records of `opening` that follow on `head`, the end of the journal in the tables.
pub(crate) fn read(
    front: &Front,
    opening: u32,
    head: u64,
    shard: u16,
) -> Result<Vec<Record>, LedgerError> {
    let bytes = front
        .read()
        .map_err(|source| LedgerError::io(shard, "reading the write-ahead log", source))?;
    let corrupt = |first, detail| LedgerError::Corrupt {
        shard,
        place: Place::Record(first),
        detail,
    };
    let mut records: Vec<Record> = Vec::new();
    let (mut at, mut last) = (0, None);
    while let Some(record) = record_at(&bytes[at..], opening)
        && last.is_none_or(|last| record.first == last + 1)
    {
        at += size(record.body.len());
        last = Some(record.last());
        if head < record.last() {
            records.push(record);
        }
    }
    let last = last.unwrap_or(head);
    let behind = (at..bytes.len()).step_by(ALIGN);
    for record in behind.filter_map(|at| record_at(&bytes[at..], opening)) {
        if last < record.first && head < record.first {
            let detail = format!(
                "it lies in the write-ahead log behind {last}, and the record between them is damaged"
            );
            return Err(corrupt(record.first, detail));
        }
    }
    match records.first() {
        Some(record) if record.first != head + 1 => {
            let detail =
                format!("the write-ahead log goes on with it, but the journal ends at {head}");
            Err(corrupt(record.first, detail))
        }
        _ => Ok(records),
    }
}

/// The record of `opening` that `bytes` begin with, if it is whole.
fn record_at(bytes: &[u8], opening: u32) -> Option<Record> {
    if bytes.len() < FRAME_BYTES + HEAD_BYTES || bytes[1] != Kind::Logged as u8 {
        return None;
    }
    let whole = bytes.get(..FRAME_BYTES + u32_at(bytes, 2) as usize)?;
    let body = whole
        .get(FRAME_BYTES..)
        .filter(|body| HEAD_BYTES <= body.len())?;
    let first = u64_at(body, 4);
    if u32_at(body, 0) != opening || frame::open(whole, Kind::Logged, first).is_err() {
        return None;
    }
    Some(Record {
        first,
        events: u32_at(body, 12),
        at: u64_at(body, 16),
        body: body[HEAD_BYTES..].to_vec(),
    })
}
