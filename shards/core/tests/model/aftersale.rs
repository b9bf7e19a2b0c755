//! After the reserve: held units move to another location, and what was confirmed is taken back
//! before it leaves, or leaves.

use super::confirm::pick;
use super::stock::{Levels, Rest, ship};
use super::{Hold, Model, Order, Outcome, add};
use holdfast_core::{
    Cancel, Counter, DriftKind, KeyOutcome, LineAt, Location, MoveHold, Movement, MovementKind,
    Proposal, Refusal, ReservationId, ShortLine, Sku, StockThen, Timestamp, Units,
};

impl Model {
    pub(super) fn cancel(&mut self, command: &Cancel, now: Timestamp) -> Outcome {
        let order = match self.find(command.id) {
            Ok(order) => order.clone(),
            Err(refusal) => return Outcome::refused(refusal),
        };
        let units = match &command.lines {
            None => order.holds.iter().map(Hold::unshipped).collect(),
            Some(lines) => match pick(&order, lines, |hold| hold.confirmed - hold.cancelled) {
                Err(over) => return Outcome::refused(Refusal::OverCancel(over)),
                Ok(_) => match pick(&order, lines, Hold::unshipped) {
                    Err(gone) => return Outcome::refused(Refusal::AlreadyShipped(gone)),
                    Ok(units) => units,
                },
            },
        };
        if units.iter().sum::<u32>() == 0 {
            return nothing_to_cancel(&order);
        }
        // Units that left without naming whose they were can't be taken back either.
        let mut gone = Vec::new();
        for (hold, units) in order.holds.iter().zip(&units) {
            let here = self.level_mut(&hold.sku, &hold.location).unshipped();
            if here < i64::from(*units) {
                gone.push(hold.at(*units, here as u64));
            }
        }
        if !gone.is_empty() {
            return Outcome::refused(Refusal::AlreadyShipped(gone));
        }

        let mut touched = Vec::new();
        for (at, units) in units
            .into_iter()
            .enumerate()
            .filter(|(_, units)| *units > 0)
        {
            let hold = &mut self.order_mut(command.id).holds[at];
            hold.cancelled += units;
            let (sku, location) = (hold.sku.clone(), hold.location.clone());
            let level = self.level_mut(&sku, &location);
            add(level, Counter::Sold, -i64::from(units));
            add(level, Counter::OnHand, i64::from(units));
            touched.push(sku);
        }
        let order = self.order_mut(command.id);
        order.version += 1;
        if order.open() == 0 {
            order.ended_at = Some(now);
        }
        self.touch(touched);
        Outcome::reservation(command.id, KeyOutcome::Cancelled)
    }
}

fn nothing_to_cancel(order: &Order) -> Outcome {
    let list = |requested: fn(&Hold) -> u32| -> Vec<LineAt> {
        let lines = order.holds.iter().filter(|hold| requested(hold) > 0);
        lines.map(|hold| hold.at(requested(hold), 0)).collect()
    };
    let gone = list(|hold| hold.confirmed - hold.cancelled);
    if !gone.is_empty() {
        Outcome::refused(Refusal::AlreadyShipped(gone))
    } else if order.confirmed() > 0 {
        Outcome::as_it_stands(order.id)
    } else {
        Outcome::refused(Refusal::OverCancel(list(|hold| hold.units)))
    }
}

impl Hold {
    /// Confirmed units that were neither cancelled nor have left.
    pub(super) fn unshipped(&self) -> u32 {
        self.confirmed - self.cancelled - self.shipped
    }

    fn at(&self, requested: u32, possible: u64) -> LineAt {
        LineAt {
            sku: self.sku.clone(),
            location: Some(self.location.clone()),
            requested: u64::from(requested),
            possible,
        }
    }
}

impl Model {
    /// A hold to another location in one step: the new place must have the units.
    pub(super) fn move_hold(&mut self, command: &MoveHold, now: Timestamp) -> Outcome {
        let order = match self.find_open(command.id, now) {
            Ok(order) => order.clone(),
            Err(refusal) => return Outcome::refused(refusal),
        };
        let is_at = |hold: &Hold, at: &Location| hold.sku == command.sku && hold.location == *at;
        let from = order
            .holds
            .iter()
            .position(|hold| is_at(hold, &command.from));
        let open = from.map_or(0, |from| order.holds[from].open());
        let units = command.units.map_or(open, Units::get);
        let Some(from) = from.filter(|_| open > 0 && units <= open) else {
            let over = LineAt {
                sku: command.sku.clone(),
                location: Some(command.from.clone()),
                requested: u64::from(units),
                possible: u64::from(open),
            };
            return Outcome::refused(Refusal::OverMove(vec![over]));
        };
        if command.from == command.to {
            return Outcome::as_it_stands(order.id);
        }
        let (sku, to) = (&command.sku, &command.to);
        let Some(level) = self.skus[sku].levels.get(to).cloned() else {
            return Outcome::refused(Refusal::UnknownLocation(vec![(sku.clone(), to.clone())]));
        };
        if self.has_shut(to) {
            return Outcome::refused(Refusal::LocationClosed(vec![(sku.clone(), to.clone())]));
        }
        let free = self.free_alive(sku, to, now);
        if free < i64::from(units) {
            return Outcome::refused(Refusal::InsufficientStock(vec![ShortLine {
                sku: sku.clone(),
                location: Some(to.clone()),
                requested: u64::from(units),
                available: free.max(0) as u64,
                undecided: 0,
                stock: Some(StockThen {
                    on_hand: level.get(Counter::OnHand),
                    reserved: self.reserved_alive(sku, to, now),
                    safety_stock: level.get(Counter::SafetyStock),
                }),
            }]));
        }

        let order = self.order_mut(command.id);
        order.version += 1;
        let hold = &mut order.holds[from];
        let asked = if units == hold.units {
            hold.requested
        } else {
            units
        };
        hold.units -= units;
        hold.requested -= asked;
        let mut new = hold.clone();
        if let Some(there) = order.holds.iter_mut().find(|hold| is_at(hold, to)) {
            there.units += units;
            there.requested += asked;
        } else {
            new = Hold {
                location: to.clone(),
                requested: asked,
                units,
                confirmed: 0,
                released: 0,
                expired: 0,
                cancelled: 0,
                shipped: 0,
                ..new
            };
            order.holds.push(new);
        }
        order.holds.retain(|hold| hold.units > 0);
        self.touch([sku.clone()]);
        Outcome::reservation(command.id, KeyOutcome::HoldMoved)
    }
}

impl Model {
    /// Units left for a reservation: from its own lines at this place first, then from its others,
    /// whose sale moves here as far as there is stock. The rest is a drift.
    pub(super) fn ship_for(
        &self,
        (sku, here): (&Sku, &Location),
        reported: u32,
        id: ReservationId,
        levels: &mut Levels,
    ) -> (Rest, Vec<u32>) {
        let Ok(order) = self.find(id) else {
            return (ship(levels, here, reported), Vec::new());
        };
        levels.entry(here.clone()).or_default();
        let mut left = i64::from(reported);
        let mut lines = vec![0; order.holds.len()];
        for is_here in [true, false] {
            for (at, hold) in order.holds.iter().enumerate() {
                if hold.sku == *sku && (hold.location == *here) == is_here {
                    let wanted = left.min(i64::from(hold.unshipped()));
                    let units = ship_from(levels, (&hold.location, here), wanted);
                    lines[at] = units as u32;
                    left -= units;
                }
            }
        }
        let on_hand = levels[here].get(Counter::OnHand);
        let proposal = if left <= on_hand {
            Proposal::Adjust(-left)
        } else {
            Proposal::Look
        };
        let reported = i64::from(reported);
        let rest = (
            DriftKind::ShippedUnsold,
            reported - left,
            reported,
            proposal,
        );
        ((left > 0).then_some(rest), lines)
    }

    /// What a shipment takes from each line of the reservation it names.
    pub(super) fn shipped_lines(
        &self,
        command: &Movement,
        mut levels: Levels,
    ) -> Option<(ReservationId, Vec<u32>)> {
        let MovementKind::Ship {
            units,
            sale: Some(sale),
        } = &command.kind
        else {
            return None;
        };
        let place = (&command.sku, &command.location);
        let (_, lines) = self.ship_for(place, units.get(), sale.id, &mut levels);
        Some((sale.id, lines))
    }

    pub(super) fn have_left(&mut self, id: ReservationId, lines: &[u32], now: Timestamp) {
        if lines.iter().sum::<u32>() == 0 {
            return;
        }
        let order = self.order_mut(id);
        for (hold, units) in order.holds.iter_mut().zip(lines) {
            hold.shipped += units;
        }
        let is_done = order.holds.iter().all(|hold| hold.unshipped() == 0);
        if order.open() == 0 && is_done {
            order.ended_at = Some(now);
        }
    }
}

/// Ships what was sold at one place from another, or the same.
fn ship_from(levels: &mut Levels, (from, here): (&Location, &Location), wanted: i64) -> i64 {
    let mut units = wanted.min(levels[from].unshipped());
    if from != here {
        units = units.min(levels[here].get(Counter::OnHand));
        for (at, units) in [(from, -units), (here, units)] {
            let level = levels.get_mut(at).expect("both are known");
            add(level, Counter::Sold, units);
            add(level, Counter::OnHand, -units);
        }
    }
    let level = levels.get_mut(here).expect("it is known");
    add(level, Counter::Shipped, units);
    units
}
