//! After the sale: what was confirmed is taken back before it leaves.

use super::confirm::pick;
use super::{Hold, Model, Order, Outcome, add};
use holdfast_core::{Cancel, Counter, KeyOutcome, LineAt, Refusal, Timestamp};

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
