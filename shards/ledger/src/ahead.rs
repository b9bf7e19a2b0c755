//! A file whose space is there before it is written to.
//!
//! redb lets a file grow by doubling, as a hole. The first write to a part of a hole makes the file
//! system find blocks for it, and the sync after that write then waits for the file system's own
//! journal as well: more than twice the time of a sync that has bytes alone to bring to the disk.
//! So zeros are written a megabyte ahead of what is written, and one sync in many pays for all.
//!
//! Zeros go only to where nothing was ever written, which reads as zeros before and after; so no
//! crash and no other reader can tell. Deliberately absent: filling for large writes, which would
//! only write everything twice.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use redb::StorageBackend;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::backend::forward_locks;

/// So much is filled at once.
const AHEAD: usize = 1 << 20;

/// A write of more than this is not filled for.
const LARGE: usize = 64 << 10;

/// Fills holes of what lies below, ahead of small writes.
#[derive(Debug)]
pub(crate) struct Ahead<B> {
    under: B,
    /// Nothing was ever written from here on. It grows under the lock, before such a write.
    untouched: AtomicU64,
    filling: Mutex<Box<[u8]>>,
}

impl<B: StorageBackend> Ahead<B> {
    /// Over a store to which nothing was ever written from `untouched` on.
    pub(crate) fn new(under: B, untouched: u64) -> Self {
        Self {
            under,
            untouched: AtomicU64::new(untouched),
            filling: Mutex::new(vec![0; AHEAD].into()),
        }
    }

    /// Makes ready what a write up to `end` is the first to touch.
    fn reach(&self, end: u64, bytes: usize) -> io::Result<()> {
        let zeros = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.untouched.load(Ordering::Relaxed);
        if end <= from {
            return Ok(());
        }
        let mut to = end;
        if bytes <= LARGE && end - from <= AHEAD as u64 {
            let until = self.under.len()?.min(from + AHEAD as u64).max(end);
            let zeros = &zeros[..(until - from) as usize];
            match self.under.write(from, zeros) {
                Ok(()) => to = until,
                // A disk too full for zeros may still take what is to be written.
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.untouched.store(to, Ordering::Release);
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Where the last bytes that were written to a file end.
pub(crate) fn written(file: &File) -> io::Result<u64> {
    let mut end = 0;
    loop {
        let data = match seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(end),
            // A file system that does not know its holes has none to fill.
            Err(Errno::INVAL | Errno::NOTSUP) => return Ok(u64::MAX),
            Err(error) => return Err(error.into()),
        };
        end = seek(file, SeekFrom::Hole(data))?;
    }
}

impl<B: StorageBackend> StorageBackend for Ahead<B> {
    fn len(&self) -> io::Result<u64> {
        self.under.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.under.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.under.set_len(len)?;
        // What was cut off is a hole again.
        self.untouched.fetch_min(len, Ordering::AcqRel);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.under.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset + data.len() as u64;
        if self.untouched.load(Ordering::Acquire) < end {
            self.reach(end, data.len())?;
        }
        self.under.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.under.close()
    }
    forward_locks!(under);
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use redb::backends::{FileBackend, InMemoryBackend};

    use super::*;
    use crate::faults::Random;

    #[test]
    fn what_is_filled_ahead_reads_as_it_would_unfilled() {
        let ahead = Ahead::new(InMemoryBackend::new(), 0);
        let mut model = Vec::new();
        let mut random = Random::new(7);
        for _ in 0..400 {
            if random.below(8) == 0 {
                let len = random.below(6 << 20);
                ahead.set_len(len).expect("any length");
                model.resize(len as usize, 0);
            }
            let most = if random.below(4) == 0 {
                4 * LARGE
            } else {
                9_000
            };
            let offset = random.below(model.len() as u64 + 1);
            let len = random.below((model.len() as u64 - offset).min(most as u64) + 1) as usize;
            let data = vec![1 + random.below(255) as u8; len];
            ahead.write(offset, &data).expect("within the length");
            model[offset as usize..offset as usize + len].copy_from_slice(&data);
            assert_eq!(ahead.len().expect("memory"), model.len() as u64);
            let mut all = vec![0; model.len()];
            ahead.read(0, &mut all).expect("within the length");
            assert!(all == model);
        }
    }

    #[test]
    fn small_writes_into_a_hole_find_blocks_there_and_a_large_one_leaves_the_rest_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("file"))
            .expect("a file");
        file.set_len(8 << 20).expect("a hole");
        let end = || written(&file).expect("it can be looked at");
        if end() == u64::MAX {
            return;
        }
        assert_eq!(end(), 0);
        let backend = FileBackend::new(file.try_clone().expect("it is open"));
        let ahead = Ahead::new(backend.expect("a file"), 0);
        ahead.write(4096, &[7; 4096]).expect("the disk takes it");
        assert_eq!(end(), AHEAD as u64);
        ahead.write(8192, &[7; 4096]).expect("the disk takes it");
        assert_eq!(end(), AHEAD as u64);
        let large = vec![7; 2 * LARGE];
        ahead
            .write(AHEAD as u64, &large)
            .expect("the disk takes it");
        assert_eq!(end(), (AHEAD + large.len()) as u64);
    }
}
