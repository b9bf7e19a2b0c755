//! A reserve that goes through: what is recorded of it, and what of the one it replaces.

use super::reserve::{Ask, Got, distinct};
use super::{Hold, Model, Order, add};
use holdfast_core::{
    Counter, Effect, Event, ExpiredReason, Location, Reserve, Shortage, ShortageReason, Sku,
    Timestamp,
};

impl Model {
    /// Nothing below can refuse.
    pub(super) fn set_aside(
        &mut self,
        command: &Reserve,
        asks: &[Ask],
        got: &[Got],
        replaced: Option<Order>,
        now: Timestamp,
    ) {
        let mut holds: Vec<Hold> = Vec::new();
        let mut shortages = Vec::new();
        for (ask, got) in asks.iter().zip(got) {
            let counts =
                command.customer.is_some() && self.skus[&ask.sku].config.customer_limit.is_some();
            for (location, units) in &got.takes {
                let units = *units as u32;
                // Split lines at locations the service chose have `requested` = `qty`.
                let is_split = got.takes.len() > 1;
                let requested = if is_split { units } else { ask.units as u32 };
                let same = |hold: &&mut Hold| hold.sku == ask.sku && hold.location == *location;
                if let Some(hold) = holds.iter_mut().find(same) {
                    hold.requested += requested;
                    hold.units += units;
                    continue;
                }
                let (confirmed, released, expired) = (0, 0, 0);
                let (sku, location) = (ask.sku.clone(), location.clone());
                holds.push(Hold {
                    sku,
                    location,
                    requested,
                    units,
                    confirmed,
                    released,
                    expired,
                    cancelled: 0,
                    shipped: 0,
                    counts,
                    late: None,
                });
            }
        }
        for sku in distinct(asks) {
            shortages.extend(shortage_of(&sku, asks, got));
        }
        let mut touched: Vec<Sku> = holds.iter().map(|hold| hold.sku.clone()).collect();
        if let Some(old) = &replaced {
            touched.extend(
                old.holds
                    .iter()
                    .filter(|hold| hold.open() > 0)
                    .map(|hold| hold.sku.clone()),
            );
            self.give_way(old, command, now);
        }
        let ttl = command.ttl.unwrap_or(self.policy.ttl_default);
        let order = Order {
            id: command.id,
            order_ref: command.order_ref.clone(),
            customer: command.customer.clone(),
            created_at: now,
            chain_start: replaced.as_ref().map_or(now, |old| old.chain_start),
            expires_at: now.after(ttl),
            pinned_until: None,
            late: false,
            payments: Vec::new(),
            replaces: replaced.map(|old| old.id),
            replaced_by: None,
            reason: None,
            holds,
            shortages,
            version: 1,
            graced: false,
            closed: None::<ExpiredReason>,
            ended_at: None,
            forgotten: false,
        };
        self.orders.insert(command.id, order);
        self.touch(touched);
    }

    /// The old one is released in the same step.
    fn give_way(&mut self, old: &Order, command: &Reserve, now: Timestamp) {
        for hold in &old.holds {
            let level = self.level_mut(&hold.sku, &hold.location);
            add(level, Counter::Released, i64::from(hold.open()));
        }
        let order = self.order_mut(old.id);
        for hold in &mut order.holds {
            hold.released += hold.open();
        }
        order.replaced_by = Some(command.id);
        order.ended_at = Some(now);
        order.version += 1;
    }

    /// INV-3, over what was recorded, whatever the model would have answered: lapsed units
    /// must have been given back before, units of a replaced reservation are its own.
    pub(crate) fn check_taken(&mut self, event: &Event) {
        let effects = event.spelled_out();
        let Some(home) = effects.iter().find_map(|effect| match effect {
            Effect::HomeCreated(home) => Some(home),
            _ => None,
        }) else {
            return;
        };
        let replaced = home.extra.as_ref().and_then(|extra| extra.replaces);
        let replaced = replaced.and_then(|id| self.orders.get(&id));
        let mut broken = Vec::new();
        for line in &home.lines {
            let (sku, location) = (&line.sku, &line.location);
            let own = replaced.map_or(0, |order| order.open_at(sku, location)) as i64;
            let free = self.free(sku, location) + own;
            if free < i64::from(line.units) {
                broken.push(format!(
                    "INV-3: {} of {sku}@{location}, {free} free",
                    line.units
                ));
            }
        }
        self.complaints.extend(broken);
    }
}

impl Order {
    pub(super) fn open_at(&self, sku: &Sku, location: &Location) -> u64 {
        let here = self
            .holds
            .iter()
            .filter(|hold| hold.sku == *sku && hold.location == *location);
        here.map(|hold| u64::from(hold.open())).sum()
    }
}

/// The lines of a SKU that were not granted whole, as one shortage.
fn shortage_of(sku: &Sku, asks: &[Ask], got: &[Got]) -> Option<Shortage> {
    let both = || asks.iter().zip(got).filter(|(ask, _)| ask.sku == *sku);
    let reasons: Vec<ShortageReason> = both().filter_map(|(_, got)| got.shortage).collect();
    let first = [
        ShortageReason::LocationClosed,
        ShortageReason::InsufficientStock,
    ];
    let first = first.into_iter().find(|reason| reasons.contains(reason));
    let reason = first.or(reasons.first().copied())?;
    let requested = both().map(|(ask, _)| ask.units as u32).sum();
    let taken = both().flat_map(|(_, got)| &got.takes);
    let granted = taken.map(|(_, units)| *units as u32).sum();
    Some(Shortage {
        sku: sku.clone(),
        requested,
        granted,
        reason,
    })
}
