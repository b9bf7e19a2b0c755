//! Holds that are released because their units are gone: whose turn it was.

use super::{Hold, Model, Order, add};
use holdfast_core::{
    Counter, Effect, Event, Location, OnShortfall, ReservationId, Sku, Text, Timestamp,
};

impl Model {
    /// Follows a release that nobody asked for: one hold after the other, the newest first, none
    /// that is pinned, and none once the others have enough.
    pub(super) fn hear_released(&mut self, event: &Event) {
        let places: Vec<(Sku, Location)> = event
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Stock(stock) => Some((stock.sku.clone(), stock.location.clone())),
                _ => None,
            })
            .collect();
        let [(sku, location)] = &places[..] else {
            return self.complain(format!("one release of what is short names {places:?}"));
        };
        if self.skus[sku].config.on_shortfall != OnShortfall::ReleaseNewest {
            return self.complain(format!("nobody wants {sku} to be released"));
        }
        for effect in &event.effects {
            if let Effect::HomeChanged(change) = effect {
                self.release_newest(change.id, (sku, location), event.at);
            }
        }
        self.touch([sku.clone()]);
    }

    fn release_newest(&mut self, id: ReservationId, at: (&Sku, &Location), now: Timestamp) {
        let (sku, location) = at;
        let on_hand = self.skus[sku].levels[location].get(Counter::OnHand);
        if self.reserved(sku, location) <= on_hand {
            return self.complain(format!("{id} was released, and nothing was short"));
        }
        let is_there = |hold: &Hold| hold.sku == *sku && hold.location == *location;
        let may_go = |order: &&Order| {
            let is_pinned = order.pinned_until.is_some_and(|until| now < until);
            let is_held = order
                .holds
                .iter()
                .any(|hold| is_there(hold) && hold.open() > 0);
            !is_pinned && is_held && !order.lapsed(now)
        };
        let held = self.orders.values().filter(may_go).map(|order| order.id);
        let newest = held.max_by_key(|id| (id.at(), id.counter()));
        if newest != Some(id) {
            return self.complain(format!("{id} was released before {newest:?}"));
        }
        let order = self.order_mut(id);
        let hold = order.holds.iter_mut().find(|hold| is_there(hold));
        let hold = hold.expect("it was found by it");
        let units = hold.open();
        hold.released += units;
        order.reason = Text::parse("shortfall").ok();
        order.version += 1;
        if order.open() == 0 {
            order.ended_at = Some(now);
        }
        add(
            self.level_mut(sku, location),
            Counter::Released,
            i64::from(units),
        );
    }
}
