//! A small world around an engine: a clock that the story moves, names for reservations, and
//! the journal of everything recorded.
//!
//! Deliberately absent: opinions. What the engine answers is handed on as it is.

mod moves;
mod restore;
mod supply;
mod tell;
mod translate;

pub(crate) use restore::{Snapshots, restore};
pub(crate) use tell::words;

use crate::model::{Moved, Told};
use crate::script::{Line, Verb};
use holdfast_core::{
    Decision, Engine, Event, EventList, Opening, Outcome, Policy, Reply, Request, ReservationId,
    Sku, SkuView, Timestamp,
};
use std::collections::BTreeMap;

/// Where every story starts.
pub(crate) const START: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// Entries that one sweep may forget.
const FORGET_PER_TURN: usize = 512;

/// Holds that one sweep may release because their units are gone.
const RELEASE_PER_TURN: usize = 2;

/// What is under test: an engine, or one with a fault planted around it.
pub(crate) trait Subject {
    /// The engine as it stands.
    fn engine(&self) -> &Engine;

    /// The engine, to be opened anew.
    fn engine_mut(&mut self) -> &mut Engine;

    /// As [`Engine::decide`].
    fn decide(&self, request: &Request, now: Timestamp) -> Decision {
        self.engine().decide(request, now)
    }

    /// As [`Engine::due`].
    fn due(&self, now: Timestamp) -> Option<EventList> {
        self.engine().due(now)
    }

    /// As [`Engine::forget`].
    fn forget(&self, now: Timestamp, limit: usize) -> Option<Event> {
        self.engine().forget(now, limit)
    }

    /// The sequence that a chunk taken now stands for.
    fn chunk_seq(&self) -> u64 {
        self.engine().seq()
    }

    /// As [`Engine::evolve`]. What is given was recorded before.
    fn evolve(&mut self, event: &Event) {
        self.engine_mut().evolve(event);
    }
}

/// The engine itself.
pub(crate) struct Plain(pub(crate) Engine);

impl Plain {
    pub(crate) fn new(policy: Policy) -> Self {
        Self(Engine::new(policy))
    }
}

impl Subject for Plain {
    fn engine(&self) -> &Engine {
        &self.0
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.0
    }
}

/// A subject, its clock and its journal.
pub(crate) struct World<S> {
    /// What is under test.
    pub(crate) subject: S,
    /// The wall clock.
    pub(crate) now: Timestamp,
    /// Everything recorded so far.
    pub(crate) journal: Vec<Event>,
    /// Chunks as a ledger would have them.
    chunks: Snapshots,
    /// What was minted last.
    counter: u64,
    names: BTreeMap<String, ReservationId>,
    /// Drifts in the order in which they opened.
    pub(crate) drifts: Vec<(ReservationId, Sku)>,
    /// How many reserves were asked for.
    pub(crate) reserves: usize,
    /// Commands that came with a key, in their order.
    pub(crate) keyed: Vec<Line>,
    /// Up to where a story has asked what was told of a SKU's supply.
    supplied: BTreeMap<String, usize>,
}

/// What a line of a story came to.
pub(crate) struct Turn {
    /// Recorded before the command could be decided, or by the timer.
    pub(crate) met: Vec<Event>,
    /// Recorded by the command.
    pub(crate) own: Vec<Event>,
    /// What was asked; nothing for lines that ask nothing.
    pub(crate) request: Option<Request>,
    /// What the caller was told.
    pub(crate) told: Option<Told>,
}

impl<S: Subject> World<S> {
    pub(crate) fn new(subject: S) -> Self {
        let (journal, names, keyed) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self {
            subject,
            now: START,
            journal,
            chunks: Snapshots::new(),
            counter: 0,
            names,
            drifts: Vec::new(),
            reserves: 0,
            keyed,
            supplied: BTreeMap::new(),
        }
    }

    /// The time by which the engine decides: ledger time goes on monotonically.
    pub(crate) fn ledger_time(&self) -> Timestamp {
        self.now.max(self.subject.engine().at())
    }

    /// Asks until lapsed reservations no longer stand in the way.
    pub(crate) fn ask(&mut self, request: Request) -> Turn {
        let mut met = Vec::new();
        loop {
            let Decision {
                events,
                outcome,
                read,
            } = self.subject.decide(&request, self.now);
            for event in &events {
                self.record(event);
            }
            assert!(
                read <= self.subject.engine().seq(),
                "an answer leans on what is not there"
            );
            if matches!(outcome, Outcome::Again) {
                assert!(
                    !events.is_empty(),
                    "deciding again without having recorded anything"
                );
                met.extend(events);
                continue;
            }
            let told = Some(self.told(outcome));
            return Turn {
                met,
                own: events.into_vec(),
                request: Some(request),
                told,
            };
        }
    }

    fn told(&self, outcome: Outcome) -> Told {
        match outcome {
            Outcome::Done(Reply::Reservation {
                id,
                created,
                replayed,
            }) => {
                let view = self.subject.engine().reservation(id, self.now);
                let view = Box::new(view.expect("it was answered, so it is there"));
                Told::Reservation {
                    view,
                    created,
                    replayed,
                }
            }
            Outcome::Done(Reply::Sku {
                sku,
                created,
                replayed,
            }) => Told::Sku {
                view: Box::new(self.sku(&sku)),
                created,
                replayed,
            },
            Outcome::Done(Reply::Location(name)) => {
                let mut known = self.subject.engine().locations();
                let record = known.find(|record| record.location == name);
                Told::Location(record.expect("it was just declared").clone())
            }
            Outcome::Done(Reply::Drift { id, replayed, .. }) => {
                let view = self.subject.engine().drift(id);
                let drift = Box::new(view.expect("it was answered, so it is there").drift);
                Told::Drift { drift, replayed }
            }
            Outcome::Done(Reply::Movement {
                id,
                sku,
                outcome,
                replayed,
            }) => {
                let drift = self.subject.engine().drift(id).map(|view| view.drift);
                Told::Movement(Moved {
                    id,
                    view: Box::new(self.sku(&sku)),
                    outcome,
                    applied: drift.as_ref().map(|drift| drift.expected),
                    drift: drift.map(|drift| drift.id),
                    replayed,
                })
            }
            Outcome::Refused { refusal, replayed } => Told::Refused { refusal, replayed },
            Outcome::Full(table) => Told::Full(table),
            outcome @ (Outcome::Done(Reply::Part(_))
            | Outcome::Again
            | Outcome::Undecided
            | Outcome::Unread
            | Outcome::AskParts { .. }) => panic!("not on one shard: {outcome:?}"),
        }
    }

    /// A SKU as it stands, without the position it stands for.
    pub(crate) fn sku(&self, sku: &Sku) -> SkuView {
        let view = self
            .subject
            .engine()
            .sku(sku)
            .expect("it was answered, so it is there");
        SkuView {
            seq: 0,
            at: Timestamp::ZERO,
            ..view
        }
    }

    /// The timer runs once: a bounded number of expiries, a bounded batch forgotten.
    pub(crate) fn sweep(&mut self) -> Vec<Event> {
        let mut recorded = Vec::new();
        for _ in 0..self.subject.engine().policy().expire_per_turn {
            let Some(events) = self.subject.due(self.now) else {
                break;
            };
            for event in events {
                self.record(&event);
                recorded.push(event);
            }
        }
        let short = self
            .subject
            .engine()
            .release_short(self.now, RELEASE_PER_TURN, |_| false);
        for event in short.events {
            self.record(&event);
            recorded.push(event);
        }
        if let Some(event) = self.subject.forget(self.now, FORGET_PER_TURN) {
            self.record(&event);
            recorded.push(event);
        }
        recorded
    }

    /// Takes up to `count` of the chunks that changed, as a ledger writes them between commits.
    pub(crate) fn take_chunks(&mut self, count: usize) {
        let seq = self.subject.chunk_seq();
        for _ in 0..count {
            let Some((id, state)) = self.subject.engine_mut().take_dirty_chunk() else {
                break;
            };
            self.chunks.insert(id, (seq, state));
        }
    }

    /// The state as it would be after a crash now: chunks as written, and the journal from
    /// where the oldest change is that no chunk has.
    pub(crate) fn recovered(&self) -> Engine {
        let engine = self.subject.engine();
        let from = engine.oldest_dirty().map_or(engine.seq(), |seq| seq - 1);
        restore(engine.policy().clone(), &self.chunks, &self.journal, from)
    }

    /// The shard stops and opens again.
    pub(crate) fn restart(&mut self) -> Event {
        *self.subject.engine_mut() = self.recovered();
        self.note_minted();
        let event = self.subject.engine().resume(self.now);
        self.record(&event);
        event
    }

    /// The shard that mints ids tells its engine how far it has come.
    fn note_minted(&mut self) {
        let next = self.counter + 1;
        self.subject.engine_mut().note_minted(opening(), next);
    }

    fn record(&mut self, event: &Event) {
        self.note_drifts(event);
        self.journal.push(event.clone());
        self.subject.evolve(event);
    }

    /// The name a story gave a reservation.
    pub(crate) fn name_of(&self, id: ReservationId) -> &str {
        let found = self.names.iter().find(|(_, other)| **other == id);
        found.map_or("?", |(name, _)| name)
    }

    /// The reservation that goes by a name.
    pub(crate) fn id_of(&self, name: &str) -> Option<ReservationId> {
        self.names.get(name).copied()
    }

    /// All names given so far.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }

    /// Runs one line and says in words what it came to.
    pub(crate) fn run(&mut self, line: &Line) -> (Turn, String) {
        let mut turn = Turn {
            met: Vec::new(),
            own: Vec::new(),
            request: None,
            told: None,
        };
        match line {
            Line::Policy(_) => panic!("bounds are set before the story starts"),
            Line::Ask(key, verb) => {
                self.reserves += usize::from(matches!(verb, Verb::Reserve(_)));
                if key.is_some() {
                    self.keyed.push(line.clone());
                }
                let request = self.request(key.as_deref(), verb);
                turn = self.ask(request);
                if let (Verb::Reserve(basket), Some(Told::Reservation { view, .. })) =
                    (verb, &turn.told)
                {
                    self.names.insert(basket.name.clone(), view.id);
                }
            }
            Line::Advance(ms) => {
                self.now = later(self.now, *ms);
                loop {
                    let events = self.sweep();
                    if events.is_empty() {
                        break;
                    }
                    turn.met.extend(events);
                }
            }
            Line::Wait(ms) => self.now = later(self.now, *ms),
            Line::Back(ms) => self.now = Timestamp::from_ms(self.now.ms() - ms),
            Line::Sweep => turn.met = self.sweep(),
            Line::Down(ms) => {
                self.now = later(self.now, *ms);
                turn.met.push(self.restart());
            }
            Line::Chunks(count) => self.take_chunks(*count as usize),
            Line::Show(_) | Line::Supply(_) => {}
        }
        let words = words(self, line, &turn);
        if let Line::Supply(sku) = line {
            self.supplied.insert(sku.clone(), self.journal.len());
        }
        (turn, words)
    }
}

/// All ids of a story come from one opening of the ledger.
fn opening() -> Opening {
    Opening::new(1).expect("the first opening")
}

fn later(now: Timestamp, ms: u64) -> Timestamp {
    Timestamp::from_ms(now.ms() + ms)
}
