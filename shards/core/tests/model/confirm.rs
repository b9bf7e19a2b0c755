//! Selling what is held, in time or late.

use super::{Hold, Model, Order, Outcome, What, add};
use holdfast_core::{
    Confirm, Counter, ExpiredReason, KeyOutcome, KeyTarget, Late, LineAt, LineUnits, Refusal,
    Remainder, Sku, Text, Timestamp,
};

impl Model {
    pub(super) fn confirm(&mut self, command: &Confirm, now: Timestamp) -> Outcome {
        let order = match self.find(command.id) {
            Ok(order) => order.clone(),
            Err(refusal) => return Outcome::refused(refusal),
        };
        if order.is_open(now) {
            return self.confirm_open(command, &order, now);
        }
        let lapsed = order.lapsed(now);
        let expired = |hold: &Hold| hold.expired_by(lapsed);
        let units = match &command.lines {
            None if order.expired(now) > 0 && !order.late => {
                order.holds.iter().map(expired).collect()
            }
            None if order.confirmed() > 0 => return confirmed_already(command, &order),
            None => return Outcome::refused(order.released_refusal()),
            Some((lines, _)) => {
                if pick(&order, lines, |hold| hold.confirmed).is_ok() {
                    return confirmed_already(command, &order);
                }
                match pick(&order, lines, expired) {
                    Ok(units) => units,
                    Err(_) if order.confirmed() == 0 && order.expired(now) == 0 => {
                        return Outcome::refused(order.released_refusal());
                    }
                    Err(over) => return Outcome::refused(Refusal::OverConfirm(over)),
                }
            }
        };
        self.confirm_late(command, &order, &units, now)
    }

    fn confirm_open(&mut self, command: &Confirm, order: &Order, now: Timestamp) -> Outcome {
        let (units, remainder) = match &command.lines {
            None => (
                order.holds.iter().map(Hold::open).collect(),
                Remainder::Keep,
            ),
            Some((lines, remainder)) => match pick(order, lines, Hold::open) {
                Ok(units) => (units, *remainder),
                Err(_) if pick(order, lines, |hold| hold.confirmed).is_ok() => {
                    return confirmed_already(command, order);
                }
                Err(over) => return Outcome::refused(Refusal::OverConfirm(over)),
            },
        };
        let short: Vec<LineAt> = order
            .holds
            .iter()
            .zip(&units)
            .filter_map(|(hold, units)| {
                let level = &self.skus[&hold.sku].levels[&hold.location];
                let (requested, possible) = (u64::from(*units), level.get(Counter::OnHand) as u64);
                let (sku, location) = (hold.sku.clone(), Some(hold.location.clone()));
                let line = LineAt {
                    sku,
                    location,
                    requested,
                    possible,
                };
                (possible < requested).then_some(line)
            })
            .collect();
        if !short.is_empty() {
            return Outcome::refused(Refusal::Shortfall(short));
        }

        let mut touched = Vec::new();
        for (at, (hold, units)) in order.holds.iter().zip(&units).enumerate() {
            let left = hold.open() - units;
            let back = if remainder == Remainder::Release {
                left
            } else {
                0
            };
            let level = self.level_mut(&hold.sku, &hold.location);
            add(level, Counter::OnHand, -i64::from(*units));
            add(level, Counter::Sold, i64::from(*units));
            add(level, Counter::Released, i64::from(back));
            let hold = &mut self.order_mut(command.id).holds[at];
            hold.confirmed += units;
            hold.released += back;
            if units + back > 0 {
                touched.push(hold.sku.clone());
            }
        }
        let order = self.order_mut(command.id);
        order.pay(command.payment_ref.as_ref());
        order.version += 1;
        if order.open() == 0 {
            order.ended_at = Some(now);
        }
        self.touch(touched);
        Outcome::reservation(command.id, KeyOutcome::Confirmed)
    }

    fn confirm_late(
        &mut self,
        command: &Confirm,
        order: &Order,
        units: &[u32],
        now: Timestamp,
    ) -> Outcome {
        if let Some(reason) = order.closed {
            return Outcome::refused(order.expired_for(reason));
        }
        if order.expires_at.after(self.policy.late_window) < now {
            return Outcome::refused(order.expired_for(ExpiredReason::LateWindow));
        }
        if command.late == Late::Refuse {
            return self.close(order, KeyOutcome::ClosedLateRefused, now);
        }
        let wanted = || {
            order
                .holds
                .iter()
                .zip(units)
                .filter(|(_, units)| **units > 0)
        };
        let mut skus: Vec<Sku> = wanted().map(|(hold, _)| hold.sku.clone()).collect();
        skus.dedup();
        let places = wanted().map(|(hold, _)| (hold.sku.clone(), hold.location.clone()));
        let sells = self.check_places(places);
        if let Err(refusal) = sells.and_then(|()| self.check_sale(&skus, now)) {
            return Outcome::refused(refusal);
        }
        for sku in &skus {
            let here = wanted().filter(|(hold, _)| hold.sku == *sku);
            let requested = here.map(|(_, units)| u64::from(*units)).sum();
            let late = (order.created_at, requested);
            let customer = order.customer.as_ref();
            if customer.is_some_and(|name| self.is_over_late(sku, name, late, now)) {
                return self.close(order, KeyOutcome::ClosedCustomerLimit, now);
            }
        }
        if wanted().any(|(hold, units)| {
            self.free_alive(&hold.sku, &hold.location, now) < i64::from(*units)
        }) {
            return self.close(order, KeyOutcome::ClosedSoldOut, now);
        }

        let taken: Vec<(Hold, u32)> = wanted()
            .map(|(hold, units)| (hold.clone(), *units))
            .collect();
        for (hold, units) in &taken {
            if self.free(&hold.sku, &hold.location) < i64::from(*units) {
                let (sku, location) = (&hold.sku, &hold.location);
                self.complain(format!("INV-3: {units} of {sku}@{location} taken late"));
            }
            let level = self.level_mut(&hold.sku, &hold.location);
            add(level, Counter::OnHand, -i64::from(*units));
            add(level, Counter::Sold, i64::from(*units));
        }
        for (at, units) in units.iter().enumerate().filter(|(_, units)| **units > 0) {
            let has_customer = order.customer.is_some();
            let counts = has_customer
                && self.skus[&order.holds[at].sku]
                    .config
                    .customer_limit
                    .is_some();
            let hold = &mut self.order_mut(command.id).holds[at];
            hold.confirmed += units;
            hold.expired -= units;
            hold.late = Some(super::Late {
                units: *units,
                counts,
            });
        }
        let order = self.order_mut(command.id);
        order.late = true;
        order.closed = Some(ExpiredReason::Closed);
        order.pay(command.payment_ref.as_ref());
        order.version += 1;
        order.ended_at = Some(now);
        self.touch(skus);
        Outcome::reservation(command.id, KeyOutcome::ConfirmedLate)
    }

    /// A refusal that time alone does not explain is recorded, so that it stays the answer.
    fn close(&mut self, order: &Order, kind: KeyOutcome, now: Timestamp) -> Outcome {
        let reason = ExpiredReason::of_outcome(kind).expect("a closing outcome");
        self.close_for(order.id, reason, now);
        let what = What::Refused(order.expired_for(reason));
        Outcome {
            what,
            recorded: Some((kind, KeyTarget::Reservation(order.id))),
            is_noted: false,
        }
    }
}

impl Order {
    fn pay(&mut self, payment: Option<&Text>) {
        if let Some(payment) = payment.filter(|payment| !self.payments.contains(payment)) {
            self.payments.push(payment.clone());
        }
    }

    pub(super) fn released_refusal(&self) -> Refusal {
        Refusal::ReservationReleased {
            id: self.id,
            at: self.ended_at.expect("a released reservation has ended"),
            reason: self.reason.clone(),
            replaced_by: self.replaced_by,
        }
    }
}

/// As it stands, unless another payment is named: then that one is to be refunded.
fn confirmed_already(command: &Confirm, order: &Order) -> Outcome {
    let other = command
        .payment_ref
        .as_ref()
        .filter(|payment| !order.payments.contains(payment));
    match (other, order.payments.first()) {
        (Some(_), Some(first)) => {
            let first = first.clone();
            Outcome::refused(Refusal::ConfirmedByOtherPayment {
                id: order.id,
                first,
            })
        }
        _ => Outcome::as_it_stands(order.id),
    }
}

/// Spreads named units over the holds of an order, as far as each has room; or lists the
/// lines that ask for more.
pub(super) fn pick(
    order: &Order,
    lines: &[LineUnits],
    room: impl Fn(&Hold) -> u32,
) -> Result<Vec<u32>, Vec<LineAt>> {
    let mut units = vec![0_u32; order.holds.len()];
    let mut over = Vec::new();
    for is_named in [true, false] {
        for line in lines
            .iter()
            .filter(|line| line.location.is_some() == is_named)
        {
            let requested = u64::from(line.units.get());
            let (mut left, mut possible) = (line.units.get(), 0);
            for (at, hold) in order.holds.iter().enumerate() {
                let is_elsewhere = line
                    .location
                    .as_ref()
                    .is_some_and(|at| *at != hold.location);
                if hold.sku != line.sku || is_elsewhere {
                    continue;
                }
                let free = room(hold) - units[at];
                possible += u64::from(free);
                let take = left.min(free);
                units[at] += take;
                left -= take;
            }
            if left > 0 {
                let (sku, location) = (line.sku.clone(), line.location.clone());
                over.push(LineAt {
                    sku,
                    location,
                    requested,
                    possible,
                });
            }
        }
    }
    if over.is_empty() {
        Ok(units)
    } else {
        Err(over)
    }
}
