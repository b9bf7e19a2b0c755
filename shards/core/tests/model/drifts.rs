//! Drifts: found by somebody, decided once.

use super::{Model, Outcome, What};
use holdfast_core::{
    Cancel, Command, Confirm, Counter, DecideDrift, DriftKind, DriftRecord, DriftState, KeyOutcome,
    KeyTarget, Late, LineUnits, OpenDrift, Proposal, Refusal, Release, Timestamp, Units, Verdict,
};

impl Model {
    pub(super) fn open_drift(&mut self, command: &OpenDrift, now: Timestamp) -> Outcome {
        let new = &command.drift;
        if !self.skus.contains_key(&new.sku) {
            return Outcome::refused(Refusal::UnknownSku(vec![new.sku.clone()]));
        }
        let is_same = |known: &&DriftRecord| {
            let blank = |drift: &DriftRecord| DriftRecord {
                id: new.id,
                evidence: (0, 0),
                adjusted: 0,
                source: None,
                opened_at: now,
                state: DriftState::Open,
                ..drift.clone()
            };
            let is_same_look = known.document.is_some() && known.evidence.1 == new.evidence.1;
            blank(known) == blank(new) && (known.state == DriftState::Open || is_same_look)
        };
        if let Some(known) = self.drifts.values().find(is_same) {
            return about(known.id, None);
        }
        let drift = DriftRecord {
            evidence: (self.right_until(new), new.evidence.1),
            opened_at: now,
            ..new.clone()
        };
        self.skus.get_mut(&drift.sku).expect("looked up").noted();
        let target = KeyTarget::Movement(drift.id, drift.sku.clone());
        let id = drift.id;
        self.drifts.insert(id, drift);
        about(id, Some((KeyOutcome::DriftOpened, target)))
    }

    /// Up to which record a place was last put right, by a count or a decision.
    fn right_until(&self, new: &DriftRecord) -> u64 {
        let mut until = new.evidence.0;
        if !matches!(new.kind, DriftKind::Warehouse | DriftKind::Seller) {
            return until;
        }
        for known in self.drifts.values() {
            let is_decided = known.state != DriftState::Open;
            let is_here = known.sku == new.sku && known.location == new.location;
            if is_decided && is_here && known.kind == new.kind && known.evidence.1 < new.evidence.1
            {
                until = until.max(known.evidence.1);
            }
        }
        let counted = self.skus[&new.sku].counts.get(&new.location);
        if let (DriftKind::Warehouse, Some((_, seq, _))) = (new.kind, counted)
            && *seq < new.evidence.1
        {
            until = until.max(*seq);
        }
        until
    }

    pub(super) fn decide_drift(&mut self, command: &DecideDrift, now: Timestamp) -> Outcome {
        let known = self.drifts.get(&command.id);
        let Some(drift) = known.filter(|drift| drift.sku == command.sku).cloned() else {
            return Outcome::refused(Refusal::UnknownDrift(command.id));
        };
        let conflict = Outcome::refused(Refusal::DriftConflict {
            id: drift.id,
            state: drift.state.clone(),
        });
        if drift.state != DriftState::Open {
            return conflict;
        }
        let (at, reason) = (now, command.reason.clone());
        let (state, kind) = match command.verdict {
            Verdict::Dismiss => (
                DriftState::Dismissed { at, reason },
                KeyOutcome::DriftDismissed,
            ),
            Verdict::Approve => {
                let Some(movement) = self.correct(command, &drift, now) else {
                    return conflict;
                };
                let state = DriftState::Corrected {
                    at,
                    movement,
                    reason,
                };
                (state, KeyOutcome::DriftCorrected)
            }
        };
        self.skus
            .get_mut(&drift.sku)
            .expect("it has a drift")
            .noted();
        let target = KeyTarget::Movement(drift.id, drift.sku.clone());
        let id = drift.id;
        self.drifts.insert(id, DriftRecord { state, ..drift });
        about(id, Some((kind, target)))
    }

    /// Does what a drift proposes; nothing if that does not fit any more.
    fn correct(
        &mut self,
        command: &DecideDrift,
        drift: &DriftRecord,
        now: Timestamp,
    ) -> Option<holdfast_core::ReservationId> {
        let reason = command.reason.clone();
        let id = drift.reservation;
        let order = match drift.proposal {
            Proposal::Look => return None,
            Proposal::Adjust(delta) => {
                return self
                    .adjust_for(drift, delta, now)
                    .then_some(command.movement);
            }
            Proposal::Cancel(units) => Command::Cancel(Box::new(Cancel {
                id: id?,
                lines: Some(vec![LineUnits {
                    sku: drift.sku.clone(),
                    location: Some(drift.location.clone()),
                    units: Units::new(units)?,
                }]),
                reason,
            })),
            Proposal::Release => Command::Release(Box::new(Release {
                id: id?,
                lines: None,
                reason,
            })),
            Proposal::Confirm => Command::Confirm(Box::new(Confirm {
                id: id?,
                lines: None,
                late: Late::Reacquire,
                payment_ref: None,
            })),
            Proposal::Ship(_) => panic!("the model ships no sales yet"),
        };
        let before = (self.orders.clone(), self.skus.clone());
        let outcome = self.act(&order, now);
        if matches!(outcome.what, What::Refused(_) | What::Full(_)) {
            // A confirm that is refused for good is not, where nobody asked to confirm.
            (self.orders, self.skus) = before;
            return None;
        }
        id
    }

    fn adjust_for(&mut self, drift: &DriftRecord, delta: i64, now: Timestamp) -> bool {
        let alive = self.reserved_alive(&drift.sku, &drift.location, now);
        let shelf = self.skus.get_mut(&drift.sku).expect("it has a drift");
        let counted = shelf.counts.get(&drift.location);
        if counted.is_some_and(|(_, seq, _)| drift.evidence.1 <= *seq) {
            return false;
        }
        let mut level = shelf
            .levels
            .get(&drift.location)
            .cloned()
            .unwrap_or_default();
        let compares = matches!(drift.kind, DriftKind::Warehouse | DriftKind::Seller);
        if compares && level.get(Counter::Adjusted) != drift.adjusted {
            return false;
        }
        let on_hand = level.get(Counter::OnHand);
        if on_hand + delta < 0 {
            return false;
        }
        super::add(&mut level, Counter::OnHand, delta);
        super::add(&mut level, Counter::Adjusted, delta);
        let missing = |on_hand: i64| (alive - on_hand).max(0);
        let events = 1 + u64::from(missing(on_hand) < missing(on_hand + delta));
        shelf.levels.insert(drift.location.clone(), level);
        shelf.versions.all += events;
        shelf.versions.stock += events;
        true
    }
}

fn about(id: holdfast_core::ReservationId, recorded: Option<(KeyOutcome, KeyTarget)>) -> Outcome {
    Outcome {
        what: What::Drift(id),
        recorded,
        is_noted: false,
    }
}
