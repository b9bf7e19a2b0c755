//! What is compared: each started anew for a round, driven, and asked afterwards what it has.

pub(crate) mod bare;
pub(crate) mod empty;
pub(crate) mod holdfast;
pub(crate) mod postgres;
pub(crate) mod redis;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::drive::Run;
use crate::process::Cpu;

/// The hot SKU.
pub(crate) const HOT: &str = "SKU-00000000";
/// Units of it: more than any round sells.
pub(crate) const HOT_UNITS: u64 = 1_000_000_000;
/// The SKU of which few units are left.
pub(crate) const LAST: &str = "SKU-00000001";
/// So many.
pub(crate) const LAST_UNITS: u64 = 500;
/// How long a hold lasts.
pub(crate) const TTL_MS: u64 = 600_000;

/// How a target is driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections.
    pub(crate) connections: usize,
    /// Reserves that a connection has under way.
    pub(crate) depth: usize,
    /// For how long.
    pub(crate) time: Duration,
}

/// A target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An axum handler that does nothing.
    Empty,
    /// holdfast, a reserve a call.
    Single,
    /// holdfast, `/v1/batch`.
    Batch,
    /// A Lua script.
    Redis,
    /// One statement.
    Postgres,
    /// redb alone, one record a commit.
    Bare,
}

/// Where things are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The server that is compared.
    pub(crate) holdfast: PathBuf,
    /// Where data directories are made.
    pub(crate) disk: PathBuf,
}

/// What a round came to.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// The measured part.
    pub(crate) run: Run,
    /// Processor time in it, as a share of one core.
    pub(crate) cpu: Cpu,
    /// What was checked afterwards.
    pub(crate) checked: String,
}

impl Target {
    /// Why it can't be compared here, if so.
    pub(crate) fn absent(self) -> Option<&'static str> {
        match self {
            Self::Redis => redis::absent(),
            Self::Postgres => postgres::absent(),
            Self::Empty | Self::Single | Self::Batch | Self::Bare => None,
        }
    }

    /// One round on a new directory.
    pub(crate) async fn round(self, places: &Places, load: Load) -> Round {
        let directory = directory(&places.disk);
        let at = directory.path();
        match self {
            Self::Empty => empty::round(load).await,
            Self::Single => holdfast::round(&places.holdfast, at, load, 1).await,
            Self::Batch => {
                let size = load.depth;
                let load = Load { depth: 1, ..load };
                holdfast::round(&places.holdfast, at, load, size).await
            }
            Self::Redis => redis::round(at, load).await,
            Self::Postgres => postgres::round(at, load).await,
            Self::Bare => bare::round(at, load),
        }
    }
}

/// A new directory that other users may enter; removed when dropped.
fn directory(disk: &Path) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::Builder::new()
        .prefix("holdfast-compare-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(disk);
    directory.unwrap_or_else(|error| panic!("{}: {error}", disk.display()))
}

impl Round {
    /// A run between two readings of the processor time.
    pub(crate) fn new(run: Run, before: Cpu, after: Cpu, checked: String) -> Self {
        let seconds = run.took.as_secs_f64();
        let cpu = Cpu {
            generator: (after.generator - before.generator) / seconds,
            server: (after.server - before.server) / seconds,
        };
        Self { run, cpu, checked }
    }
}

/// Panics unless the server has what was acknowledged, neither more nor less.
pub(crate) fn check(what: &str, acknowledged: u64, found: u64) {
    assert_eq!(acknowledged, found, "{what}: acknowledged and found");
}

/// A 36-byte key that no other has: of a connection and the number of its message.
pub(crate) fn key(out: &mut Vec<u8>, series: u32, connection: usize, number: u64) {
    use std::io::Write as _;
    write!(out, "{series:08x}-{connection:010x}-{number:016x}").expect("a Vec takes all");
}
