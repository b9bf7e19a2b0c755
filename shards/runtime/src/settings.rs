//! What a runtime is started with. Deliberately absent: reading configuration files.

use crate::archive::ArchiveSettings;
use crate::carts::CartSettings;
use crate::clock::{CLOCK_JUMP, Clock};
use crate::lookup::LookupSettings;
use crate::recovery::{Files, Ledgers};
use crate::statement::StatementSettings;
use holdfast_core::{Millis, Policy};
use holdfast_ledger::{Durability, Repair, Times};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a runtime is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where and how ledgers are kept.
    pub data: DataSettings,
    /// The number of shards asked for; one that differs from the directory's is refused.
    pub shards: Option<u16>,
    /// The number of shards of a new directory, where none is asked for.
    pub default_shards: u16,
    /// Bounds of the domain. Tables are those of all shards together; each gets its part.
    pub policy: Policy,
    /// Operations in flight per shard: reserves and what follows them.
    pub permits: usize,
    /// Operations in flight per shard: configuration and movements.
    pub config_permits: usize,
    /// How a shard that died is brought back.
    pub restart: RestartSettings,
    /// Bounds of carts over several shards.
    pub carts: CartSettings,
    /// Look-ups by order reference and customer.
    pub lookup: LookupSettings,
    /// What becomes of the journal before it is trimmed.
    pub archive: ArchiveSettings,
    /// Statements of SKUs, and their past.
    pub statement: StatementSettings,
    /// Snapshot chunks are written while more events than this would have to be replayed.
    pub snapshot_after_events: u64,
    /// Bytes of chunks that one commit takes along.
    pub snapshot_bytes_max: usize,
    /// The journal of every shard is kept from this sequence on, whatever its age, until
    /// [`Router::hold`](crate::Router::hold) says otherwise; `u64::MAX` holds nothing.
    pub held_from: u64,
    /// A wall clock that runs ahead of the monotonic one by more than this raises the alarm.
    pub clock_jump: Millis,
    /// A clock of another make; the system's if absent.
    pub clock: Option<Clock>,
    /// Where ledgers come from.
    pub ledgers: LedgerSource,
}

/// Where and how ledgers are kept.
#[derive(Clone, Debug)]
pub struct DataSettings {
    /// The data directory.
    pub dir: PathBuf,
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// How a ledger that was not closed is made ready.
    pub repair: Repair,
    /// Memory for cached pages, in bytes, per shard.
    pub cache_bytes: usize,
    /// How long the journal is kept below its snapshot; for ever if absent.
    pub journal_kept: Option<Millis>,
    /// Whose times the clock gives; a directory made with others is refused.
    pub times: Times,
}

/// How a shard that died is brought back.
#[derive(Clone, Debug)]
pub struct RestartSettings {
    /// Restarts within the window after which the shard is marked down.
    pub max: u32,
    /// The window.
    pub window: Duration,
    /// The first pause; it doubles with each restart in the window.
    pub pause_min: Duration,
    /// The longest pause, and that of a shard that is down.
    pub pause_max: Duration,
}

/// Where ledgers come from.
#[derive(Clone)]
pub struct LedgerSource(pub Arc<dyn Ledgers>);

impl fmt::Debug for LedgerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerSource")
    }
}

impl Settings {
    /// The defaults, in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            data: DataSettings {
                dir: dir.into(),
                durability: Durability::default(),
                repair: Repair::default(),
                cache_bytes: 32 << 20,
                journal_kept: None,
                times: Times::Real,
            },
            shards: None,
            default_shards: 1,
            policy: Policy::default(),
            permits: 8192,
            config_permits: 256,
            restart: RestartSettings::default(),
            carts: CartSettings::default(),
            lookup: LookupSettings::default(),
            archive: ArchiveSettings::default(),
            statement: StatementSettings::default(),
            snapshot_after_events: 1_000_000,
            snapshot_bytes_max: 256 << 10,
            held_from: u64::MAX,
            clock_jump: CLOCK_JUMP,
            clock: None,
            ledgers: LedgerSource(Arc::new(Files)),
        }
    }
}

impl Default for RestartSettings {
    fn default() -> Self {
        Self {
            max: 5,
            window: Duration::from_mins(1),
            pause_min: Duration::from_millis(50),
            pause_max: Duration::from_secs(10),
        }
    }
}
