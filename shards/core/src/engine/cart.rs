//! Steps of a cart over several shards: a part holds, settles or drops; home records.
//!
//! A part never ends a hold by itself, and home alone decides. The messages between shards,
//! and the tries that live in memory only, are the runtime's.

use super::chain::Chain;
use super::holds::Hold;
use super::homes::HomeRef;
use super::movement::Rest;
use super::reserve::NewHold;
use super::skus::Level;
use super::source::{Ask, Miss, Sourced};
use super::{Decision, Engine, Outcome, OwnCheck, PartHold, Reply};
use crate::command::{CreateCart, DropHold, HeldLine, Mode, Settle, Try};
use crate::drift::{DriftKind, Proposal};
use crate::event::{Effect, Event, EventKind, HoldChange, KeyTag, Note, Versions};
use crate::id::ReservationId;
use crate::name::Text;
use crate::refusal::{Refusal, ShortLine};
use crate::snapshot::{HoldPhase, HoldRecord, Shortage, ShortageReason};
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
        if let Some(from) = command.from {
            return self.try_move(command, from, now);
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
            Err(decision) => return self.own_check(*decision),
        }
        match self.source_own(command, now) {
            Ok(_) => OwnCheck::Free,
            Err(miss) => self.own_check(self.miss(miss, now)),
        }
    }

    fn own_check(&self, mut decision: Decision) -> OwnCheck {
        self.add_crossings(&mut decision);
        match decision.outcome {
            Outcome::Again => OwnCheck::Again(decision.events.into_vec()),
            Outcome::Refused { refusal, .. } => OwnCheck::Refused(refusal),
            Outcome::Done(_)
            | Outcome::Full(_)
            | Outcome::Undecided
            | Outcome::Unread
            | Outcome::AskParts { .. } => OwnCheck::Free,
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
    pub(super) fn settling(
        &self,
        command: &Settle,
        now: Timestamp,
    ) -> Option<SmallVec<[Event; 1]>> {
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
        let level = self
            .skus
            .get(hold.sku)
            .level(hold.location)
            .expect("held levels stay");
        let settled = Settled::of(hold, command, level);
        let kind = if settled.is_news(hold) {
            EventKind::CartSettled
        } else {
            EventKind::CartBound
        };
        let mut draft = self.draft(kind, now);
        let key = (hold.sku, hold.location);
        self.bring(&mut draft, (command.hold, hold), command, &settled);
        for (counter, delta) in settled.stock(hold) {
            if delta != 0 {
                draft.stock(key, counter, delta);
            }
        }
        let mut events = SmallVec::from_buf([draft.finish(None)]);
        let unfit = settled.unfit(hold);
        if unfit.iter().any(|unfit| unfit.fitted < unfit.reported) {
            let entry = self.skus.get(hold.sku);
            let versions = Versions {
                all: entry.versions.all + 1,
                ..entry.versions
            };
            let mut chain = Chain::after(self, entry, (events, versions), now);
            for unfit in unfit.iter().filter(|unfit| unfit.fitted < unfit.reported) {
                let nth = chain.events.len() as u64;
                let drift = self.met(command, (key, settled.missing), (unfit, nth), now);
                let note = Note {
                    reason: reason_of(unfit, command.id),
                    reservation: Some(command.id),
                    ..Note::default()
                };
                chain.drift(EventKind::DriftOpened, &drift, note);
            }
            events = chain.events;
        }
        Some(events)
    }

    /// The hold as its home decided. Where its units or what became of them changed, it enters anew.
    fn bring(
        &self,
        draft: &mut super::draft::Draft<'_>,
        (number, hold): (u64, &Hold),
        command: &Settle,
        settled: &Settled,
    ) {
        let phase = HoldPhase::Bound;
        if settled.units == hold.units && settled.after == hold.after() {
            draft.effect(Effect::HoldChanged(HoldChange {
                number,
                version: command.version,
                deadline: command.deadline,
                phase,
                totals: settled.totals,
            }));
            return;
        }
        let record = HoldRecord {
            phase,
            units: settled.units,
            version: command.version,
            deadline: command.deadline,
            totals: settled.totals,
            after: settled.after,
            told: hold.told().min(settled.after[1]),
            ..self.hold_record(number, hold)
        };
        let is_over = Hold::new(&record, hold.sku, hold.location).is_over();
        draft.effect(Effect::HoldForgotten(number));
        draft.effect(Effect::HoldCreated(Box::new(record)));
        if is_over {
            // What it came to is in the record all the same.
            draft.effect(Effect::HoldForgotten(number));
        }
    }

    /// A part ends a tentative hold that its home does not know, or no longer keeps one whose home
    /// has forgotten what it sold; one that still counts for a limit it keeps until it does not.
    pub(super) fn decide_drop_hold(&self, command: &DropHold, now: Timestamp) -> Decision {
        let done = Outcome::Done(Reply::Part(PartHold::default()));
        let is_meant = |hold: &&Hold| {
            let extra = hold.extra.as_ref();
            let counts = hold.counts_until().is_some_and(|until| now < until) && hold.counts() > 0;
            (hold.phase == HoldPhase::Tentative || hold.is_kept() && !counts)
                && extra.is_some_and(|extra| extra.id == Some(command.id))
        };
        let Some(hold) = self.holds.get(command.hold).filter(is_meant) else {
            return Decision::outcome(done, self.seq);
        };
        let mut draft = self.draft(EventKind::CartDropped, now);
        draft.effect(Effect::HoldForgotten(command.hold));
        if hold.open() > 0 {
            let open = i64::from(hold.open());
            draft.stock((hold.sku, hold.location), Counter::Reserved, -open);
        }
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
    pub(super) fn with_all(events: SmallVec<[Event; 1]>) -> Self {
        let read = events.last().map_or(0, |event| event.seq);
        Self {
            events,
            outcome: Outcome::Again,
            read,
        }
    }
}

/// What a decision of home's makes of a hold, and of the counters where it lies.
struct Settled {
    units: u32,
    totals: [u32; 3],
    /// Cancelled, shipped.
    after: [u32; 2],
    /// Units cancelled that go back on hand.
    back: i64,
    /// Units that are sold and not on hand: a decided confirm is always applied.
    missing: i64,
    /// Units cancelled that had left.
    gone: i64,
}

impl Settled {
    fn of(hold: &Hold, command: &Settle, level: &Level) -> Self {
        let totals = [command.confirmed, command.released, command.expired];
        let [cancelled, shipped] = hold.after();
        let sold = i64::from(totals[0]) - i64::from(hold.totals()[0]);
        let here = level.counters.get(Counter::Sold) - level.counters.get(Counter::Shipped) + sold;
        let wanted = i64::from(command.cancelled.saturating_sub(cancelled));
        let left = i64::from(totals[0]) - i64::from(cancelled + shipped);
        let back = wanted.min(left).min(here).max(0);
        let cancelled = cancelled.max(command.cancelled);
        Self {
            units: command.units,
            totals,
            // What left although it was cancelled is no part of this sale any more.
            after: [cancelled, shipped.min(totals[0] - cancelled)],
            back,
            missing: (sold - back - level.counters.get(Counter::OnHand)).max(0),
            gone: wanted - back,
        }
    }

    /// Whether anything but the hold's version and deadline changes.
    fn is_news(&self, hold: &Hold) -> bool {
        self.totals != hold.totals() || self.after != hold.after() || self.units != hold.units
    }

    /// What did not fit: units that were sold and not on hand, units that were taken back and had
    /// left.
    fn unfit(&self, hold: &Hold) -> [Rest; 2] {
        let sold = i64::from(self.totals[0]) - i64::from(hold.totals()[0]) - self.back;
        let rest = |kind, fitted, missing| Rest {
            kind,
            fitted,
            reported: fitted + missing,
            proposal: Proposal::Look,
        };
        [
            rest(
                DriftKind::ConfirmedMissing,
                sold - self.missing,
                self.missing,
            ),
            rest(DriftKind::CancelledShipped, self.back, self.gone),
        ]
    }

    fn stock(&self, hold: &Hold) -> [(Counter, i64); 6] {
        let moved = |at: usize| i64::from(self.totals[at]) - i64::from(hold.totals()[at]);
        let (confirmed, released, expired) = (moved(0), moved(1), moved(2));
        let ended = confirmed + released + expired;
        let elsewhere = i64::from(hold.units) - i64::from(self.units);
        let sold = confirmed - self.back;
        [
            (Counter::OnHand, self.missing - sold),
            (Counter::Sold, sold),
            (Counter::Adjusted, self.missing),
            (Counter::Reserved, -ended - elsewhere),
            (Counter::Released, released),
            (Counter::Expired, expired),
        ]
    }
}

fn reason_of(rest: &Rest, id: ReservationId) -> Option<Text> {
    let units = rest.reported - rest.fitted;
    let reason = if rest.kind == DriftKind::ConfirmedMissing {
        format!("{units} confirmed units of {id} were not on hand")
    } else {
        format!("{units} cancelled units of {id} had left before")
    };
    Text::parse(&reason).ok()
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
