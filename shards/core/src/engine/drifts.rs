//! Drifts: opened by what compares, decided once.
//!
//! Approving one records its correction as the ordinary movement or decision that it is, with the
//! drift's name in the note. Deliberately absent: finding differences, and approving by policy.

use super::chain::Chain;
use super::feed::{Standing, one_more};
use super::movement::{Asked, Booking, Rest};
use super::sheet::Sheet;
use super::skus::{LevelKey, SkuEntry};
use super::{Decision, Engine, Outcome, Reply};
use crate::command::{
    Cancel, Command, Confirm, Correct, DecideDrift, FromHome, Late, LineUnits, Movement,
    MovementKind, OpenDrift, Release, Sale, SaleLines, Settle, Verdict,
};
use crate::drift::{DriftKind, DriftRecord, DriftState, Proposal};
use crate::event::{
    Effect, Event, EventKind, KeyEffect, KeyOutcome, KeyTag, KeyTarget, Note, Versions,
};
use crate::id::{Opening, ReservationId};
use crate::name::Sku;
use crate::refusal::Refusal;
use crate::stock::Counter;
use crate::time::Timestamp;
use crate::units::Units;
use crate::view::Outcome as Came;
use smallvec::SmallVec;

impl Engine {
    /// Open drifts of this shard, by id.
    pub fn drifts(&self) -> impl Iterator<Item = &DriftRecord> {
        let known = self.life.drifts.iter();
        let records = known.filter_map(|(id, sku)| self.skus.get(*sku).life.as_ref()?.drift(*id));
        records.filter(|drift| drift.state == DriftState::Open)
    }

    pub(super) fn decide_open_drift(
        &self,
        command: &OpenDrift,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let drift = &command.drift;
        let Some((_, entry)) = self.skus.find_known(&drift.sku) else {
            let refusal = Refusal::UnknownSku(vec![drift.sku.clone()]);
            return Decision::refused(refusal, self.seq);
        };
        if let Some(known) = same_drift(entry, drift) {
            let reply = about(known.id, &drift.sku);
            return Decision::outcome(Outcome::Done(reply), entry.seq);
        }
        if self.life.drifts.len() >= self.policy.drifts_max {
            return Decision::outcome(Outcome::Full("drifts"), self.seq);
        }
        if let Some(decision) = self.no_room_for(&drift.location) {
            return decision;
        }
        // Nothing below can refuse.
        let drift = DriftRecord {
            evidence: (self.settled_before(entry, drift), drift.evidence.1),
            opened_at: now,
            state: DriftState::Open,
            ..drift.clone()
        };
        let (id, sku) = (drift.id, drift.sku.clone());
        let mut draft = self.draft(EventKind::DriftOpened, now);
        draft.effect(self.touch(entry, &drift.location, one_more(entry)));
        draft.note = Some(Box::new(Note {
            drift: Some(id),
            reservation: drift.reservation,
            ..command.note.clone()
        }));
        draft.effect(Effect::Drift(Box::new(drift)));
        let target = KeyTarget::Movement(id, sku.clone());
        let event = draft.finish(key.map(|tag| (tag, KeyOutcome::DriftOpened, target)));
        Decision::with(event, Outcome::Done(about(id, &sku)))
    }

    /// Where a drift's evidence begins: where whoever compared says, or later where somebody has
    /// put the place right since. That is a count, for a difference to a warehouse, and a drift of
    /// the same kind that was decided.
    fn settled_before(&self, entry: &SkuEntry, drift: &DriftRecord) -> u64 {
        let (after, up_to) = drift.evidence;
        let is_warehouse = drift.kind == DriftKind::Warehouse;
        if !is_warehouse && drift.kind != DriftKind::Seller {
            return after;
        }
        let Some(life) = &entry.life else {
            return after;
        };
        let location = self.skus.find_location(&drift.location);
        let count = location.and_then(|location| life.counted(location));
        let counted = count.filter(|_| is_warehouse).map(|(_, seq, _)| seq);
        let is_own = |known: &&DriftRecord| {
            known.kind == drift.kind
                && known.location == drift.location
                && known.state != DriftState::Open
        };
        let decided = life.drifts.iter().filter(is_own);
        let decided = decided.map(|known| known.evidence.1);
        let settled = counted.into_iter().chain(decided);
        settled.filter(|seq| *seq < up_to).fold(after, u64::max)
    }

    pub(super) fn decide_drift(
        &self,
        command: &DecideDrift,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let known = self.skus.find_known(&command.sku).and_then(|(_, entry)| {
            let drift = entry.life.as_ref()?.drift(command.id)?;
            Some((entry, drift))
        });
        let Some((entry, drift)) = known else {
            return Decision::refused(Refusal::UnknownDrift(command.id), self.seq);
        };
        if drift.state != DriftState::Open {
            return conflict(drift, entry);
        }
        let at = now;
        let (movement, reason) = (command.movement, command.reason.clone());
        match command.verdict {
            Verdict::Dismiss => {
                let state = DriftState::Dismissed { at, reason };
                let nothing = Decision::outcome(Outcome::Again, entry.seq);
                self.decided_drift(command, (entry, drift), nothing, state, key)
            }
            Verdict::Approve => {
                let movement = corrected_by(drift).unwrap_or(movement);
                let state = DriftState::Corrected {
                    at,
                    movement,
                    reason,
                };
                match self.correction(command, (entry, drift), now) {
                    Ok(decision) => {
                        self.decided_drift(command, (entry, drift), decision, state, key)
                    }
                    Err(decision) => *decision,
                }
            }
        }
    }

    /// The events of a drift's correction; an error is what is answered instead.
    fn correction(
        &self,
        command: &DecideDrift,
        (entry, drift): (&SkuEntry, &DriftRecord),
        now: Timestamp,
    ) -> Result<Decision, Box<Decision>> {
        let refused = || Err(Box::new(conflict(drift, entry)));
        if let Proposal::Adjust(delta) = drift.proposal {
            return match self.adjusted_for(command, (entry, drift), delta, now) {
                Some(decision) if decision.is_again() => Err(Box::new(decision)),
                Some(decision) => Ok(decision),
                None => refused(),
            };
        }
        let is_here = |id| self.homes.get(id).is_some();
        let is_known = drift.reservation.is_some_and(is_here);
        let is_known = match &command.home {
            FromHome::Done => return Ok(Decision::outcome(Outcome::Again, entry.seq)),
            FromHome::Unread if !is_known && drift.reservation.is_some() => {
                return Err(Box::new(Decision::outcome(Outcome::Unread, 0)));
            }
            FromHome::Told(_) => true,
            FromHome::Here | FromHome::Unread => is_known,
        };
        let Some(correction) = drift.correction(command).filter(|_| is_known) else {
            return refused();
        };
        let decision = self.decide_command(&correction, None, now);
        match &decision.outcome {
            // Goods that have left meanwhile can't leave again.
            Outcome::Done(reply) if is_partly(reply) => refused(),
            Outcome::Done(_) => Ok(decision),
            Outcome::Again | Outcome::Full(_) => Err(Box::new(decision)),
            // What a refused confirm would record for good is not for this to decide.
            Outcome::Refused { .. }
            | Outcome::Undecided
            | Outcome::Unread
            | Outcome::AskParts { .. } => refused(),
        }
    }

    /// Home records the correction of a drift of another shard: as the command that it is, or not at
    /// all.
    pub(super) fn decide_correct(
        &self,
        command: &Correct,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let mut decision = self.decide_command(&command.command, key, now);
        match decision.outcome {
            Outcome::Done(_) => {
                for event in &mut decision.events {
                    event.note.get_or_insert_default().drift = Some(command.drift);
                }
            }
            Outcome::Refused { .. } => decision.events.clear(),
            Outcome::Again
            | Outcome::Full(_)
            | Outcome::Undecided
            | Outcome::Unread
            | Outcome::AskParts { .. } => {}
        }
        decision
    }

    /// The adjustment that a drift proposes, below what is reserved if need be: it is what is there.
    /// Nothing if it does not fit, or if somebody has counted or corrected there since.
    fn adjusted_for(
        &self,
        command: &DecideDrift,
        (entry, drift): (&SkuEntry, &DriftRecord),
        delta: i64,
        now: Timestamp,
    ) -> Option<Decision> {
        let mut sheet = Sheet::new(self, entry, &drift.location);
        let is_absolute = matches!(drift.kind, DriftKind::Warehouse | DriftKind::Seller);
        let adjusted = sheet.get(&drift.location, Counter::Adjusted);
        let location = self.skus.find_location(&drift.location);
        let count = location.and_then(|location| entry.life.as_ref()?.counted(location));
        let is_counted = count.is_some_and(|(_, seq, _)| drift.evidence.1 <= seq);
        let is_corrected = is_absolute && adjusted != drift.adjusted;
        let fits = 0 <= sheet.get(&drift.location, Counter::OnHand) + delta;
        if is_counted || is_corrected || !fits {
            return None;
        }
        sheet.add(&drift.location, Counter::OnHand, delta);
        sheet.add(&drift.location, Counter::Adjusted, delta);
        let force = true;
        let kind = MovementKind::Adjust { delta, force };
        let movement = Movement {
            id: command.movement,
            location: drift.location.clone(),
            note: note_for(command, drift),
            ..Movement::new(drift.sku.clone(), kind)
        };
        let asked = Asked {
            command: &movement,
            entry,
            key: None,
            now,
            standing: Standing::default(),
        };
        Some(self.record(&asked, Booking::new(EventKind::StockAdjusted, sheet)))
    }

    /// The correction's events, each naming the drift, and the one that says it was decided.
    fn decided_drift(
        &self,
        command: &DecideDrift,
        (entry, drift): (&SkuEntry, &DriftRecord),
        correction: Decision,
        state: DriftState,
        key: Option<&KeyTag>,
    ) -> Decision {
        let (kind, outcome) = match state {
            DriftState::Dismissed { .. } => (EventKind::DriftDismissed, KeyOutcome::DriftDismissed),
            DriftState::Corrected { .. } | DriftState::Open => {
                (EventKind::DriftCorrected, KeyOutcome::DriftCorrected)
            }
        };
        let now = state_at(&state).unwrap_or(self.at);
        let drift = DriftRecord {
            state,
            ..drift.clone()
        };
        let mut events = correction.events;
        for event in &mut events {
            event.note.get_or_insert_default().drift = Some(drift.id);
        }
        let versions = versions_after(&events, entry);
        let mut chain = Chain::after(self, entry, (events, versions), now);
        chain.drift(kind, &drift, note_for(command, &drift));
        let mut events = chain.events;
        let last = events.last_mut().expect("just pushed");
        last.key = key.map(|tag| KeyEffect {
            index: self.keys.next,
            tag: *tag,
            outcome,
            target: KeyTarget::Movement(drift.id, drift.sku.clone()),
        });
        Decision {
            read: last.seq,
            events,
            outcome: Outcome::Done(about(drift.id, &drift.sku)),
        }
    }

    /// A decision of home's was applied where it did not fit: the drift that says so, told by the
    /// event that comes so many after the next.
    pub(super) fn met(
        &self,
        settle: &Settle,
        ((sku, location), adjusted): (LevelKey, i64),
        (rest, nth): (&Rest, u64),
        now: Timestamp,
    ) -> DriftRecord {
        let entry = self.skus.get(sku);
        let level = entry.level(location).expect("held levels stay");
        DriftRecord {
            id: unasked(rest.kind, now, &entry.sku, self.seq + nth),
            kind: rest.kind,
            sku: entry.sku.clone(),
            location: self.skus.location(location).clone(),
            expected: rest.fitted,
            found: rest.reported,
            proposal: rest.proposal,
            evidence: (self.seq, self.seq + 1),
            adjusted: level.counters.get(Counter::Adjusted) + adjusted,
            reservation: Some(settle.id),
            source: None,
            document: None,
            opened_at: now,
            state: DriftState::Open,
        }
    }
}

/// The id of a drift that no command asked for: no ledger has an opening of number 0, no two of its
/// events have one sequence, and no event opens two drifts of a kind.
pub(super) fn unasked(kind: DriftKind, at: Timestamp, sku: &Sku, seq: u64) -> ReservationId {
    let opening = Opening::new(0).expect("0 is below 2^20");
    let counter = seq % ReservationId::COUNTER_COUNT;
    ReservationId::mint(at, sku.slot(), opening, counter, kind as u8)
}

/// A drift that tells the same: one that is open, or what became of it when the same paper, compared
/// with the ledger up to the same entry, was looked at before.
fn same_drift<'a>(entry: &'a SkuEntry, drift: &DriftRecord) -> Option<&'a DriftRecord> {
    let mut known = entry.life.as_ref()?.drifts.iter();
    known.find(|known| {
        let is_same_look = known.document.is_some() && known.evidence.1 == drift.evidence.1;
        known.says_what(drift) && (known.state == DriftState::Open || is_same_look)
    })
}

/// The reservation that a drift is corrected by, where that is no movement of its own.
const fn corrected_by(drift: &DriftRecord) -> Option<ReservationId> {
    match drift.proposal {
        Proposal::Cancel(_) | Proposal::Release | Proposal::Confirm => drift.reservation,
        Proposal::Look | Proposal::Adjust(_) | Proposal::Ship(_) => None,
    }
}

impl DriftRecord {
    /// The command that is the correction of a reservation; nothing where the ledger can't record
    /// one, and of what is adjusted.
    pub fn correction(&self, command: &DecideDrift) -> Option<Command> {
        let id = self.reservation?;
        Some(match self.proposal {
            Proposal::Look | Proposal::Adjust(_) => return None,
            Proposal::Cancel(units) => Command::Cancel(Box::new(Cancel {
                id,
                lines: Some(vec![LineUnits {
                    sku: self.sku.clone(),
                    location: Some(self.location.clone()),
                    units: Units::new(units)?,
                }]),
                reason: command.reason.clone(),
            })),
            Proposal::Release => Command::Release(Box::new(Release {
                id,
                lines: None,
                reason: command.reason.clone(),
            })),
            Proposal::Confirm => Command::Confirm(Box::new(Confirm {
                id,
                lines: None,
                late: Late::Reacquire,
                payment_ref: None,
            })),
            Proposal::Ship(units) => {
                let lines = match &command.home {
                    FromHome::Told(lines) => SaleLines::Told(lines.clone()),
                    FromHome::Here | FromHome::Unread | FromHome::Done => SaleLines::Here,
                };
                let kind = MovementKind::Ship {
                    units: Units::new(units)?,
                    sale: Some(Box::new(Sale { id, lines })),
                };
                Command::Movement(Box::new(Movement {
                    id: command.movement,
                    location: self.location.clone(),
                    note: note_for(command, self),
                    ..Movement::new(self.sku.clone(), kind)
                }))
            }
        })
    }
}

/// Whether a movement fitted only in part.
const fn is_partly(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Movement {
            outcome: Came::Partly,
            ..
        }
    )
}

fn note_for(command: &DecideDrift, drift: &DriftRecord) -> Note {
    Note {
        reason: command.reason.clone(),
        document: drift.document.clone(),
        source: drift.source.clone(),
        reservation: drift.reservation,
        drift: Some(drift.id),
        ..Note::default()
    }
}

fn conflict(drift: &DriftRecord, entry: &SkuEntry) -> Decision {
    let (id, state) = (drift.id, drift.state.clone());
    Decision::refused(Refusal::DriftConflict { id, state }, entry.seq)
}

fn about(id: ReservationId, sku: &Sku) -> Reply {
    Reply::Drift {
        id,
        sku: sku.clone(),
        replayed: false,
    }
}

const fn state_at(state: &DriftState) -> Option<Timestamp> {
    match state {
        DriftState::Open => None,
        DriftState::Corrected { at, .. } | DriftState::Dismissed { at, .. } => Some(*at),
    }
}

/// A SKU's versions after events drafted from the state as it is.
fn versions_after(events: &SmallVec<[Event; 1]>, entry: &SkuEntry) -> Versions {
    let mut versions = entry.versions;
    for event in events {
        for effect in event.spelled_out().iter() {
            match effect {
                Effect::Stock(effect) if effect.sku == entry.sku => versions = effect.versions,
                Effect::Sku(effect) if effect.sku == entry.sku => versions = effect.versions,
                _ => {}
            }
        }
    }
    versions
}
