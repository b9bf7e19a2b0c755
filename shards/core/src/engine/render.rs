//! Views of the state, owned by the caller.

use super::homes::{Home, HomeRef};
use super::skus::SkuEntry;
use super::{Engine, Reply};
use crate::id::ReservationId;
use crate::name::{Sku, Text};
use crate::time::Timestamp;
use crate::view::{
    Answer, DriftView, LineView, LocationView, MovementView, ReservationView, SkuView, Status,
};

impl Engine {
    /// What to tell the caller, from the state after the decision's events.
    ///
    /// # Panics
    /// If the reply names what is not here: render before anything else is evolved.
    pub fn render(&self, reply: Reply, now: Timestamp) -> Answer {
        match reply {
            Reply::Reservation {
                id,
                created,
                replayed,
            } => {
                let view = self
                    .reservation(id, now)
                    .expect("the reply names what was decided on");
                Answer::Reservation {
                    view: Box::new(view),
                    created,
                    replayed,
                }
            }
            Reply::Sku {
                sku,
                created,
                replayed,
            } => {
                let view = self.sku(&sku).expect("the reply names what was decided on");
                Answer::Sku {
                    view: Box::new(view),
                    created,
                    replayed,
                }
            }
            Reply::Movement {
                id,
                sku,
                outcome,
                replayed,
            } => Answer::Movement {
                view: Box::new(self.movement_view(id, &sku, outcome)),
                replayed,
            },
            Reply::Drift { id, replayed, .. } => {
                let view = self.drift(id).expect("the reply names what was decided on");
                Answer::Drift {
                    view: Box::new(view),
                    replayed,
                }
            }
            Reply::Location(name) => {
                let record = self.skus.declared(&name).expect("it was just declared");
                let (record, at) = (record.clone(), self.at);
                Answer::Location {
                    view: Box::new(LocationView { record, at }),
                    replayed: false,
                }
            }
            Reply::Part(part) => Answer::Part(part),
        }
    }

    fn movement_view(
        &self,
        id: ReservationId,
        sku: &Sku,
        outcome: crate::view::Outcome,
    ) -> MovementView {
        // A drift that a movement opened has its id, and says how much of it fitted.
        let drift = self.drift(id).map(|view| view.drift);
        MovementView {
            id,
            sku: self.sku(sku).expect("the reply names what was decided on"),
            outcome,
            applied: drift.as_ref().map(|drift| drift.expected),
            drift: drift.map(|drift| drift.id),
        }
    }

    /// A drift as it stands.
    pub fn drift(&self, id: ReservationId) -> Option<DriftView> {
        let sku = self.skus.get(*self.life.drifts.get(&id)?);
        let drift = sku.life.as_ref()?.drift(id)?.clone();
        let (seq, at) = (sku.seq, self.at);
        Some(DriftView { drift, seq, at })
    }

    /// A reservation as it stands; a lapsed one is shown as expired from its deadline on.
    pub fn reservation(&self, id: ReservationId, now: Timestamp) -> Option<ReservationView> {
        let home = self.homes.get(id)?;
        Some(self.home_view(HomeRef::of(id), home, now.max(self.at)))
    }

    /// Sequence of the last event that touched a reservation.
    pub fn reservation_seq(&self, id: ReservationId) -> Option<u64> {
        self.homes.get(id).map(|home| home.seq)
    }

    fn home_view(&self, place: HomeRef, home: &Home, now: Timestamp) -> ReservationView {
        let text = |text: &str| Text::parse(text).expect("stored texts were parsed once");
        let (order_ref, customer) = self.homes.texts(place);
        let is_lapsed = home.is_lapsed(now);
        let lines: Vec<LineView> = home
            .lines
            .iter()
            .enumerate()
            // A line whose units have all moved to another hold is there for that shard alone.
            .filter(|(_, line)| line.units > 0)
            .map(|(at, line)| LineView {
                sku: self.skus.get(line.sku).sku.clone(),
                location: self.skus.location(line.location).clone(),
                requested: home.lines.requested(at),
                units: line.units,
                open: if is_lapsed { 0 } else { line.open() },
                confirmed: line.confirmed(),
                released: line.released(),
                expired: line.expired() + if is_lapsed { line.open() } else { 0 },
                cancelled: home.after(at)[0],
                shipped: home.after(at)[1],
            })
            .collect();
        let has_confirmed = lines.iter().any(|line| line.confirmed > 0);
        let status = match home.status() {
            Status::Open if is_lapsed && has_confirmed => Status::Confirmed,
            Status::Open if is_lapsed => Status::Expired,
            status => status,
        };
        let extra = home.extra.as_deref();
        ReservationView {
            id: home.id(place),
            status,
            order_ref: order_ref.map(text),
            customer: customer.map(text),
            created_at: home.created_at(),
            expires_at: home.expires_at,
            now,
            pinned_until: extra.and_then(|extra| extra.pinned_until),
            late: extra.is_some_and(|extra| extra.late),
            payment_ref: extra.and_then(|extra| extra.payments.first().cloned()),
            replaces: extra.and_then(|extra| extra.replaces),
            replaced_by: extra.and_then(|extra| extra.replaced_by),
            lines,
            shortages: extra.map_or_else(Vec::new, |extra| extra.shortages.clone()),
            version: home.version,
        }
    }

    /// A SKU as it stands.
    pub fn sku(&self, sku: &Sku) -> Option<SkuView> {
        let (_, entry) = self.skus.find_known(sku)?;
        Some(self.sku_view(entry))
    }

    /// All SKUs as they stand.
    pub fn sku_views(&self) -> impl Iterator<Item = SkuView> + '_ {
        let known = self.skus.iter().filter(|(_, entry)| entry.known);
        known.map(|(_, entry)| self.sku_view(entry))
    }

    fn sku_view(&self, entry: &SkuEntry) -> SkuView {
        let mut levels: Vec<_> = entry
            .levels
            .iter()
            .map(|level| {
                (
                    self.skus.location(level.location).clone(),
                    level.counters.all(),
                )
            })
            .collect();
        levels.sort_by(|(a, _), (b, _)| a.cmp(b));
        SkuView {
            sku: entry.sku.clone(),
            config: entry.config.clone(),
            versions: entry.versions,
            supply: entry.supply(),
            levels,
            seq: entry.seq,
            at: self.at,
        }
    }
}
