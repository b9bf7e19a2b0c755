//! Late confirm: money came after the deadline.
//!
//! The units are taken again if they are there, all lines or none. A refusal that time alone
//! does not explain is recorded, so that a refund is decided once.

use super::confirm::{PerLine, payment_note};
use super::draft::{Draft, Edit, keyed};
use super::homes::{Home, HomeRef, Line};
use super::source::Ask;
use super::{Decision, Engine, Outcome};
use crate::command::{Confirm, HeldLine, Late, LineUnits, Mode, TryLate};
use crate::event::{Effect, EventKind, KeyOutcome, KeyTag};
use crate::name::Text;
use crate::refusal::{ExpiredReason, Refusal};
use crate::snapshot::{HoldPhase, HoldRecord, LateHold};
use crate::stock::Counter;
use crate::time::Timestamp;
use crate::units::Units;
use smallvec::SmallVec;

/// A late confirm whose terms are known.
pub(super) struct LatePlan<'a> {
    pub(super) place: HomeRef,
    pub(super) home: &'a Home,
    /// Expired units to take again, per line.
    pub(super) units: PerLine,
}

/// Why the units can't be taken again.
enum Missing {
    Lapsed(HomeRef),
    Undecided,
    /// The sale is paused or closed, or its location is: no, but not for ever.
    Sale(Refusal),
    Final(KeyOutcome),
}

impl Engine {
    pub(super) fn decide_late(
        &self,
        command: &Confirm,
        plan: &LatePlan<'_>,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let LatePlan { place, home, .. } = *plan;
        if let Some(reason) = home.closed() {
            return Decision::refused(self.expired_refusal(command.id, reason), home.seq);
        }
        if home.expires_at.after(self.policy.late_window) < now {
            let refusal = self.expired_refusal(command.id, ExpiredReason::LateWindow);
            return Decision::refused(refusal, home.seq);
        }
        if command.late == Late::Refuse {
            return self.close(place, home, KeyOutcome::ClosedLateRefused, key, now);
        }
        match self.missing(plan, now) {
            Some(Missing::Lapsed(lapsed)) => return self.again(lapsed, now),
            Some(Missing::Undecided) => return Decision::outcome(Outcome::Undecided, self.seq),
            Some(Missing::Sale(refusal)) => return Decision::refused(refusal, self.seq),
            Some(Missing::Final(outcome)) => return self.close(place, home, outcome, key, now),
            None => {}
        }
        let asked = self.units_elsewhere(plan);
        if asked.is_empty() {
            return self.sell_late(command, plan, &[], key, now);
        }
        Decision::outcome(Outcome::AskParts { lines: asked }, home.seq)
    }

    /// All parts hold anew: decide as if now, with their holds.
    pub(super) fn decide_confirm_late(
        &self,
        command: &TryLate,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let confirm = &command.confirm;
        let Some(home) = self.homes.get(confirm.id).filter(|home| !home.is_open()) else {
            return Decision::refused(self.absent(confirm.id), self.seq);
        };
        let place = HomeRef::of(confirm.id);
        // Another confirm may have been answered while the parts were asked: it took units of this
        // shard alone, or it was refused for good. This one hears what it would if it came now.
        if home.closed().is_some() {
            return self.decide_confirm(confirm, key, now);
        }
        // Another confirm may have been told so while the parts were asked.
        if home.expires_at.after(self.policy.late_window) < now {
            let refusal = self.expired_refusal(confirm.id, ExpiredReason::LateWindow);
            return Decision::refused(refusal, home.seq);
        }
        let units = match &confirm.lines {
            None => Ok(home.lines.iter().map(Line::expired).collect()),
            Some((lines, _)) => self.per_line(home, lines, Line::expired),
        };
        let units = match units {
            Ok(units) => units,
            Err(over) => return Decision::refused(Refusal::OverConfirm(over), home.seq),
        };
        let plan = LatePlan { place, home, units };
        match self.missing(&plan, now) {
            Some(Missing::Lapsed(lapsed)) => self.again(lapsed, now),
            Some(Missing::Undecided) => Decision::outcome(Outcome::Undecided, self.seq),
            Some(Missing::Sale(refusal)) => Decision::refused(refusal, self.seq),
            Some(Missing::Final(outcome)) => self.close(place, home, outcome, key, now),
            None => self.sell_late(confirm, &plan, &command.held, key, now),
        }
    }

    /// A part can't hold anew. What another confirm has ended meanwhile is answered as it is now.
    pub(super) fn decide_refuse_late(
        &self,
        command: &Confirm,
        outcome: KeyOutcome,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let place = HomeRef::of(command.id);
        match self.homes.get(command.id) {
            Some(home) if !home.is_open() && home.closed().is_none() => {
                self.close(place, home, outcome, key, now)
            }
            _ => self.decide_confirm(command, key, now),
        }
    }

    fn units_elsewhere(&self, plan: &LatePlan<'_>) -> Vec<(usize, LineUnits)> {
        let lines = plan.home.lines.iter().zip(&plan.units).enumerate();
        let foreign = lines.filter(|(_, (line, _))| line.foreign);
        foreign
            .filter_map(|(at, (line, units))| {
                let units = Units::new(*units)?;
                let sku = self.skus.get(line.sku).sku.clone();
                let location = Some(self.skus.location(line.location).clone());
                Some((
                    at,
                    LineUnits {
                        sku,
                        location,
                        units,
                    },
                ))
            })
            .collect()
    }

    /// What keeps this shard's own lines from being taken again: each at its own location,
    /// safety stock left alone, limits checked again.
    fn missing(&self, plan: &LatePlan<'_>, now: Timestamp) -> Option<Missing> {
        let customer = self
            .homes
            .texts(plan.place)
            .1
            .map(|name| Text::parse(name).expect("stored customers were parsed once"));
        let own = plan.home.lines.iter().zip(&plan.units);
        let own = own.filter(|(line, units)| !line.foreign && **units > 0);
        // In the order in which a reserve is refused.
        let closed = own
            .clone()
            .filter_map(|(line, _)| self.closed_at(&self.skus.get(line.sku).sku, line.location));
        let sales = own
            .clone()
            .filter_map(|(line, _)| self.sale_refusal(line.sku, now));
        let sales = closed.chain(sales);
        if let Some(refusal) = sales.reduce(Refusal::join) {
            return Some(Missing::Sale(refusal));
        }
        let times = (plan.home.created_at(), now);
        for (line, _) in own.clone() {
            let wanted: u64 = own
                .clone()
                .filter(|(other, _)| other.sku == line.sku)
                .map(|(_, units)| u64::from(*units))
                .sum();
            if let Some(missing) = self.limit_missing(line, wanted, customer.as_ref(), times) {
                return Some(missing);
            }
        }
        for (line, units) in own {
            let level = self
                .skus
                .get(line.sku)
                .level(line.location)
                .expect("held levels stay");
            let free = level.counters.free();
            if i64::from(*units) <= free {
                continue;
            }
            if let Some((_, number)) = level.lapses.first().filter(|(at, _)| *at <= now) {
                return Some(Missing::Lapsed(self.holds.get(number)?.home));
            }
            let missing = if i64::from(*units) <= free + i64::from(level.undecided) {
                Missing::Undecided
            } else {
                Missing::Final(KeyOutcome::ClosedSoldOut)
            };
            return Some(missing);
        }
        None
    }

    /// Whether some window of the limit that holds the time of the reservation would hold too much.
    fn limit_missing(
        &self,
        line: &Line,
        wanted: u64,
        customer: Option<&Text>,
        (made, now): (Timestamp, Timestamp),
    ) -> Option<Missing> {
        let is_limited = self.skus.get(line.sku).config.customer_limit.is_some();
        let customer = customer.filter(|_| is_limited)?;
        let lines = SmallVec::new();
        let ask = Ask {
            lines,
            customer: Some(customer),
            mode: Mode::AllOrNothing,
            replaced: None,
            late: Some(made),
            now,
        };
        self.over_limit(line.sku, customer, wanted, &ask)?;
        Some(match self.lapsed_of(line.sku, customer, now) {
            Some(lapsed) => Missing::Lapsed(lapsed),
            None => Missing::Final(KeyOutcome::ClosedCustomerLimit),
        })
    }

    /// Makes the end final and answers so.
    fn close(
        &self,
        place: HomeRef,
        home: &Home,
        outcome: KeyOutcome,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let reason = ExpiredReason::of_outcome(outcome).expect("closing outcomes have a reason");
        let id = home.id(place);
        let event = self.closing(place, home, reason, keyed(key, outcome, id), now);
        let refusal = self.expired_refusal(id, reason);
        Decision::with(
            event,
            Outcome::Refused {
                refusal,
                replayed: false,
            },
        )
    }

    pub(super) fn closing(
        &self,
        place: HomeRef,
        home: &Home,
        reason: ExpiredReason,
        key: Option<(&KeyTag, KeyOutcome, crate::event::KeyTarget)>,
        now: Timestamp,
    ) -> crate::event::Event {
        let totals = home.lines.iter().map(|line| line.totals).collect();
        let mut edit = Edit::extra(home, |extra| extra.closed = Some(reason));
        edit.ended_at = Some(now);
        let mut draft = self.draft(EventKind::ReservationClosed, now);
        draft.change_home(place, home, totals, edit);
        draft.finish(key)
    }

    fn sell_late(
        &self,
        command: &Confirm,
        plan: &LatePlan<'_>,
        held: &[HeldLine],
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let LatePlan { place, home, .. } = *plan;
        let totals = home.lines.iter().zip(&plan.units).map(|(line, units)| {
            let [confirmed, released, expired] = line.totals;
            [confirmed + units, released, expired - units]
        });
        let late_holds = self.late_holds(plan, held);
        let mut edit = Edit::extra(home, |extra| {
            extra.late = true;
            extra.settled = false;
            extra.closed = Some(ExpiredReason::Closed);
            extra.late_holds.extend(late_holds);
            let payment = command
                .payment_ref
                .iter()
                .filter(|p| !extra.payments.contains(p));
            let payment: Vec<Text> = payment.cloned().collect();
            extra.payments.extend(payment);
        });
        edit.ended_at = Some(now);
        let mut draft = self.draft(EventKind::ReservationConfirmed, now);
        draft.change_home(place, home, totals.collect(), edit);
        for (line, units) in home.lines.iter().zip(&plan.units) {
            if !line.foreign && *units > 0 {
                self.reacquire(&mut draft, place, line, *units);
            }
        }
        draft.note = payment_note(command.payment_ref.as_ref());
        let event = draft.finish(keyed(key, KeyOutcome::ConfirmedLate, command.id));
        Decision::reservation(event, command.id, false)
    }

    /// A hold taken and confirmed in one step leaves a record only where a limit counts it.
    fn reacquire(&self, draft: &mut Draft<'_>, place: HomeRef, line: &Line, units: u32) {
        let key = (line.sku, line.location);
        draft.stock(key, Counter::OnHand, -i64::from(units));
        draft.stock(key, Counter::Sold, i64::from(units));
        let entry = self.skus.get(line.sku);
        let customer = self.homes.texts(place).1;
        let (Some(customer), true) = (customer, entry.config.customer_limit.is_some()) else {
            return;
        };
        let home = self.homes.at(place).expect("it is being confirmed");
        let customer = Text::parse(customer).expect("stored customers were parsed once");
        let number = draft.next_hold();
        draft.effect(Effect::HoldCreated(Box::new(HoldRecord {
            number,
            id: home.id(place),
            attempt: 0,
            phase: HoldPhase::Local,
            sku: entry.sku.clone(),
            location: self.skus.location(line.location).clone(),
            requested: units,
            units,
            version: home.version + 1,
            deadline: home.expires_at,
            totals: [units, 0, 0],
            counted: Some((customer, home.created_at())),
            graced: false,
            after: [0; 2],
            told: 0,
        })));
    }

    fn late_holds(&self, plan: &LatePlan<'_>, held: &[HeldLine]) -> Vec<LateHold> {
        let place_of = |held: &HeldLine| {
            plan.home.lines.iter().position(|line| {
                line.foreign
                    && line.units > 0
                    && self.skus.get(line.sku).sku == held.sku
                    && *self.skus.location(line.location) == held.location
            })
        };
        let late = held.iter().filter_map(|held| {
            let line = u32::try_from(place_of(held)?).ok()?;
            Some(LateHold {
                line,
                hold: held.hold,
                units: held.units,
                shipped: 0,
            })
        });
        late.collect()
    }
}
