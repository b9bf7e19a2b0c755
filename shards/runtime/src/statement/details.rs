//! Who and why: what an event says of one SKU besides its counters.

use holdfast_core::{
    DriftRecord, Effect, Event, EventKind, KeyTarget, Note, ReservationId, Shorted, Sku, Text,
    Timestamp, TraceParent,
};

/// What an event says besides counters; most events say little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The reservation concerned, where the event names it.
    pub reservation: Option<ReservationId>,
    /// The order service's reference, in the event that made the reservation.
    pub order_ref: Option<Text>,
    /// The movement it was answered as.
    pub movement: Option<ReservationId>,
    /// The drift that it opened, corrects or dismisses.
    pub drift: Option<ReservationId>,
    /// Why.
    pub reason: Option<Text>,
    /// The paper it stands on.
    pub document: Option<Text>,
    /// Who reported it.
    pub source: Option<Text>,
    /// When it happened out there.
    pub occurred_at: Option<Timestamp>,
    /// Whom a shortfall leaves without units.
    pub shorted: Option<Box<Shorted>>,
    /// Where the request that caused it stood in its caller's trace.
    pub trace: Option<TraceParent>,
}

impl Details {
    /// What `event` says of `sku`.
    pub(super) fn of(event: &Event, sku: &Sku) -> Self {
        Self::where_drift(event, |drift| drift.sku == *sku)
    }

    /// What `event` says that touches no SKU.
    pub(super) fn of_none(event: &Event) -> Self {
        Self::where_drift(event, |_| false)
    }

    fn where_drift(event: &Event, is_own: impl Fn(&DriftRecord) -> bool) -> Self {
        let mut details = Self::default();
        if let Some(note) = &event.note {
            details.note(note);
        }
        for effect in &event.effects {
            match effect {
                Effect::Reserved(new) => {
                    details.order_ref.clone_from(&new.order_ref);
                    details.reservation = Some(new.id);
                }
                // What a reservation replaces is in the event too, and comes after it.
                Effect::HomeCreated(home) => {
                    details.order_ref.clone_from(&home.order_ref);
                    details.reservation = Some(home.id);
                }
                Effect::HomeChanged(change) => {
                    details.reservation.get_or_insert(change.id);
                    let extra = change.extra.as_ref();
                    let reason = extra.and_then(|extra| extra.reason.clone());
                    details.reason = details.reason.take().or(reason);
                }
                Effect::HomeLines(lines) => {
                    details.reservation.get_or_insert(lines.id);
                }
                Effect::HoldCreated(hold) => {
                    details.reservation.get_or_insert(hold.id);
                }
                Effect::Drift(drift) if is_own(drift) => details.drift = Some(drift.id),
                Effect::Drift(_)
                | Effect::HomeForgotten(_)
                | Effect::HoldChanged(_)
                | Effect::HoldForgotten(_)
                | Effect::Stock(_)
                | Effect::Sku(_)
                | Effect::Resumed(_)
                | Effect::KeysForgotten(_)
                | Effect::HoldAfter(_)
                | Effect::Location(_)
                | Effect::Stream(_)
                | Effect::StreamForgotten(_)
                | Effect::Counted(_)
                | Effect::DriftForgotten(_)
                | Effect::Message(_)
                | Effect::MessagesForgotten(_)
                | Effect::Supply(_) => {}
            }
        }
        if let Some(KeyTarget::Reservation(id)) = event.key.as_ref().map(|key| &key.target) {
            details.reservation.get_or_insert(*id);
        }
        details
    }

    fn note(&mut self, note: &Note) {
        self.reservation = note.reservation;
        self.movement = note.movement;
        self.drift = note.drift;
        self.reason.clone_from(&note.reason);
        self.document.clone_from(&note.document);
        self.source.clone_from(&note.source);
        self.occurred_at = note.occurred_at;
        self.shorted.clone_from(&note.shorted);
        self.trace = note.trace;
    }
}

/// The name of a kind of event, as callers know it.
pub const fn event_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ReservationCreated => "reservation.created",
        EventKind::ReservationExtended => "reservation.extended",
        EventKind::ReservationPinned => "reservation.pinned",
        EventKind::ReservationConfirmed => "reservation.confirmed",
        EventKind::ReservationReleased => "reservation.released",
        EventKind::ReservationExpired => "reservation.expired",
        EventKind::ReservationClosed => "reservation.closed",
        EventKind::ReservationCancelled => "reservation.cancelled",
        EventKind::ReservationMoved => "reservation.moved",
        EventKind::ReservationShipped => "reservation.shipped",
        EventKind::CartHeld => "cart.held",
        EventKind::CartBound => "cart.bound",
        EventKind::CartSettled => "cart.settled",
        EventKind::CartDropped => "cart.dropped",
        EventKind::CartClosed => "cart.closed",
        EventKind::CartTold => "cart.told",
        EventKind::StockReceived => "stock.received",
        EventKind::StockAdjusted => "stock.adjusted",
        EventKind::StockShortfall => "stock.shortfall",
        EventKind::StockOpened => "stock.opened",
        EventKind::StockShipped => "stock.shipped",
        EventKind::StockReturned => "stock.returned",
        EventKind::StockRestocked => "stock.restocked",
        EventKind::StockDamaged => "stock.damaged",
        EventKind::StockWrittenOff => "stock.written_off",
        EventKind::StockCounted => "stock.counted",
        EventKind::StockTransferred => "stock.transferred",
        EventKind::StockLow => "stock.low",
        EventKind::StockDepleted => "stock.depleted",
        EventKind::StockReplenished => "stock.replenished",
        EventKind::SkuConfigured => "sku.configured",
        EventKind::LocationConfigured => "location.configured",
        EventKind::ShardResumed => "shard.resumed",
        EventKind::Forgotten => "shard.forgotten",
        EventKind::DriftOpened => "drift.opened",
        EventKind::DriftCorrected => "drift.corrected",
        EventKind::DriftDismissed => "drift.dismissed",
        EventKind::FeedLate => "feed.late",
        EventKind::FeedStale => "feed.stale",
        EventKind::FeedGap => "feed.gap",
        EventKind::FeedQuarantined => "feed.quarantined",
        EventKind::FeedLifted => "feed.lifted",
    }
}
