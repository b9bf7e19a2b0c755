//! A turn: what a command or a step of a cart may do with the shard.
//!
//! Deliberately absent: waiting. What leans on something undurable names its sequence, and leaves
//! with that batch.

use super::core::{Applied, Core, Outbox};
use super::waiting::KeyFate;
use crate::board::Board;
use crate::clock::Now;
use crate::peer::PeerMessage;
use crate::placement::{Placement, ShardIndex};
use crate::reply::{ReplyTo, Told};
use crate::stats::ShardStats;
use holdfast_core::{
    Answer, Engine, Event, Outcome, Refusal, Request, ReservationId, Reserved, Sku, Slot, Timestamp,
};

/// One turn of a shard.
pub struct Turn<'a> {
    pub(super) core: &'a mut Core,
    pub(super) now: Now,
    pub(super) out: &'a mut Outbox,
}

impl Core {
    /// A turn at this time.
    pub(super) const fn turn<'a>(&'a mut self, now: Now, out: &'a mut Outbox) -> Turn<'a> {
        Turn {
            core: self,
            now,
            out,
        }
    }
}

impl Turn<'_> {
    /// Ledger time of what is decided in this turn.
    pub fn now(&self) -> Timestamp {
        self.core.time(self.now)
    }

    /// Which shard this is.
    pub fn index(&self) -> ShardIndex {
        self.core.setting.index
    }

    /// The state, staged changes included.
    pub fn engine(&self) -> &Engine {
        &self.core.engine
    }

    /// What is committed, of all shards.
    pub fn board(&self) -> &Board {
        &self.core.setting.board
    }

    /// What is measured.
    pub fn stats(&self) -> &ShardStats {
        &self.core.setting.stats
    }

    /// Who owns which slot.
    pub fn placement(&self) -> &Placement {
        &self.core.setting.placement
    }

    /// The shard that owns a SKU.
    pub fn shard_of(&self, sku: &Sku) -> ShardIndex {
        self.core.setting.placement.shard_of_sku(sku)
    }

    /// Whether a SKU is this shard's.
    pub fn is_local(&self, sku: &Sku) -> bool {
        self.shard_of(sku) == self.index()
    }

    /// Sequence of the last event decided, durable or not.
    pub fn seq(&self) -> u64 {
        self.core.engine.seq()
    }

    /// Sequence of the last durable event.
    pub fn committed(&self) -> u64 {
        self.core.committed()
    }

    /// Decides a request, evolves and stages its events, expiries met on the way first. Where a
    /// key is recorded, the key directory keeps it.
    pub fn apply(&mut self, request: &Request) -> Applied {
        let (applied, key) = self.core.apply(request, self.now);
        if let (KeyFate::Kept, Some(tag)) = (key, &request.key) {
            let slot = crate::placement::slot_of(&request.command);
            self.core.keep_key(tag, slot);
        }
        applied
    }

    /// Evolves and stages events that the engine made ([`holdfast_core::OwnCheck::Again`]).
    pub fn record(&mut self, events: &[Event]) {
        self.core.record_all(events);
    }

    /// Sends to a shard once `after` is durable here; at once if it is.
    pub fn send(&mut self, to: ShardIndex, message: PeerMessage, after: u64) {
        self.core.send(to, message, after, self.out);
    }

    /// Answers a caller once `after` is durable; at once if it is.
    pub fn answer(&mut self, reply: ReplyTo, told: Told, after: u64) {
        self.core.tell(reply, told, after, KeyFate::Free);
    }

    /// What a caller is told about an outcome; nothing for those that want another step.
    pub fn told(&self, outcome: Outcome, wait: u64) -> Option<Told> {
        match outcome {
            Outcome::Done(reply) => Some(Ok(self.core.engine.render(reply, self.now()))),
            Outcome::Refused { refusal, replayed } => {
                Some(Ok(self.refused(refusal, replayed, wait)))
            }
            Outcome::Full(table) => Some(Err(crate::Unavailable::Full(table))),
            Outcome::Undecided => Some(Err(crate::Unavailable::Undecided)),
            Outcome::Unread => Some(Err(crate::Unavailable::Unread)),
            Outcome::Again | Outcome::AskParts { .. } => None,
        }
    }

    /// A plain reservation that was just made, as an answer.
    pub(super) fn made(&self, made: Box<Reserved>) -> Answer {
        let now = self.now();
        debug_assert_eq!(
            Some(made.view(now)),
            self.engine().reservation(made.id, now),
            "it stands as it was made"
        );
        Answer::Made { made, now }
    }

    /// A refusal as an answer.
    pub fn refused(&self, refusal: Refusal, replayed: bool, seq: u64) -> Answer {
        let is_elsewhere = |sku: &Sku| !self.is_local(sku);
        let spans = self.placement().shards() > 1 && refusal.lists_any(is_elsewhere);
        // This shard's sequence says nothing about another's ledger.
        let seq = if spans { 0 } else { seq };
        let refusal = Box::new(refusal);
        Answer::Refused {
            refusal,
            at: self.now(),
            seq,
            replayed,
        }
    }

    /// An id at this slot that was never given before.
    pub fn mint(&mut self, slot: Slot) -> ReservationId {
        let id = self.core.candidate(slot, self.now);
        self.core.take_id();
        id
    }

    /// A random number, for jitter.
    pub fn random(&mut self) -> u64 {
        self.core.random()
    }
}
