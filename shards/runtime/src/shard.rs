//! A shard: engine, staging, and the answers that wait for the disk. Synchronous; it reads no
//! clock and starts nothing.
//!
//! Its owner feeds it messages and the time, hands its batches to the ledger while none is under
//! way, and says when one is durable. The actor does so in a service, simulations do it by hand.

mod core;
mod keys;
mod mint;
mod short;
mod snapshots;
mod sweep;
mod turn;
mod waiting;

pub use self::core::{Applied, Landed, Outbox, Setting};
pub use self::snapshots::SnapshotSettings;
pub use self::turn::Turn;

use self::core::Core;
use self::mint::{id_of, mint};
use self::waiting::KeyFate;
use crate::carts::{CartSettings, Carts};
use crate::clock::Now;
use crate::message::{AskKey, Input, Job, Jobs, Operation, Read, ReadMany};
use crate::peer::PeerMessage;
use crate::reply::{Found, Told};
use crate::stats::count;
use crate::unavailable::Unavailable;
use holdfast_core::{
    Answer, Command, Engine, Fill, LineUnits, Opening, Outcome, Reply, Reserve, Timestamp,
};
use holdfast_ledger::Batch;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// The shard of some slots: its state, what is staged, and who waits.
pub struct Shard {
    core: Core,
    carts: Carts,
    /// What is still to do; the head may have been begun.
    work: VecDeque<Input>,
    /// Expiries that sweeps have staged for the next batch.
    swept: usize,
    /// When something was last forgotten.
    forgot: Timestamp,
    /// When no hold was found any more that could be released because its units are gone.
    looked_short: Timestamp,
    is_draining: bool,
}

/// What a caller's command came to.
enum Decided {
    /// The answer, once `wait` is durable.
    Told { told: Told, wait: u64, key: KeyFate },
    /// This turn's bound on expiries is used up.
    Again,
    /// A reserve with lines on several shards.
    Spread,
    /// A late confirm that takes these units on other shards again, or a move of units there.
    AskParts(Vec<(usize, LineUnits)>),
}

impl Shard {
    /// A shard whose engine has been recovered, all of it durable.
    pub fn new(engine: Engine, opening: Opening, setting: Setting, carts: CartSettings) -> Self {
        let mut core = Core::new(setting, engine, opening);
        core.engine.note_minted(opening, 0);
        Self {
            core,
            carts: Carts::new(carts),
            work: VecDeque::new(),
            swept: 0,
            forgot: Timestamp::ZERO,
            looked_short: Timestamp::ZERO,
            is_draining: false,
        }
    }

    /// Takes a message. What it does not get done stays at the head of the next turn.
    pub fn handle(&mut self, input: Input, now: Now, out: &mut Outbox) {
        self.work.push_back(input);
        self.run(now, out);
    }

    /// Goes on with what is still to do.
    pub fn run(&mut self, now: Now, out: &mut Outbox) {
        self.core.expiries_left = self.core.engine.policy().expire_per_turn;
        while let Some(input) = self.work.pop_front() {
            if self.core.is_full() {
                self.work.push_front(input);
                break;
            }
            let left = self.step(input, now, out);
            self.drive(now, out);
            if let Some(left) = left {
                self.work.push_front(left);
                break;
            }
        }
        self.core
            .setting
            .stats
            .waiting
            .store(self.work.len(), Ordering::Relaxed);
    }

    /// After a rebuild: lets carts go on from what the ledger has.
    pub fn reopened(&mut self, now: Now, out: &mut Outbox) {
        self.carts.reopened(&mut self.core.turn(now, out));
        self.drive(now, out);
    }

    /// What is staged, for the ledger: nothing while a batch is under way.
    pub fn take_batch(&mut self) -> Option<Batch> {
        let batch = self.core.take_batch();
        if batch.is_some() {
            self.swept = 0;
        }
        batch
    }

    /// The batch under way is durable up to `seq`; `spare` is memory for a later one. The next
    /// batch may be taken before [`Self::publish`] tells everybody.
    pub fn land(&mut self, seq: u64, spare: Vec<u8>) -> Landed {
        self.core.land(seq, spare)
    }

    /// Shows a durable batch on the board, then answers all who waited for it.
    pub fn publish(&mut self, landed: Landed, now: Now, out: &mut Outbox) {
        self.core.publish(landed, out);
        self.drive(now, out);
    }

    /// [`Self::land`] and [`Self::publish`] in one.
    pub fn committed(&mut self, seq: u64, now: Now, out: &mut Outbox) {
        let landed = self.land(seq, Vec::new());
        self.publish(landed, now, out);
    }

    /// From now on every hand-over takes along what the snapshot lacks, until nothing is dirty.
    pub fn drain(&mut self) {
        self.is_draining = true;
        self.core.snapshots.write_all();
    }

    /// Whether it is draining, has nothing left to do, and its snapshot is whole.
    pub fn is_drained(&self) -> bool {
        self.is_draining
            && self.work.is_empty()
            && self.core.is_settled()
            && self.core.engine.oldest_dirty().is_none()
    }

    /// Whether it is draining: no more sweeps.
    pub const fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Whether a message was left for the next turn that does not wait for the disk.
    pub fn has_work(&self) -> bool {
        !self.work.is_empty() && (!self.core.is_full() || !self.core.is_flying())
    }

    /// Events staged for the next batch.
    pub fn staged(&self) -> u32 {
        self.core.staged()
    }

    /// Whether a batch is under way.
    pub const fn is_committing(&self) -> bool {
        self.core.is_flying()
    }

    /// The state, staged changes included.
    pub const fn engine(&self) -> &Engine {
        &self.core.engine
    }

    /// Sequence of the last durable event.
    pub const fn durable(&self) -> u64 {
        self.core.committed()
    }

    /// How full the tables are.
    pub fn fill(&self) -> Fill {
        self.core.engine.fill()
    }

    /// Does one thing; what is left of it comes back.
    fn step(&mut self, input: Input, now: Now, out: &mut Outbox) -> Option<Input> {
        match input {
            Input::One(job) => self.job(job, now, out).map(Input::One),
            Input::Many(jobs) => self.jobs(jobs, now, out),
            Input::Read(read) => {
                self.read(read, now, out);
                None
            }
            Input::ReadMany(read) => {
                self.read_many(read, now);
                None
            }
            Input::List(read) => {
                let (listed, wait) = (read.query.answer(self.engine()), self.engine().seq());
                self.core.tell_listed(read.to, listed, wait);
                None
            }
            Input::Key(ask) => {
                self.ask_key(ask, now, out);
                None
            }
            Input::Peer(from, message) => {
                let turn = &mut self.core.turn(now, out);
                self.carts.on_peer(turn, from, message);
                None
            }
        }
    }

    /// Does the commands of a message: as many as this turn's bounds allow.
    fn jobs(&mut self, mut jobs: Jobs, now: Now, out: &mut Outbox) -> Option<Input> {
        let Jobs { deadline, bundle } = &mut jobs;
        if !bundle.is_wanted() {
            count(&self.core.setting.stats.dropped, bundle.left() as u64);
            return None;
        }
        if deadline.0 < now.instant {
            count(&self.core.setting.stats.dropped, bundle.left() as u64);
            bundle.refuse(&Err(Unavailable::Deadline));
        }
        std::hint::black_box(self.core.engine.warm(bundle.rest().iter()));
        while let Some(operation) = bundle.begin() {
            match self.decide(operation, now, out) {
                Decided::Told { told, wait, key } => {
                    bundle.answer(told, wait, key == KeyFate::Kept);
                }
                Decided::Again => return Some(Input::Many(jobs)),
                Decided::Spread => {
                    let (operation, reply) = bundle.detach();
                    self.carts
                        .reserve(&mut self.core.turn(now, out), operation, reply);
                }
                Decided::AskParts(lines) => {
                    let (operation, reply) = bundle.detach();
                    self.carts
                        .ask_parts(&mut self.core.turn(now, out), operation, reply, lines);
                }
            }
            self.drive(now, out);
            if self.core.is_full() && bundle.left() > 0 {
                return Some(Input::Many(jobs));
            }
        }
        self.core.tell_bundle(jobs.bundle);
        None
    }

    /// Does a command, or gives it back where this turn's bound on expiries is used up.
    fn job(&mut self, mut job: Job, now: Now, out: &mut Outbox) -> Option<Job> {
        if job.deadline.0 < now.instant {
            count(&self.core.setting.stats.dropped, 1);
            job.reply.send(Err(Unavailable::Deadline));
            return None;
        }
        if !job.reply.is_wanted() {
            count(&self.core.setting.stats.dropped, 1);
            return None;
        }
        job.reply.begin();
        match self.decide(&mut job.request, now, out) {
            Decided::Told { told, wait, key } => {
                let told = told.map(Answer::whole);
                self.core.tell(job.reply, told, wait, key);
            }
            Decided::Again => return Some(job),
            Decided::Spread => {
                let turn = &mut self.core.turn(now, out);
                self.carts.reserve(turn, job.request, job.reply);
            }
            Decided::AskParts(lines) => {
                let turn = &mut self.core.turn(now, out);
                self.carts.ask_parts(turn, job.request, job.reply, lines);
            }
        }
        None
    }

    /// Decides a caller's command, evolves and stages what comes of it.
    fn decide(&mut self, operation: &mut Operation, now: Now, out: &mut Outbox) -> Decided {
        let mut turn = self.core.turn(now, out);
        if let Command::Reserve(reserve) = &operation.command
            && !is_whole(reserve, &mut turn)
        {
            return Decided::Spread;
        }
        if let Some(refusal) = crate::carts::shortfall(&turn, operation) {
            let wait = turn.seq();
            return Decided::Told {
                told: Ok(turn.refused(refusal, false, wait)),
                wait,
                key: KeyFate::Free,
            };
        }
        let minted = mint(&mut operation.command, &mut turn);
        let applied = turn.core.apply(operation, now);
        let (
            Applied {
                outcome,
                wait,
                made,
            },
            key,
        ) = applied;
        match outcome {
            Outcome::Again => return Decided::Again,
            Outcome::AskParts { lines } => return Decided::AskParts(lines),
            Outcome::Done(ref reply) if minted.is_some() && id_of(reply) == minted => {
                turn.core.take_id();
                if let Some(made) = made {
                    let told = Ok(turn.made(made));
                    return Decided::Told { told, wait, key };
                }
            }
            Outcome::Done(_)
            | Outcome::Refused { .. }
            | Outcome::Full(_)
            | Outcome::Undecided
            | Outcome::Unread => {}
        }
        let told = turn
            .told(outcome, wait)
            .expect("what wants another step was met above");
        Decided::Told { told, wait, key }
    }

    /// Whether a key was kept here, and what its operation was told.
    fn ask_key(&mut self, ask: AskKey, now: Now, out: &mut Outbox) {
        let turn = self.core.turn(now, out);
        let (told, wait) = match turn.engine().repeat(&ask.tag) {
            Some(repeat) => (turn.told(repeat.outcome, repeat.read), repeat.read),
            // What was forgotten in a staged batch is forgotten once that is durable.
            None => (None, turn.seq()),
        };
        self.core.tell_key(ask.to, told, wait);
    }

    fn read(&mut self, read: Read, now: Now, out: &mut Outbox) {
        let Read {
            id,
            deadline,
            mut reply,
        } = read;
        if deadline.0 < now.instant {
            reply.send(Err(Unavailable::Deadline));
            return;
        }
        reply.begin();
        let turn = self.core.turn(now, out);
        let engine = turn.engine();
        let (reply_with, wait) = match engine.reservation_seq(id) {
            Some(seq) => {
                let shown = Reply::Reservation {
                    id,
                    created: false,
                    replayed: false,
                };
                (engine.render(shown, turn.now()), seq)
            }
            // What was forgotten in a staged batch is forgotten once that is durable.
            None => (
                turn.refused(engine.absent(id), false, turn.seq()),
                turn.seq(),
            ),
        };
        self.core.tell(reply, Ok(reply_with), wait, KeyFate::Free);
    }

    fn read_many(&mut self, read: ReadMany, now: Now) {
        let time = self.core.time(now);
        let engine = &self.core.engine;
        let mut found = Found {
            views: Vec::new(),
            gone: Vec::new(),
        };
        let mut wait = 0;
        for id in read.ids {
            match engine.reservation(id, time) {
                Some(view) => found.views.push(view),
                None => found.gone.push(id),
            }
            wait = wait.max(engine.reservation_seq(id).unwrap_or_else(|| engine.seq()));
        }
        self.core.tell_found(read.to, found, wait);
    }

    /// Drives the parts of what has changed, and does what it told itself.
    fn drive(&mut self, now: Now, out: &mut Outbox) {
        while let Some((id, trace)) = self.core.spread.pop() {
            self.carts
                .after_local(&mut self.core.turn(now, out), id, trace);
        }
        while let Some(hold) = self.core.shipped.pop() {
            self.carts.report(&mut self.core.turn(now, out), hold);
        }
        let index = self.core.setting.index;
        for message in self.core.loopback.drain(..) {
            self.work.push_back(Input::Peer(index, message));
        }
    }

    /// Another shard was rebuilt: what was sent to it may be lost.
    pub fn peer_reopened(&mut self, shard: u16, now: Now, out: &mut Outbox) {
        self.handle(
            Input::Peer(shard, PeerMessage::Reopened { shard }),
            now,
            out,
        );
    }
}

/// Whether all lines of a reserve are this shard's.
fn is_whole(reserve: &Reserve, turn: &mut Turn<'_>) -> bool {
    if turn.placement().shards() == 1 {
        return true;
    }
    let core = &mut *turn.core;
    let mut lines = reserve.lines.iter();
    lines.all(|line| {
        let slot = core.slots.of_sku(&line.sku);
        core.setting.placement.shard_of(slot) == core.setting.index
    })
}
