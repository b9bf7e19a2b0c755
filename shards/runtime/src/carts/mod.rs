//! Carts over several shards: home decides, parts hold tentatively and ask.
//!
//! A cart's home is the shard of the slot in its id; a part is a shard with lines of it. Home
//! tries in memory only (`home`), then records; parts hold, and never end a hold by themselves
//! (`part`); home drives its decisions to the parts until they have settled (`drive`). Holds
//! are named by their numbers, totals are absolute, so messages may be lost, repeated or
//! reordered. No two shards' clocks are compared.
//!
//! Deliberately absent: a replacement whose lines lie on several shards; it is refused.

mod attempt;
mod drive;
mod home;
mod late;
mod move_hold;
mod part;
mod report;
mod shortages;
mod shortfall;
mod timers;

use crate::peer::{PeerMessage, Trace};
use crate::placement::ShardIndex;
use crate::shard::Turn;
use attempt::Attempt;
use drive::Drive;
use holdfast_core::{
    Command, Millis, ReleaseShort, Request, ReservationId, Timestamp, TraceParent,
};
pub use late::shortfall;
use part::Question;
use shortfall::Short;
use std::collections::{BTreeMap, HashMap};
use timers::{Timer, Timers};

/// The bounds of carts over several shards.
#[derive(Clone, Debug)]
pub struct CartSettings {
    /// Carts homed on one shard that may be undecided at once.
    pub undecided_max: usize,
    /// How long home waits for its parts.
    pub try_timeout: Millis,
    /// First pause before a message is sent again.
    pub resend: Millis,
    /// Longest such pause.
    pub resend_max: Millis,
    /// New attempts after crossing carts refused each other.
    pub retries: u32,
}

impl Default for CartSettings {
    fn default() -> Self {
        Self {
            undecided_max: 1024,
            try_timeout: Millis::from_secs(2),
            resend: Millis::new(100),
            resend_max: Millis::from_secs(10),
            retries: 3,
        }
    }
}

/// The carts that this shard is home or part of.
pub struct Carts {
    settings: CartSettings,
    /// Tries under way here, by the id they would give, or confirm late.
    tries: BTreeMap<ReservationId, Attempt>,
    /// Their idempotency keys, so that a repeat joins the try.
    by_key: HashMap<[u64; 2], ReservationId>,
    /// Decisions that parts have not all settled.
    drives: BTreeMap<ReservationId, Drive>,
    /// Holds here whose home has been, or will be, asked.
    questions: BTreeMap<u64, Question>,
    /// Holds here whose home has not heard of all that was shipped, with the pause until it is told
    /// again.
    reports: BTreeMap<u64, Millis>,
    /// Holds here without units, each with the time until which its home keeps it or need not be
    /// asked again to release it.
    short: BTreeMap<u64, Short>,
    timers: Timers,
}

impl Carts {
    /// None yet.
    pub fn new(settings: CartSettings) -> Self {
        Self {
            settings,
            tries: BTreeMap::new(),
            by_key: HashMap::new(),
            drives: BTreeMap::new(),
            questions: BTreeMap::new(),
            reports: BTreeMap::new(),
            short: BTreeMap::new(),
            timers: Timers::default(),
        }
    }

    /// A message from another shard.
    pub fn on_peer(&mut self, turn: &mut Turn<'_>, from: ShardIndex, message: PeerMessage) {
        match message {
            PeerMessage::Try(part, trace) => self.on_try(turn, from, *part, trace.as_deref()),
            PeerMessage::Held(held) => self.on_held(turn, from, *held),
            PeerMessage::Short(short) => self.on_short(turn, from, *short),
            PeerMessage::Ask { id, holds } => {
                let is_trying = self.tries.contains_key(&id);
                self.tell_fate(turn, from, id, &holds, is_trying);
            }
            PeerMessage::Decided(settles, trace) => {
                self.on_decided(turn, from, settles, trace.as_deref());
            }
            PeerMessage::Drop(drops, trace) => self.on_drop(turn, &drops, trace.as_deref()),
            PeerMessage::Settled { id, version, holds } => {
                self.on_settled(turn, from, id, version, &holds);
            }
            PeerMessage::Shipped(note) => self.on_shipped(turn, from, &note),
            PeerMessage::Told(note) => self.on_told(turn, note),
            PeerMessage::Shortfall { id, sku, hold } => {
                self.on_shortfall(turn, from, ReleaseShort { id, sku, hold });
            }
            PeerMessage::Kept { hold, until } => self.on_kept(turn, hold, until),
            PeerMessage::Reopened { shard } => self.on_reopened(turn, shard),
        }
    }

    /// A reservation with lines on other shards changed: they are told.
    pub fn after_local(&mut self, turn: &mut Turn<'_>, id: ReservationId, trace: Trace) {
        self.drive(turn, id, trace);
    }

    /// The shard was rebuilt: decisions are driven again, and tentative holds ask.
    pub fn reopened(&mut self, turn: &mut Turn<'_>) {
        let homes: Vec<ReservationId> = turn.engine().spread_homes().collect();
        for id in homes {
            // Parts ask about a cart that was only created.
            if turn
                .engine()
                .home_version(id)
                .is_some_and(|version| version > 1)
            {
                self.drive(turn, id, None);
            }
        }
        self.reports_reopened(turn);
        let holds: Vec<_> = turn.engine().foreign_holds().collect();
        for hold in holds {
            let at = if hold.is_bound {
                hold.deadline
            } else {
                turn.now()
            };
            self.ask_at(hold.number, at);
        }
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Time has passed: what was not answered is sent again, what took too long ends.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        for _ in 0..TIMERS_PER_TURN {
            let Some(timer) = self.timers.pop(turn.now()) else {
                return;
            };
            match timer {
                Timer::Try(id) => self.try_again(turn, id),
                Timer::Drive(id) => self.drive_again(turn, id),
                Timer::Question(number) => self.ask(turn, number),
                Timer::Report(number) => self.report_again(turn, number),
            }
        }
    }

    fn on_reopened(&mut self, turn: &mut Turn<'_>, shard: ShardIndex) {
        let tries: Vec<ReservationId> = self.tries.keys().copied().collect();
        for id in tries {
            self.send_tries(turn, id, Some(shard));
        }
        let drives: Vec<ReservationId> = self.drives.keys().copied().collect();
        for id in drives {
            self.send_decided(turn, id, Some(shard));
        }
        let questions: Vec<u64> = self.questions.keys().copied().collect();
        for number in questions {
            let hold = turn.engine().foreign_hold(number);
            if hold.is_some_and(|hold| turn.placement().home_of(hold.id) == shard) {
                self.ask(turn, number);
            }
        }
        self.send_reports(turn, shard);
    }
}

/// Timers served in one turn.
const TIMERS_PER_TURN: usize = 256;

/// A request without a key: a step of a cart.
const fn step(command: Command) -> Request {
    Request::of(command)
}

/// The same, which somebody's request brought about.
fn traced(command: Command, trace: Option<&TraceParent>) -> Request {
    Request {
        trace: trace.map(|trace| Box::new(*trace)),
        ..step(command)
    }
}
