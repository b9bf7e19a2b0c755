//! Refusals as callers read them: the code, what happened and what to do next, and the values.
//!
//! Sold out is the commonest answer of a sale, so a refusal is written straight from the core's
//! words, without a tree of JSON values in between.

use std::borrow::Cow;

use super::problem::Code;
use super::render_fact;
use super::render_lines::explain_lines;
use super::render_shape::{Refused, RefusedLine, Values};
use super::wire::scalar::{Id, Time};
use super::wire::view::{AsOf, PositionOf};
use holdfast_core::{ExpiredReason, Refusal, ReservationId, Sku, Timestamp};

/// When and where a refusal was made.
pub(crate) struct Made<'a> {
    /// Ledger time.
    pub(crate) at: Timestamp,
    /// Sequence of the state it leans on.
    pub(crate) seq: u64,
    /// Turns the sequence into a position.
    pub(crate) position_of: PositionOf<'a>,
}

impl Made<'_> {
    pub(super) fn line<'a>(&self, sku: &'a Sku) -> RefusedLine<'a> {
        let as_of = AsOf {
            position: (self.position_of)(sku, self.seq),
            time: Time(self.at),
        };
        RefusedLine {
            sku: sku.as_str(),
            as_of: Some(as_of),
            ..RefusedLine::default()
        }
    }

    pub(super) fn lines<'a>(&self, skus: &'a [Sku]) -> Vec<RefusedLine<'a>> {
        skus.iter().map(|sku| self.line(sku)).collect()
    }
}

/// Writes a refusal for its caller.
pub(crate) fn refused<'a>(refusal: &'a Refusal, made: &Made<'_>) -> Refused<'a> {
    let (kind, detail, values) = explain(refusal, made);
    Refused {
        r#type: kind.type_uri(),
        title: kind.title(),
        status: kind.status(),
        code: kind.name(),
        detail,
        values: Values {
            time: Some(Time(made.at)),
            ..values
        },
        kind,
    }
}

pub(super) type Explained<'a> = (Code, Cow<'static, str>, Values<'a>);

fn explain<'a>(refusal: &'a Refusal, made: &Made<'_>) -> Explained<'a> {
    match refusal {
        Refusal::TtlLimit {
            min,
            max,
            requested,
        } => {
            let (requested, min, max) = (requested.ms(), min.ms(), max.ms());
            let detail = format!("{requested} ms is not between {min} and {max} ms; ask for less");
            let detail = if requested < min {
                detail.replace("less", "more")
            } else {
                detail
            };
            let values = Values {
                requested_ms: Some(requested),
                min_ms: Some(min),
                max_ms: Some(max),
                ..Values::default()
            };
            (Code::TtlLimit, detail.into(), values)
        }
        Refusal::ReplaceMismatch(id) => {
            let detail = "the reservation to replace is another customer's or order's, or has no \
                          order reference; reserve without replace";
            of_reservation(Code::ReplaceMismatch, detail, *id)
        }
        Refusal::ReplaceAcrossShards(id) => {
            let detail = "one of the two has lines on several shards; release the old reservation \
                          first, then reserve without replace";
            of_reservation(Code::ReplaceAcrossShards, detail, *id)
        }
        Refusal::ReservationPinned { id, until } => {
            let detail = "a payment for the reservation to replace is in progress; confirm or \
                          release it first";
            with_pin(of_reservation(Code::ReservationPinned, detail, *id), *until)
        }
        Refusal::AlreadyPinned { id, until } => {
            let detail = "a reservation is pinned once; confirm or release it, or extend it";
            with_pin(of_reservation(Code::AlreadyPinned, detail, *id), *until)
        }
        Refusal::NoPast { sku, oldest } => no_past(sku, *oldest, made),
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
        Refusal::UnknownReservation(id) => {
            let detail = "no reservation has this id; check it, or reserve anew";
            of_reservation(Code::UnknownReservation, detail, *id)
        }
        Refusal::ReservationForgotten(id) => {
            let detail = "it ended longer ago than ended reservations are kept";
            of_reservation(Code::ReservationForgotten, detail, *id)
        }
        Refusal::ReservationExpired {
            id,
            reason,
            expired_at,
        } => {
            let (code, detail, values) =
                of_reservation(Code::ReservationExpired, expired(*reason), *id);
            let reason = Some(reason.as_str());
            (
                code,
                detail,
                Values {
                    reason,
                    expired_at: Some(Time(*expired_at)),
                    ..values
                },
            )
        }
        Refusal::ReservationReleased {
            id,
            at,
            reason,
            replaced_by,
        } => {
            let detail = "its units were given back; reserve anew, or refund what was paid";
            let (code, detail, values) = of_reservation(Code::ReservationReleased, detail, *id);
            let values = Values {
                released_at: Some(Time(*at)),
                reason: reason.as_ref().map(holdfast_core::Text::as_str),
                replaced_by: replaced_by.map(Id),
                ..values
            };
            (code, detail, values)
        }
        Refusal::ReservationConfirmed { id, at } => {
            let detail = "its units are sold; it can't be released, extended or pinned any more";
            let (code, detail, values) = of_reservation(Code::ReservationConfirmed, detail, *id);
            (
                code,
                detail,
                Values {
                    confirmed_at: Some(Time(*at)),
                    ..values
                },
            )
        }
        Refusal::ConfirmedByOtherPayment { id, first } => {
            let detail = "another payment bought these units first; refund this one";
            let (code, detail, values) = of_reservation(Code::ConfirmedByOtherPayment, detail, *id);
            (
                code,
                detail,
                Values {
                    payment_ref: Some(first.as_str()),
                    ..values
                },
            )
        }
        Refusal::WouldGoNegative { .. }
        | Refusal::AlreadyOpened { .. }
        | Refusal::UndeclaredLocation(_)
        | Refusal::StreamQuarantined { .. }
        | Refusal::UnknownStream(_)
        | Refusal::UnknownDrift(_)
        | Refusal::DriftConflict { .. } => render_fact::explain(refusal),
        Refusal::BelowReserved {
            on_hand,
            reserved,
            delta,
        } => {
            let detail = format!(
                "{reserved} of {on_hand} are reserved, so {delta} would leave less than is held; \
                 wait, or send force: true"
            );
            let values = Values {
                on_hand: Some(*on_hand),
                reserved: Some(*reserved),
                delta: Some(*delta),
                ..Values::default()
            };
            (Code::BelowReserved, detail.into(), values)
        }
        Refusal::VersionChanged { expected, actual } => {
            let detail = format!("the version is {actual}, not {expected}; read it again");
            let values = Values {
                expected_version: Some(*expected),
                actual_version: Some(*actual),
                ..Values::default()
            };
            (Code::VersionChanged, detail.into(), values)
        }
        Refusal::KeyReused => {
            let detail = "this key came with another operation, target or body before; use a new \
                          key for a new operation, the same body for a retry";
            (Code::IdempotencyKeyReused, detail.into(), Values::default())
        }
        Refusal::UnknownSku(_)
        | Refusal::UnknownLocation(_)
        | Refusal::SalePaused(_)
        | Refusal::SaleClosed(_)
        | Refusal::CustomerRequired(_)
        | Refusal::CustomerLimit(_)
        | Refusal::InsufficientStock(_)
        | Refusal::Shortfall(_)
        | Refusal::OverConfirm(_)
        | Refusal::OverRelease(_)
        | Refusal::OverCancel(_)
        | Refusal::AlreadyShipped(_)
        | Refusal::OverMove(_)
        | Refusal::LocationClosed(_) => {
            let (code, detail, lines) = explain_lines(refusal, made);
            (
                code,
                detail.into(),
                Values {
                    lines,
                    ..Values::default()
                },
            )
        }
    }
}

fn of_reservation<'a>(code: Code, detail: &'static str, id: ReservationId) -> Explained<'a> {
    (
        code,
        detail.into(),
        Values {
            reservation: Some(Id(id)),
            ..Values::default()
        },
    )
}

fn with_pin((code, detail, values): Explained<'_>, until: Timestamp) -> Explained<'_> {
    (
        code,
        detail,
        Values {
            pinned_until: Some(Time(until)),
            ..values
        },
    )
}

fn no_past<'a>(sku: &Sku, oldest: Option<u64>, made: &Made<'_>) -> Explained<'a> {
    let Some(oldest) = oldest else {
        let detail = "that moment has not come yet, and a count speaks of what was; name a position \
                      that was answered";
        let values = Values {
            field: Some("position"),
            ..Values::default()
        };
        return (Code::InvalidRequest, detail.into(), values);
    };
    let detail = "what happened before was trimmed from the ledger, and is in no archive, so nothing \
                  can be compared with it; count anew";
    let values = Values {
        oldest: Some((made.position_of)(sku, oldest.max(1))),
        ..Values::default()
    };
    (Code::HistoryTrimmed, detail.into(), values)
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
