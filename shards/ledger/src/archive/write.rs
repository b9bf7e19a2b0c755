//! Writing one archive file.
//!
//! ```text
//! [identity row]  [block row] …  [end row]  [length of the end row u32]["HFAREND1"]
//! ```
//! A row has the frame of the ledger's rows. A block holds records, compressed together; the end
//! says where blocks begin and what the file holds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::LedgerError;
use crate::frame::{self, Kind};
use crate::identity::Identity;
use crate::log::Record;

/// The last bytes of a file.
pub(super) const END_MARK: &[u8; 8] = b"HFAREND1";

/// A block is closed once its records take so many bytes.
const BLOCK_BYTES: usize = 128 << 10;

/// Where a block begins: its first sequence, its offset, its row's length.
pub(super) type BlockPlace = (u64, u64, u32);

/// A file that is being written; dropped, it is thrown away.
#[derive(Debug)]
pub struct ArchiveWriter {
    out: BufWriter<File>,
    path: PathBuf,
    /// The file's first sequence; every row is sealed for it.
    first: u64,
    /// The sequence that the next record must begin with.
    next: u64,
    at: u64,
    records: u64,
    offset: u64,
    raw_bytes: u64,
    block: Vec<u8>,
    block_first: u64,
    block_records: u32,
    places: Vec<BlockPlace>,
    is_finished: bool,
}

impl ArchiveWriter {
    pub(super) fn begin(path: &Path, identity: &Identity, first: u64) -> Result<Self, LedgerError> {
        let file = File::create(path).map_err(LedgerError::file("creating", path))?;
        let mut writer = Self {
            out: BufWriter::with_capacity(256 << 10, file),
            path: path.to_path_buf(),
            first,
            next: first,
            at: 0,
            records: 0,
            offset: 0,
            raw_bytes: 0,
            block: Vec::new(),
            block_first: first,
            block_records: 0,
            places: Vec::new(),
            is_finished: false,
        };
        writer.row(Kind::Identity, &identity.encode())?;
        Ok(writer)
    }

    /// Bytes of the records' bodies so far.
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// The sequence that the next record must begin with.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Adds the record that follows.
    ///
    /// # Panics
    /// Where it does not follow on the last one (INV-7).
    pub fn push(&mut self, record: &Record) -> Result<(), LedgerError> {
        assert!(
            record.first == self.next && self.at <= record.at,
            "INV-7: records are archived in order, without a gap"
        );
        let length = u32::try_from(record.body.len()).expect("a body is bounded");
        self.block.extend_from_slice(&record.events.to_le_bytes());
        self.block.extend_from_slice(&record.at.to_le_bytes());
        self.block.extend_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(&record.body);
        self.block_records += 1;
        self.records += 1;
        self.raw_bytes += record.body.len() as u64;
        (self.next, self.at) = (record.last() + 1, record.at);
        if BLOCK_BYTES <= self.block.len() {
            self.close_block()?;
        }
        Ok(())
    }

    /// Writes what is left and syncs: the path, the first and the last sequence. Nothing where no
    /// record was pushed.
    pub(super) fn finish(mut self) -> Result<Option<(PathBuf, u64, u64)>, LedgerError> {
        if self.records == 0 {
            return Ok(None);
        }
        self.close_block()?;
        let mut end = Vec::new();
        for number in [self.next - 1, self.at, self.records] {
            end.extend_from_slice(&number.to_le_bytes());
        }
        for (first, offset, length) in &self.places {
            end.extend_from_slice(&first.to_le_bytes());
            end.extend_from_slice(&offset.to_le_bytes());
            end.extend_from_slice(&length.to_le_bytes());
        }
        let length = self.row(Kind::ArchiveEnd, &end)?;
        let failed = LedgerError::file("writing", &self.path);
        let written = self
            .out
            .write_all(&length.to_le_bytes())
            .and_then(|()| self.out.write_all(END_MARK))
            .and_then(|()| self.out.flush())
            .and_then(|()| self.out.get_ref().sync_all());
        written.map_err(failed)?;
        self.is_finished = true;
        Ok(Some((self.path.clone(), self.first, self.next - 1)))
    }

    fn close_block(&mut self) -> Result<(), LedgerError> {
        if self.block_records == 0 {
            return Ok(());
        }
        let mut body = Vec::with_capacity(16 + self.block.len() / 2);
        body.extend_from_slice(&self.block_first.to_le_bytes());
        body.extend_from_slice(&self.block_records.to_le_bytes());
        body.extend_from_slice(&lz4_flex::block::compress_prepend_size(&self.block));
        let offset = self.offset;
        let length = self.row(Kind::ArchiveBlock, &body)?;
        self.places.push((self.block_first, offset, length));
        self.block.clear();
        (self.block_first, self.block_records) = (self.next, 0);
        Ok(())
    }

    fn row(&mut self, kind: Kind, body: &[u8]) -> Result<u32, LedgerError> {
        let row = frame::sealed(kind, self.first, body);
        self.out
            .write_all(&row)
            .map_err(LedgerError::file("writing", &self.path))?;
        self.offset += row.len() as u64;
        Ok(u32::try_from(row.len()).expect("a block is bounded by a record's body"))
    }
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // What can't be removed now is removed at the next opening.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
