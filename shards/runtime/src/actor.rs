//! The actor of a shard: a thin shell that moves messages in and out.
//!
//! One message per command or batch, one hand-over per commit, one timer. What happens in a turn
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
    /// Another shard was rebuilt.
    Reopened(ShardIndex),
    /// Write the whole snapshot, then say so.
    Drain(oneshot::Sender<()>),
    /// Panic: for drills.
    Crash,
}

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
        let (is_going, drained) = (false, None);
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
                // The disk goes on while the callers are answered.
                state.hand_over()?;
                state.shard.publish(landed, now, &mut state.out);
            }
            Message::Failed(reason) => return Err(reason.into()),
            Message::Tick => {
                state.timer.fired();
                is_sweeping = state.shard.tick(now, &mut state.out);
                if is_sweeping {
                    myself.send_message(Message::Tick)?;
                }
            }
            Message::Go => {
                state.is_going = false;
                state.shard.run(now, &mut state.out);
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
        self.hand_over()?;
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
            self.timer.arm(self.shard.next_deadline(now));
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), ActorProcessingErr> {
        if let Some(batch) = self.shard.take_batch() {
            self.hand_over
                .send(batch)
                .map_err(|_| "the ledger's thread has ended")?;
        }
        Ok(())
    }
}
