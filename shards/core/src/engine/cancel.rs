//! Cancel: take back what was confirmed and has not left.
//!
//! One decision at home, as a confirm. Units of this shard go back on hand in the same event;
//! parts on other shards learn the total, and book it as far as their units are still there.

use super::confirm::PerLine;
use super::draft::{Draft, Edit, keyed};
use super::homes::{Home, HomeRef, Line};
use super::{Decision, Engine};
use crate::command::{Cancel, LineUnits};
use crate::event::{Effect, EventKind, HoldAfter, KeyOutcome, KeyTag, Note};
use crate::name::Text;
use crate::refusal::{LineAt, Refusal};
use crate::snapshot::HoldPhase;
use crate::stock::Counter;
use crate::time::Timestamp;

impl Engine {
    pub(super) fn decide_cancel(
        &self,
        command: &Cancel,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let (place, home) = match self.find_home(command.id, now) {
            Ok(found) => found,
            Err(decision) => return *decision,
        };
        let units = match &command.lines {
            None => home.unshipped(),
            Some(lines) => match self.units_to_cancel(home, lines) {
                Ok(units) => units,
                Err(refusal) => return Decision::refused(refusal, home.seq),
            },
        };
        if units.iter().all(|units| *units == 0) {
            return self.nothing_to_cancel(command, home);
        }
        if let Some((refusal, read)) = self.left_unnamed(home, &units) {
            return Decision::refused(refusal, read.max(home.seq));
        }
        // Nothing below can refuse.
        self.take_back(command, (place, home), &units, key, now)
    }

    /// Units per line for the lines named: not more than was confirmed, not what has left.
    fn units_to_cancel(&self, home: &Home, lines: &[LineUnits]) -> Result<PerLine, Refusal> {
        self.per_line_at(home, lines, |at, line| line.confirmed() - home.after(at)[0])
            .map_err(Refusal::OverCancel)?;
        let left = home.unshipped();
        self.per_line_at(home, lines, |at, _| left[at])
            .map_err(Refusal::AlreadyShipped)
    }

    /// All of it has left, or was taken back before, or was never sold.
    fn nothing_to_cancel(&self, command: &Cancel, home: &Home) -> Decision {
        let lines = || home.lines.iter().enumerate();
        let sold = |at: usize, line: &Line| line.confirmed() - home.after(at)[0];
        let short = |requested: fn(&Line, u32) -> u32| -> Vec<LineAt> {
            let short = lines().map(|(at, line)| LineAt {
                sku: self.skus.get(line.sku).sku.clone(),
                location: Some(self.skus.location(line.location).clone()),
                requested: u64::from(requested(line, sold(at, line))),
                possible: 0,
            });
            short.filter(|line| line.requested > 0).collect()
        };
        if lines().any(|(at, line)| sold(at, line) > 0) {
            let refusal = Refusal::AlreadyShipped(short(|_, sold| sold));
            return Decision::refused(refusal, home.seq);
        }
        if lines().any(|(_, line)| line.confirmed() > 0) {
            return Decision::as_it_stands(command.id, home.seq);
        }
        let refusal = Refusal::OverCancel(short(|line, _| line.units));
        Decision::refused(refusal, home.seq)
    }

    /// Whether units have left, at locations of this shard, that no shipment named as this
    /// reservation's: what has left can't be taken back (INV-8).
    fn left_unnamed(&self, home: &Home, units: &PerLine) -> Option<(Refusal, u64)> {
        let mut short = Vec::new();
        let mut read = 0;
        let lines = home.lines.iter().zip(units);
        for (line, units) in lines.filter(|(line, _)| !line.foreign) {
            let entry = self.skus.get(line.sku);
            let level = entry.level(line.location).expect("held levels stay");
            let sold = level.counters.get(Counter::Sold);
            let here = sold - level.counters.get(Counter::Shipped);
            read = read.max(entry.seq);
            if here < i64::from(*units) {
                short.push(LineAt {
                    sku: entry.sku.clone(),
                    location: Some(self.skus.location(line.location).clone()),
                    requested: u64::from(*units),
                    possible: here as u64,
                });
            }
        }
        (!short.is_empty()).then_some((Refusal::AlreadyShipped(short), read))
    }

    fn take_back(
        &self,
        command: &Cancel,
        (place, home): (HomeRef, &Home),
        units: &PerLine,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let after = home.lines.iter().enumerate().zip(units);
        let after: Vec<[u32; 2]> = after
            .map(|((at, _), units)| {
                let [cancelled, shipped] = home.after(at);
                [cancelled + units, shipped]
            })
            .collect();
        let mut draft = self.draft(EventKind::ReservationCancelled, now);
        let lines = home.lines.iter().enumerate().zip(units);
        for ((at, line), units) in lines.filter(|((_, line), units)| !line.foreign && **units > 0) {
            let key = (line.sku, line.location);
            draft.stock(key, Counter::Sold, -i64::from(*units));
            draft.stock(key, Counter::OnHand, i64::from(*units));
            self.uncount(&mut draft, place, line, after[at][0]);
        }
        let mut edit = Edit::extra(home, |extra| {
            extra.after = after;
            extra.settled = false;
        });
        // Its keys are kept as long as it is, so what is decided last counts.
        edit.ended_at = (!home.is_open()).then_some(now);
        let totals = home.lines.iter().map(|line| line.totals).collect();
        draft.change_home(place, home, totals, edit);
        draft.note = cancel_note(command.reason.as_ref());
        let event = draft.finish(keyed(key, KeyOutcome::Cancelled, command.id));
        Decision::reservation(event, command.id, false)
    }

    /// Takes a line's cancelled units off its customer's limit: those of the hold that was
    /// confirmed in time first, then those that were taken again late.
    fn uncount(&self, draft: &mut Draft<'_>, place: HomeRef, line: &Line, cancelled: u32) {
        let Some(customer) = self.homes.texts(place).1 else {
            return;
        };
        let customer = Text::parse(customer).expect("stored customers were parsed once");
        let counted = self.holds.counted_for(line.sku, &customer);
        let mine = counted.filter(|(_, hold, _)| {
            hold.home == place && hold.location == line.location && hold.phase == HoldPhase::Local
        });
        let mut first = None;
        let mut late = None;
        for (number, hold, _) in mine {
            let which = if number == line.hold {
                &mut first
            } else {
                &mut late
            };
            *which = Some((number, hold));
        }
        let sold =
            |hold: Option<(u64, &super::holds::Hold)>| hold.map_or(0, |(_, hold)| hold.totals()[0]);
        let in_time = cancelled.min(line.confirmed() - sold(late));
        for (hold, cancelled) in [(first, in_time), (late, cancelled - in_time)] {
            let Some((number, hold)) = hold.filter(|(_, hold)| hold.after()[0] != cancelled) else {
                continue;
            };
            let [_, shipped] = hold.after();
            draft.effect(Effect::HoldAfter(HoldAfter {
                number,
                after: [cancelled, shipped],
                told: hold.told(),
            }));
        }
    }
}

fn cancel_note(reason: Option<&Text>) -> Option<Box<Note>> {
    let reason = reason?.clone();
    Some(Box::new(Note {
        reason: Some(reason),
        ..Note::default()
    }))
}
