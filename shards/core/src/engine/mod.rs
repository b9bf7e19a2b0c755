//! The engine of one shard.
//!
//! [`Engine::decide`] reads, [`Engine::evolve`] writes; between them stands an [`Event`].
//! Files beside this one: a file per command family decides, `evolve` applies, `due` finds
//! what time has brought, `chunks` takes state apart and puts it together, `invariants`
//! checks it, `render` shows it; the tables (`skus`, `homes`, `holds`, `keys`) store it.

mod cancel;
mod cart;
mod cart_told;
mod chain;
mod chunks;
mod configure;
mod confirm;
mod count;
mod deadline;
mod decisions;
mod dirty;
mod draft;
mod drifts;
mod due;
mod evolve;
mod facts;
mod feed;
mod holds;
mod homes;
mod invariants;
mod keys;
mod lapses;
mod late;
mod level;
mod life;
mod lists;
mod location;
mod look;
mod move_hold;
mod movement;
mod places;
mod queue;
mod release;
mod render;
mod reserve;
mod seen;
mod sheet;
mod ship_sale;
mod shipped;
mod shortfall;
mod skus;
mod slab;
mod source;
mod subtables;
mod supply;
mod take;

pub use cart_told::ForeignHold;
pub use due::Fill;
pub use evolve::FatalEvent;
pub use invariants::InvariantBroken;
pub use look::StreamPlace;
pub use seen::Seen;
pub use shortfall::ShortRelease;

use crate::command::{Command, HeldLine, LineUnits, Patch, Request};
use crate::event::{Effect, Event, EventList, KeyOutcome, KeyTag, KeyTarget};
use crate::id::ReservationId;
use crate::name::{Location, Sku};
use crate::policy::Policy;
use crate::refusal::{ExpiredReason, Refusal};
use crate::snapshot::{ChunkId, Shortage};
use crate::time::Timestamp;
use crate::trace::TraceParent;
use crate::view::Outcome as MovementOutcome;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};

/// The state of one shard: counters, reservations, holds and keys.
///
/// Invariants: INV-1 to INV-8 of the domain page; [`Engine::check`] proves them.
pub struct Engine {
    policy: Policy,
    seq: u64,
    at: Timestamp,
    skus: skus::Skus,
    homes: homes::Homes,
    holds: holds::Holds,
    keys: keys::Keys,
    /// Where drifts, messages and streams lie.
    life: life::LifeIndex,
    /// Earliest deadline of each SKU and location that has local holds.
    lapses: lapses::Firsts,
    /// Levels with fewer units on hand than are held, and whether their SKU's policy is to release.
    short: BTreeMap<skus::LevelKey, bool>,
    /// Chunks that changed since their last snapshot, by the sequence that first did.
    dirty: VecDeque<(u64, ChunkId)>,
    shard_is_dirty: bool,
    /// Ids below this opening and counter have been minted.
    minted: (u32, u64),
}

/// What [`Engine::decide`] came to. Nothing has changed yet.
#[derive(Debug)]
pub struct Decision {
    /// Events to evolve and record, in order.
    pub events: EventList,
    /// What to answer.
    pub outcome: Outcome,
    /// The highest sequence the outcome leans on; it may be told once that is durable.
    pub read: u64,
}

/// The outcome of a decision.
#[derive(Debug)]
pub enum Outcome {
    /// Done; render the reply after evolving.
    Done(Reply),
    /// No.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Whether it repeats a recorded one.
        replayed: bool,
    },
    /// Lapsed reservations stood in the way: evolve their expiry, then decide again.
    Again,
    /// A table is full.
    Full(&'static str),
    /// Units that carts over several shards have not decided yet stand in the way.
    Undecided,
    /// It is no repeat, and leans on what was not read for it: the past, or what another shard knows.
    Unread,
    /// A late confirm needs units on other shards: hold these anew, then `ConfirmLate`. Or a move
    /// needs them at another location of theirs: hold these there, then `MoveHeld`.
    AskParts {
        /// Per line on another shard: its place, and what to take again.
        lines: Vec<(usize, LineUnits)>,
    },
}

/// What to show, rendered from the state after the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A reservation.
    Reservation {
        /// Which.
        id: ReservationId,
        /// Whether it was created by this command.
        created: bool,
        /// Whether this is a repeat.
        replayed: bool,
    },
    /// A SKU.
    Sku {
        /// Which.
        sku: Sku,
        /// Whether it was created by this command.
        created: bool,
        /// Whether this is a repeat.
        replayed: bool,
    },
    /// A movement.
    Movement {
        /// Which.
        id: ReservationId,
        /// Of what.
        sku: Sku,
        /// What came of it.
        outcome: MovementOutcome,
        /// Whether this is a repeat.
        replayed: bool,
    },
    /// A drift.
    Drift {
        /// Which.
        id: ReservationId,
        /// Of what.
        sku: Sku,
        /// Whether this is a repeat.
        replayed: bool,
    },
    /// A location.
    Location(Location),
    /// A step of a cart.
    Part(PartHold),
}

/// What a part holds for a cart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHold {
    /// The holds it took.
    pub held: Vec<HeldLine>,
    /// What it could not grant (best effort).
    pub shortages: Vec<Shortage>,
}

/// What a cart's home says of its own lines before it asks the parts.
#[derive(Debug)]
pub enum OwnCheck {
    /// They can be held.
    Free,
    /// They can't.
    Refused(Refusal),
    /// Evolve this expiry, then check again.
    Again(Vec<Event>),
}

impl Engine {
    /// An empty engine.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            seq: 0,
            at: Timestamp::ZERO,
            skus: skus::Skus::default(),
            homes: homes::Homes::default(),
            holds: holds::Holds::default(),
            keys: keys::Keys::default(),
            life: life::LifeIndex::default(),
            lapses: lapses::Firsts::default(),
            short: BTreeMap::new(),
            dirty: VecDeque::new(),
            shard_is_dirty: false,
            minted: (0, 0),
        }
    }

    /// The sequence of the last event evolved.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Ledger time of the last event evolved.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The bounds it decides by.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decides a request. Pure: the same state, request and time give the same decision.
    pub fn decide(&self, request: &Request, now: Timestamp) -> Decision {
        let now = now.max(self.at);
        if let Some(tag) = &request.key {
            if let Some(decision) = self.repeat(tag) {
                return decision;
            }
            if self.keys.len() >= self.keys_bound(&request.command) {
                return Decision::outcome(Outcome::Full("keys"), self.seq);
            }
        }
        let is_reserve = matches!(request.command, Command::Reserve(_));
        if is_reserve && request.trace.is_none() {
            return self.decide_command(&request.command, request.key.as_ref(), now);
        }
        let mut decision = self.decide_command(&request.command, request.key.as_ref(), now);
        // A reserve has looked by itself: most know at once that they cross nothing.
        if !is_reserve {
            self.add_crossings(&mut decision);
        }
        if let Some(trace) = request.trace.as_deref() {
            decision.traced(*trace);
        }
        decision
    }

    /// Decides a command whose key is no repeat.
    fn decide_command(&self, command: &Command, key: Option<&KeyTag>, now: Timestamp) -> Decision {
        match command {
            Command::Configure(command) => self.decide_configure(command, key, now),
            Command::Movement(command) => self.decide_movement(command, key, now),
            Command::Location(command) => self.decide_location(command, now),
            Command::LiftStream(command) => self.decide_lift_stream(command, key, now),
            Command::OpenDrift(command) => self.decide_open_drift(command, key, now),
            Command::DecideDrift(command) => self.decide_drift(command, key, now),
            Command::Correct(command) => self.decide_correct(command, key, now),
            Command::Reserve(command) => self.decide_reserve(command, key, now),
            Command::Confirm(command) => self.decide_confirm(command, key, now),
            Command::Release(command) => self.decide_release(command, key, now),
            Command::Cancel(command) => self.decide_cancel(command, key, now),
            Command::Extend(command) => self.decide_extend(command, key, now),
            Command::Pin(command) => self.decide_pin(command, key, now),
            Command::MoveHold(command) => self.decide_move_hold(command, key, now),
            Command::Try(command) => self.decide_try(command, now),
            Command::CreateCart(command) => self.decide_create_cart(command, key, now),
            Command::ConfirmLate(command) => self.decide_confirm_late(command, key, now),
            Command::MoveHeld(command) => self.decide_move_held(command, key, now),
            Command::NoteShipped(command) => self.decide_note_shipped(command, now),
            Command::NoteTold(command) => self.decide_note_told(command, now),
            Command::ReleaseShort(command) => self.decide_release_short(command, now),
            Command::RefuseLate(command, why) => self.decide_refuse_late(command, *why, key, now),
            Command::CloseCart(id) => self.decide_close_cart(*id, now),
            Command::Settle(command) => self.decide_settle(command, now),
            Command::DropHold(command) => self.decide_drop_hold(command, now),
        }
    }

    /// How far a command may fill the table of keys. The last fifth is kept for what ends or pins a
    /// hold and for pausing a sale, so that a payment never waits for a table that others have
    /// filled. Extends come as often as a caller likes, so they may take half of that.
    fn keys_bound(&self, command: &Command) -> usize {
        let (max, kept) = (self.policy.keys_max, self.policy.keys_kept());
        match command {
            Command::Confirm(_)
            | Command::ConfirmLate(_)
            | Command::RefuseLate(..)
            | Command::Release(_)
            | Command::Cancel(_)
            | Command::Correct(_)
            | Command::Pin(_) => max,
            Command::Configure(configure) if configure.paused != Patch::Keep => max,
            Command::Extend(_) => max - kept / 2,
            Command::Configure(_)
            | Command::Movement(_)
            | Command::Location(_)
            | Command::LiftStream(_)
            | Command::OpenDrift(_)
            | Command::DecideDrift(_)
            | Command::MoveHold(_)
            | Command::MoveHeld(_)
            | Command::NoteShipped(_)
            | Command::NoteTold(_)
            | Command::ReleaseShort(_)
            | Command::Reserve(_)
            | Command::CreateCart(_)
            | Command::Try(_)
            | Command::CloseCart(_)
            | Command::Settle(_)
            | Command::DropHold(_) => max - kept,
        }
    }

    /// Looks up what a message's requests will look up, for nothing but the caches: keys and SKUs are
    /// random places in large tables, and places that are fetched one right after the other are
    /// waited for together. Changes and decides nothing. Says how many are known.
    pub fn warm<'a>(&self, requests: impl Iterator<Item = &'a Request>) -> usize {
        let known = |request: &Request| {
            let key = request.key.as_ref().and_then(|tag| self.keys.find(tag));
            let lines = match &request.command {
                Command::Reserve(reserve) => &reserve.lines[..],
                _ => &[],
            };
            let skus = lines
                .iter()
                .filter_map(|line| self.skus.find_known(&line.sku));
            let stocked = skus.filter(|(_, entry)| !entry.levels.is_empty());
            usize::from(key.is_some()) + stocked.count()
        };
        requests.map(known).sum()
    }

    /// Looks up the SKUs of events that are to be replayed next, as [`Engine::warm`] does for
    /// requests. Says how many are known.
    pub fn warm_events<'a>(&self, events: impl Iterator<Item = &'a Event>) -> usize {
        let plain = |effect: &'a Effect| match effect {
            Effect::Reserved(reserved) => Some(&reserved.sku),
            _ => None,
        };
        let skus = events.flat_map(move |event| event.effects.iter().filter_map(plain));
        self.warm_skus(skus)
    }

    /// Looks up these SKUs for the caches. Says how many are known.
    pub(crate) fn warm_skus<'a>(&self, skus: impl Iterator<Item = &'a Sku>) -> usize {
        let known = skus.filter_map(|sku| self.skus.find_known(sku));
        known.filter(|(_, entry)| !entry.levels.is_empty()).count()
    }

    /// Whether a key is known here, and with which content: a repeat, or a misuse.
    pub fn repeat(&self, tag: &KeyTag) -> Option<Decision> {
        let (index, key) = self.keys.find(tag)?;
        if key.tag.content != tag.content {
            return Some(Decision::refused(Refusal::KeyReused, self.seq));
        }
        let replayed = true;
        let outcome = key.outcome();
        let target = self.key_target(self.keys.target(index, key))?;
        // The event that kept the key touched its target too, so the target's sequence tells.
        let (read, outcome) = match &target {
            KeyTarget::Reservation(id) => {
                let read = self.homes.get(*id).map_or(self.seq, |home| home.seq);
                (read, self.repeat_of(*id, outcome))
            }
            KeyTarget::Sku(sku) => {
                let created = outcome == KeyOutcome::SkuCreated;
                let reply = Reply::Sku {
                    sku: sku.clone(),
                    created,
                    replayed,
                };
                (self.sku_seq(sku), Outcome::Done(reply))
            }
            KeyTarget::Movement(id, sku) => {
                let (id, sku) = (*id, sku.clone());
                let read = self.sku_seq(&sku);
                let reply = match MovementOutcome::of_key(outcome) {
                    Some(outcome) => Reply::Movement {
                        id,
                        sku,
                        outcome,
                        replayed,
                    },
                    None => Reply::Drift { id, sku, replayed },
                };
                (read, Outcome::Done(reply))
            }
        };
        Some(Decision::outcome(outcome, read))
    }

    fn repeat_of(&self, id: ReservationId, outcome: KeyOutcome) -> Outcome {
        if self.homes.get(id).is_none() {
            let refusal = Refusal::ReservationForgotten(id);
            return Outcome::Refused {
                refusal,
                replayed: true,
            };
        }
        if let Some(reason) = ExpiredReason::of_outcome(outcome) {
            let refusal = self.expired_refusal(id, reason);
            Outcome::Refused {
                refusal,
                replayed: true,
            }
        } else {
            let created = outcome == KeyOutcome::Created;
            Outcome::Done(Reply::Reservation {
                id,
                created,
                replayed: true,
            })
        }
    }

    fn sku_seq(&self, sku: &Sku) -> u64 {
        self.skus
            .find(sku)
            .map_or(0, |index| self.skus.get(index).seq)
    }
}

impl Decision {
    fn outcome(outcome: Outcome, read: u64) -> Self {
        Self {
            events: SmallVec::new(),
            outcome,
            read,
        }
    }

    fn refused(refusal: Refusal, read: u64) -> Self {
        Self::outcome(
            Outcome::Refused {
                refusal,
                replayed: false,
            },
            read,
        )
    }

    fn reservation(event: Event, id: ReservationId, created: bool) -> Self {
        let reply = Reply::Reservation {
            id,
            created,
            replayed: false,
        };
        Self::with(event, Outcome::Done(reply))
    }

    fn with(event: Event, outcome: Outcome) -> Self {
        let read = event.seq;
        Self {
            events: SmallVec::from_buf([event]),
            outcome,
            read,
        }
    }

    /// Notes in its events where the request stood in its caller's trace. What was met on the way
    /// is not the request's.
    fn traced(&mut self, trace: TraceParent) {
        if !self.is_again() {
            for event in &mut self.events {
                event.note.get_or_insert_default().trace = Some(trace);
            }
        }
    }

    /// The state already is what the command asks for.
    fn as_it_stands(id: ReservationId, read: u64) -> Self {
        let reply = Reply::Reservation {
            id,
            created: false,
            replayed: false,
        };
        Self::outcome(Outcome::Done(reply), read)
    }
}
