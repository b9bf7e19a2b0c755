//! A redb database that can be dropped whatever state its file is in.
//!
//! Closing writes, and on a damaged file that may panic inside redb; in a destructor, while
//! another panic unwinds, this would end the process and every other shard with it.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{Database, StorageBackend};

use crate::error::{LedgerError, guarded};

#[derive(Debug)]
pub(crate) struct Db {
    inner: Option<Database>,
    shard: u16,
}

impl Db {
    /// Opens what is in `backend`, or an empty database where that is empty.
    pub(crate) fn open(
        backend: impl StorageBackend,
        shard: u16,
        cache_bytes: usize,
        action: &'static str,
    ) -> Result<Self, LedgerError> {
        guarded(shard, || {
            let opened = Database::builder()
                .set_cache_size(cache_bytes)
                .create_with_backend(backend);
            let inner = opened.map_err(|error| LedgerError::redb(shard, action, error))?;
            Ok(Self {
                inner: Some(inner),
                shard,
            })
        })
    }

    /// Closes it, saying what dropping it would keep quiet.
    pub(crate) fn close(mut self) -> Result<(), LedgerError> {
        let Some(inner) = self.inner.take() else {
            return Ok(());
        };
        guarded(self.shard, || {
            inner
                .close()
                .map_err(|error| LedgerError::redb(self.shard, "closing", error))
        })
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let inner = self.inner.take();
        if catch_unwind(AssertUnwindSafe(|| drop(inner))).is_err() {
            tracing::error!(shard = self.shard, "closing the ledger's file panicked");
        }
    }
}

impl Deref for Db {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.inner
            .as_ref()
            .expect("it is taken out only when it goes")
    }
}

impl DerefMut for Db {
    fn deref_mut(&mut self) -> &mut Database {
        self.inner
            .as_mut()
            .expect("it is taken out only when it goes")
    }
}
