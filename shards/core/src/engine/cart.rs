//! Steps of a cart over several shards: a part holds, settles or drops; home records.
//!
//! A part never ends a hold by itself, and home alone decides. The messages between shards,
//! and the tries that live in memory only, are the runtime's.

use super::chain::Chain;
use super::homes::HomeRef;
use super::reserve::NewHold;
use super::source::{Ask, Miss, Sourced};
use super::{Decision, Engine, Outcome, OwnCheck, PartHold, Reply};
use crate::command::{CreateCart, DropHold, HeldLine, Mode, Settle, Try};
use crate::drift::DriftRecord;
use crate::event::{Effect, Event, EventKind, HoldChange, KeyTag, Note, Versions};
use crate::id::ReservationId;
use crate::name::Text;
use crate::refusal::{Refusal, ShortLine};
use crate::snapshot::{HoldPhase, Shortage, ShortageReason};
use crate::stock::Counter;
use crate::time::Timestamp;
use smallvec::SmallVec;

impl Engine {
    /// A part takes tentative holds. A repeated try gets the holds it made before.
    pub(super) fn decide_try(&self, command: &Try, now: Timestamp) -> Decision {
        if let Some(numbers) = self.holds.tries.get(&(command.id, command.attempt)) {
            let held = numbers
                .iter()
                .filter_map(|number| self.held_line(*number))
                .collect();
            let part = PartHold {
                held,
                shortages: Vec::new(),
            };
            return Decision::outcome(Outcome::Done(Reply::Part(part)), self.seq);
        }
        for settle in command.late.iter().flatten() {
            if let Some(event) = self.settling(settle, now) {
                return Decision {
                    outcome: Outcome::Again,
                    ..Decision::with_all(event)
                };
            }
        }
        let ask = Ask {
            lines: command.lines.iter().collect(),
            customer: command.customer.as_ref(),
            mode: command.mode,
            replaced: None,
            late: command.late.as_ref().map(|_| command.id.at()),
            now,
        };
        let sourced = match self.source(&ask) {
            Ok(sourced) => sourced,
            Err(miss) => return self.miss(miss, now),
        };
        let mut draft = self.draft(EventKind::CartHeld, now);
        let new = NewHold {
            id: command.id,
            attempt: command.attempt,
            phase: HoldPhase::Tentative,
            deadline: command.deadline,
            customer: command.customer.as_ref(),
        };
        let mut held = Vec::new();
        for take in &sourced.takes {
            let record = self.hold(&mut draft, take, &new);
            held.push(HeldLine {
                sku: record.sku.clone(),
                location: record.location.clone(),
                requested: record.requested,
                units: record.units,
                hold: record.number,
            });
            draft.effect(Effect::HoldCreated(Box::new(record)));
        }
        let part = PartHold {
            held,
            shortages: sourced.shortages,
        };
        Decision::with(draft.finish(None), Outcome::Done(Reply::Part(part)))
    }

    /// What home's own lines say, before the parts are asked.
    pub fn check_own(&self, command: &CreateCart, now: Timestamp) -> OwnCheck {
        let now = now.max(self.at);
        match self.cart_terms(command, now) {
            Ok(_) => {}
            Err(decision) => return own_check(*decision),
        }
        match self.source_own(command, now) {
            Ok(_) => OwnCheck::Free,
            Err(miss) => own_check(self.miss(miss, now)),
        }
    }

    /// Home records a cart whose parts are all held.
    pub(super) fn decide_create_cart(
        &self,
        command: &CreateCart,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let terms = match self.cart_terms(command, now) {
            Ok(terms) => terms,
            Err(decision) => return *decision,
        };
        let (sourced, cut) = match self.source_own(command, now) {
            Ok(own) => own,
            Err(miss) => return self.miss(miss, now),
        };
        if sourced.takes.is_empty() && command.held.is_empty() {
            // What the parts were refused for is the runtime's to add.
            let nothing = || command.shortages.iter().map(nothing_of).collect();
            let refusal = cut.unwrap_or_else(|| Refusal::InsufficientStock(nothing()));
            return Decision::refused(refusal, self.seq);
        }
        if self.homes.len() >= self.policy.reservations_max {
            return Decision::outcome(Outcome::Full("reservations"), self.seq);
        }
        let (held, shortages) = (&command.held, &command.shortages);
        let event = self.create(&command.reserve, &terms, sourced, held, shortages, key, now);
        Decision::reservation(event, command.reserve.id, true)
    }

    fn cart_terms(
        &self,
        command: &CreateCart,
        now: Timestamp,
    ) -> Result<super::reserve::Terms<'_>, Box<Decision>> {
        let terms = self.reserve_terms(&command.reserve, now)?;
        match terms.replaced {
            Some((place, home)) => {
                let refusal = Refusal::ReplaceAcrossShards(home.id(place));
                Err(Box::new(Decision::refused(refusal, home.seq)))
            }
            None => Ok(terms),
        }
    }

    /// What covers home's own lines; where best effort can grant none of them, also why.
    fn source_own(
        &self,
        command: &CreateCart,
        now: Timestamp,
    ) -> Result<(Sourced, Option<Refusal>), Miss> {
        let nothing = || Sourced {
            takes: SmallVec::new(),
            shortages: Vec::new(),
        };
        if command.own.is_empty() {
            return Ok((nothing(), None));
        }
        let reserve = &command.reserve;
        let ask = Ask {
            lines: command.own.iter().map(|at| &reserve.lines[*at]).collect(),
            customer: reserve.customer.as_ref(),
            mode: reserve.mode,
            replaced: None,
            late: None,
            now,
        };
        match self.source(&ask) {
            Err(Miss::Refused(refusal, _)) if reserve.mode == Mode::BestEffort => {
                match refusal.as_shortage() {
                    Some(reason) => {
                        let shortages = all_short(&ask, reason);
                        Ok((
                            Sourced {
                                shortages,
                                ..nothing()
                            },
                            Some(refusal),
                        ))
                    }
                    None => Err(Miss::Refused(refusal, self.seq)),
                }
            }
            other => other.map(|sourced| (sourced, None)),
        }
    }

    /// A part brings a hold to what its home decided.
    pub(super) fn decide_settle(&self, command: &Settle, now: Timestamp) -> Decision {
        let done = Outcome::Done(Reply::Part(PartHold::default()));
        match self.settling(command, now) {
            Some(events) => Decision {
                outcome: done,
                ..Decision::with_all(events)
            },
            None => Decision::outcome(done, self.seq),
        }
    }

    /// The events of a settlement, unless the hold is gone or already there.
    fn settling(&self, command: &Settle, now: Timestamp) -> Option<SmallVec<[Event; 1]>> {
        let hold = self
            .holds
            .get(command.hold)
            .filter(|hold| hold.phase != HoldPhase::Local)?;
        let extra = hold
            .extra
            .as_ref()
            .filter(|extra| extra.id == Some(command.id));
        extra.expect("a hold number is never given to two carts");
        // An equal version with another deadline comes from a home that resumed after downtime.
        let is_old = command.version < hold.version()
            || (command.version == hold.version() && command.deadline == hold.deadline);
        if hold.phase == HoldPhase::Bound && is_old {
            return None;
        }
        let totals = [command.confirmed, command.released, command.expired];
        let moved = |at: usize| i64::from(totals[at]) - i64::from(hold.totals()[at]);
        let (confirmed, released, expired) = (moved(0), moved(1), moved(2));
        let is_news = confirmed != 0 || released != 0 || expired != 0;
        let kind = if is_news {
            EventKind::CartSettled
        } else {
            EventKind::CartBound
        };
        let mut draft = self.draft(kind, now);
        let key = (hold.sku, hold.location);
        draft.effect(Effect::HoldChanged(HoldChange {
            number: command.hold,
            version: command.version,
            deadline: command.deadline,
            phase: HoldPhase::Bound,
            totals,
        }));
        let level = self
            .skus
            .get(hold.sku)
            .level(hold.location)
            .expect("held levels stay");
        // A decided confirm is always applied; units that are missing become a drift.
        let missing = (confirmed - level.counters.get(Counter::OnHand)).max(0);
        if confirmed != 0 {
            draft.stock(key, Counter::OnHand, missing - confirmed);
            draft.stock(key, Counter::Sold, confirmed);
        }
        if missing > 0 {
            draft.stock(key, Counter::Adjusted, missing);
        }
        if is_news {
            draft.stock(key, Counter::Reserved, -(confirmed + released + expired));
        }
        if released != 0 {
            draft.stock(key, Counter::Released, released);
        }
        if expired != 0 {
            draft.stock(key, Counter::Expired, expired);
        }
        let mut events = SmallVec::from_buf([draft.finish(None)]);
        if missing > 0 {
            let drift = self.confirmed_missing(command, key, (confirmed, missing), now);
            events = self.missing_told(events, &drift, missing, now);
        }
        Some(events)
    }

    /// After the events of a settlement, the one that tells of units that were missing.
    fn missing_told(
        &self,
        events: SmallVec<[Event; 1]>,
        drift: &DriftRecord,
        missing: i64,
        now: Timestamp,
    ) -> SmallVec<[Event; 1]> {
        let (_, entry) = self.skus.find_known(&drift.sku).expect("held SKUs stay");
        let versions = Versions {
            all: entry.versions.all + 1,
            ..entry.versions
        };
        let mut chain = Chain::after(self, entry, (events, versions), now);
        let sale = drift.reservation.expect("a cart's drift names it");
        let reason = format!("{missing} confirmed units of {sale} were not on hand");
        let note = Note {
            reason: Text::parse(&reason).ok(),
            reservation: drift.reservation,
            ..Note::default()
        };
        chain.drift(EventKind::DriftOpened, drift, note);
        chain.events
    }

    /// A part ends a tentative hold that its home does not know.
    pub(super) fn decide_drop_hold(&self, command: &DropHold, now: Timestamp) -> Decision {
        let done = Outcome::Done(Reply::Part(PartHold::default()));
        let is_meant = |hold: &&super::holds::Hold| {
            hold.phase == HoldPhase::Tentative
                && hold
                    .extra
                    .as_ref()
                    .is_some_and(|extra| extra.id == Some(command.id))
        };
        let Some(hold) = self.holds.get(command.hold).filter(is_meant) else {
            return Decision::outcome(done, self.seq);
        };
        let mut draft = self.draft(EventKind::CartDropped, now);
        draft.effect(Effect::HoldForgotten(command.hold));
        draft.stock(
            (hold.sku, hold.location),
            Counter::Reserved,
            -i64::from(hold.open()),
        );
        Decision::with(draft.finish(None), done)
    }

    /// Home knows that every part has settled.
    pub(super) fn decide_close_cart(&self, id: ReservationId, now: Timestamp) -> Decision {
        let done = Outcome::Done(Reply::Part(PartHold::default()));
        let place = HomeRef::of(id);
        let ended = self
            .homes
            .get(id)
            .filter(|home| !home.is_open() && home.is_spread());
        match ended.filter(|home| !home.extra.as_ref().is_some_and(|extra| extra.settled)) {
            Some(home) => {
                let mut draft = self.draft(EventKind::CartClosed, now);
                draft.settle_home(place, home);
                Decision::with(draft.finish(None), done)
            }
            None => Decision::outcome(done, self.seq),
        }
    }
}

impl Decision {
    fn with_all(events: SmallVec<[Event; 1]>) -> Self {
        let read = events.last().map_or(0, |event| event.seq);
        Self {
            events,
            outcome: Outcome::Again,
            read,
        }
    }
}

fn own_check(decision: Decision) -> OwnCheck {
    let Decision {
        mut events,
        outcome,
        ..
    } = decision;
    match outcome {
        Outcome::Again => OwnCheck::Again(Box::new(events.remove(0))),
        Outcome::Refused { refusal, .. } => OwnCheck::Refused(refusal),
        Outcome::Done(_) | Outcome::Full(_) | Outcome::Undecided | Outcome::AskParts { .. } => {
            OwnCheck::Free
        }
    }
}

/// A line of which best effort could grant nothing.
fn nothing_of(shortage: &Shortage) -> ShortLine {
    ShortLine {
        sku: shortage.sku.clone(),
        location: None,
        requested: u64::from(shortage.requested),
        available: 0,
        undecided: 0,
        stock: None,
    }
}

fn all_short(ask: &Ask<'_>, reason: ShortageReason) -> Vec<Shortage> {
    let mut shortages: Vec<Shortage> = Vec::new();
    for line in &ask.lines {
        let requested = line.units.get();
        match shortages
            .iter_mut()
            .find(|shortage| shortage.sku == line.sku)
        {
            Some(shortage) => shortage.requested = shortage.requested.saturating_add(requested),
            None => {
                shortages.push(Shortage {
                    sku: line.sku.clone(),
                    requested,
                    granted: 0,
                    reason,
                });
            }
        }
    }
    shortages
}
