//! What a ledger's file is reached through: as it is, without syncs, or without any write.
//!
//! Deliberately absent: simulated faults; they are in [`faults`](crate::faults).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use redb::backends::FileBackend;

/// The locks of a store, left to the store below that a field holds.
macro_rules! forward_locks {
    ($under:tt) => {
        fn try_lock_range(
            &self,
            from: std::ops::Bound<u64>,
            to: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            self.$under.try_lock_range(from, to)
        }
        fn try_lock_shared_range(
            &self,
            from: std::ops::Bound<u64>,
            to: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            self.$under.try_lock_shared_range(from, to)
        }
        fn lock_range(
            &self,
            from: std::ops::Bound<u64>,
            to: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            self.$under.lock_range(from, to)
        }
        fn lock_shared_range(
            &self,
            from: std::ops::Bound<u64>,
            to: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            self.$under.lock_shared_range(from, to)
        }
        fn unlock_range(
            &self,
            from: std::ops::Bound<u64>,
            to: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            self.$under.unlock_range(from, to)
        }
        fn query_lock_range(
            &self,
            from: std::ops::Bound<u64>,
            to: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            self.$under.query_lock_range(from, to)
        }
    };
}
pub(crate) use forward_locks;

/// A file whose sync does nothing: what was written survives the process, not the machine.
#[derive(Debug)]
pub struct Unsynced(FileBackend);

impl Unsynced {
    /// Over this file.
    pub const fn new(file: FileBackend) -> Self {
        Self(file)
    }
}

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
    forward_locks!(0);
}

const BLOCK: usize = 4096;

/// A store that is only read; what is written to it stays in memory. So a file that was not
/// closed cleanly can be repaired and read without a byte of it changing.
#[derive(Debug)]
pub(crate) struct Overlay<B> {
    under: B,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// The store below counts up to here; it was cut off beyond.
    under_len: u64,
    blocks: HashMap<u64, Box<[u8; BLOCK]>>,
}

impl<B: StorageBackend> Overlay<B> {
    pub(crate) fn new(under: B) -> io::Result<Self> {
        let len = under.len()?;
        let state = State {
            len,
            under_len: len,
            blocks: HashMap::new(),
        };
        Ok(Self {
            under,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is below the blocks, zeros where nothing is.
    fn read_under(&self, under_len: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = under_len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (stored, absent) = out.split_at_mut(there);
        absent.fill(0);
        if stored.is_empty() {
            Ok(())
        } else {
            self.under.read(offset, stored)
        }
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        refuse_beyond(state.len, offset, out.len())?;
        self.read_under(state.under_len, offset, out)?;
        for (block, at, span) in blocks(offset, out.len()) {
            if let Some(bytes) = state.blocks.get(&block) {
                let to = (span.start - offset) as usize..(span.end - offset) as usize;
                let part = &bytes[at..at + to.len()];
                out[to].copy_from_slice(part);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            state.under_len = state.under_len.min(len);
            state.blocks.retain(|block, bytes| {
                let kept = len.saturating_sub(block * BLOCK as u64).min(BLOCK as u64) as usize;
                bytes[kept..].fill(0);
                0 < kept
            });
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        refuse_beyond(state.len, offset, data.len())?;
        let under_len = state.under_len;
        for (block, at, span) in blocks(offset, data.len()) {
            let bytes = match state.blocks.entry(block) {
                Entry::Occupied(bytes) => bytes.into_mut(),
                Entry::Vacant(empty) => {
                    let mut bytes = Box::new([0; BLOCK]);
                    self.read_under(under_len, block * BLOCK as u64, &mut bytes[..])?;
                    empty.insert(bytes)
                }
            };
            let from = (span.start - offset) as usize..(span.end - offset) as usize;
            bytes[at..at + from.len()].copy_from_slice(&data[from]);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.under.close()
    }
}

/// The blocks that `len` bytes at `offset` touch: number, first byte within, bytes of the store.
fn blocks(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<u64>)> {
    let size = BLOCK as u64;
    let end = offset + len as u64;
    (offset / size..end.div_ceil(size)).map(move |block| {
        let span = offset.max(block * size)..end.min((block + 1) * size);
        (block, (span.start % size) as usize, span)
    })
}

pub(crate) fn refuse_beyond(len: u64, offset: u64, bytes: usize) -> io::Result<()> {
    if offset
        .checked_add(bytes as u64)
        .is_some_and(|end| end <= len)
    {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "beyond the end of the store",
    ))
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn an_overlay_reads_as_a_file_would_and_leaves_the_one_below_alone() {
        let under = InMemoryBackend::new();
        under.set_len(10_000).expect("memory");
        under.write(0, &[7; 10_000]).expect("memory");
        let overlay = Overlay::new(under).expect("memory");
        let mut model = vec![7_u8; 10_000];
        let mut random = crate::faults::Random::new(5);
        for _ in 0..500 {
            if random.below(5) == 0 {
                let len = random.below(20_000);
                overlay.set_len(len).expect("any length");
                model.resize(len as usize, 0);
            }
            let offset = random.below(model.len() as u64 + 1);
            let len = random.below((model.len() as u64 - offset).min(9_000) + 1) as usize;
            let data = vec![random.below(256) as u8; len];
            overlay.write(offset, &data).expect("within the length");
            model[offset as usize..offset as usize + len].copy_from_slice(&data);
            let mut all = vec![0; model.len()];
            overlay.read(0, &mut all).expect("within the length");
            assert!(all == model);
        }
        assert!(overlay.read(model.len() as u64, &mut [0]).is_err());
        let mut below = vec![0; 10_000];
        overlay.under.read(0, &mut below).expect("memory");
        assert_eq!(below, [7; 10_000]);
    }
}
