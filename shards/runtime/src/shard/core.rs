//! A shard's state with what is staged and what is on its way to the disk.
//!
//! Staged is never mistaken for committed: an answer waits for the highest sequence it leans on,
//! and the board gets copies taken when a batch was handed over.

use super::snapshots::{SnapshotSettings, Snapshots};
use super::waiting::{KeyFate, Waiting, tell_now};
use crate::board::{Board, Copied, XxHasher};
use crate::bundle::Bundle;
use crate::clock::Now;
use crate::directory::Directory;
use crate::lists::{ListTo, Listed};
use crate::peer::{PeerMessage, Trace};
use crate::placement::{Placement, ShardIndex, Slots};
use crate::reply::{FindTo, Found, KeyTo, ReplyTo, Told};
use crate::stats::{ShardStats, count};
use holdfast_core::{
    Effect, Engine, Event, EventKind, Opening, Outcome, Request, ReservationId, Reserved, Sku,
    Slot, Timestamp,
};
use holdfast_ledger::Batch;
use holdfast_ledger::codec::RecordEncoder;
use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The staged record may grow to this before commands have to wait for the disk.
const STAGED_BYTES_MAX: usize = 16 << 20;

/// What a shard works with, besides its engine.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Which shard it is.
    pub index: ShardIndex,
    /// Who owns which slot.
    pub placement: Placement,
    /// Where commits are shown.
    pub board: Arc<Board>,
    /// Where keys are found.
    pub keys: Arc<Directory>,
    /// What is measured.
    pub stats: Arc<ShardStats>,
    /// When snapshots are written and the journal is trimmed.
    pub snapshots: SnapshotSettings,
    /// The seed of its random numbers.
    pub seed: u64,
}

/// What came of applying a request.
#[derive(Debug)]
pub struct Applied {
    /// The engine's outcome. `Again`: this turn's bound on expiries is used up.
    pub outcome: Outcome,
    /// The outcome may be told once this sequence is durable.
    pub wait: u64,
    /// The plain reservation that was made.
    pub(super) made: Option<Box<Reserved>>,
}

pub(crate) struct Core {
    pub(crate) setting: Setting,
    pub(crate) engine: Engine,
    pub(super) snapshots: Snapshots,
    /// Sequence of the last durable event.
    committed: u64,
    encoder: RecordEncoder,
    pub(super) staged: Waiting,
    touched: HashSet<Sku, BuildHasherDefault<XxHasher>>,
    last_touched: Option<Sku>,
    pub(super) slots: Slots,
    flight: Option<Flight>,
    opening: Opening,
    /// The counter of the next id.
    counter: u64,
    random: u64,
    /// Expiries that may still be recorded in this turn.
    pub(super) expiries_left: usize,
    /// Reservations with lines elsewhere that changed and whose parts were not told yet.
    pub(super) spread: Vec<(ReservationId, Trace)>,
    /// Holds of other shards' carts of which units have left, not told yet.
    pub(super) shipped: Vec<u64>,
    /// Messages to itself.
    pub(super) loopback: Vec<PeerMessage>,
    /// Memory for the next record.
    spare: Vec<u8>,
}

/// A batch on its way to the disk.
struct Flight {
    last: u64,
    waiting: Waiting,
    copies: Vec<(Sku, Copied)>,
}

/// A batch that has become durable, with all who wait for it.
pub struct Landed(Flight);

impl Core {
    pub(super) fn new(setting: Setting, engine: Engine, opening: Opening) -> Self {
        let committed = engine.seq();
        let mut encoder = RecordEncoder::new();
        encoder.start(committed + 1, Vec::new());
        let random = setting.seed;
        let snapshots = Snapshots::new(setting.snapshots.clone());
        Self {
            setting,
            engine,
            snapshots,
            committed,
            encoder,
            staged: Waiting::default(),
            touched: HashSet::default(),
            last_touched: None,
            slots: Slots::default(),
            flight: None,
            opening,
            counter: 0,
            random,
            expiries_left: 0,
            spread: Vec::new(),
            shipped: Vec::new(),
            loopback: Vec::new(),
            spare: Vec::new(),
        }
    }

    pub(crate) const fn committed(&self) -> u64 {
        self.committed
    }

    pub(super) const fn is_flying(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether a caller waits for the batch under way or for the next.
    pub(super) fn is_waited_for(&self) -> bool {
        let flying = self.flight.as_ref().map(|flight| &flight.waiting);
        let mut both = flying.into_iter().chain([&self.staged]);
        both.any(Waiting::has_callers)
    }

    /// Events staged for the next batch.
    pub(super) fn staged(&self) -> u32 {
        self.encoder.events()
    }

    /// Whether commands have to wait for the disk before more is staged.
    pub(super) fn is_full(&self) -> bool {
        STAGED_BYTES_MAX <= self.encoder.body_bytes()
    }

    /// Ledger time of a decision made now.
    pub(crate) fn time(&self, now: Now) -> Timestamp {
        now.time.max(self.engine.at())
    }

    /// Decides, evolves and stages, the expiries met on the way first.
    pub(crate) fn apply(&mut self, request: &Request, now: Now) -> (Applied, KeyFate) {
        loop {
            let mut decision = self.engine.decide(request, now.time);
            let mut key = KeyFate::Free;
            let mut made = None;
            for event in &mut decision.events {
                if event.key.is_some() {
                    key = KeyFate::Kept;
                }
                self.record(event);
                made = made_by(event);
            }
            let (outcome, wait) = (decision.outcome, decision.read);
            if !matches!(outcome, Outcome::Again) || self.expiries_left == 0 {
                return (
                    Applied {
                        outcome,
                        wait,
                        made,
                    },
                    key,
                );
            }
            self.expiries_left -= 1;
        }
    }

    /// Evolves the state by the events of one decision and stages them.
    pub(super) fn record_all(&mut self, events: &[Event]) {
        for event in events {
            self.record(event);
        }
    }

    /// Evolves the state by an event and stages it.
    pub(super) fn record(&mut self, event: &Event) {
        self.encoder.push(event);
        let trace = || Some(Box::new(event.note.as_ref()?.trace?));
        for effect in &event.effects {
            match effect {
                Effect::Reserved(new) => self.touch(&new.sku),
                Effect::Stock(stock) => self.touch(&stock.sku),
                Effect::Sku(sku) => self.touch(&sku.sku),
                Effect::Supply(supply) => self.touch(&supply.sku),
                Effect::KeysForgotten(below) => self.forget_keys(*below),
                Effect::HomeCreated(home) => {
                    if home.lines.iter().any(|line| line.foreign) {
                        self.spread.push((home.id, trace()));
                    }
                }
                Effect::HomeChanged(change) => {
                    if !self.engine.decided(change.id).is_empty() {
                        self.spread.push((change.id, trace()));
                    }
                }
                Effect::HomeLines(change) => {
                    if !self.engine.decided(change.id).is_empty() {
                        self.spread.push((change.id, trace()));
                    }
                }
                Effect::HoldAfter(change) => {
                    let [_, shipped] = change.after;
                    if change.told < shipped {
                        self.shipped.push(change.number);
                    }
                }
                Effect::HomeForgotten(_)
                | Effect::HoldCreated(_)
                | Effect::HoldChanged(_)
                | Effect::HoldForgotten(_)
                | Effect::Resumed(_)
                | Effect::Location(_)
                | Effect::Stream(_)
                | Effect::StreamForgotten(_)
                | Effect::Counted(_)
                | Effect::Drift(_)
                | Effect::DriftForgotten(_)
                | Effect::Message(_)
                | Effect::MessagesForgotten(_) => {}
            }
        }
        if event.kind == EventKind::ReservationExpired {
            count(&self.setting.stats.expired, 1);
        }
        self.engine.evolve(event);
    }

    fn touch(&mut self, sku: &Sku) {
        if self.last_touched.as_ref() == Some(sku) {
            return;
        }
        self.touched.insert(sku.clone());
        self.last_touched = Some(sku.clone());
    }

    /// Answers once `after` is durable.
    pub(crate) fn tell(&mut self, reply: ReplyTo, told: Told, after: u64, key: KeyFate) {
        count(&self.setting.stats.answered, 1);
        match self.waiting(after) {
            Some(waiting) => waiting.replies.push((reply, told, key)),
            None => tell_now(reply, told, key),
        }
    }

    /// Answers a message once all that its answers lean on is durable.
    pub(super) fn tell_bundle(&mut self, bundle: Bundle) {
        count(&self.setting.stats.answered, bundle.len() as u64);
        match self.waiting(bundle.wait()) {
            Some(waiting) => waiting.bundles.push(bundle),
            None => bundle.send(),
        }
    }

    pub(super) fn tell_key(&mut self, to: KeyTo, told: Option<Told>, after: u64) {
        match self.waiting(after) {
            Some(waiting) => waiting.asked.push((to, told)),
            None => to.send(told),
        }
    }

    pub(super) fn tell_found(&mut self, to: FindTo, found: Found, after: u64) {
        match self.waiting(after) {
            Some(waiting) => waiting.found.push((to, found)),
            None => to.send(found),
        }
    }

    pub(super) fn tell_listed(&mut self, to: ListTo, listed: Listed, after: u64) {
        match self.waiting(after) {
            Some(waiting) => waiting.listed.push((to, listed)),
            None => to.send(listed),
        }
    }

    /// Sends once `after` is durable.
    pub(crate) fn send(
        &mut self,
        to: ShardIndex,
        message: PeerMessage,
        after: u64,
        out: &mut Outbox,
    ) {
        if let Some(waiting) = self.waiting(after) {
            waiting.sends.push((to, message));
        } else {
            self.send_now(to, message, out);
        }
    }

    fn send_now(&mut self, to: ShardIndex, message: PeerMessage, out: &mut Outbox) {
        if to == self.setting.index {
            self.loopback.push(message);
        } else {
            out.peers.push((to, message));
        }
    }

    /// Those who wait for `after`, where it is not durable yet.
    fn waiting(&mut self, after: u64) -> Option<&mut Waiting> {
        debug_assert!(
            after <= self.engine.seq(),
            "nothing leans on what has not been decided"
        );
        if after <= self.committed {
            return None;
        }
        match &mut self.flight {
            Some(flight) if after <= flight.last => Some(&mut flight.waiting),
            _ => Some(&mut self.staged),
        }
    }

    /// An id that was never given and, once [`Self::take_id`] is called, never is again.
    pub(crate) fn candidate(&mut self, slot: Slot, now: Now) -> ReservationId {
        let random = self.random() as u8;
        ReservationId::mint(self.time(now), slot, self.opening, self.counter, random)
    }

    pub(crate) fn take_id(&mut self) {
        self.counter += 1;
        self.engine.note_minted(self.opening, self.counter);
    }

    /// splitmix64.
    pub(crate) const fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Takes what is staged for the ledger, with a few chunks of the snapshot, if none is on its
    /// way and there is something to write.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        if self.flight.is_some() {
            return None;
        }
        let events = self.encoder.events();
        let record = self.encoder.body_bytes();
        let written = self.snapshots.take(&mut self.engine, record);
        if events == 0 && written.is_empty() {
            return None;
        }
        let first = self.committed + 1;
        let mut body = Vec::new();
        if events > 0 {
            body = self.encoder.finish();
            self.encoder
                .start(first + u64::from(events), std::mem::take(&mut self.spare));
        }
        count(&self.setting.stats.chunks, written.chunks.len() as u64);
        self.last_touched = None;
        let mut copies = Vec::with_capacity(self.touched.len());
        for sku in self.touched.drain() {
            let Some(mut view) = self.engine.sku(&sku) else {
                continue;
            };
            view.seq = self.engine.seq();
            let copied = self.setting.board.copy(&view);
            copies.push((view.sku, copied));
        }
        let last = self.engine.seq();
        let waiting = std::mem::take(&mut self.staged);
        self.flight = Some(Flight {
            last,
            waiting,
            copies,
        });
        Some(Batch {
            first,
            events,
            at: self.engine.at().ms(),
            body,
            chunks: written.chunks,
            replay_from: written.replay_from,
            trim_below: written.trim_below,
        })
    }

    /// The batch on its way is durable up to `seq`.
    pub(super) fn land(&mut self, seq: u64, spare: Vec<u8>) -> Landed {
        let flight = self.flight.take().expect("a commit was under way");
        assert!(
            seq == flight.last,
            "the ledger is at {seq}, the shard expected {}",
            flight.last
        );
        self.committed = seq;
        self.spare = spare;
        self.snapshots.landed(seq, self.engine.at());
        Landed(flight)
    }

    /// Shows a durable batch on the board, then tells all who wait for it.
    pub(super) fn publish(&mut self, landed: Landed, out: &mut Outbox) {
        let Landed(Flight {
            last,
            waiting,
            copies,
        }) = landed;
        let setting = &self.setting;
        for (sku, copied) in copies {
            setting.board.publish(&sku, copied);
        }
        // A key that was forgotten may have come anew in the same batch.
        for (tag, slot) in &waiting.forgotten {
            setting.keys.forget(tag, *slot);
        }
        for (tag, slot) in &waiting.keys {
            setting.keys.keep(tag, *slot);
        }
        setting.stats.committed.store(last, Ordering::Release);
        setting.stats.set_fill(self.engine.fill());
        for (to, message) in waiting.tell() {
            self.send_now(to, message, out);
        }
    }

    /// Whether everything decided is durable and nothing is on its way.
    pub(super) fn is_settled(&self) -> bool {
        self.flight.is_none() && self.encoder.events() == 0
    }
}

/// The plain reservation that an event has made: what is to be told of it needs no second look at
/// the state.
fn made_by(event: &mut Event) -> Option<Box<Reserved>> {
    if !matches!(event.effects[..], [Effect::Reserved(_)]) {
        return None;
    }
    match event.effects.pop() {
        Some(Effect::Reserved(made)) => Some(made),
        Some(_) | None => None,
    }
}

/// What leaves a shard in a turn.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Messages to other shards.
    pub peers: Vec<(ShardIndex, PeerMessage)>,
}
