//! The data directory: one lock, one manifest, a directory for each shard.
//!
//! ```text
//! lock              who has the directory
//! manifest.json     cluster, shard count, slots, which shards were created
//! shard-00/ledger.redb
//! ```
//!
//! Deliberately absent: projections (they may live in a shard's directory, and are rebuilt), and
//! changing the shard count.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::error::LedgerError;
use crate::fsutil;
use crate::identity::Identity;
use crate::ledger::{Ledger, Options};
use crate::lock::Lock;
use crate::manifest::{self, Manifest, Times};
use crate::rescue::{self, rescue_copy};
use crate::view::View;

/// A data directory that this process has locked.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    manifest: Mutex<Manifest>,
    _lock: Lock,
}

impl DataDir {
    /// Opens the directory for serving: creates it where it is absent, takes its lock before
    /// anything else, and reads its manifest, which a new directory gets. A new one has `shards`
    /// shards, or `default_shards` where none are asked for; another one keeps what it has, and
    /// an explicit other number is refused.
    pub fn open(
        path: &Path,
        shards: Option<u16>,
        default_shards: u16,
    ) -> Result<Self, LedgerError> {
        Self::open_with(path, shards, default_shards, Times::Real)
    }

    /// The same for a server whose clock gives these times; a directory that was made with others
    /// is refused.
    pub fn open_with(
        path: &Path,
        shards: Option<u16>,
        default_shards: u16,
        times: Times,
    ) -> Result<Self, LedgerError> {
        fsutil::create_dir(path)?;
        let lock = Lock::exclusive(path)?;
        let manifest = if let Some(manifest) = Manifest::read(path)? {
            manifest.check_times(path, times)?;
            manifest
        } else {
            refuse_orphans(path)?;
            let manifest = Manifest::draw(path, shards.unwrap_or(default_shards), times)?;
            manifest.write(path)?;
            manifest
        };
        let found = manifest.count();
        match shards {
            Some(asked) if asked != found => Err(LedgerError::ShardCount {
                path: path.to_path_buf(),
                found,
                asked,
            }),
            _ => Ok(Self {
                path: path.to_path_buf(),
                manifest: Mutex::new(manifest),
                _lock: lock,
            }),
        }
    }

    /// Opens the directory for reading alone: refused while a server has it, and nothing in it is
    /// written. No server can start on it meanwhile.
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        let lock = Lock::shared(path)?;
        let Some(manifest) = Manifest::read(path)? else {
            let detail = "it is missing; name a directory that a server has made".to_owned();
            return Err(LedgerError::Manifest {
                path: path.join(manifest::NAME),
                detail,
            });
        };
        Ok(Self {
            path: path.to_path_buf(),
            manifest: Mutex::new(manifest),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which cluster it is.
    pub fn cluster(&self) -> Uuid {
        self.manifest().cluster
    }

    /// How many shards it has.
    pub fn shards(&self) -> u16 {
        self.manifest().count()
    }

    /// The identity that shard `shard`'s ledger has or will have.
    ///
    /// # Panics
    /// Where there is no such shard.
    pub fn identity(&self, shard: u16) -> Identity {
        self.manifest()
            .identity(shard)
            .expect("callers count up to shards()")
    }

    /// Whether shard `shard`'s ledger was ever made.
    pub fn created(&self, shard: u16) -> bool {
        self.manifest()
            .shards
            .get(usize::from(shard))
            .is_some_and(|shard| shard.created)
    }

    /// The directory of shard `shard`.
    pub fn shard_path(&self, shard: u16) -> PathBuf {
        self.path.join(format!("shard-{shard:02}"))
    }

    /// The ledger of shard `shard`.
    pub fn ledger_path(&self, shard: u16) -> PathBuf {
        self.shard_path(shard).join("ledger.redb")
    }

    /// The directory of shard `shard`'s archive, which may be absent.
    pub fn archive_path(&self, shard: u16) -> PathBuf {
        self.shard_path(shard).join("archive")
    }

    /// Opens shard `shard`'s ledger for serving, and makes it first where it never was made. One
    /// that was made and is missing or empty is refused.
    pub fn open_ledger(&self, shard: u16, options: Options) -> Result<Ledger, LedgerError> {
        let (path, identity) = (self.ledger_path(shard), self.identity(shard));
        if !self.created(shard) {
            fsutil::create_dir(&self.shard_path(shard))?;
            // A ledger that is there was made by a start that crashed before it could say so.
            if !path.exists() {
                Ledger::create(&path, &identity)?;
            }
            self.mark_created(shard)?;
        }
        // What a crash in the middle of a rescue left behind.
        let _ = fs::remove_file(fsutil::beside(&path, rescue::SUFFIX));
        Ledger::open(&path, &identity, options)
    }

    /// Opens shard `shard`'s ledger for reading alone.
    pub fn view(&self, shard: u16) -> Result<View, LedgerError> {
        View::open(&self.ledger_path(shard), &self.identity(shard))
    }

    /// Puts a [rescue copy](rescue_copy) of shard `shard`'s ledger in its place. The ledger must
    /// be closed.
    pub fn rescue(&self, shard: u16) -> Result<(), LedgerError> {
        rescue_copy(&self.ledger_path(shard), &self.identity(shard))
    }

    fn mark_created(&self, shard: u16) -> Result<(), LedgerError> {
        let mut manifest = self.manifest();
        let mut marked = manifest.clone();
        marked.shards[usize::from(shard)].created = true;
        marked.write(&self.path)?;
        *manifest = marked;
        Ok(())
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses shards without a manifest: making a new one would begin a new cluster over them.
fn refuse_orphans(path: &Path) -> Result<(), LedgerError> {
    let entries = fs::read_dir(path).map_err(LedgerError::file("reading", path))?;
    for entry in entries {
        let name = entry
            .map_err(LedgerError::file("reading", path))?
            .file_name();
        if name.to_string_lossy().starts_with("shard-") {
            let detail = format!(
                "it is missing, though {} is there; restore it from a copy",
                name.to_string_lossy()
            );
            return Err(LedgerError::Manifest {
                path: path.join(manifest::NAME),
                detail,
            });
        }
    }
    Ok(())
}
