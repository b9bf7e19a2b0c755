//! Refusals about one reservation: its time, what it should replace, and how it ended.

use std::borrow::Cow;

use super::problem::Code;
use super::render_refusal::Explained;
use super::render_shape::Values;
use super::wire::scalar::{Id, Time};
use holdfast_core::{ExpiredReason, Millis, Refusal, ReservationId, Timestamp};

/// Writes what was refused of a reservation.
///
/// # Panics
/// For the refusals of lines and movements, which are not here.
pub(super) fn explain(refusal: &Refusal) -> Explained<'_> {
    match refusal {
        Refusal::TtlLimit {
            min,
            max,
            requested,
        } => ttl_limit(*min, *max, *requested),
        Refusal::ReplaceMismatch(id) => {
            let detail = "the reservation to replace is another customer's or order's, or has no \
                          order reference; reserve without replace";
            plain(Code::ReplaceMismatch, detail, *id)
        }
        Refusal::ReplaceAcrossShards(id) => {
            let detail = "one of the two has lines on several shards; release the old reservation \
                          first, then reserve without replace";
            plain(Code::ReplaceAcrossShards, detail, *id)
        }
        Refusal::ReservationPinned { id, until } => {
            let detail = "a payment for the reservation to replace is in progress; confirm or \
                          release it first";
            pinned(Code::ReservationPinned, detail, *id, *until)
        }
        Refusal::AlreadyPinned { id, until } => {
            let detail = "a reservation is pinned once; confirm or release it, or extend it";
            pinned(Code::AlreadyPinned, detail, *id, *until)
        }
        Refusal::UnknownReservation(id) => {
            let detail = "no reservation has this id; check it, or reserve anew";
            plain(Code::UnknownReservation, detail, *id)
        }
        Refusal::ReservationForgotten(id) => {
            let detail = "it ended longer ago than ended reservations are kept";
            plain(Code::ReservationForgotten, detail, *id)
        }
        Refusal::HeldThere { id, sku, location } => {
            let detail = format!(
                "the reservation holds {sku} at {location} already, on another shard than its \
                 home, where the two can't be joined; move it elsewhere, or leave it"
            );
            let values = Values {
                reservation: Some(Id(*id)),
                location: Some(location.as_str()),
                ..Values::default()
            };
            (Code::HeldThere, detail.into(), values)
        }
        Refusal::ReservationExpired { .. }
        | Refusal::ReservationReleased { .. }
        | Refusal::ReservationConfirmed { .. }
        | Refusal::ConfirmedByOtherPayment { .. } => ended(refusal),
        other => unreachable!("{other:?} is not about one reservation"),
    }
}

/// How it ended before the command came.
fn ended(refusal: &Refusal) -> Explained<'_> {
    let (code, detail, id, values) = match refusal {
        Refusal::ReservationExpired {
            id,
            reason,
            expired_at,
        } => {
            let values = Values {
                reason: Some(reason.as_str()),
                expired_at: Some(Time(*expired_at)),
                ..Values::default()
            };
            (Code::ReservationExpired, expired(*reason), id, values)
        }
        Refusal::ReservationReleased {
            id,
            at,
            reason,
            replaced_by,
        } => {
            let detail = "its units were given back; reserve anew, or refund what was paid";
            let values = Values {
                released_at: Some(Time(*at)),
                reason: reason.as_ref().map(holdfast_core::Text::as_str),
                replaced_by: replaced_by.map(Id),
                ..Values::default()
            };
            (Code::ReservationReleased, detail, id, values)
        }
        Refusal::ReservationConfirmed { id, at } => {
            let detail = "its units are sold; it can't be released, extended or pinned any more";
            let values = Values {
                confirmed_at: Some(Time(*at)),
                ..Values::default()
            };
            (Code::ReservationConfirmed, detail, id, values)
        }
        Refusal::ConfirmedByOtherPayment { id, first } => {
            let detail = "another payment bought these units first; refund this one";
            let values = Values {
                payment_ref: Some(first.as_str()),
                ..Values::default()
            };
            (Code::ConfirmedByOtherPayment, detail, id, values)
        }
        other => unreachable!("{other:?} is no end of a reservation"),
    };
    of_reservation(code, detail, *id, values)
}

fn ttl_limit<'a>(min: Millis, max: Millis, requested: Millis) -> Explained<'a> {
    let (requested, min, max) = (requested.ms(), min.ms(), max.ms());
    let advice = if requested < min { "more" } else { "less" };
    let detail = format!("{requested} ms is not between {min} and {max} ms; ask for {advice}");
    let values = Values {
        requested_ms: Some(requested),
        min_ms: Some(min),
        max_ms: Some(max),
        ..Values::default()
    };
    (Code::TtlLimit, detail.into(), values)
}

fn plain<'a>(code: Code, detail: &'static str, id: ReservationId) -> Explained<'a> {
    of_reservation(code, detail, id, Values::default())
}

fn pinned<'a>(
    code: Code,
    detail: &'static str,
    id: ReservationId,
    until: Timestamp,
) -> Explained<'a> {
    let values = Values {
        pinned_until: Some(Time(until)),
        ..Values::default()
    };
    of_reservation(code, detail, id, values)
}

fn of_reservation<'a>(
    code: Code,
    detail: &'static str,
    id: ReservationId,
    values: Values<'a>,
) -> Explained<'a> {
    let values = Values {
        reservation: Some(Id(id)),
        ..values
    };
    (code, Cow::Borrowed(detail), values)
}

const fn expired(reason: ExpiredReason) -> &'static str {
    match reason {
        ExpiredReason::SoldOut => {
            "it has expired and its units are not to be had again; this is final: refund"
        }
        ExpiredReason::CustomerLimit => {
            "it has expired and the customer's limit leaves no room; this is final: refund"
        }
        ExpiredReason::LateWindow => {
            "it expired longer ago than a late confirm may come; this is final: refund"
        }
        ExpiredReason::LateRefused => {
            "it has expired and late is \"refuse\"; this is final: refund"
        }
        ExpiredReason::Closed => {
            "it has expired and was closed since; this is final: refund, or reserve anew"
        }
        ExpiredReason::Lapsed => {
            "it has expired; confirm still takes its units again if they are there, else reserve \
             anew"
        }
    }
}
