//! From a ledger to a shard that may serve: chunks, then the journal, then proof.
//!
//! It blocks; the supervisor gives it a thread. Its steps are public, so that a simulation can
//! bring a shard back exactly as a runtime does. Deliberately absent: trying again.

use crate::archive::Archives;
use crate::board::Board;
use crate::carts::CartSettings;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::links::Links;
use crate::placement::{Placement, ShardIndex};
use crate::shard::{Setting, Shard, SnapshotSettings};
use crate::statement::Statements;
use crate::stats::count;
use crate::{clock, lookup};
use holdfast_core::{ChunkId, Engine, Event, InvariantBroken, Opening, Policy, Seen, Timestamp};
use holdfast_ledger::codec::{self, RecordEncoder};
use holdfast_ledger::{Batch, DataDir, Ledger, LedgerError, Log, Options};
use std::sync::Arc;
use tracing::info;

/// Events that are decoded before they are replayed, so that their SKUs are looked up together.
const AT_ONCE: usize = 256;

/// Where the ledgers of the shards come from. [`DataDir`] in a service; tests put faults between.
pub trait Ledgers: Send + Sync + 'static {
    /// Opens a shard's ledger for serving; makes it first where it never was made.
    fn open(
        &self,
        dir: &DataDir,
        shard: ShardIndex,
        options: Options,
    ) -> Result<Ledger, LedgerError>;

    /// Puts a rescue copy of a shard's closed ledger in its place.
    fn rescue(&self, dir: &DataDir, shard: ShardIndex) -> Result<(), LedgerError>;
}

/// The ledgers in the files of the data directory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Ledgers for Files {
    fn open(
        &self,
        dir: &DataDir,
        shard: ShardIndex,
        options: Options,
    ) -> Result<Ledger, LedgerError> {
        dir.open_ledger(shard, options)
    }

    fn rescue(&self, dir: &DataDir, shard: ShardIndex) -> Result<(), LedgerError> {
        dir.rescue(shard)
    }
}

/// What every recovery of a runtime needs.
pub(crate) struct Plan {
    pub(crate) dir: DataDir,
    pub(crate) ledgers: Arc<dyn Ledgers>,
    pub(crate) options: Options,
    /// Bounds of one shard.
    pub(crate) policy: Policy,
    pub(crate) carts: CartSettings,
    pub(crate) snapshots: SnapshotSettings,
    pub(crate) placement: Placement,
    pub(crate) board: Arc<Board>,
    pub(crate) keys: Arc<Directory>,
    pub(crate) links: Links,
    pub(crate) clock: Clock,
    pub(crate) lookup: Option<lookup::Lookup>,
    pub(crate) statement: Option<Statements>,
    pub(crate) archives: Option<Archives>,
}

/// A shard ready to serve, with its ledger.
pub(crate) struct Recovered {
    pub(crate) shard: Shard,
    pub(crate) ledger: Ledger,
}

/// Why a shard could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The ledger can't be opened, read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What it holds makes no state.
    #[error("{0}; keep the ledger as it is and report this")]
    State(String),
    /// The state it describes can't be.
    #[error("{0}; keep the ledger as it is and report this")]
    Broken(#[from] InvariantBroken),
}

impl Failure {
    /// Whether another try can't help: somebody must look at the ledger.
    pub(crate) const fn is_damage(&self) -> bool {
        match self {
            Self::State(_) | Self::Broken(_) => true,
            Self::Ledger(error) => matches!(
                error,
                LedgerError::Corrupt { .. }
                    | LedgerError::Missing { .. }
                    | LedgerError::Identity { .. }
                    | LedgerError::Worn { .. }
            ),
        }
    }

    pub(crate) fn is_disk(&self) -> bool {
        matches!(self, Self::Ledger(error) if error.is_disk())
    }
}

/// Rebuilds a shard from its ledger, which nobody has open.
pub(crate) fn recover(plan: &Plan, index: ShardIndex) -> Result<Recovered, Failure> {
    let start = clock::instant();
    let mut ledger = plan.ledgers.open(&plan.dir, index, plan.options)?;
    let link = &plan.links[usize::from(index)];
    let mut engine = replay(&ledger, plan.policy.clone()).inspect_err(|failure| {
        if matches!(failure, Failure::Broken(_)) {
            count(&link.stats.violations, 1);
        }
    })?;
    resume(&mut engine, &mut ledger, plan.clock.now().time)?;
    show(&engine, index, &plan.placement, &plan.board, &plan.keys);
    let mut snapshots = plan.snapshots.clone();
    if let Some(lookup) = &plan.lookup {
        let read = lookup.attach(index, ledger.reader());
        snapshots.read_up_to.push(read);
    }
    if let Some(statement) = &plan.statement {
        let mut reader = ledger.reader();
        if let Some(archives) = &plan.archives {
            reader = reader.with_archive(archives.of(index));
        }
        snapshots.read_up_to.push(statement.attach(index, reader));
    }
    if let Some(archives) = &plan.archives {
        let sealed = archives.attach(index, ledger.reader());
        snapshots.read_up_to.push(sealed);
    }
    snapshots.read_up_to.push(Arc::clone(&link.held_from));
    let setting = Setting {
        index,
        placement: plan.placement.clone(),
        board: Arc::clone(&plan.board),
        keys: Arc::clone(&plan.keys),
        stats: Arc::clone(&link.stats),
        snapshots,
        seed: clock::seed(),
    };
    let opening = Opening::new(ledger.opening()).ok_or_else(|| {
        Failure::State(format!(
            "opening {} is beyond what ids can hold",
            ledger.opening()
        ))
    })?;
    link.stats.set_fill(engine.fill());
    link.stats
        .committed
        .store(engine.seq(), std::sync::atomic::Ordering::Release);
    let ms = start.elapsed().as_millis() as u64;
    let fill = engine.fill();
    info!(
        shard = index,
        seq = engine.seq(),
        reservations = fill.reservations,
        skus = fill.skus,
        ms,
        "shard recovered"
    );
    let shard = Shard::new(engine, opening, setting, plan.carts.clone());
    Ok(Recovered { shard, ledger })
}

/// The state that a ledger describes: its chunks, then the journal from where they need it; and
/// its proof.
pub fn replay(ledger: &Ledger, policy: Policy) -> Result<Engine, Failure> {
    let mut engine = Engine::new(policy);
    let mut seen = Seen::default();
    let damaged = |what: String| {
        move |error: codec::CodecError| Failure::State(format!("{what} can't be read: {error}"))
    };
    let mut chunks = Vec::new();
    for chunk in ledger.chunks()? {
        let chunk = chunk?;
        let name = || Failure::State(format!("chunk {:#x} has no meaning", chunk.id));
        chunks.push((ChunkId::from_u64(chunk.id).ok_or_else(name)?, chunk));
    }
    chunks.sort_unstable_by_key(|(id, _)| *id);
    for (id, chunk) in chunks {
        let what = format!("chunk {:#x}", chunk.id);
        engine.load(&codec::chunk::decode(id, &chunk.body).map_err(damaged(what))?);
        seen.insert(id, chunk.sequence);
    }
    let from = ledger.replay_from().max(1);
    let at = if ledger.head() < from { ledger.at() } else { 0 };
    engine.loaded(from - 1, Timestamp::from_ms(at));
    for record in ledger.replay(from)? {
        let record = record?;
        let what = || format!("record {}", record.first);
        let mut events = codec::Events::new(record.first, record.events, &record.body)
            .map_err(damaged(what()))?
            .filter(|event| event.as_ref().map_or(true, |event| from <= event.seq));
        loop {
            let some: Vec<Event> = events
                .by_ref()
                .take(AT_ONCE)
                .collect::<Result<_, _>>()
                .map_err(damaged(what()))?;
            if some.is_empty() {
                break;
            }
            std::hint::black_box(engine.warm_events(some.iter()));
            for event in &some {
                engine
                    .replay(event, &seen)
                    .map_err(|fatal| Failure::State(format!("{}: {fatal}", what())))?;
            }
        }
    }
    engine.check()?;
    Ok(engine)
}

/// Records the start, durably, before anything else is decided.
pub fn resume(engine: &mut Engine, ledger: &mut Ledger, now: Timestamp) -> Result<(), Failure> {
    let event = engine.resume(now);
    let mut encoder = RecordEncoder::new();
    encoder.start(event.seq, Vec::new());
    encoder.push(&event);
    let batch = Batch {
        first: event.seq,
        events: 1,
        at: event.at.ms(),
        body: encoder.finish(),
        ..Batch::default()
    };
    engine.evolve(&event);
    let (head, epoch) = (ledger.head(), ledger.epoch());
    ledger.append(&batch, head, epoch)?;
    Ok(())
}

/// Shows a recovered state on the board and in the key directory.
pub fn show(
    engine: &Engine,
    index: ShardIndex,
    placement: &Placement,
    board: &Board,
    keys: &Directory,
) {
    board.publish_all(engine.sku_views().map(|mut view| {
        view.seq = engine.seq();
        let copied = board.copy(&view);
        (view.sku, copied)
    }));
    if placement.shards() == 1 {
        return;
    }
    keys.forget_slots(|slot| placement.shard_of(slot) == index);
    for (tag, slot) in engine.key_tags() {
        keys.keep(&tag, slot);
    }
}
