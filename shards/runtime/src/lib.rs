//! Shards alive: engines behind mailboxes, their ledgers, and the way in.
//!
//! [`Runtime`] owns everything, [`Router`] is how to reach it. A [`Shard`](shard::Shard) is
//! synchronous and can be driven by hand; everything else here gives it a thread, a clock, a disk,
//! neighbours and a second life.
//!
//! Deliberately absent: HTTP, configuration files, and any rule of the business.

mod actor;
mod archive;
mod board;
mod bundle;
pub mod carts;
mod catch_up;
pub mod clock;
mod directory;
mod errand;
mod find;
mod follower;
mod group;
mod ledger_thread;
mod links;
mod lists;
mod locations;
mod lookup;
pub mod message;
pub mod peer;
mod permits;
mod placement;
mod position;
mod projection;
pub mod recovery;
mod reply;
mod router;
mod runtime;
mod settings;
pub mod shard;
mod statement;
mod stats;
mod status;
mod supervisor;
mod timer;
mod unavailable;

pub use archive::ArchiveSettings;
pub use board::Board;
pub use bundle::Bundle;
pub use carts::CartSettings;
pub use clock::Clock;
pub use directory::{Directory, KeyGuard, KeyRefused};
pub use lists::{DriftFilter, DriftPage, DriftStateWord, StreamCursor, StreamFilter, StreamPage};
pub use locations::Cause;
pub use lookup::{LookupCursor, LookupFilter, LookupPage, LookupSettings};
pub use message::{Deadline, Operation};
pub use permits::{Permit, Permits};
pub use placement::{Placement, ShardIndex, reserve_slot, slot_of};
pub use recovery::{Files, Ledgers};
pub use reply::{FindTo, Found, KeyTo, ReplyTo, Told};
pub use router::Router;
pub use runtime::{Drained, Runtime, StartError};
pub use settings::{DataSettings, LedgerSource, RestartSettings, Settings};
pub use statement::{
    At, Change, Details, Entry, Follower, Happening, NoFollowing, NoPast, Past, StatementPage,
    StatementSettings, Taken, event_name,
};
pub use stats::{BATCH_BOUNDS, Histogram, LATENCY_BOUNDS_US, ShardStats};
pub use status::{Readiness, ShardState, ShardStatus};
pub use unavailable::{Fate, Unavailable};
