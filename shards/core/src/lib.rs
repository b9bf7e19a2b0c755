//! The domain of holdfast: stock as a state machine.
//!
//! [`Engine`] owns the counters, reservations, holds and keys of one shard. It is pure:
//! [`Engine::decide`] turns a request into events and an outcome without changing anything,
//! [`Engine::evolve`] applies an event, live and in replay alike.
//!
//! Deliberately absent: I/O, clocks, randomness, async, logging, and any encoding of bytes.
//! Time comes in as a parameter, ids as candidates in the request, and the ledger crate
//! knows how events and chunks look on disk.

mod command;
mod engine;

mod event;
mod id;
mod name;
mod policy;
mod refusal;
mod snapshot;
mod stock;
mod time;
mod units;
mod view;

pub use command::{
    Adjust, Command, Configure, Confirm, CreateCart, DropHold, Extend, HeldLine, Late, LineUnits,
    Mode, Patch, Pin, Receive, Release, Remainder, Request, Reserve, ReserveLine, Settle, Try,
    TryLate,
};

pub use engine::{
    Decision, Engine, FatalEvent, Fill, ForeignHold, InvariantBroken, Outcome, OwnCheck, PartHold,
    Reply, Seen,
};
pub use event::{
    Effect, Effects, Event, EventKind, HoldChange, HomeChange, HomeExtra, KeyEffect, KeyOutcome,
    KeyTag, KeyTarget, Note, Reserved, Resumed, SkuEffect, StockEffect, Versions,
};
pub use id::{Opening, ReservationId};
pub use name::{Location, Malformed, Sku, Slot, Text};
pub use policy::Policy;
pub use refusal::{ExpiredReason, LineAt, OverLimit, Refusal, ShortLine, StockThen};
pub use snapshot::{
    CHUNK_ENTRIES, ChunkId, ChunkState, HoldPhase, HoldRecord, HomeRecord, KeyRecord, LateHold,
    LineRecord, ShardRecord, Shortage, ShortageReason, SkuRecord,
};
pub use stock::{Counter, Counters, CustomerLimit, SkuConfig};
pub use time::{Millis, Timestamp};
pub use units::{UNITS_MAX, Units};
pub use view::{Answer, LineView, MovementView, ReservationView, SkuView, Status};
