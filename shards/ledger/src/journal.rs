//! The journal table: sequence → the events of one group commit.
//!
//! A record may take several rows ([`rows`](crate::rows)); they are written and removed in one
//! transaction, so a record is whole or absent. Records that come from the write-ahead log together
//! lie together, as a sheaf: one value, cut into rows as a record is, and removed as a whole. So
//! the log is taken into the tables with a few long writes, not with a page for each record.
//! Reading checks every row, that rows are complete, that sequences have no gap and that time does
//! not run backwards (INV-7).
//!
//! Deliberately absent: how events are encoded.

use std::borrow::Borrow;
use std::collections::VecDeque;

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::error::{LedgerError, Place, guarded};
use crate::frame::{self, FRAME_BYTES, Kind, u32_at, u64_at};
use crate::log::{Batch, Record};
use crate::meta::Rows;
use crate::rows;
use crate::wal::Tail;

pub(crate) const JOURNAL: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("journal");

/// `[events u32][at u64][length u32][rows u8]`, in front of the body in a record's first row. Of a
/// sheaf: all its events, the time of its last record, and the length of all that follows.
const HEAD_BYTES: usize = 17;

/// `[events u32][at u64][length u32]`, in front of each body in a sheaf.
const SHEAF_HEAD_BYTES: usize = 16;

/// At most so many rows are removed by one append; a record or a sheaf has fewer.
const TRIM_ROWS_MAX: usize = 256;

/// The end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct End {
    /// Sequence of the last event.
    pub(crate) head: u64,
    /// Its time, 0 where there is none.
    pub(crate) at: u64,
}

/// A record to be written, wherever it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) first: u64,
    pub(crate) events: u32,
    pub(crate) at: u64,
    pub(crate) body: &'a [u8],
}

impl<'a> From<&'a Batch> for Entry<'a> {
    fn from(batch: &'a Batch) -> Self {
        Self {
            first: batch.first,
            events: batch.events,
            at: batch.at,
            body: &batch.body,
        }
    }
}

impl<'a> From<&'a Record> for Entry<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            first: record.first,
            events: record.events,
            at: record.at,
            body: &record.body,
        }
    }
}

/// Writes records, in order of sequence.
pub(crate) fn write<'a>(
    txn: &WriteTransaction,
    entries: impl IntoIterator<Item = Entry<'a>>,
) -> Result<(), redb::Error> {
    let mut table = txn.open_table(JOURNAL)?;
    for entry in entries {
        write_one(&mut table, entry, Kind::Record)?;
    }
    Ok(())
}

/// Writes records that follow on each other together; one alone as ever.
pub(crate) fn write_together(
    txn: &WriteTransaction,
    records: &[impl Borrow<Record>],
) -> Result<(), redb::Error> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(());
    };
    let (first, last) = (first.borrow(), last.borrow());
    if records.len() == 1 {
        return write(txn, [Entry::from(first)]);
    }
    let all = || records.iter().map(Borrow::borrow);
    let bytes = all().map(|record| SHEAF_HEAD_BYTES + record.body.len());
    let mut body = Vec::with_capacity(bytes.sum());
    for record in all() {
        body.extend_from_slice(&record.events.to_le_bytes());
        body.extend_from_slice(&record.at.to_le_bytes());
        body.extend_from_slice(&length_of(&record.body).to_le_bytes());
        body.extend_from_slice(&record.body);
    }
    let sheaf = Entry {
        first: first.first,
        events: all().map(|record| record.events).sum(),
        at: last.at,
        body: &body,
    };
    write_one(&mut txn.open_table(JOURNAL)?, sheaf, Kind::Sheaf)
}

fn write_one(
    table: &mut Table<'_, u64, &'static [u8]>,
    entry: Entry<'_>,
    kind: Kind,
) -> Result<(), redb::Error> {
    let sizes = rows::cut(HEAD_BYTES + entry.body.len());
    let mut rest = entry.body;
    for (row, size) in sizes.iter().enumerate() {
        let key = rows::key(
            entry.first,
            u8::try_from(row).expect("a body has fewer than 256 rows"),
        );
        let mut guard = table.insert_reserve(key, FRAME_BYTES + size)?;
        let value = guard.as_mut();
        let mut at = FRAME_BYTES;
        let kind = if row == 0 { kind } else { Kind::Part };
        if row == 0 {
            at += HEAD_BYTES;
            value[FRAME_BYTES..at].copy_from_slice(&head(entry, sizes.len()));
        }
        let (part, after) = rest.split_at(FRAME_BYTES + size - at);
        value[at..].copy_from_slice(part);
        rest = after;
        frame::seal(value, kind, key);
    }
    Ok(())
}

/// Removes records and sheaves that end below `bound`, a bounded number of them, never the last one.
/// Returns the first sequence of the oldest that is left, and whether there may be more to remove.
pub(crate) fn trim(
    txn: &WriteTransaction,
    oldest: u64,
    bound: u64,
) -> Result<(u64, bool), redb::Error> {
    let mut table = txn.open_table(JOURNAL)?;
    let mut left = oldest;
    let mut is_more = false;
    for (before, row) in table.range(rows::key(oldest, 0)..)?.enumerate() {
        let (first, _) = rows::unkey(row?.0.value());
        if first != left {
            is_more = TRIM_ROWS_MAX < before;
            if bound < first || is_more {
                break;
            }
            left = first;
        }
    }
    if oldest < left {
        table.retain_in(rows::key(oldest, 0)..rows::key(left, 0), |_, _| false)?;
    }
    Ok((left, is_more))
}

/// Where the journal ends.
pub(crate) fn end(table: &impl Rows, shard: u16) -> Result<End, LedgerError> {
    let failed = |error| LedgerError::redb(shard, "reading the end of the journal", error);
    let Some(last) = table.range::<u64>(..).map_err(failed)?.next_back() else {
        return Ok(End::default());
    };
    let (first, _) = rows::unkey(last.map_err(failed)?.0.value());
    let key = rows::key(first, 0);
    let Some(row) = table.get(key).map_err(failed)? else {
        return Err(corrupt(shard, first, "its first row is missing".to_owned()));
    };
    let head = Head::open(row.value(), key, shard, first)?;
    Ok(End {
        head: first + u64::from(head.events) - 1,
        at: head.at,
    })
}

/// The records from the one that holds `from`, which must be in the journal: in the table, or
/// behind it in `tail`, of which the table may have the first ones as well.
pub(crate) fn read(
    table: &redb::ReadOnlyTable<u64, &'static [u8]>,
    tail: Tail,
    shard: u16,
    from: u64,
) -> Result<RecordIter, LedgerError> {
    let failed = |error| LedgerError::redb(shard, "reading the journal", error);
    let settled = end(table, shard)?.head;
    let holder = table
        .range(..=rows::key(from, u8::MAX))
        .map_err(failed)?
        .next_back();
    let first = match holder {
        _ if settled < from => tail
            .iter()
            .find(|record| from <= record.last())
            .map_or(from, |record| record.first),
        Some(row) => rows::unkey(row.map_err(failed)?.0.value()).0,
        None => from,
    };
    let range = table.range(rows::key(first, 0)..).map_err(failed)?;
    let sheaf = VecDeque::new();
    let unsettled = tail.partition_point(|record| record.last() < first.max(settled + 1));
    Ok(RecordIter {
        range,
        sheaf,
        tail,
        unsettled,
        shard,
        next: first,
        holds: from,
        at: 0,
        ended: false,
    })
}

/// Records in order, each checked against the one before it.
pub(crate) struct RecordIter {
    range: redb::Range<'static, u64, &'static [u8]>,
    /// The records of a sheaf that are still to be told.
    sheaf: VecDeque<Record>,
    tail: Tail,
    /// Where in the tail the records begin that the table has not.
    unsettled: usize,
    shard: u16,
    /// Where the next record must begin.
    next: u64,
    /// The sequence that the first record must hold.
    holds: u64,
    /// Time of the last event read.
    at: u64,
    ended: bool,
}

impl RecordIter {
    fn read(&mut self) -> Result<Option<Record>, LedgerError> {
        if let Some(record) = self.sheaf.pop_front() {
            return self.accept(record).map(Some);
        }
        let failed = |error| LedgerError::redb(self.shard, "reading the journal", error);
        let Some(row) = self.range.next() else {
            return self.read_tail();
        };
        let (key, value) = row.map_err(failed)?;
        let (first, number) = rows::unkey(key.value());
        if first != self.next {
            return Err(self.missing_before(first));
        }
        if number != 0 {
            return Err(corrupt(
                self.shard,
                first,
                "its first row is missing".to_owned(),
            ));
        }
        let head = Head::open(value.value(), key.value(), self.shard, first)?;
        let mut body = Vec::with_capacity(head.length as usize);
        body.extend_from_slice(&value.value()[FRAME_BYTES + HEAD_BYTES..]);
        for number in 1..head.rows {
            let expected = rows::key(first, number);
            let row = self.range.next().transpose().map_err(failed)?;
            let Some((_, value)) = row.filter(|(key, _)| key.value() == expected) else {
                let detail = format!("row {number} of {} is missing", head.rows);
                return Err(corrupt(self.shard, first, detail));
            };
            let place = Place::Record(first);
            let part = frame::open_at(value.value(), Kind::Part, expected, self.shard, place)?;
            body.extend_from_slice(part);
        }
        if body.len() != head.length as usize {
            let detail = format!(
                "its body has {} bytes, {} were written",
                body.len(),
                head.length
            );
            return Err(corrupt(self.shard, first, detail));
        }
        let record = Record {
            first,
            events: head.events,
            at: head.at,
            body,
        };
        if !head.is_sheaf {
            return self.accept(record).map(Some);
        }
        self.sheaf = untied(&record).map_err(|detail| corrupt(self.shard, first, detail))?;
        // What is read from may lie in the middle of it.
        let before = |record: &Record| record.last() < self.holds;
        while self.sheaf.len() > 1 && self.sheaf.front().is_some_and(before) {
            self.sheaf.pop_front();
        }
        self.read()
    }

    fn read_tail(&mut self) -> Result<Option<Record>, LedgerError> {
        let Some(record) = self
            .tail
            .get(self.unsettled)
            .map(|record| (**record).clone())
        else {
            return Ok(None);
        };
        self.unsettled += 1;
        if record.first != self.next {
            return Err(self.missing_before(record.first));
        }
        self.accept(record).map(Some)
    }

    fn missing_before(&self, first: u64) -> LedgerError {
        let next = self.next;
        let detail = format!("the record that begins at {next} is missing before it");
        corrupt(self.shard, first, detail)
    }

    fn accept(&mut self, record: Record) -> Result<Record, LedgerError> {
        let last = record.last();
        if last < self.holds {
            let detail = format!("it ends at {last}, and no record holds {}", self.holds);
            return Err(corrupt(self.shard, record.first, detail));
        }
        if record.at < self.at {
            let detail = format!("its time {} is before {} (INV-7)", record.at, self.at);
            return Err(corrupt(self.shard, record.first, detail));
        }
        (self.next, self.holds, self.at) = (last + 1, last + 1, record.at);
        Ok(record)
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = guarded(self.shard, || self.read());
        self.ended = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

/// What a record's first row says in front of the body.
struct Head {
    events: u32,
    at: u64,
    length: u32,
    rows: u8,
    is_sheaf: bool,
}

impl Head {
    fn open(row: &[u8], key: u64, shard: u16, first: u64) -> Result<Self, LedgerError> {
        let is_sheaf = frame::is_of(row, Kind::Sheaf);
        let kind = if is_sheaf { Kind::Sheaf } else { Kind::Record };
        let body = frame::open_at(row, kind, key, shard, Place::Record(first))?;
        if body.len() < HEAD_BYTES {
            return Err(corrupt(
                shard,
                first,
                format!("its head has {} bytes", body.len()),
            ));
        }
        let head = Self {
            events: u32_at(body, 0),
            at: u64_at(body, 4),
            length: u32_at(body, 12),
            rows: body[16],
            is_sheaf,
        };
        if head.events == 0 || head.rows == 0 || Batch::BODY_BYTES_MAX < head.length as usize {
            let detail = format!(
                "its head says {} events, {} rows, {} bytes",
                head.events, head.rows, head.length
            );
            return Err(corrupt(shard, first, detail));
        }
        Ok(head)
    }
}

/// The records of a sheaf, or what is wrong with it.
fn untied(sheaf: &Record) -> Result<VecDeque<Record>, String> {
    let mut records = VecDeque::new();
    let (mut rest, mut first) = (&sheaf.body[..], sheaf.first);
    while let Some((head, behind)) = rest.split_at_checked(SHEAF_HEAD_BYTES) {
        let length = u32_at(head, 12) as usize;
        let Some((body, after)) = behind.split_at_checked(length) else {
            let left = behind.len();
            return Err(format!("its record {first} has {left} bytes of {length}"));
        };
        let record = Record {
            first,
            events: u32_at(head, 0),
            at: u64_at(head, 4),
            body: body.to_vec(),
        };
        if record.events == 0 {
            return Err(format!("its record {first} has no events"));
        }
        (first, rest) = (record.last() + 1, after);
        records.push_back(record);
    }
    if !rest.is_empty() || records.is_empty() || first != sheaf.last() + 1 {
        let events = sheaf.events;
        return Err(format!("its records do not add up to {events} events"));
    }
    Ok(records)
}

fn length_of(body: &[u8]) -> u32 {
    u32::try_from(body.len()).expect("a body is bounded by BODY_BYTES_MAX")
}

fn head(entry: Entry<'_>, rows: usize) -> [u8; HEAD_BYTES] {
    let length = length_of(entry.body);
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&entry.events.to_le_bytes());
    head[4..12].copy_from_slice(&entry.at.to_le_bytes());
    head[12..16].copy_from_slice(&length.to_le_bytes());
    head[16] = u8::try_from(rows).expect("a body has fewer than 256 rows");
    head
}

fn corrupt(shard: u16, first: u64, detail: String) -> LedgerError {
    LedgerError::Corrupt {
        shard,
        place: Place::Record(first),
        detail,
    }
}
