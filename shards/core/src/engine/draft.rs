//! Building one event: stock deltas are gathered per SKU and location and become absolute
//! new values at the end, so that a decision may touch a level more than once.

use super::Engine;
use super::homes::{Home, HomeRef};
use super::keys::Target;
use super::skus::{LocationIndex, SkuIndex};
use crate::event::{
    Effect, Effects, Event, EventKind, HoldChange, HomeChange, HomeExtra, KeyEffect, KeyOutcome,
    KeyTag, KeyTarget, Note, StockEffect, Versions,
};
use crate::id::ReservationId;
use crate::stock::Counter;
use crate::time::Timestamp;
use smallvec::SmallVec;

pub(super) struct Draft<'a> {
    engine: &'a Engine,
    kind: EventKind,
    now: Timestamp,
    effects: Effects,
    stock: SmallVec<[StockDraft; 2]>,
    pub(super) note: Option<Box<Note>>,
    next_hold: u64,
}

struct StockDraft {
    sku: SkuIndex,
    location: LocationIndex,
    deltas: SmallVec<[(Counter, i64); 3]>,
}

impl Engine {
    pub(super) fn draft(&self, kind: EventKind, now: Timestamp) -> Draft<'_> {
        Draft {
            engine: self,
            kind,
            now,
            effects: Effects::new(),
            stock: SmallVec::new(),
            note: None,
            next_hold: self.holds.next,
        }
    }
}

impl Draft<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// A number for a new hold.
    pub(super) const fn next_hold(&mut self) -> u64 {
        self.next_hold += 1;
        self.next_hold - 1
    }

    pub(super) fn stock(
        &mut self,
        (sku, location): (SkuIndex, LocationIndex),
        counter: Counter,
        delta: i64,
    ) {
        let same = |draft: &&mut StockDraft| draft.sku == sku && draft.location == location;
        let draft = if let Some(draft) = self.stock.iter_mut().find(same) {
            draft
        } else {
            self.stock.push(StockDraft {
                sku,
                location,
                deltas: SmallVec::new(),
            });
            self.stock.last_mut().expect("just pushed")
        };
        match draft.deltas.iter_mut().find(|(other, _)| *other == counter) {
            Some((_, sum)) => *sum += delta,
            None => draft.deltas.push((counter, delta)),
        }
    }

    /// Brings a local hold of a line to new totals and moves its units accordingly: what is
    /// confirmed leaves `on_hand` and `reserved` for `sold`; what is released or expired
    /// leaves `reserved`.
    pub(super) fn settle_hold(
        &mut self,
        number: u64,
        totals: [u32; 3],
        version: u32,
        deadline: Timestamp,
    ) {
        let hold = self
            .engine
            .holds
            .get(number)
            .expect("open lines have their hold");
        let key = (hold.sku, hold.location);
        let before = hold.totals();
        let moved = |at: usize| {
            i64::from(totals[at])
                .checked_sub(i64::from(before[at]))
                .expect("totals are small")
        };
        let (confirmed, released, expired) = (moved(0), moved(1), moved(2));
        if confirmed != 0 {
            self.stock(key, Counter::OnHand, -confirmed);
            self.stock(key, Counter::Sold, confirmed);
        }
        if confirmed + released + expired != 0 {
            self.stock(key, Counter::Reserved, -(confirmed + released + expired));
        }
        if released != 0 {
            self.stock(key, Counter::Released, released);
        }
        if expired != 0 {
            self.stock(key, Counter::Expired, expired);
        }
        let phase = hold.phase;
        let change = HoldChange {
            number,
            version,
            deadline,
            phase,
            totals,
        };
        self.effects.push(Effect::HoldChanged(change));
    }

    /// Brings a reservation to new totals per line, and its local holds with it.
    pub(super) fn change_home(
        &mut self,
        place: HomeRef,
        home: &Home,
        totals: SmallVec<[[u32; 3]; 1]>,
        edit: Edit,
    ) {
        let version = home
            .version
            .checked_add(1)
            .expect("a reservation has few decisions");
        let expires_at = edit.expires_at.unwrap_or(home.expires_at);
        let deadline_moved = expires_at != home.expires_at;
        for (line, new) in home.lines.iter().zip(&totals) {
            let changed = line.totals != *new || deadline_moved;
            if !line.foreign && line.open() > 0 && changed {
                self.settle_hold(line.hold, *new, version, expires_at);
            }
        }
        let held = home
            .lines
            .iter()
            .map(|line| u64::from(line.units))
            .sum::<u64>();
        let ended: u64 = totals.iter().flatten().map(|units| u64::from(*units)).sum();
        let ended_at = match edit.ended_at {
            Some(at) => Some(at),
            None if held == ended => home.ended_at().or(Some(self.now)),
            None => None,
        };
        let id = home.id(place);
        let extra = edit.extra;
        let change = HomeChange {
            id,
            version,
            expires_at,
            totals,
            ended_at,
            extra,
        };
        self.effects.push(Effect::HomeChanged(Box::new(change)));
    }

    /// Every part has settled: no decision, so the version stays.
    pub(super) fn settle_home(&mut self, place: HomeRef, home: &Home) {
        let edit = Edit::extra(home, |extra| extra.settled = true);
        self.effects.push(Effect::HomeChanged(Box::new(HomeChange {
            id: home.id(place),
            version: home.version,
            expires_at: home.expires_at,
            totals: home.lines.iter().map(|line| line.totals).collect(),
            ended_at: home.ended_at(),
            extra: edit.extra,
        })));
    }

    /// The event, with absolute values.
    pub(super) fn finish(mut self, key: Option<(&KeyTag, KeyOutcome, KeyTarget)>) -> Event {
        let seq = self.engine.seq + 1;
        for draft in std::mem::take(&mut self.stock) {
            let effect = Box::new(self.stock_effect(&draft));
            self.effects.push(Effect::Stock(effect));
        }
        let key = key.map(|(tag, outcome, target)| {
            let index = self.engine.keys.next;
            KeyEffect {
                index,
                tag: *tag,
                outcome,
                target,
            }
        });
        let (at, kind, effects, note) = (self.now, self.kind, self.effects, self.note);
        Event {
            seq,
            at,
            kind,
            key,
            effects,
            note,
        }
    }

    fn stock_effect(&self, draft: &StockDraft) -> StockEffect {
        let entry = self.engine.skus.get(draft.sku);
        let level = entry.level(draft.location);
        let counters = draft.deltas.iter().map(|(counter, delta)| {
            let before = level.map_or(0, |level| level.counters.get(*counter));
            let after = before
                .checked_add(*delta)
                .expect("INV-1: counters fit 63 bits");
            assert!(
                after >= 0 || counter.is_signed(),
                "INV-1: {} would be {after}",
                counter.name()
            );
            (*counter, after)
        });
        StockEffect {
            sku: entry.sku.clone(),
            location: self.engine.skus.location(draft.location).clone(),
            counters: counters.collect(),
            versions: self.versions_after(entry.versions),
        }
    }

    const fn versions_after(&self, before: Versions) -> Versions {
        let is_stock = matches!(
            self.kind,
            EventKind::StockReceived
                | EventKind::StockAdjusted
                | EventKind::StockShortfall
                | EventKind::StockOpened
                | EventKind::StockShipped
                | EventKind::StockReturned
                | EventKind::StockRestocked
                | EventKind::StockDamaged
                | EventKind::StockWrittenOff
                | EventKind::StockCounted
                | EventKind::StockTransferred
        );
        let stock = if is_stock {
            before.stock + 1
        } else {
            before.stock
        };
        Versions {
            all: before.all + 1,
            stock,
            config: before.config,
        }
    }
}

/// What a change of a reservation does beside its totals.
#[derive(Default)]
pub(super) struct Edit {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) extra: Option<Box<HomeExtra>>,
}

impl Edit {
    /// Changes the rare values of a home, keeping the others.
    pub(super) fn extra(home: &Home, change: impl FnOnce(&mut HomeExtra)) -> Self {
        let mut extra = home.extra.clone().unwrap_or_default();
        change(&mut extra);
        Self {
            extra: Some(extra),
            ..Self::default()
        }
    }
}

/// The key's part of an event about a reservation.
pub(super) fn keyed(
    key: Option<&KeyTag>,
    outcome: KeyOutcome,
    id: ReservationId,
) -> Option<(&KeyTag, KeyOutcome, KeyTarget)> {
    key.map(|tag| (tag, outcome, KeyTarget::Reservation(id)))
}

impl Engine {
    /// A stored key's target in exchange form.
    pub(super) fn key_target(&self, target: Target) -> Option<KeyTarget> {
        Some(match target {
            Target::Home(place) => KeyTarget::Reservation(self.homes.at(place)?.id(place)),
            Target::Sku(sku) => KeyTarget::Sku(self.skus.get(sku).sku.clone()),
            Target::Movement(id, sku) => KeyTarget::Movement(id, self.skus.get(sku).sku.clone()),
        })
    }
}
