//! Movements: facts, which are applied as far as they fit, and decisions, which fit or are refused.

use super::feeds::Heard;
use super::{Model, Moved, Outcome, Shelf, What, add};
use holdfast_core::{
    Count, Counter, Counters, DriftKind, DriftRecord, DriftState, KeyTarget, Location, Measure,
    Movement, MovementKind, MovementOutcome, Place, Proposal, Refusal, Sku, Timestamp,
};
use std::collections::BTreeMap;

/// Counters by location, `reserved` among them.
pub(super) type Levels = BTreeMap<Location, Counters>;

/// What did not fit: kind, units that fitted, units reported, proposal.
pub(super) type Rest = Option<(DriftKind, i64, i64, Proposal)>;

impl Model {
    pub(super) fn movement(&mut self, command: &Movement, now: Timestamp) -> Outcome {
        let Some(shelf) = self.skus.get(&command.sku) else {
            return Outcome::refused(Refusal::UnknownSku(vec![command.sku.clone()]));
        };
        let actual = shelf.versions.stock;
        let heard = match self.hear_of(command, now) {
            Ok(heard) => heard,
            Err(outcome) => return *outcome,
        };
        if let Some(expected) = command.expected_version.filter(|seen| *seen != actual) {
            return Outcome::refused(Refusal::VersionChanged { expected, actual });
        }
        if let Some(refused) = self.check_declared(command) {
            return refused;
        }
        let before = self.levels(&command.sku, now);
        let mut after = before.clone();
        let rest = match self.book(command, &mut after) {
            Ok(rest) => rest,
            Err(refusal) => return Outcome::refused(refusal),
        };
        let shipped = self.shipped_lines(command, before.clone());
        let outcome = self.moved(command, &heard, (&before, after), rest, now);
        if let Some((id, lines)) = shipped {
            self.have_left(id, &lines, now);
        }
        outcome
    }

    /// The counters of a SKU's locations, with what unlapsed holds keep.
    fn levels(&self, sku: &Sku, now: Timestamp) -> Levels {
        let mut levels = self.skus[sku].levels.clone();
        for (location, level) in &mut levels {
            level.set(Counter::Reserved, self.reserved_alive(sku, location, now));
        }
        levels
    }

    fn book(&self, command: &Movement, levels: &mut Levels) -> Result<Rest, Refusal> {
        let here = &command.location;
        match &command.kind {
            MovementKind::Opening(balance) => {
                let level = levels.entry(here.clone()).or_default();
                let mut plain = level.clone();
                plain.set(Counter::SafetyStock, 0);
                if plain != Counters::ZERO {
                    let (sku, location) = (command.sku.clone(), here.clone());
                    return Err(Refusal::AlreadyOpened { sku, location });
                }
                add(level, Counter::OnHand, i64::from(balance.on_hand));
                add(level, Counter::Sold, i64::from(balance.unshipped));
                add(level, Counter::Returned, i64::from(balance.returned));
                add(level, Counter::Damaged, i64::from(balance.damaged));
                let all = [
                    balance.on_hand,
                    balance.unshipped,
                    balance.returned,
                    balance.damaged,
                ];
                add(
                    level,
                    Counter::Received,
                    all.into_iter().map(i64::from).sum(),
                );
                Ok(None)
            }
            MovementKind::Receive(units) => {
                let level = levels.entry(here.clone()).or_default();
                add(level, Counter::OnHand, i64::from(units.get()));
                add(level, Counter::Received, i64::from(units.get()));
                Ok(None)
            }
            MovementKind::Ship { units, sale: None } => Ok(ship(levels, here, units.get())),
            MovementKind::Ship {
                units,
                sale: Some(sale),
            } => Ok(self
                .ship_for((&command.sku, here), units.get(), sale.id, levels)
                .0),
            MovementKind::Return { units, .. } => Ok(come_back(levels, here, units.get())),
            MovementKind::Damage { units, from } => Ok(damage(levels, here, (units.get(), *from))),
            MovementKind::Count(count) => self.count(command, levels, count),
            MovementKind::Restock(units) => {
                let level = decide(command, levels, (Place::Returned, units.get()), true)?;
                add(level, Counter::OnHand, i64::from(units.get()));
                Ok(None)
            }
            MovementKind::WriteOff { units, from, force } => {
                let level = decide(command, levels, (*from, units.get()), *force)?;
                add(level, Counter::WrittenOff, i64::from(units.get()));
                Ok(None)
            }
            MovementKind::Adjust { delta, force } => {
                let level = take(command, levels, (Counter::OnHand, -delta), *force)?;
                add(level, Counter::Adjusted, *delta);
                Ok(None)
            }
            MovementKind::Transfer { units, to, force } => {
                let level = decide(command, levels, (Place::OnHand, units.get()), *force)?;
                add(level, Counter::Transferred, -i64::from(units.get()));
                let there = levels.entry(to.clone()).or_default();
                add(there, Counter::OnHand, i64::from(units.get()));
                add(there, Counter::Transferred, i64::from(units.get()));
                Ok(None)
            }
        }
    }

    fn count(
        &self,
        command: &Movement,
        levels: &mut Levels,
        count: &Count,
    ) -> Result<Rest, Refusal> {
        let actual = self.skus[&command.sku].versions.stock;
        let level = levels.entry(command.location.clone()).or_default();
        let believed = match count.read() {
            Some(then) if then.stock_version != actual => {
                let expected = then.stock_version;
                return Err(Refusal::VersionChanged { expected, actual });
            }
            Some(then) => found(count, &then.counters),
            None => found(count, level),
        };
        let off = count.counted as i64 - believed;
        let possible = level.get(Counter::OnHand) + off;
        let missing = (-possible).max(0);
        add(level, Counter::OnHand, off + missing);
        add(level, Counter::Adjusted, off + missing);
        let counted = count.counted as i64;
        Ok((missing > 0).then_some((
            DriftKind::CountedBelowZero,
            counted + missing,
            counted,
            Proposal::Look,
        )))
    }

    /// Records a movement that fits: counters, versions, stream, count, drift.
    pub(super) fn moved(
        &mut self,
        command: &Movement,
        heard: &Heard,
        (before, mut after): (&Levels, Levels),
        mut rest: Rest,
        now: Timestamp,
    ) -> Outcome {
        let nothing = Counters::ZERO;
        if let Some(count) = &heard.superseded {
            let was = before.get(&command.location).unwrap_or(&nothing);
            let level = after.entry(command.location.clone()).or_default();
            let seen = found(count, level) - found(count, was);
            let back = seen.min(level.get(Counter::OnHand));
            add(level, Counter::OnHand, -back);
            add(level, Counter::Adjusted, -back);
            if let Some((.., proposal)) = &mut rest {
                *proposal = Proposal::Look;
            } else if back < seen {
                rest = Some((DriftKind::CountedBelowZero, back, seen, Proposal::Look));
            }
        }
        let short = |levels: &Levels, location: &Location| {
            levels.get(location).map_or(0, Counters::shortfall)
        };
        let shorter = after
            .keys()
            .filter(|at| short(before, at) < short(&after, at))
            .count() as u64;
        let adjusted = after[&command.location].get(Counter::Adjusted);
        let drift = rest.map(|(kind, expected, found, proposal)| DriftRecord {
            id: command.id,
            kind,
            sku: command.sku.clone(),
            location: command.location.clone(),
            expected,
            found,
            proposal,
            evidence: (self.seq, self.seq + 1),
            adjusted,
            reservation: command.kind.reservation(),
            source: command.note.source.clone(),
            document: command.note.document.clone(),
            opened_at: now,
            state: DriftState::Open,
        });
        let outcome = match (&heard.superseded, &drift, heard.is_late) {
            (Some(_), ..) => MovementOutcome::Superseded,
            (None, Some(_), _) => MovementOutcome::Partly,
            (None, None, true) => MovementOutcome::Late,
            (None, None, false) => MovementOutcome::Applied,
        };
        for level in after.values_mut() {
            level.set(Counter::Reserved, 0);
        }
        let reports = u64::from(heard.is_late) + u64::from(heard.has_gap);
        let shelf = self.skus.get_mut(&command.sku).expect("looked up above");
        shelf.levels = after;
        shelf.versions.stock += 1 + shorter;
        shelf.versions.all += 1 + shorter + u64::from(drift.is_some()) + reports;
        self.heard(command, heard, now);
        if let Some(drift) = drift {
            self.drifts.insert(drift.id, drift);
        }
        let target = KeyTarget::Movement(command.id, command.sku.clone());
        Outcome {
            what: movement_told(command, outcome),
            recorded: Some((outcome.to_key(), target)),
            is_noted: false,
        }
    }

    /// What an answer about a movement says.
    pub(super) fn moved_view(
        &self,
        id: holdfast_core::ReservationId,
        sku: &Sku,
        outcome: MovementOutcome,
        replayed: bool,
    ) -> Moved {
        let drift = self.drifts.get(&id);
        Moved {
            id,
            view: Box::new(self.sku(sku).expect("it was answered, so it is known")),
            outcome,
            applied: drift.map(|drift| drift.expected),
            drift: drift.map(|drift| drift.id),
            replayed,
        }
    }
}

pub(super) fn movement_told(command: &Movement, outcome: MovementOutcome) -> What {
    What::Movement {
        id: command.id,
        sku: command.sku.clone(),
        outcome,
    }
}

/// What somebody who counts finds.
pub(super) fn found(count: &Count, level: &Counters) -> i64 {
    let on_hand = level.get(Counter::OnHand);
    let mut shelf = on_hand + level.get(Counter::Sold) - level.get(Counter::Shipped);
    if !count.excludes_returned {
        shelf += level.get(Counter::Returned);
    }
    if !count.excludes_damaged {
        shelf += level.get(Counter::Damaged);
    }
    match count.measure {
        Measure::Physical => shelf,
        Measure::Sellable => on_hand,
        Measure::Available => on_hand - level.get(Counter::Reserved),
    }
}

pub(super) fn ship(levels: &mut Levels, here: &Location, reported: u32) -> Rest {
    let reported = i64::from(reported);
    levels.entry(here.clone()).or_default();
    let mut others: Vec<Location> = levels.keys().filter(|at| *at != here).cloned().collect();
    others.sort_by_key(|at| at.as_str() != "main");
    for other in others {
        let level = &levels[here];
        let lacks = reported - level.unshipped();
        let can = level.get(Counter::OnHand).min(levels[&other].unshipped());
        let moves = lacks.min(can).max(0);
        for (at, units) in [(here, moves), (&other, -moves)] {
            let level = levels.get_mut(at).expect("listed above");
            add(level, Counter::OnHand, -units);
            add(level, Counter::Sold, units);
        }
    }
    let level = levels.get_mut(here).expect("entered above");
    let left = reported.min(level.unshipped());
    add(level, Counter::Shipped, left);
    let missing = reported - left;
    let proposal = if missing <= level.get(Counter::OnHand) {
        Proposal::Adjust(-missing)
    } else {
        Proposal::Look
    };
    (missing > 0).then_some((DriftKind::ShippedUnsold, left, reported, proposal))
}

fn come_back(levels: &mut Levels, here: &Location, reported: u32) -> Rest {
    let reported = i64::from(reported);
    let away: i64 = levels
        .values()
        .map(|level| level.get(Counter::Shipped) - level.get(Counter::ReturnsReceived))
        .sum();
    let back = reported.min(away.max(0));
    let level = levels.entry(here.clone()).or_default();
    add(level, Counter::Returned, back);
    add(level, Counter::ReturnsReceived, back);
    let more = reported - back;
    let kind = DriftKind::ReturnedUnshipped;
    (more > 0).then_some((kind, back, reported, Proposal::Adjust(more)))
}

fn damage(levels: &mut Levels, here: &Location, (reported, from): (u32, Place)) -> Rest {
    let reported = i64::from(reported);
    let level = levels.entry(here.clone()).or_default();
    let broken = reported.min(level.get(from.counter()));
    add(level, from.counter(), -broken);
    add(level, Counter::Damaged, broken);
    let kind = DriftKind::DamagedMissing;
    (broken < reported).then_some((kind, broken, reported, Proposal::Look))
}

fn decide<'a>(
    command: &Movement,
    levels: &'a mut Levels,
    (from, units): (Place, u32),
    force: bool,
) -> Result<&'a mut Counters, Refusal> {
    take(command, levels, (from.counter(), i64::from(units)), force)
}

/// A decision takes units from a counter, if they are there and not promised.
fn take<'a>(
    command: &Movement,
    levels: &'a mut Levels,
    (counter, units): (Counter, i64),
    force: bool,
) -> Result<&'a mut Counters, Refusal> {
    let Some(level) = levels.get_mut(&command.location) else {
        let place = (command.sku.clone(), command.location.clone());
        return Err(Refusal::UnknownLocation(vec![place]));
    };
    let (value, delta) = (level.get(counter), -units);
    if value + delta < 0 {
        return Err(Refusal::WouldGoNegative {
            counter,
            value,
            delta,
        });
    }
    let reserved = level.get(Counter::Reserved);
    let is_promised = counter == Counter::OnHand && delta < 0 && value + delta < reserved;
    if is_promised && !force {
        return Err(Refusal::BelowReserved {
            on_hand: value,
            reserved,
            delta,
        });
    }
    add(level, counter, delta);
    Ok(level)
}

impl Shelf {
    /// An event that changes no counter.
    pub(super) const fn noted(&mut self) {
        self.versions.all += 1;
    }
}
