//! Planted bugs: every property is shown to be able to fail.
//!
//! Each test plants a fault around the engine and watches one kind of property alone; random
//! histories must turn it red, and for the right reason. A property that misses its bug is
//! worse than none.

#![allow(
    dead_code,
    reason = "each test crate uses its part of the shared rooms"
)]

mod arena;
mod model;
mod planted;
mod script;
mod world;

use arena::{Duel, Fault, Theme, Watch, history};
use holdfast_core::{
    Command, Counter, Counters, Decision, DriftState, Effect, Engine, Event, EventKind, EventList,
    Millis, Policy, Request, StockEffect, Timestamp,
};
use planted::{cancel_one_more, cross_twice, one_less, release_quietly};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use world::{Plain, Subject};

/// A fault, and where it sits.
#[derive(Clone, Copy, Debug)]
enum Planted {
    /// Units that are released stay reserved in memory; the journal is right.
    LosesReleases,
    /// One unit more than there is can be reserved.
    GrantsOneTooMany,
    /// Deadlines pass a millisecond early.
    ExpiresEarly,
    /// The timer fires a millisecond early.
    SweepsEarly,
    /// A repeated key has a second effect.
    ForgetsKeys,
    /// A key is repeated whatever the content.
    IgnoresContent,
    /// Ended reservations and keys are dropped half a minute early.
    ForgetsEarly,
    /// A message of a source's stream is booked whenever it comes.
    ForgetsFeeds,
    /// Units that come back are not counted as a flow.
    LosesReturns,
    /// Where all that was sold has left, a unit more has.
    ShipsOneTooMany,
    /// What is written off to the last unit is a unit more.
    WritesOffOneTooMany,
    /// A count corrects what is there, and not what was adjusted.
    CountsWithoutTrace,
    /// Units that are transferred leave, and never arrive.
    LosesArrivals,
    /// A hold moves, and its units stay reserved where it was.
    MovesWithoutItsUnits,
    /// Where all that was confirmed is cancelled, a unit more is.
    CancelsOneTooMany,
    /// How far a source's stream has come is not kept.
    LosesStreams,
    /// When a place was counted is not kept.
    LosesCounts,
    /// What does not fit opens no drift.
    LosesDrifts,
    /// A drift stays open whatever was decided.
    LosesDecisions,
    /// A crossing is told twice.
    CrossesTwice,
    /// What is released crosses nothing.
    ReleasesQuietly,
    /// What a crossing came to is not kept.
    LosesSupplies,
    /// From where on a SKU is replenished is not kept.
    LosesMarks,
    /// A chunk claims to have seen one event more than it has.
    ChunkClaimsMore,
}

struct Mutant {
    engine: Engine,
    planted: Planted,
}

impl Subject for Mutant {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    fn decide(&self, request: &Request, now: Timestamp) -> Decision {
        let mut request = request.clone();
        match self.planted {
            Planted::GrantsOneTooMany => return self.grant_one_too_many(&request, now),
            Planted::ExpiresEarly => return self.engine.decide(&request, early(now)),
            Planted::ForgetsKeys => request.key = None,
            Planted::IgnoresContent => {
                if let Some(key) = &mut request.key {
                    key.content = 0;
                }
            }
            Planted::ForgetsFeeds => {
                if let Command::Movement(movement) = &mut request.command {
                    (movement.feed, movement.message) = (None, None);
                }
            }
            Planted::LosesReleases
            | Planted::LosesReturns
            | Planted::ShipsOneTooMany
            | Planted::WritesOffOneTooMany
            | Planted::CountsWithoutTrace
            | Planted::LosesArrivals
            | Planted::MovesWithoutItsUnits
            | Planted::CancelsOneTooMany
            | Planted::LosesStreams
            | Planted::LosesCounts
            | Planted::LosesDrifts
            | Planted::LosesDecisions
            | Planted::SweepsEarly
            | Planted::ForgetsEarly
            | Planted::CrossesTwice
            | Planted::ReleasesQuietly
            | Planted::LosesSupplies
            | Planted::LosesMarks
            | Planted::ChunkClaimsMore => {}
        }
        let mut decision = self.engine.decide(&request, now);
        match self.planted {
            Planted::CrossesTwice => cross_twice(&mut decision),
            Planted::ReleasesQuietly => release_quietly(&mut decision),
            _ => {}
        }
        decision
    }

    fn due(&self, now: Timestamp) -> Option<EventList> {
        match self.planted {
            Planted::SweepsEarly => self.engine.due(early(now)),
            _ => self.engine.due(now),
        }
    }

    fn forget(&self, now: Timestamp, limit: usize) -> Option<Event> {
        match self.planted {
            Planted::ForgetsEarly => {
                let event = self.engine.forget(now.after(Millis::from_secs(30)), limit);
                event.map(|event| Event {
                    at: now.max(self.engine.at()),
                    ..event
                })
            }
            _ => self.engine.forget(now, limit),
        }
    }

    fn chunk_seq(&self) -> u64 {
        match self.planted {
            Planted::ChunkClaimsMore => self.engine.seq() + 1,
            _ => self.engine.seq(),
        }
    }

    fn evolve(&mut self, event: &Event) {
        let mut event = event.clone();
        let (planted, kind) = (self.planted, event.kind);
        event
            .effects
            .retain(|effect| !is_lost(planted, kind, effect));
        for effect in &mut event.effects {
            match effect {
                Effect::Stock(stock) => self.change_stock(kind, stock),
                Effect::HomeChanged(change) if matches!(planted, Planted::CancelsOneTooMany) => {
                    cancel_one_more(change);
                }
                Effect::Sku(change) if matches!(planted, Planted::LosesMarks) => {
                    change.config.replenished_at = None;
                }
                Effect::Drift(drift) if matches!(planted, Planted::LosesDecisions) => {
                    drift.state = DriftState::Open;
                }
                _ => {}
            }
        }
        self.engine.evolve(&event);
    }
}

/// Whether an effect never reaches the state.
fn is_lost(planted: Planted, kind: EventKind, effect: &Effect) -> bool {
    match planted {
        Planted::LosesReleases => {
            kind == EventKind::ReservationReleased && matches!(effect, Effect::Stock(_))
        }
        Planted::MovesWithoutItsUnits => {
            kind == EventKind::ReservationMoved && matches!(effect, Effect::Stock(_))
        }
        Planted::LosesStreams => matches!(effect, Effect::Stream(_)),
        Planted::LosesCounts => matches!(effect, Effect::Counted(_)),
        Planted::LosesDrifts => matches!(effect, Effect::Drift(_)),
        Planted::LosesSupplies => matches!(effect, Effect::Supply(_)),
        _ => false,
    }
}

impl Mutant {
    fn change_stock(&self, kind: EventKind, stock: &mut StockEffect) {
        let view = self.engine.sku(&stock.sku);
        let levels = view.iter().flat_map(|view| &view.levels);
        let mut own = levels.filter(|(location, _)| *location == stock.location);
        let mut after = own
            .next()
            .map_or_else(Counters::default, |(_, own)| own.clone());
        let before = after.clone();
        for (counter, value) in &stock.counters {
            after.set(*counter, *value);
        }
        let is_all_gone = after.get(Counter::Shipped) == after.get(Counter::Sold);
        let is_last = after.get(Counter::OnHand) == 0 && before.get(Counter::OnHand) > 0;
        let is_arrival = before.get(Counter::Transferred) < after.get(Counter::Transferred);
        for (counter, value) in &mut stock.counters {
            match (self.planted, kind, *counter) {
                (Planted::LosesReturns, EventKind::StockReturned, Counter::ReturnsReceived) => {
                    *value -= 1;
                }
                (Planted::ShipsOneTooMany, EventKind::StockShipped, Counter::Shipped) => {
                    *value += i64::from(is_all_gone);
                }
                (Planted::WritesOffOneTooMany, EventKind::StockWrittenOff, Counter::OnHand) => {
                    *value -= i64::from(is_last);
                }
                (Planted::WritesOffOneTooMany, EventKind::StockWrittenOff, Counter::WrittenOff) => {
                    *value += i64::from(is_last);
                }
                (Planted::CountsWithoutTrace, EventKind::StockCounted, Counter::Adjusted) => {
                    *value = before.get(Counter::Adjusted);
                }
                (Planted::LosesArrivals, EventKind::StockTransferred, _) if is_arrival => {
                    *value = before.get(*counter);
                }
                _ => {}
            }
        }
    }
}

fn early(now: Timestamp) -> Timestamp {
    now.after(Millis::new(1))
}

impl Mutant {
    /// Where a unit is missing, it asks for one less and writes one more.
    fn grant_one_too_many(&self, request: &Request, now: Timestamp) -> Decision {
        let honest = self.engine.decide(request, now);
        let Some(less) = one_less(request, &honest) else {
            return honest;
        };
        let mut decision = self.engine.decide(&less, now);
        for effect in decision
            .events
            .iter_mut()
            .flat_map(|event| &mut event.effects)
        {
            match effect {
                Effect::Reserved(new) => {
                    new.units += 1;
                    new.reserved += 1;
                }
                Effect::HomeCreated(home) => {
                    home.lines[0].requested += 1;
                    home.lines[0].units += 1;
                }
                Effect::HoldCreated(hold) => {
                    hold.requested += 1;
                    hold.units += 1;
                }
                Effect::Stock(stock) => {
                    for (counter, value) in &mut stock.counters {
                        *value += i64::from(*counter == Counter::Reserved);
                    }
                }
                _ => {}
            }
        }
        decision
    }
}

/// How many histories a fault may take to be noticed.
const HISTORIES: usize = 400;

/// Plays random histories on the subject until one turns red.
fn first_fault<S: Subject>(subject: impl Fn(Engine) -> S, watch: Watch) -> Option<Fault> {
    let policy = Policy {
        ttl_default: Millis::from_secs(10),
        retention: Millis::from_secs(60),
        key_retention: Millis::from_secs(45),
        order_retention: Millis::from_secs(120),
        ..Policy::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let histories = history(Theme::All, 60);
    (0..HISTORIES).find_map(|_| {
        let steps = histories
            .new_tree(&mut runner)
            .expect("histories can be made")
            .current();
        let mut duel = Duel::new(subject(Engine::new(policy.clone())), watch);
        duel.play(&steps).err()
    })
}

fn is_seen_by(planted: Planted, watch: Watch, expected: fn(&Fault) -> bool) {
    let fault = first_fault(|engine| Mutant { engine, planted }, watch);
    let fault = fault.unwrap_or_else(|| panic!("{planted:?} was not noticed by {watch:?}"));
    assert!(
        expected(&fault),
        "{planted:?} turned {watch:?} red for another reason: {fault}"
    );
}

fn differs(fault: &Fault) -> bool {
    matches!(fault, Fault::Differs(_))
}

/// Whether an invariant of this number is what broke.
fn breaks(fault: &Fault, words: &str) -> bool {
    matches!(fault, Fault::Broken(text) | Fault::Panicked(text) if text.contains(words))
}

#[test]
fn units_lost_in_a_release_are_noticed_by_every_property_that_looks_at_state() {
    is_seen_by(Planted::LosesReleases, Watch::Outcomes, differs);
    is_seen_by(Planted::LosesReleases, Watch::Invariants, |fault| {
        breaks(fault, "INV-2")
    });
    is_seen_by(Planted::LosesReleases, Watch::Replay, |fault| {
        matches!(fault, Fault::Replay(_))
    });
    is_seen_by(Planted::LosesReleases, Watch::Snapshots, |fault| {
        matches!(fault, Fault::Snapshot(_))
    });
}

#[test]
fn one_unit_too_many_is_noticed_by_the_model_and_by_the_invariant() {
    is_seen_by(Planted::GrantsOneTooMany, Watch::Outcomes, differs);
    is_seen_by(Planted::GrantsOneTooMany, Watch::Invariants, |fault| {
        breaks(fault, "INV-3")
    });
}

#[test]
fn a_deadline_that_passes_early_is_noticed() {
    is_seen_by(Planted::ExpiresEarly, Watch::Outcomes, differs);
    is_seen_by(Planted::SweepsEarly, Watch::Invariants, |fault| {
        breaks(fault, "before its time")
    });
}

#[test]
fn a_key_with_a_second_effect_or_for_other_content_is_noticed() {
    is_seen_by(Planted::ForgetsKeys, Watch::Outcomes, differs);
    is_seen_by(Planted::IgnoresContent, Watch::Outcomes, differs);
}

#[test]
fn a_message_that_is_booked_twice_is_noticed() {
    is_seen_by(Planted::ForgetsFeeds, Watch::Outcomes, differs);
}

#[test]
fn units_that_come_from_nowhere_break_conservation() {
    is_seen_by(Planted::LosesReturns, Watch::Invariants, |fault| {
        breaks(fault, "INV-4")
    });
}

#[test]
fn a_count_that_leaves_no_trace_breaks_conservation() {
    is_seen_by(Planted::CountsWithoutTrace, Watch::Invariants, |fault| {
        breaks(fault, "INV-4")
    });
}

#[test]
fn units_that_leave_and_never_arrive_break_conservation() {
    is_seen_by(Planted::LosesArrivals, Watch::Invariants, |fault| {
        breaks(fault, "INV-4")
    });
}

#[test]
fn a_unit_written_off_that_was_not_there_is_noticed() {
    is_seen_by(Planted::WritesOffOneTooMany, Watch::Invariants, |fault| {
        breaks(fault, "INV-1")
    });
}

#[test]
fn a_hold_that_moves_without_its_units_is_noticed() {
    is_seen_by(Planted::MovesWithoutItsUnits, Watch::Invariants, |fault| {
        breaks(fault, "INV-2")
    });
}

#[test]
fn more_cancelled_than_was_confirmed_is_noticed() {
    is_seen_by(Planted::CancelsOneTooMany, Watch::Invariants, |fault| {
        breaks(fault, "INV-5")
    });
}

#[test]
fn more_shipped_than_was_sold_is_noticed() {
    is_seen_by(Planted::ShipsOneTooMany, Watch::Invariants, |fault| {
        breaks(fault, "INV-8")
    });
}

/// What has no number is seen by the model, and by every rebuilding of the state, if it is not missed
/// before in the answer that should show it.
fn is_missed(planted: Planted) {
    is_seen_by(planted, Watch::Outcomes, differs);
    is_seen_by(planted, Watch::Replay, |fault| {
        matches!(fault, Fault::Replay(_)) || breaks(fault, "it was answered, so it is there")
    });
}

#[test]
fn streams_counts_and_drifts_that_are_not_kept_are_noticed() {
    is_missed(Planted::LosesStreams);
    is_missed(Planted::LosesCounts);
    is_missed(Planted::LosesDrifts);
    is_missed(Planted::LosesDecisions);
}

#[test]
fn a_threshold_told_twice_or_not_when_units_are_released_is_noticed() {
    is_seen_by(Planted::CrossesTwice, Watch::Outcomes, differs);
    is_seen_by(Planted::ReleasesQuietly, Watch::Outcomes, differs);
    is_missed(Planted::LosesSupplies);
    is_missed(Planted::LosesMarks);
}

#[test]
fn forgetting_before_its_time_is_noticed() {
    is_seen_by(Planted::ForgetsEarly, Watch::Invariants, |fault| {
        breaks(fault, "before")
    });
}

#[test]
fn a_chunk_that_claims_more_than_it_has_seen_is_noticed() {
    is_seen_by(Planted::ChunkClaimsMore, Watch::Snapshots, |fault| {
        matches!(fault, Fault::Snapshot(_) | Fault::Panicked(_))
    });
}

#[test]
fn the_engine_itself_passes_the_histories_that_turn_the_mutants_red() {
    assert_eq!(first_fault(Plain, Watch::Everything), None);
}
