//! Reading one archive file: the end first, which says where blocks are, then blocks.
//!
//! Everything read is checked: the frame's checksum of each row, that blocks and records follow on
//! each other, and that the file holds what its name says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Sealed;
use super::write::{BlockPlace, END_MARK};
use crate::error::LedgerError;
use crate::frame::{self, Kind, u32_at, u64_at};
use crate::identity::Identity;
use crate::log::{Batch, Record};

/// The end row's length and the mark.
const TAIL_BYTES: u64 = 12;

/// Numbers at the head of the end row: last sequence, its time, records.
const END_HEAD: usize = 24;

/// A place among them.
const PLACE_BYTES: usize = 20;

/// What a block says in front of its compressed records.
const BLOCK_HEAD: usize = 12;

/// What a record has in front of its body.
const RECORD_HEAD: usize = 16;

/// A sealed file, open, its end read.
#[derive(Debug)]
pub(super) struct SealedFile {
    file: File,
    path: PathBuf,
    first: u64,
    last: u64,
    at: u64,
    records: u64,
    places: Vec<BlockPlace>,
}

/// A block as read.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) records: Vec<Record>,
}

impl Cached {
    pub(super) fn last(&self) -> u64 {
        self.records.last().map_or(0, Record::last)
    }

    pub(super) fn holds(&self, seq: u64) -> bool {
        let first = self.records.first();
        first.is_some_and(|first| first.first <= seq) && seq <= self.last()
    }
}

impl SealedFile {
    pub(super) fn open(sealed: &Sealed, identity: &Identity) -> Result<Self, LedgerError> {
        let path = sealed.path.clone();
        let failed = |source| LedgerError::file("reading", &sealed.path)(source);
        let file = File::open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let damaged = |detail: &str| damaged(&sealed.path, detail.to_owned());
        let tail_at = bytes
            .checked_sub(TAIL_BYTES)
            .ok_or_else(|| damaged("it is shorter than its end"))?;
        let tail = bytes_at(&file, &path, tail_at, TAIL_BYTES as usize)?;
        if tail[4..] != END_MARK[..] {
            return Err(damaged("its last bytes are not those of an archive"));
        }
        let length = u32_at(&tail, 0);
        let end_at = tail_at
            .checked_sub(u64::from(length))
            .ok_or_else(|| damaged("its end is longer than the file"))?;
        let end = row_at(&file, &path, Kind::ArchiveEnd, sealed.first, end_at, length)?;
        let (head, places) = end
            .split_at_checked(END_HEAD)
            .ok_or_else(|| damaged("its end is too short"))?;
        if !places.len().is_multiple_of(PLACE_BYTES) {
            return Err(damaged("its list of blocks is cut short"));
        }
        let places: Vec<BlockPlace> = places
            .chunks_exact(PLACE_BYTES)
            .map(|place| (u64_at(place, 0), u64_at(place, 8), u32_at(place, 16)))
            .collect();
        let opened = Self {
            first: sealed.first,
            last: u64_at(head, 0),
            at: u64_at(head, 8),
            records: u64_at(head, 16),
            file,
            path,
            places,
        };
        if opened.last != sealed.last
            || opened.places.first().map(|place| place.0) != Some(sealed.first)
        {
            return Err(damaged("it does not hold what its name says"));
        }
        opened.check_identity(identity)?;
        Ok(opened)
    }

    /// Time of its last event.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The block that holds `seq`, which the file holds.
    pub(super) fn block_of(&self, seq: u64) -> Result<Cached, LedgerError> {
        let after = self.places.partition_point(|(first, ..)| *first <= seq);
        self.block(after.saturating_sub(1))
    }

    fn block(&self, place: usize) -> Result<Cached, LedgerError> {
        let (first, offset, length) = self.places[place];
        let end = self
            .places
            .get(place + 1)
            .map_or(self.last, |(next, ..)| next.saturating_sub(1));
        let row = row_at(
            &self.file,
            &self.path,
            Kind::ArchiveBlock,
            self.first,
            offset,
            length,
        )?;
        let damaged = |detail: &str| damaged(&self.path, format!("its block {place}: {detail}"));
        let (head, packed) = row
            .split_at_checked(BLOCK_HEAD)
            .ok_or_else(|| damaged("it is too short"))?;
        let raw = unpacked(packed).ok_or_else(|| damaged("it can't be unpacked"))?;
        if u64_at(head, 0) != first {
            return Err(damaged("it begins elsewhere"));
        }
        let records = records_of(first, u32_at(head, 8), &raw)
            .ok_or_else(|| damaged("its records make no sense"))?;
        let block = Cached { records };
        if block.last() != end {
            return Err(damaged("it ends elsewhere"));
        }
        Ok(block)
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), LedgerError> {
        // The identity's row is all before the first block.
        let length = self.places.first().map_or(0, |place| place.1);
        let length = u32::try_from(length)
            .map_err(|_| damaged(&self.path, "its first block is far off".to_owned()))?;
        let row = row_at(
            &self.file,
            &self.path,
            Kind::Identity,
            self.first,
            0,
            length,
        )?;
        let found = Identity::decode(&row)
            .ok_or_else(|| damaged(&self.path, "its identity makes no sense".to_owned()))?;
        identity.refuse_other(&found)
    }
}

/// The records of a sealed file, each checked. It ends at the first error.
#[derive(Debug)]
pub struct ArchivedRecords {
    file: SealedFile,
    place: usize,
    block: std::vec::IntoIter<Record>,
    records: u64,
    at: u64,
}

impl ArchivedRecords {
    pub(super) fn new(file: SealedFile) -> Result<Self, LedgerError> {
        let block = file.block(0)?.records.into_iter();
        Ok(Self {
            file,
            place: 0,
            block,
            records: 0,
            at: 0,
        })
    }

    fn read(&mut self) -> Result<Option<Record>, LedgerError> {
        loop {
            if let Some(record) = self.block.next() {
                if record.at < self.at {
                    let detail = format!("time runs backwards at {} (INV-7)", record.first);
                    return Err(damaged(&self.file.path, detail));
                }
                self.records += 1;
                self.at = record.at;
                return Ok(Some(record));
            }
            self.place += 1;
            if self.file.places.len() <= self.place {
                break;
            }
            self.block = self.file.block(self.place)?.records.into_iter();
        }
        if self.records == self.file.records && self.at == self.file.at {
            return Ok(None);
        }
        let detail = format!(
            "it has {} records, {} were written",
            self.records, self.file.records
        );
        Err(damaged(&self.file.path, detail))
    }
}

impl Iterator for ArchivedRecords {
    type Item = Result<Record, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.file.places.is_empty() {
            return None;
        }
        let read = self.read().transpose();
        if !matches!(read, Some(Ok(_))) {
            // Nothing follows an error, nor the end.
            self.file.places.clear();
            self.block = Vec::new().into_iter();
        }
        read
    }
}

fn records_of(first: u64, count: u32, mut raw: &[u8]) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    let mut next = first;
    while !raw.is_empty() {
        let (head, rest) = raw.split_at_checked(RECORD_HEAD)?;
        let (body, rest) = rest.split_at_checked(u32_at(head, 12) as usize)?;
        let record = Record {
            first: next,
            events: u32_at(head, 0),
            at: u64_at(head, 4),
            body: body.to_vec(),
        };
        if record.events == 0 {
            return None;
        }
        next = next.checked_add(u64::from(record.events))?;
        records.push(record);
        raw = rest;
    }
    (records.len() == count as usize).then_some(records)
}

/// Unpacks a block whose length is sane.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let (length, _) = lz4_flex::block::uncompressed_size(packed).ok()?;
    if 2 * Batch::BODY_BYTES_MAX < length {
        return None;
    }
    lz4_flex::block::decompress_size_prepended(packed).ok()
}

fn row_at(
    file: &File,
    path: &Path,
    kind: Kind,
    key: u64,
    offset: u64,
    length: u32,
) -> Result<Vec<u8>, LedgerError> {
    let row = bytes_at(file, path, offset, length as usize)?;
    let body = frame::open(&row, kind, key)
        .map_err(|detail| damaged(path, format!("at byte {offset}: {detail}")))?;
    Ok(body.to_vec())
}

fn bytes_at(file: &File, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, LedgerError> {
    let there = file
        .metadata()
        .map_err(LedgerError::file("reading", path))?;
    if there.len() < offset.saturating_add(length as u64) {
        return Err(damaged(
            path,
            format!("it ends before byte {offset} + {length}"),
        ));
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)
        .map_err(LedgerError::file("reading", path))?;
    Ok(bytes)
}

fn damaged(path: &Path, detail: String) -> LedgerError {
    LedgerError::Archive {
        path: path.to_path_buf(),
        detail,
    }
}
