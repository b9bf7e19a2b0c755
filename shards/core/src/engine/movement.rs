//! Movements of stock: what they all have in common, receipts and adjustments.
//!
//! The other facts are in `facts.rs`, counts in `count.rs`, decisions in `decisions.rs`, and what a
//! source's stream says of a movement in `feed.rs`.

use super::draft::Draft;
use super::homes::HomeRef;
use super::skus::SkuEntry;
use super::{Decision, Engine, Outcome, Reply};
use crate::command::{Movement, MovementKind};
use crate::event::{Effect, Event, EventKind, KeyTag, KeyTarget, Note, StockEffect, Versions};
use crate::name::{Location, Sku};
use crate::refusal::Refusal;
use crate::stock::{Counter, Counters};
use crate::time::Timestamp;
use crate::units::Units;
use crate::view::Outcome as Came;
use smallvec::{SmallVec, smallvec};

impl Engine {
    pub(super) fn decide_movement(
        &self,
        command: &Movement,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let entry = match self.find_sku(&command.sku, command.expected_version) {
            Ok(entry) => entry,
            Err(decision) => return *decision,
        };
        match &command.kind {
            MovementKind::Receive(units) => self.decide_receive(command, entry, *units, key, now),
            MovementKind::Adjust { delta, force } => {
                self.decide_adjust(command, entry, (*delta, *force), key, now)
            }
            MovementKind::Opening(_)
            | MovementKind::Ship { .. }
            | MovementKind::Return { .. }
            | MovementKind::Damage { .. }
            | MovementKind::Count(_)
            | MovementKind::Restock(_)
            | MovementKind::WriteOff { .. }
            | MovementKind::Transfer { .. } => {
                Decision::outcome(Outcome::Full("unbuilt"), self.seq)
            }
        }
    }

    fn decide_receive(
        &self,
        command: &Movement,
        entry: &SkuEntry,
        units: Units,
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        if !self.skus.has_room_for(&command.location) {
            return Decision::outcome(Outcome::Full("locations"), self.seq);
        }
        // Nothing below can refuse.
        let units = i64::from(units.get());
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
        moved(draft, command, Came::Applied, key)
    }

    fn decide_adjust(
        &self,
        command: &Movement,
        entry: &SkuEntry,
        (delta, force): (i64, bool),
        key: Option<&KeyTag>,
        now: Timestamp,
    ) -> Decision {
        let Some(before) = self.counters_at(entry, &command.location) else {
            let unknown = vec![(command.sku.clone(), command.location.clone())];
            return Decision::refused(Refusal::UnknownLocation(unknown), entry.seq);
        };
        let (on_hand, reserved) = (before.get(Counter::OnHand), before.get(Counter::Reserved));
        let after = add(on_hand, delta);
        if after < 0 {
            let (counter, value) = (Counter::OnHand, on_hand);
            let refusal = Refusal::WouldGoNegative {
                counter,
                value,
                delta,
            };
            return Decision::refused(refusal, entry.seq);
        }
        let is_below = after < reserved && delta < 0;
        if is_below && let Some(place) = self.lapsed_where(entry, &command.location, now) {
            return self.again(place, now);
        }
        if is_below && !force {
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
        let mut decision = moved(draft, command, Came::Applied, key);
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
    pub(super) fn shortfall_event(
        &self,
        command: &Movement,
        before: Versions,
        now: Timestamp,
    ) -> Event {
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

    pub(super) fn find_sku(
        &self,
        sku: &Sku,
        expected: Option<u64>,
    ) -> Result<&SkuEntry, Box<Decision>> {
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
    pub(super) fn lapsed_where(
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

    pub(super) fn counters_at(&self, entry: &SkuEntry, location: &Location) -> Option<Counters> {
        let location = self.skus.find_location(location)?;
        Some(entry.level(location)?.counters.all())
    }
}

pub(super) fn add(before: i64, delta: i64) -> i64 {
    before
        .checked_add(delta)
        .expect("INV-1: counters fit 63 bits")
}

pub(super) fn stock_effect(
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

/// The event of a movement, and the answer to it.
pub(super) fn moved(
    mut draft: Draft<'_>,
    command: &Movement,
    outcome: Came,
    key: Option<&KeyTag>,
) -> Decision {
    let (id, sku) = (command.id, command.sku.clone());
    draft.note = Some(Box::new(Note {
        movement: Some(id),
        feed: command.feed,
        message: command.message.clone(),
        ..command.note.clone()
    }));
    let target = KeyTarget::Movement(id, sku.clone());
    let event = draft.finish(key.map(|tag| (tag, outcome.to_key(), target)));
    let reply = Reply::Movement {
        id,
        sku,
        outcome,
        replayed: false,
    };
    Decision::with(event, Outcome::Done(reply))
}
