//! What the engine decides for itself: when expiry is recorded, what is forgotten, and how
//! deadlines move after downtime. The model is told, follows, and complains.

use super::{Model, add};
use holdfast_core::{
    Counter, Effect, Event, EventKind, KeyTarget, ReservationId, Resumed, Sku, StreamKey, Timestamp,
};

impl Model {
    /// Follows an event that no command asked for.
    pub(crate) fn hear(&mut self, event: &Event, wall: Timestamp) {
        if event.at < self.clock {
            self.complain(format!("INV-7: event {} runs backwards", event.seq));
        }
        if wall.max(self.clock) < event.at {
            self.complain(format!("event {} was recorded before its time", event.seq));
        }
        self.clock = self.clock.max(event.at);
        match event.kind {
            EventKind::ReservationExpired => self.hear_expired(event),
            EventKind::Forgotten => self.hear_forgotten(event),
            EventKind::ReservationReleased => self.hear_released(event),
            EventKind::ShardResumed => self.hear_resumed(event),
            other => self.complain(format!("nobody asked for {other:?}")),
        }
        self.cross(event.at);
    }

    fn hear_expired(&mut self, event: &Event) {
        let ids: Vec<ReservationId> = expired_in(event).collect();
        let [id] = ids[..] else {
            return self.complain(format!("one expiry names {ids:?}"));
        };
        let is_lapsed = self
            .orders
            .get(&id)
            .is_some_and(|order| order.lapsed(event.at));
        if !is_lapsed {
            return self.complain(format!("{id} expired before its time"));
        }
        let order = self.order_mut(id);
        let before = order.holds.clone();
        for hold in &mut order.holds {
            hold.expired += hold.open();
        }
        order.version += 1;
        order.ended_at = Some(event.at);
        let touched: Vec<_> = before
            .iter()
            .filter(|hold| hold.open() > 0)
            .map(|hold| hold.sku.clone())
            .collect();
        for hold in before {
            let level = self.level_mut(&hold.sku, &hold.location);
            add(level, Counter::Expired, i64::from(hold.open()));
        }
        self.touch(touched);
    }

    fn hear_forgotten(&mut self, event: &Event) {
        for effect in &event.effects {
            match effect {
                Effect::HomeForgotten(id) => self.forget_order(*id, event.at),
                Effect::KeysForgotten(first) => self.forget_keys(*first, event.at),
                Effect::HoldForgotten(_) => {} // its customer's tally shows whether that was right
                Effect::DriftForgotten(which) => self.forget_drift(which.1, event.at),
                Effect::MessagesForgotten(which) => {
                    self.forget_messages(&which.0, which.1, event.at);
                }
                Effect::StreamForgotten(key) => self.forget_stream(key, event.at),
                other => self.complain(format!("forgetting does {other:?}")),
            }
        }
    }

    fn forget_order(&mut self, id: ReservationId, at: Timestamp) {
        let Some(order) = self.orders.get_mut(&id) else {
            return self.complain(format!("{id} was never there to be forgotten"));
        };
        let is_here = order.holds.iter().any(|hold| hold.unshipped() > 0);
        let kept = if is_here {
            self.policy.order_retention
        } else {
            self.policy.retention
        };
        let is_due = order.open() == 0
            && order.ended_at.is_some_and(|ended| ended.after(kept) <= at)
            && !order.forgotten;
        order.forgotten = true;
        if !is_due {
            self.complain(format!("{id} was forgotten before its time"));
        }
    }

    fn forget_drift(&mut self, id: ReservationId, at: Timestamp) {
        let decided = self.drifts.remove(&id).and_then(|drift| drift.decided_at());
        let is_due = |decided: Timestamp| decided.after(self.policy.order_retention) <= at;
        if !decided.is_some_and(is_due) {
            self.complain(format!("drift {id} was forgotten before its time"));
        }
    }

    fn forget_messages(&mut self, sku: &Sku, before: Timestamp, at: Timestamp) {
        let shelf = self.skus.get_mut(sku).expect("its messages were kept");
        let gone = shelf.messages.values().filter(|seen| **seen < before);
        let is_early = gone
            .max()
            .is_none_or(|seen| at < seen.after(self.policy.message_retention));
        shelf.messages.retain(|_, seen| before <= *seen);
        if is_early {
            self.complain(format!(
                "messages of {sku} were forgotten before their time"
            ));
        }
    }

    fn forget_stream(&mut self, key: &StreamKey, at: Timestamp) {
        let shelf = self.skus.get_mut(&key.sku).expect("its streams were kept");
        let stream = shelf
            .streams
            .remove(&(key.location.clone(), key.source.clone()));
        let kept = self.policy.stream_retention;
        let is_due = stream
            .is_some_and(|stream| stream.quarantined.is_none() && stream.last.after(kept) <= at);
        if !is_due {
            self.complain(format!(
                "a stream of {} was forgotten before its time",
                key.source
            ));
        }
    }

    fn forget_keys(&mut self, first: u64, at: Timestamp) {
        let mut early = Vec::new();
        for key in self.keys.values().filter(|key| key.index < first) {
            let is_held = match &key.target {
                KeyTarget::Reservation(id) => {
                    self.orders.get(id).is_some_and(|order| order.open() > 0)
                }
                KeyTarget::Sku(_) | KeyTarget::Movement(..) => false,
            };
            if is_held || at < key.at.after(self.policy.key_retention) {
                early.push(key.index);
            }
        }
        self.keys.retain(|_, key| key.index >= first);
        if !early.is_empty() {
            self.complain(format!("keys {early:?} were forgotten before their time"));
        }
    }

    fn hear_resumed(&mut self, event: &Event) {
        let resumed = event.effects.iter().find_map(|effect| match effect {
            Effect::Resumed(resumed) => Some(*resumed),
            _ => None,
        });
        let Some(Resumed { last, start, grace }) = resumed else {
            return self.complain("a start that says nothing".to_owned());
        };
        let expected = start.since(last).min(self.policy.resume_grace);
        if start != event.at || grace != expected {
            self.complain(format!("downtime of {:?} got {grace:?}", start.since(last)));
        }
        for order in self.orders.values_mut() {
            let fell_in = last < order.expires_at && order.expires_at <= start;
            if order.open() > 0 && fell_in && !order.graced {
                order.expires_at = start.after(grace);
                order.graced = true;
            }
        }
    }
}

/// The reservations that an event records as expired.
pub(crate) fn expired_in(event: &Event) -> impl Iterator<Item = ReservationId> {
    let is_expiry = event.kind == EventKind::ReservationExpired;
    event
        .effects
        .iter()
        .filter(move |_| is_expiry)
        .filter_map(|effect| match effect {
            Effect::HomeChanged(change) => Some(change.id),
            _ => None,
        })
}
