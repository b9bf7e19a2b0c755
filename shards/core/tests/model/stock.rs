//! Receipts, which are facts, and adjustments, which are decisions.

use super::{Model, Outcome, Shelf, What, add};
use holdfast_core::{
    Counter, KeyOutcome, KeyTarget, Movement, MovementKind, Refusal, ReservationId, Sku, Timestamp,
    Units,
};

impl Model {
    pub(super) fn movement(&mut self, command: &Movement, now: Timestamp) -> Outcome {
        if let Some(refused) = self.check_declared(command) {
            let shelf = self.skus.get(&command.sku);
            let version = shelf.map(|shelf| shelf.version_refusal(command.expected_version));
            if version == Some(None) {
                return refused;
            }
        }
        match &command.kind {
            MovementKind::Receive(units) => self.receive(command, *units),
            MovementKind::Adjust { delta, force } => self.adjust(command, (*delta, *force), now),
            other => panic!("the model does not know {other:?} yet"),
        }
    }

    fn receive(&mut self, command: &Movement, units: Units) -> Outcome {
        let Some(shelf) = self.skus.get_mut(&command.sku) else {
            return Outcome::refused(Refusal::UnknownSku(vec![command.sku.clone()]));
        };
        if let Some(refusal) = shelf.version_refusal(command.expected_version) {
            return Outcome::refused(refusal);
        }
        let level = shelf.levels.entry(command.location.clone()).or_default();
        add(level, Counter::OnHand, i64::from(units.get()));
        add(level, Counter::Received, i64::from(units.get()));
        shelf.versions.all += 1;
        shelf.versions.stock += 1;
        moved(command.id, &command.sku)
    }

    fn adjust(
        &mut self,
        command: &Movement,
        (delta, force): (i64, bool),
        now: Timestamp,
    ) -> Outcome {
        let Some(shelf) = self.skus.get(&command.sku) else {
            return Outcome::refused(Refusal::UnknownSku(vec![command.sku.clone()]));
        };
        if let Some(refusal) = shelf.version_refusal(command.expected_version) {
            return Outcome::refused(refusal);
        }
        let Some(level) = shelf.levels.get(&command.location) else {
            let place = (command.sku.clone(), command.location.clone());
            return Outcome::refused(Refusal::UnknownLocation(vec![place]));
        };
        let on_hand = level.get(Counter::OnHand);
        let reserved = self.reserved_alive(&command.sku, &command.location, now);
        if on_hand + delta < 0 {
            return Outcome::refused(Refusal::WouldGoNegative {
                counter: Counter::OnHand,
                value: on_hand,
                delta,
            });
        }
        if delta < 0 && on_hand + delta < reserved && !force {
            return Outcome::refused(Refusal::BelowReserved {
                on_hand,
                reserved,
                delta,
            });
        }

        let level = self.level_mut(&command.sku, &command.location);
        add(level, Counter::OnHand, delta);
        add(level, Counter::Adjusted, delta);
        // A shortfall that grew is an event of its own.
        let missing = |on_hand: i64| (reserved - on_hand).max(0);
        let events = if missing(on_hand) < missing(on_hand + delta) {
            2
        } else {
            1
        };
        let shelf = self.skus.get_mut(&command.sku).expect("looked up above");
        shelf.versions.all += events;
        shelf.versions.stock += events;
        moved(command.id, &command.sku)
    }
}

impl Shelf {
    fn version_refusal(&self, expected: Option<u64>) -> Option<Refusal> {
        let actual = self.versions.stock;
        let expected = expected?;
        (expected != actual).then_some(Refusal::VersionChanged { expected, actual })
    }
}

fn moved(id: ReservationId, sku: &Sku) -> Outcome {
    Outcome {
        what: What::Movement {
            id,
            sku: sku.clone(),
        },
        recorded: Some((KeyOutcome::Moved, KeyTarget::Movement(id, sku.clone()))),
    }
}
