//! How a runtime and its shards are, for probes and operators.

use crate::placement::ShardIndex;
use holdfast_core::Fill;
use std::sync::Arc;

/// Whether operations can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// At least one shard serves.
    Ready,
    /// The shards are being rebuilt from their ledgers.
    Replaying,
    /// The service is stopping.
    Draining,
    /// No shard can write.
    NoShardWrites,
}

/// Where a shard is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// It takes commands.
    Serving,
    /// It is being rebuilt from its ledger.
    Recovering,
    /// It could not be rebuilt, again and again; it is tried again.
    Down,
    /// Its ledger is damaged; somebody must look.
    Quarantined,
    /// The runtime has stopped it.
    Stopped,
}

impl ShardState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Serving,
        Self::Recovering,
        Self::Down,
        Self::Quarantined,
        Self::Stopped,
    ];

    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Recovering => "recovering",
            Self::Down => "down",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
        }
    }
}

/// How a shard is.
#[derive(Clone, Debug)]
pub struct ShardStatus {
    /// Which.
    pub index: ShardIndex,
    /// Where it is in its life.
    pub state: ShardState,
    /// Why it does not serve, where that is known.
    pub reason: Option<Arc<str>>,
    /// Sequence of its last commit.
    pub seq: u64,
    /// How often it was rebuilt.
    pub restarts: u64,
    /// How full its tables were at its last commit.
    pub fill: Fill,
    /// A lower bound of the expiries that are due.
    pub backlog: usize,
    /// Messages in its mailbox.
    pub queued: usize,
    /// Operations in flight: reserves and what follows them.
    pub permits_used: usize,
    /// The most of them.
    pub permits_max: usize,
    /// Operations in flight: configuration and movements.
    pub config_permits_used: usize,
    /// The most of them.
    pub config_permits_max: usize,
    /// Carts homed there that are not decided.
    pub undecided: usize,
}
