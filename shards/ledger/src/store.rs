//! One file in two parts: the [write-ahead log](crate::wal) in front, redb's pages behind it.
//!
//! Both lie in one file, so that a ledger is copied, renamed, locked and lost as one. Deliberately
//! absent: any knowledge of what either part holds.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;

use crate::backend::forward_locks;

/// Bytes of the file in front of redb's. Part of the format.
pub(crate) const FRONT_BYTES: u64 = 256 << 10;

/// The part in front, whose length never changes.
#[derive(Debug, Clone)]
pub(crate) struct Front(Arc<dyn StorageBackend>);

/// The part that redb sees as its file.
#[derive(Debug)]
pub(crate) struct Tables(Arc<dyn StorageBackend>);

/// Parts what is in `backend`; where that is empty, the front is made, with its space on the disk
/// taken, so that no later sync has blocks to find for it.
pub(crate) fn part(backend: impl StorageBackend) -> io::Result<(Front, Tables)> {
    if backend.len()? == 0 {
        backend.set_len(FRONT_BYTES)?;
        backend.write(0, &vec![0; FRONT_BYTES as usize])?;
    }
    let both: Arc<dyn StorageBackend> = Arc::new(backend);
    Ok((Front(Arc::clone(&both)), Tables(both)))
}

impl Front {
    /// All of it.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let len = self.0.len()?.min(FRONT_BYTES);
        let mut bytes = vec![0; len as usize];
        self.0.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes `bytes` at `offset` and waits until the disk has them.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        debug_assert!(offset + bytes.len() as u64 <= FRONT_BYTES);
        self.0.write(offset, bytes)?;
        self.0.sync_data()
    }
}

impl Tables {
    /// Whether redb's part was never begun.
    pub(crate) fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

impl StorageBackend for Tables {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len()?.saturating_sub(FRONT_BYTES))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(FRONT_BYTES + offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(FRONT_BYTES + len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(FRONT_BYTES + offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
    forward_locks!(0);
}
