//! Giving units back, and moving deadlines.

use super::confirm::pick;
use super::{Hold, Model, Order, Outcome, add};
use holdfast_core::{
    Counter, ExpiredReason, Extend, KeyOutcome, Millis, Pin, Refusal, Release, ReservationId,
    Timestamp,
};

impl Model {
    pub(super) fn release(&mut self, command: &Release, now: Timestamp) -> Outcome {
        let order = match self.find(command.id) {
            Ok(order) => order.clone(),
            Err(refusal) => return Outcome::refused(refusal),
        };
        if !order.is_open(now) {
            return self.release_ended(command, &order, now);
        }
        let units: Vec<u32> = match &command.lines {
            None => order.holds.iter().map(Hold::open).collect(),
            Some(lines) => match pick(&order, lines, Hold::open) {
                Ok(units) => units,
                Err(_) if pick(&order, lines, |hold| hold.released).is_ok() => {
                    return Outcome::as_it_stands(order.id);
                }
                Err(_) if pick(&order, lines, |hold| hold.confirmed).is_ok() => {
                    return Outcome::refused(order.confirmed_refusal());
                }
                Err(over) => return Outcome::refused(Refusal::OverRelease(over)),
            },
        };

        let mut touched = Vec::new();
        for (at, units) in units.into_iter().enumerate() {
            let hold = &mut self.order_mut(command.id).holds[at];
            hold.released += units;
            let (sku, location) = (hold.sku.clone(), hold.location.clone());
            add(
                self.level_mut(&sku, &location),
                Counter::Released,
                i64::from(units),
            );
            if units > 0 {
                touched.push(sku);
            }
        }
        let order = self.order_mut(command.id);
        if command.reason.is_some() {
            order.reason.clone_from(&command.reason);
        }
        order.version += 1;
        if order.open() == 0 {
            order.ended_at = Some(now);
        }
        self.touch(touched);
        Outcome::reservation(command.id, KeyOutcome::Released)
    }

    /// Nothing is open: as it stands, and no late confirm any more.
    fn release_ended(&mut self, command: &Release, order: &Order, now: Timestamp) -> Outcome {
        let lapsed = order.lapsed(now);
        let is_sold = match &command.lines {
            None => order.holds.iter().all(|hold| hold.confirmed == hold.units),
            Some(lines) => {
                pick(order, lines, |hold| hold.confirmed).is_ok()
                    && pick(order, lines, |hold| hold.released).is_err()
                    && pick(order, lines, |hold| hold.expired_by(lapsed)).is_err()
            }
        };
        if is_sold {
            return Outcome::refused(order.confirmed_refusal());
        }
        if order.closed.is_some() || order.expired(now) == 0 {
            return Outcome::as_it_stands(order.id);
        }
        self.close_for(order.id, ExpiredReason::Closed, now);
        Outcome::reservation(order.id, KeyOutcome::Released)
    }

    /// No late confirm from here on.
    pub(super) fn close_for(&mut self, id: ReservationId, reason: ExpiredReason, now: Timestamp) {
        let order = self.order_mut(id);
        order.closed = Some(reason);
        order.version += 1;
        order.ended_at = Some(now);
    }

    pub(super) fn extend(&mut self, command: &Extend, now: Timestamp) -> Outcome {
        let order = match self.find_open(command.id, now) {
            Ok(order) => order,
            Err(refusal) => return Outcome::refused(refusal),
        };
        let end = order.chain_start.after(self.policy.lifetime_max);
        let (min, requested) = (self.policy.ttl_min, command.ttl);
        let max = self.policy.ttl_max.min(end.since(now));
        if requested < min || requested > max {
            return Outcome::refused(Refusal::TtlLimit {
                min,
                max,
                requested,
            });
        }
        let expires_at = now.after(requested);
        if expires_at <= order.expires_at {
            return Outcome::as_it_stands(order.id);
        }
        let order = self.order_mut(command.id);
        order.expires_at = expires_at;
        order.version += 1;
        Outcome::reservation(command.id, KeyOutcome::Extended)
    }

    pub(super) fn pin(&mut self, command: &Pin, now: Timestamp) -> Outcome {
        let order = match self.find_open(command.id, now) {
            Ok(order) => order,
            Err(refusal) => return Outcome::refused(refusal),
        };
        let (min, max, requested) = (Millis::new(1), self.policy.pin_max, command.duration);
        if requested < min || requested > max {
            return Outcome::refused(Refusal::TtlLimit {
                min,
                max,
                requested,
            });
        }
        if let Some(until) = order.pinned_until {
            return Outcome::refused(Refusal::AlreadyPinned {
                id: order.id,
                until,
            });
        }
        let until = order.expires_at.max(now.after(requested));
        let order = self.order_mut(command.id);
        order.expires_at = until;
        order.pinned_until = Some(until);
        order.version += 1;
        Outcome::reservation(command.id, KeyOutcome::Pinned)
    }

    pub(super) fn find_open(&self, id: ReservationId, now: Timestamp) -> Result<&Order, Refusal> {
        let order = self.find(id)?;
        if order.is_open(now) {
            Ok(order)
        } else if order.confirmed() > 0 {
            Err(order.confirmed_refusal())
        } else if order.expired(now) > 0 {
            Err(order.expired_for(order.closed.unwrap_or(ExpiredReason::Lapsed)))
        } else {
            Err(order.released_refusal())
        }
    }
}

impl Order {
    /// Its time is known once nothing is open; before that nobody asks for it.
    pub(super) fn confirmed_refusal(&self) -> Refusal {
        let at = self.ended_at.unwrap_or(Timestamp::ZERO);
        Refusal::ReservationConfirmed { id: self.id, at }
    }
}
