//! How to reach each shard, and whether it serves.
//!
//! Deliberately absent: deciding that; the supervisor does.

use crate::actor::Message;
use crate::message::Input;
use crate::permits::Permits;
use crate::placement::ShardIndex;
use crate::router::Router;
use crate::stats::ShardStats;
use crate::unavailable::Unavailable;
use arc_swap::ArcSwap;
use ractor::ActorRef;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// All shards of a runtime.
pub(crate) type Links = Arc<[Link]>;

/// One shard, as others see it.
pub(crate) struct Link {
    pub(crate) index: ShardIndex,
    phase: ArcSwap<Phase>,
    /// For reserves and what follows them.
    pub(crate) permits: Arc<Permits>,
    /// For configuration and movements.
    pub(crate) config_permits: Arc<Permits>,
    pub(crate) stats: Arc<ShardStats>,
    /// The journal is kept from here on, whatever its age: somebody has still to read it.
    pub(crate) held_from: Arc<AtomicU64>,
}

/// Where a shard is in its life.
pub(crate) enum Phase {
    /// It takes commands.
    Serving(Mailbox),
    /// It is being rebuilt from its ledger.
    Recovering,
    /// It could not be rebuilt, again and again.
    Down(Arc<str>),
    /// Its ledger is damaged; somebody must look.
    Quarantined(Arc<str>),
    /// The runtime has stopped it.
    Stopped,
}

/// A shard's mailbox and how many messages are in it.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) actor: ActorRef<Message>,
    pub(crate) queued: Arc<AtomicUsize>,
}

impl Router {
    /// Keeps a shard's journal from this sequence on, whatever its age; `u64::MAX` holds nothing.
    /// What was trimmed before stays trimmed.
    pub fn hold(&self, shard: ShardIndex, from: u64) {
        self.link(shard).held_from.store(from, Ordering::Release);
    }
}

impl Link {
    pub(crate) fn new(
        index: ShardIndex,
        permits: Arc<Permits>,
        config_permits: Arc<Permits>,
        held_from: u64,
    ) -> Self {
        let phase = ArcSwap::from_pointee(Phase::Recovering);
        Self {
            index,
            phase,
            permits,
            config_permits,
            stats: Arc::default(),
            held_from: Arc::new(AtomicU64::new(held_from)),
        }
    }

    pub(crate) fn phase(&self) -> Arc<Phase> {
        self.phase.load_full()
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.phase.store(Arc::new(phase));
    }

    /// Why the shard takes no command, if it takes none.
    pub(crate) fn refusal(&self) -> Option<Unavailable> {
        let shard = self.index;
        match &**self.phase.load() {
            Phase::Serving(_) => None,
            Phase::Recovering => Some(Unavailable::Recovering { shard }),
            Phase::Down(reason) | Phase::Quarantined(reason) => Some(Unavailable::Down {
                shard,
                reason: Arc::clone(reason),
            }),
            Phase::Stopped => Some(Unavailable::Draining),
        }
    }

    /// Puts a message into the mailbox. Where there is none, it is dropped, and says so by itself.
    pub(crate) fn send(&self, input: Input) {
        if let Phase::Serving(mailbox) = &**self.phase.load() {
            mailbox.queued.fetch_add(1, Ordering::Relaxed);
            // A mailbox that has just closed drops the message.
            let _ = mailbox.actor.send_message(Message::Input(input));
        }
    }

    /// Puts a message of the runtime itself into the mailbox.
    pub(crate) fn send_uncounted(&self, message: Message) {
        if let Phase::Serving(mailbox) = &**self.phase.load() {
            let _ = mailbox.actor.send_message(message);
        }
    }

    /// Messages in the mailbox.
    pub(crate) fn queued(&self) -> usize {
        match &**self.phase.load() {
            Phase::Serving(mailbox) => mailbox.queued.load(Ordering::Relaxed),
            Phase::Recovering | Phase::Down(_) | Phase::Quarantined(_) | Phase::Stopped => 0,
        }
    }
}
