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
mod count;
mod drift;
mod engine;
mod event;
mod id;
mod key;
mod movement;
mod name;
mod note;
mod policy;
mod refusal;
mod snapshot;
mod stock;
mod stream;
mod supply;
mod time;
mod trace;
mod units;
mod view;

pub use command::{
    Cancel, Command, Configure, ConfigureLocation, Confirm, Correct, CreateCart, DecideDrift,
    DropHold, Extend, FromHome, HeldLine, Late, LiftStream, LineUnits, Mode, MoveHeld, MoveHold,
    Movement, MovementKind, NoteShipped, NoteTold, OpenDrift, OpeningBalance, Patch, Pin, Place,
    Release, ReleaseShort, Remainder, Request, Reserve, ReserveLine, Sale, SaleLine, SaleLines,
    Settle, Try, TryLate, Verdict,
};
pub use count::{At, Basis, Count, CountThen, Measure, Then};
pub use drift::{DriftKind, DriftRecord, DriftState, Proposal};
pub use engine::{
    Decision, Engine, FatalEvent, Fill, ForeignHold, InvariantBroken, Outcome, OwnCheck, PartHold,
    Reply, Seen, ShortRelease, StreamPlace,
};
pub use event::{
    CountedEffect, Effect, Effects, Event, EventKind, EventList, FeedMark, HoldAfter, HoldChange,
    HomeChange, HomeExtra, HomeLines, KeyEffect, KeyOutcome, KeyTag, KeyTarget, MessageEffect,
    Note, Quarantine, QuarantineCause, Reserved, Resumed, Shorted, SkuEffect, StockEffect,
    StreamEffect, StreamKey, Versions,
};
pub use id::{Opening, ReservationId};
pub use name::{Location, Malformed, Sku, Slot, Text};
pub use policy::Policy;
pub use refusal::{ExpiredReason, LineAt, OverLimit, Refusal, ShortLine, StockThen};
pub use snapshot::{
    CHUNK_ENTRIES, ChunkId, ChunkState, HoldPhase, HoldRecord, HomeRecord, KeyRecord, LateHold,
    LevelRecord, LineRecord, LocationRecord, STREAM_WINDOW, ShardRecord, Shortage, ShortageReason,
    SkuRecord, StreamRecord,
};
pub use stock::{Counter, Counters, CustomerLimit, OnShortfall, SkuConfig, Sourcing};
pub use supply::{Band, Marks, Stocked, Supply, SupplyEffect};
pub use time::{Millis, Timestamp};
pub use trace::TraceParent;
pub use units::{UNITS_MAX, Units};
pub use view::{
    AffectedView, Answer, DriftView, LineView, LocationView, MovementView,
    Outcome as MovementOutcome, ReservationView, ShortfallView, SkuView, Status, StreamView,
};
