//! Movements of stock: receipts, which are facts, and adjustments, which are decisions.

use super::draft::Draft;
use super::homes::HomeRef;
use super::skus::SkuEntry;
use super::{Decision, Engine, Outcome, Reply};
use crate::command::{Adjust, Receive};
use crate::event::{
    Effect, Event, EventKind, KeyOutcome, KeyTag, KeyTarget, Note, StockEffect, Versions,
};
use crate::id::ReservationId;
use crate::name::{Location, Sku};
use crate::refusal::Refusal;
use crate::stock::{Counter, Counters};
use crate::time::Timestamp;
use smallvec::{SmallVec, smallvec};

impl Engine {
    pub(super) fn decide_receive(
        &self,
        command: &Receive,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let entry = match self.find_sku(&command.sku, command.expected_version) {
            Ok(entry) => entry,
            Err(decision) => return *decision,
        };
        if !self.skus.has_room_for(&command.location) {
            return Decision::outcome(Outcome::Full("locations"), self.seq);
        }
        // Nothing below can refuse.
        let units = i64::from(command.units.get());
        let before = self
            .counters_at(entry, &command.location)
            .unwrap_or_default();
        let counters = smallvec![
            (Counter::OnHand, add(before.get(Counter::OnHand), units)),
            (Counter::Received, add(before.get(Counter::Received), units)),
        ];
        let effect = stock_effect(entry, &command.location, counters);
        let mut draft = self.draft(EventKind::StockReceived, now);
        draft.effect(Effect::Stock(Box::new(effect)));
        moved(draft, (command.id, &command.sku), &command.note, key)
    }

    pub(super) fn decide_adjust(
        &self,
        command: &Adjust,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let entry = match self.find_sku(&command.sku, command.expected_version) {
            Ok(entry) => entry,
            Err(decision) => return *decision,
        };
        let Some(before) = self.counters_at(entry, &command.location) else {
            let unknown = vec![(command.sku.clone(), command.location.clone())];
            return Decision::refused(Refusal::UnknownLocation(unknown), entry.seq);
        };
        let (on_hand, reserved) = (before.get(Counter::OnHand), before.get(Counter::Reserved));
        let (delta, after) = (command.delta, add(on_hand, command.delta));
        if after < 0 {
            return Decision::refused(Refusal::WouldGoNegative { on_hand, delta }, entry.seq);
        }
        let is_below = after < reserved && delta < 0;
        if is_below && let Some(place) = self.lapsed_where(entry, &command.location, now) {
            return self.again(place, now);
        }
        if is_below && !command.force {
            let refusal = Refusal::BelowReserved {
                on_hand,
                reserved,
                delta,
            };
            return Decision::refused(refusal, entry.seq);
        }
        // Nothing below can refuse.
        let counters = smallvec![
            (Counter::OnHand, after),
            (Counter::Adjusted, add(before.get(Counter::Adjusted), delta)),
        ];
        let effect = stock_effect(entry, &command.location, counters);
        let versions = effect.versions;
        let mut draft = self.draft(EventKind::StockAdjusted, now);
        draft.effect(Effect::Stock(Box::new(effect)));
        let mut decision = moved(draft, (command.id, &command.sku), &command.note, key);
        let grew = before.shortfall() < reserved - after;
        if grew {
            decision
                .events
                .push(self.shortfall_event(command, versions, now));
            decision.read += 1;
        }
        decision
    }

    /// Reports that fewer units are there than are held.
    fn shortfall_event(&self, command: &Adjust, before: Versions, now: Timestamp) -> Event {
        let versions = Versions {
            all: before.all + 1,
            stock: before.stock + 1,
            ..before
        };
        let (sku, location) = (command.sku.clone(), command.location.clone());
        let mut draft = self.draft(EventKind::StockShortfall, now);
        let counters = SmallVec::new();
        draft.effect(Effect::Stock(Box::new(StockEffect {
            sku,
            location,
            counters,
            versions,
        })));
        let mut event = draft.finish(None);
        event.seq += 1;
        event
    }

    fn find_sku(&self, sku: &Sku, expected: Option<u64>) -> Result<&SkuEntry, Box<Decision>> {
        let Some((_, entry)) = self.skus.find_known(sku) else {
            let refusal = Refusal::UnknownSku(vec![sku.clone()]);
            return Err(Box::new(Decision::refused(refusal, self.seq)));
        };
        let actual = entry.versions.stock;
        if let Some(expected) = expected.filter(|version| *version != actual) {
            let refusal = Refusal::VersionChanged { expected, actual };
            return Err(Box::new(Decision::refused(refusal, entry.seq)));
        }
        Ok(entry)
    }

    /// The earliest lapsed reservation that holds units there.
    fn lapsed_where(
        &self,
        entry: &SkuEntry,
        location: &Location,
        now: Timestamp,
    ) -> Option<HomeRef> {
        let level = entry.level(self.skus.find_location(location)?)?;
        let (deadline, number) = level.lapses.first()?;
        let hold = self.holds.get(number).expect("lapses name stored holds");
        (deadline <= now).then_some(hold.home)
    }

    fn counters_at(&self, entry: &SkuEntry, location: &Location) -> Option<Counters> {
        let location = self.skus.find_location(location)?;
        Some(entry.level(location)?.counters.all())
    }
}

fn add(before: i64, delta: i64) -> i64 {
    before
        .checked_add(delta)
        .expect("INV-1: counters fit 63 bits")
}

fn stock_effect(
    entry: &SkuEntry,
    location: &Location,
    counters: SmallVec<[(Counter, i64); 3]>,
) -> StockEffect {
    let before = entry.versions;
    let versions = Versions {
        all: before.all + 1,
        stock: before.stock + 1,
        ..before
    };
    StockEffect {
        sku: entry.sku.clone(),
        location: location.clone(),
        counters,
        versions,
    }
}

fn moved(
    mut draft: Draft<'_>,
    (id, sku): (ReservationId, &Sku),
    note: &Note,
    key: Option<&KeyTag>,
) -> Decision {
    draft.note = Some(Box::new(Note {
        movement: Some(id),
        ..note.clone()
    }));
    let target = KeyTarget::Movement(id, sku.clone());
    let event = draft.finish(key.map(|tag| (tag, KeyOutcome::Moved, target)));
    let reply = Reply::Movement {
        id,
        sku: sku.clone(),
        replayed: false,
    };
    Decision::with(event, Outcome::Done(reply))
}
