//! What a customer has had of a limited SKU.

use super::{CustomerLimit, Model};
use holdfast_core::{OverLimit, ReservationId, Sku, Text, Timestamp};

/// The limit as it looks to one customer at one moment.
pub(super) struct Tally {
    limit: CustomerLimit,
    /// Units that count, with the time of their reservation, oldest first.
    units: Vec<(Timestamp, u64)>,
}

impl Model {
    /// Open and confirmed units of this customer, by time of reservation. Those that are
    /// open under `instead_of` don't count: a replacement is about to take their place.
    pub(super) fn tally(
        &self,
        sku: &Sku,
        customer: &Text,
        instead_of: Option<ReservationId>,
        now: Timestamp,
    ) -> Option<Tally> {
        let limit = self.skus[sku].config.customer_limit?;
        let mut units = self.had(sku, customer, instead_of, now);
        units.retain(|(at, _)| now < at.after(limit.window));
        units.sort_by_key(|(at, _)| *at);
        Some(Tally { limit, units })
    }

    /// Whether units reserved at `made` would be too many in some window, were they sold now.
    pub(super) fn is_over_late(
        &self,
        sku: &Sku,
        customer: &Text,
        (made, requested): (Timestamp, u64),
        now: Timestamp,
    ) -> bool {
        let Some(limit) = self.skus[sku].config.customer_limit else {
            return false;
        };
        let mut units = self.had(sku, customer, None, now);
        units.push((made, requested));
        // The fullest window begins with a reservation.
        units.iter().any(|(start, _)| {
            let is_in = |at: Timestamp| *start <= at && at < start.after(limit.window);
            let within = units.iter().filter(|(at, _)| is_in(*at));
            let sum: u64 = within.map(|(_, units)| units).sum();
            is_in(made) && u64::from(limit.units) < sum
        })
    }

    /// What counts for a limit at all, whatever its window.
    fn had(
        &self,
        sku: &Sku,
        customer: &Text,
        instead_of: Option<ReservationId>,
        now: Timestamp,
    ) -> Vec<(Timestamp, u64)> {
        let mut units = Vec::new();
        for order in self
            .orders
            .values()
            .filter(|order| order.customer.as_ref() == Some(customer))
        {
            let is_held = order.is_open(now) && Some(order.id) != instead_of;
            for hold in order.holds.iter().filter(|hold| hold.sku == *sku) {
                let late = hold.late.as_ref();
                let in_time = hold.confirmed - late.map_or(0, |late| late.units);
                // Cancelled units are first those that were confirmed in time.
                let (kept, back) = (in_time.saturating_sub(hold.cancelled), hold.cancelled);
                let back_late = back.saturating_sub(in_time);
                if let Some(late) = late.filter(|late| late.counts) {
                    units.push((order.created_at, u64::from(late.units - back_late)));
                }
                let held = if is_held { hold.open() } else { 0 };
                if hold.counts {
                    units.push((order.created_at, u64::from(held + kept)));
                }
            }
        }
        units
    }
}

impl Tally {
    fn counted(&self) -> u64 {
        self.units.iter().map(|(_, units)| units).sum()
    }

    pub(super) fn left(&self) -> u64 {
        u64::from(self.limit.units).saturating_sub(self.counted())
    }

    /// How `requested` more units would break the limit, if they would.
    pub(super) fn over(&self, sku: &Sku, requested: u64) -> Option<OverLimit> {
        let (limit, counted) = (u64::from(self.limit.units), self.counted());
        if counted + requested <= limit {
            return None;
        }
        let mut left_over = counted;
        let mut frees_at = None;
        for (at, units) in &self.units {
            left_over -= units;
            if left_over + requested <= limit {
                frees_at = Some(at.after(self.limit.window));
                break;
            }
        }
        Some(OverLimit {
            sku: sku.clone(),
            limit: self.limit.units,
            counted,
            requested,
            frees_at,
        })
    }
}
