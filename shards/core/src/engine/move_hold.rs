//! Moving a hold: its units are held at another location from now on, in one step.
//!
//! Deadline, pin and what counts for a limit stay as they are. Where the units lie on another shard,
//! that one is asked to hold them at the new place first, and home decides then.

use super::draft::{Draft, keyed};
use super::holds::Hold;
use super::homes::{Home, HomeRef, Line};
use super::reserve::NewHold;
use super::skus::{LocationIndex, SkuIndex};
use super::source::Take;
use super::{Decision, Engine, Outcome};
use crate::command::{HeldLine, LineUnits, MoveHeld, MoveHold, Try};
use crate::event::{Effect, EventKind, HomeChange, HomeLines, KeyOutcome, KeyTag};
use crate::refusal::{LineAt, Refusal, ShortLine, StockThen};
use crate::snapshot::{HoldPhase, HoldRecord, LineRecord};
use crate::stock::Counter;
use crate::time::Timestamp;
use crate::units::Units;
use smallvec::SmallVec;

/// A move whose terms are known.
struct Move<'a> {
    place: HomeRef,
    home: &'a Home,
    /// Where in its lines.
    at: usize,
    units: u32,
}

impl Engine {
    pub(super) fn decide_move_hold(
        &self,
        command: &MoveHold,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let plan = match self.move_terms(command, now) {
            Ok(plan) => plan,
            Err(decision) => return *decision,
        };
        let line = &plan.home.lines.as_slice()[plan.at];
        if line.foreign {
            return self.ask_to_hold(command, &plan);
        }
        match self.room_at(line.sku, command, plan.units, now) {
            Ok(to) => self.move_here(command, &plan, to, key, now),
            Err(decision) => *decision,
        }
    }

    /// Home records a move whose units another shard holds at their new place.
    pub(super) fn decide_move_held(
        &self,
        command: &MoveHeld,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let plan = match self.move_terms(&command.ask, now) {
            Ok(plan) => plan,
            Err(decision) => return *decision,
        };
        // What is held now is what was open when the part was asked.
        if command.held.units != plan.units {
            return Decision::outcome(Outcome::Undecided, plan.home.seq);
        }
        // Nothing below can refuse.
        let mut draft = self.draft(EventKind::ReservationMoved, now);
        let mut lines = self.home_record(plan.place, plan.home).lines;
        let from = &mut lines[plan.at];
        let requested = asked_for(from, plan.units);
        from.requested -= requested;
        from.units -= plan.units;
        lines.push(new_line(&command.held, requested));
        Self::place_lines(&mut draft, &plan, lines, None);
        let event = draft.finish(keyed(key, KeyOutcome::HoldMoved, command.ask.id));
        Decision::reservation(event, command.ask.id, false)
    }

    /// The hold meant, and how much of it.
    fn move_terms(&self, command: &MoveHold, now: Timestamp) -> Result<Move<'_>, Box<Decision>> {
        let (place, home) = self.find_open(command.id, now)?;
        let is_meant = |line: &Line| {
            self.skus.get(line.sku).sku == command.sku
                && *self.skus.location(line.location) == command.from
        };
        let found = home
            .lines
            .iter()
            .position(|line| is_meant(line) && line.open() > 0);
        let open = found.map_or(0, |at| home.lines.as_slice()[at].open());
        let units = command.units.map_or(open, Units::get);
        match found.filter(|_| units <= open) {
            Some(_) if command.from == command.to => {
                let stands = Decision::as_it_stands(command.id, home.seq);
                Err(Box::new(stands))
            }
            Some(at) => Ok(Move {
                place,
                home,
                at,
                units,
            }),
            None => {
                let over = LineAt {
                    sku: command.sku.clone(),
                    location: Some(command.from.clone()),
                    requested: u64::from(units),
                    possible: u64::from(open),
                };
                let refusal = Refusal::OverMove(vec![over]);
                Err(Box::new(Decision::refused(refusal, home.seq)))
            }
        }
    }

    /// The location to move to, if it has the units (INV-3).
    fn room_at(
        &self,
        sku: SkuIndex,
        command: &MoveHold,
        units: u32,
        now: Timestamp,
    ) -> Result<LocationIndex, Box<Decision>> {
        let entry = self.skus.get(sku);
        let to = self.skus.find_location(&command.to);
        let Some((to, level)) = to.and_then(|to| Some((to, entry.level(to)?))) else {
            let place = (command.sku.clone(), command.to.clone());
            let refusal = Refusal::UnknownLocation(vec![place]);
            return Err(Box::new(Decision::refused(refusal, entry.seq)));
        };
        if !self.skus.is_selling(to) {
            let place = (command.sku.clone(), command.to.clone());
            let refusal = Refusal::LocationClosed(vec![place]);
            return Err(Box::new(Decision::refused(refusal, self.seq)));
        }
        let free = level.counters.free();
        if i64::from(units) <= free {
            return Ok(to);
        }
        if let Some((_, number)) = level.lapses.first().filter(|(at, _)| *at <= now) {
            let lapsed = self.holds.get(number).expect("lapses name stored holds");
            return Err(Box::new(self.again(lapsed.home, now)));
        }
        let short = ShortLine {
            sku: command.sku.clone(),
            location: Some(command.to.clone()),
            requested: u64::from(units),
            available: free.max(0) as u64,
            undecided: u64::from(level.undecided),
            stock: Some(StockThen::of([|counter| level.counters.get(counter)])),
        };
        let refusal = Refusal::InsufficientStock(vec![short]);
        Err(Box::new(Decision::refused(refusal, entry.seq)))
    }

    fn move_here(
        &self,
        command: &MoveHold,
        plan: &Move<'_>,
        to: LocationIndex,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let line = &plan.home.lines.as_slice()[plan.at];
        let mut draft = self.draft(EventKind::ReservationMoved, now);
        let units = i64::from(plan.units);
        draft.stock((line.sku, line.location), Counter::Reserved, -units);
        draft.stock((line.sku, to), Counter::Reserved, units);
        let mut lines = self.home_record(plan.place, plan.home).lines;
        let requested = asked_for(&lines[plan.at], plan.units);
        lines[plan.at].requested -= requested;
        lines[plan.at].units -= plan.units;
        let held = self.hold_record(line.hold, self.held(line));
        let there = lines
            .iter()
            .position(|line| line.sku == command.sku && line.location == command.to);
        let there = there.unwrap_or_else(|| {
            let held = HeldLine {
                sku: command.sku.clone(),
                location: command.to.clone(),
                requested: 0,
                units: 0,
                hold: draft.next_hold(),
            };
            lines.push(LineRecord {
                foreign: false,
                ..new_line(&held, 0)
            });
            lines.len() - 1
        });
        lines[there].requested += requested;
        lines[there].units += plan.units;
        self.hold_again(&mut draft, plan, &held, (&lines[plan.at], plan.at));
        self.hold_again(&mut draft, plan, &held, (&lines[there], there));
        let gone = (lines[plan.at].units == 0).then_some(plan.at);
        Self::place_lines(&mut draft, plan, lines, gone);
        let event = draft.finish(keyed(key, KeyOutcome::HoldMoved, command.id));
        Decision::reservation(event, command.id, false)
    }

    fn held(&self, line: &Line) -> &Hold {
        let hold = self.holds.get(line.hold);
        hold.expect("open lines have their hold")
    }

    /// The hold of a line whose units have changed, in place of the one before; `moved` is the hold
    /// that units were taken from.
    fn hold_again(
        &self,
        draft: &mut Draft<'_>,
        plan: &Move<'_>,
        moved: &HoldRecord,
        (line, at): (&LineRecord, usize),
    ) {
        let before = self.holds.get(line.hold);
        if before.is_some() {
            draft.effect(Effect::HoldForgotten(line.hold));
        }
        let [cancelled, _] = plan.home.after(at);
        let counted = moved.counted.clone();
        let record = HoldRecord {
            number: line.hold,
            location: line.location.clone(),
            requested: line.units,
            units: line.units,
            totals: line.totals,
            // Only what counts for a limit needs to know what no longer does.
            after: counted.as_ref().map_or([0; 2], |_| [cancelled, 0]),
            counted,
            ..moved.clone()
        };
        let moved = plan.home.lines.as_slice()[plan.at].sku;
        // Where it lies does not tell whether it is over.
        if !Hold::new(&record, moved, 0).is_over() {
            draft.effect(Effect::HoldCreated(Box::new(record)));
        }
    }

    /// The reservation with its lines in their new places; what became of them goes with them.
    fn place_lines(
        draft: &mut Draft<'_>,
        plan: &Move<'_>,
        mut lines: SmallVec<[LineRecord; 1]>,
        gone: Option<usize>,
    ) {
        let Move { place, home, .. } = *plan;
        let version = home.version.checked_add(1);
        let version = version.expect("a reservation has few decisions");
        let mut after: Vec<[u32; 2]> = (0..lines.len()).map(|at| home.after(at)).collect();
        if let Some(gone) = gone {
            lines.remove(gone);
            after.remove(gone);
        }
        let id = home.id(place);
        let totals = lines.iter().map(|line| line.totals).collect();
        draft.effect(Effect::HomeLines(Box::new(HomeLines {
            id,
            version,
            lines,
        })));
        let mut extra = home.extra.clone().unwrap_or_default();
        if extra.after.is_empty() {
            return;
        }
        extra.after = after;
        draft.effect(Effect::HomeChanged(Box::new(HomeChange {
            id,
            version,
            expires_at: home.expires_at,
            totals,
            ended_at: home.ended_at(),
            extra: Some(extra),
        })));
    }

    /// The units lie on another shard: it is asked to hold them at their new place.
    fn ask_to_hold(&self, command: &MoveHold, plan: &Move<'_>) -> Decision {
        let is_there = plan.home.lines.iter().any(|line| {
            self.skus.get(line.sku).sku == command.sku
                && *self.skus.location(line.location) == command.to
                && line.units > 0
        });
        if is_there {
            let refusal = Refusal::HeldThere {
                id: command.id,
                sku: command.sku.clone(),
                location: command.to.clone(),
            };
            return Decision::refused(refusal, plan.home.seq);
        }
        let lines = vec![(
            plan.at,
            LineUnits {
                sku: command.sku.clone(),
                location: Some(command.to.clone()),
                units: Units::new(plan.units).expect("what is moved is not nothing"),
            },
        )];
        Decision::outcome(Outcome::AskParts { lines }, plan.home.seq)
    }

    /// A part holds units at another location, that it holds for the same cart already. No sale and
    /// no limit is asked: they were promised before.
    pub(super) fn try_move(&self, command: &Try, from: u64, now: Timestamp) -> Decision {
        let line = command.lines.first().expect("a move names one line");
        let to = line.location.clone().expect("a move names its place");
        let units = line.units.get();
        let held = self.holds.get(from).filter(|hold| {
            let extra = hold.extra.as_ref();
            hold.phase != HoldPhase::Local
                && extra.is_some_and(|extra| extra.id == Some(command.id))
        });
        let ask = MoveHold {
            id: command.id,
            sku: line.sku.clone(),
            from: to.clone(),
            to,
            units: Some(line.units),
        };
        let Some(held) = held else {
            // Home has decided on it meanwhile.
            return Decision::outcome(Outcome::Undecided, self.seq);
        };
        let location = match self.room_at(held.sku, &ask, units, now) {
            Ok(location) => location,
            Err(decision) => return *decision,
        };
        // Nothing below can refuse.
        let new = NewHold {
            id: command.id,
            attempt: command.attempt,
            phase: HoldPhase::Tentative,
            deadline: command.deadline,
            customer: None,
        };
        let take = Take {
            sku: held.sku,
            location,
            requested: units,
            units,
            line: 0,
        };
        let mut draft = self.draft(EventKind::CartHeld, now);
        let mut record = self.hold(&mut draft, &take, &new);
        record.counted = held.counted().cloned();
        let part = super::PartHold {
            held: vec![HeldLine {
                sku: record.sku.clone(),
                location: record.location.clone(),
                requested: units,
                units,
                hold: record.number,
            }],
            shortages: Vec::new(),
        };
        draft.effect(Effect::HoldCreated(Box::new(record)));
        Decision::with(draft.finish(None), Outcome::Done(super::Reply::Part(part)))
    }
}

/// How much of what a line asked for goes with the units that leave it.
fn asked_for(line: &LineRecord, units: u32) -> u32 {
    if units == line.units {
        line.requested
    } else {
        units
    }
}

fn new_line(held: &HeldLine, requested: u32) -> LineRecord {
    LineRecord {
        sku: held.sku.clone(),
        location: held.location.clone(),
        hold: held.hold,
        foreign: true,
        requested,
        units: held.units,
        totals: [0; 3],
    }
}
