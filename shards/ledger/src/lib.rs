//! The durable record of one shard: a journal of events and the chunks of its snapshot.
//!
//! [`Log`] is what a shard needs of it: append a group commit, replay, read chunks. [`Ledger`]
//! is the log kept in one file, redb's pages behind a short write-ahead log; [`DataDir`] is the directory that holds the ledgers of all
//! shards under one lock; [`Reader`] feeds projections while the writer goes on; [`View`] reads a
//! ledger without writing a byte, [`rescue_copy`] saves one whose file failed, and [`Archive`] keeps
//! what was trimmed.
//!
//! The contract, in order of importance:
//!
//! - An append that returned is on disk; one that did not may be there or not, but whole or not
//!   at all.
//! - After the first write or sync that fails, nothing is ever appended to that file again.
//! - Whatever is read was checked: every row carries a checksum that covers its key as well.
//! - A ledger opens only for the shard it belongs to.
//!
//! Deliberately absent: async (a ledger blocks, and has a thread of its own), clocks (a batch
//! brings its time), what events mean, secondary indexes, and retries: an error is for whoever
//! decides about the shard.

mod ahead;
mod archive;
mod backend;
pub mod codec;
mod db;
mod dir;
mod error;
pub mod faults;
mod frame;
mod fsutil;
mod identity;
mod journal;
mod ledger;
mod lock;
mod log;
mod manifest;
mod meta;
mod moment;
mod opened;
mod reader;
mod rescue;
mod rows;
mod shared;
mod snapshot;
mod store;
mod view;
mod wal;

pub use archive::{Archive, ArchiveWriter, ArchivedRecords, Sealed};
pub use backend::Unsynced;
pub use dir::DataDir;
pub use error::{LedgerError, Place};
pub use frame::{FORMAT, FRAME_BYTES, Kind};
pub use identity::{Identity, SHARDS_MAX, SLOT_COUNT, SLOT_HASH};
pub use ledger::{Durability, Ledger, Options, Repair};
pub use log::{Batch, Chunk, Chunks, Log, Record, Records};
pub use manifest::Times;
pub use meta::OPENING_MAX;
pub use moment::{TableUse, Usage};
pub use reader::{ReadLimit, Reader};
pub use rescue::rescue_copy;
pub use view::{Checked, Item, View};
