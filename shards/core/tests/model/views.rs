//! How things stand, as answers show it.

use super::{Model, Order, Told};
use holdfast_core::{
    Counter, DriftRecord, LineView, Location, Refusal, ReservationId, ReservationView, Sku,
    SkuView, Status, Timestamp,
};
use std::sync::Arc;

impl Model {
    /// A reservation as a look-up shows it.
    pub(crate) fn reservation(
        &self,
        id: ReservationId,
        wall: Timestamp,
    ) -> Result<ReservationView, Refusal> {
        self.find(id).map(|order| order.view(wall.max(self.clock)))
    }

    /// A SKU with its recorded counters.
    pub(crate) fn sku(&self, sku: &Sku) -> Option<SkuView> {
        let shelf = self.skus.get(sku)?;
        let mut levels = Vec::new();
        for (location, counters) in &shelf.levels {
            let mut counters = counters.clone();
            counters.set(Counter::Reserved, self.reserved(sku, location));
            levels.push((location.clone(), counters));
        }
        Some(SkuView {
            sku: sku.clone(),
            config: Arc::new(shelf.config.clone()),
            versions: shelf.versions,
            supply: shelf.supply.shown(),
            levels,
            seq: 0,
            at: Timestamp::ZERO,
        })
    }

    /// All SKUs, by name.
    pub(crate) fn skus(&self) -> Vec<SkuView> {
        self.skus.keys().filter_map(|sku| self.sku(sku)).collect()
    }

    /// All drifts that were not forgotten.
    pub(crate) fn drifts(&self) -> impl Iterator<Item = &DriftRecord> {
        self.drifts.values()
    }

    /// All reservations ever made, forgotten ones too.
    pub(crate) fn reservations(&self) -> Vec<ReservationId> {
        self.orders.keys().copied().collect()
    }

    /// Brings a reservation's holds into the order in which its answer listed them: which
    /// order that is, is the answer's to choose.
    pub(crate) fn follow_order(&mut self, id: ReservationId, answer: &ReservationView) {
        let place = |sku: &Sku, location: &Location| {
            answer
                .lines
                .iter()
                .position(|line| line.sku == *sku && line.location == *location)
        };
        if let Some(order) = self.orders.get_mut(&id) {
            order
                .holds
                .sort_by_key(|hold| place(&hold.sku, &hold.location));
        }
    }

    /// What was told, with the reservation as it stands after [`Self::follow_order`].
    pub(crate) fn refresh(&self, told: Told, id: ReservationId, wall: Timestamp) -> Told {
        match (told, self.reservation(id, wall)) {
            (
                Told::Reservation {
                    created, replayed, ..
                },
                Ok(view),
            ) => Told::Reservation {
                view: Box::new(view),
                created,
                replayed,
            },
            (told, _) => told,
        }
    }
}

impl Order {
    pub(super) fn view(&self, now: Timestamp) -> ReservationView {
        let lapsed = self.lapsed(now);
        let lines: Vec<LineView> = self
            .holds
            .iter()
            .map(|hold| LineView {
                sku: hold.sku.clone(),
                location: hold.location.clone(),
                requested: hold.requested,
                units: hold.units,
                open: if lapsed { 0 } else { hold.open() },
                confirmed: hold.confirmed,
                released: hold.released,
                expired: hold.expired_by(lapsed),
                cancelled: hold.cancelled,
                shipped: hold.shipped,
            })
            .collect();
        let status = if self.is_open(now) {
            Status::Open
        } else if self.confirmed() > 0 {
            Status::Confirmed
        } else if self.expired(now) > 0 {
            Status::Expired
        } else {
            Status::Released
        };
        ReservationView {
            id: self.id,
            status,
            order_ref: self.order_ref.clone(),
            customer: self.customer.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            now,
            pinned_until: self.pinned_until,
            late: self.late,
            payment_ref: self.payments.first().cloned(),
            replaces: self.replaces,
            replaced_by: self.replaced_by,
            lines,
            shortages: self.shortages.clone(),
            version: self.version,
        }
    }
}
