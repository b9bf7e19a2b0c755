//! The actor of a shard: a thin shell that moves messages in and out.
//!
//! One message per command or batch, one hand-over per commit (what came into the mailbox meanwhile
//! goes along), one timer. What happens in a turn
//! is the shard's. A failed commit ends the actor: nothing staged is answered as done, and the
//! supervisor builds a new one from the ledger.

use crate::clock::{Clock, Now};
use crate::ledger_thread::Berth;
use crate::links::{Link, Links};
use crate::message::Input;
use crate::placement::ShardIndex;
use crate::shard::{Outbox, Shard};
use crate::timer::Timer;
use holdfast_ledger::{Batch, Ledger};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tracing::debug;

/// What a shard's mailbox takes.
pub(crate) enum Message {
    /// Something to do.
    Input(Input),
    /// The batch under way is durable.
    Landed { seq: u64, spare: Vec<u8> },
    /// The ledger has failed, for this reason.
    Failed(String),
    /// A deadline has passed.
    Tick,
    /// Go on with what the last turn left.
    Go,
    /// Hand over what is staged, once who is ready to ask for more has done so.
    HandOver,
    /// Another shard was rebuilt.
    Reopened(ShardIndex),
    /// Write the whole snapshot, then say so.
    Drain(oneshot::Sender<()>),
    /// Panic: for drills.
    Crash,
}

/// A batch of less than this part of the one that has just landed is one of stragglers.
const STRAGGLERS: u32 = 4;

/// How often a hand-over waits for what came into the mailbox meanwhile.
const PUT_OFF_MAX: u32 = 4;

pub(crate) struct ShardActor;

/// What a shard's actor is born with.
pub(crate) struct Birth {
    pub(crate) shard: Shard,
    pub(crate) ledger: Ledger,
    pub(crate) berth: Berth,
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) index: ShardIndex,
    pub(crate) queued: Arc<AtomicUsize>,
}

pub(crate) struct State {
    shard: Shard,
    hand_over: Sender<Batch>,
    timer: Timer,
    clock: Clock,
    links: Links,
    index: ShardIndex,
    queued: Arc<AtomicUsize>,
    out: Outbox,
    /// Whether a `Go` is in the mailbox.
    is_going: bool,
    /// Whether a `Tick` of its own is in the mailbox.
    is_ticking: bool,
    /// Whether the last sweep got all it might, so that there may be more to do.
    has_swept: bool,
    /// How often a `HandOver` in the mailbox may still be put off; none is there without it.
    hand_over_in: Option<u32>,
    /// Events of the batch that was handed over last.
    flying: u32,
    drained: Option<oneshot::Sender<()>>,
}

impl Actor for ShardActor {
    type Msg = Message;
    type State = State;
    type Arguments = Birth;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        birth: Birth,
    ) -> Result<State, ActorProcessingErr> {
        let Birth {
            shard,
            ledger,
            berth,
            clock,
            links,
            index,
            queued,
        } = birth;
        let stats = Arc::clone(&links[usize::from(index)].stats);
        let mailbox = myself.clone();
        let hand_over = berth.start(index, ledger, stats, move |message| {
            // Where the actor has gone, nobody needs to know.
            let _ = mailbox.send_message(message);
        })?;
        let mailbox = myself.clone();
        let timer = Timer::start(clock.clone(), move || {
            let _ = mailbox.send_message(Message::Tick);
        });
        let out = Outbox::default();
        let (is_going, is_ticking, has_swept) = (false, false, false);
        let (hand_over_in, flying, drained) = (None, 0, None);
        Ok(State {
            shard,
            hand_over,
            timer,
            clock,
            links,
            index,
            queued,
            out,
            is_going,
            is_ticking,
            has_swept,
            hand_over_in,
            flying,
            drained,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.clock.now();
        state.shard.reopened(now, &mut state.out);
        state.end_turn(&myself, now)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.clock.now();
        let mut is_sweeping = false;
        match message {
            Message::Input(input) => {
                state.queued.fetch_sub(1, Ordering::Relaxed);
                state.shard.handle(input, now, &mut state.out);
            }
            Message::Landed { seq, spare } => {
                let landed = state.shard.land(seq, spare);
                // The disk goes on while the callers are answered, if it is worth the while: a few
                // stragglers wait for those who are answered now and ask again.
                if state.flying / STRAGGLERS <= state.shard.staged() {
                    state.hand_over()?;
                }
                state.shard.publish(landed, now, &mut state.out);
            }
            Message::Failed(reason) => return Err(reason.into()),
            Message::Tick => {
                state.timer.fired();
                state.is_ticking = false;
                is_sweeping = state.shard.tick(now, &mut state.out);
                state.has_swept |= is_sweeping;
            }
            Message::Go => {
                state.is_going = false;
                state.shard.run(now, &mut state.out);
            }
            Message::HandOver => {
                // Who was just answered, or has just been read from a socket, may be about to ask.
                tokio::task::yield_now().await;
                state.put_off_or_hand_over(&myself)?;
            }
            Message::Reopened(shard) => state.shard.peer_reopened(shard, now, &mut state.out),
            Message::Drain(drained) => {
                state.shard.drain();
                state.drained = Some(drained);
            }
            Message::Crash => panic!("told to crash"),
        }
        state.end_turn(&myself, now)?;
        if is_sweeping {
            // Who was answered last waits on this thread, where no other can take him from.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl State {
    fn end_turn(&mut self, myself: &ActorRef<Message>, now: Now) -> Result<(), ActorProcessingErr> {
        for (to, message) in self.out.peers.drain(..) {
            let link: &Link = &self.links[usize::from(to)];
            link.send(Input::Peer(self.index, message));
        }
        if self.shard.staged() == 0 {
            // What is left of a snapshot needs no company.
            self.hand_over()?;
        } else if !self.shard.is_committing() && self.hand_over_in.is_none() {
            self.hand_over_in = Some(PUT_OFF_MAX);
            myself.send_message(Message::HandOver)?;
        }
        if self.shard.has_work() && !self.is_going {
            self.is_going = true;
            myself.send_message(Message::Go)?;
        }
        if self.shard.is_drained()
            && let Some(drained) = self.drained.take()
        {
            debug!(shard = self.index, seq = self.shard.durable(), "drained");
            let _ = drained.send(());
        }
        if !self.shard.is_draining() {
            self.sweep_on(myself, now)?;
        }
        Ok(())
    }

    /// A sweep that stopped at a bound goes on as soon as it may: at once, or when the batch that
    /// has its share of expiries was handed over. All others wait for the timer.
    fn sweep_on(&mut self, myself: &ActorRef<Message>, now: Now) -> Result<(), ActorProcessingErr> {
        let next = self.shard.next_deadline(now);
        let is_due = next.is_some_and(|deadline| deadline <= now.time);
        if self.has_swept && is_due && !self.is_ticking {
            (self.has_swept, self.is_ticking) = (false, true);
            myself.send_message(Message::Tick)?;
        }
        self.timer.arm(next);
        Ok(())
    }

    /// A commit costs the same for one event as for dozens. So what is staged waits for what is in
    /// the mailbox already, a few times at most; on an idle shard nothing is, and it goes at once.
    fn put_off_or_hand_over(
        &mut self,
        myself: &ActorRef<Message>,
    ) -> Result<(), ActorProcessingErr> {
        let left = self.hand_over_in.take().unwrap_or_default();
        let has_more = self.queued.load(Ordering::Relaxed) > 0;
        if left > 0 && has_more && !self.shard.is_committing() {
            self.hand_over_in = Some(left - 1);
            myself.send_message(Message::HandOver)?;
            return Ok(());
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<(), ActorProcessingErr> {
        if let Some(batch) = self.shard.take_batch() {
            self.flying = batch.events;
            self.hand_over
                .send(batch)
                .map_err(|_| "the ledger's thread has ended")?;
        }
        Ok(())
    }
}
