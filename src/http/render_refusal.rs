//! Refusals as callers read them: the code, what happened and what to do next, and the values.
//!
//! Sold out is the commonest answer of a sale, so a refusal is written straight from the core's
//! words, without a tree of JSON values in between.

use std::borrow::Cow;

use super::problem::Code;
use super::render_fact;
use super::render_lines::explain_lines;
use super::render_reservation;
use super::render_shape::{Refused, RefusedLine, Values};
use super::wire::scalar::Time;
use super::wire::view::{AsOf, PositionOf};
use holdfast_core::{Refusal, Sku, Timestamp};

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
        Refusal::TtlLimit { .. }
        | Refusal::ReplaceMismatch(_)
        | Refusal::ReplaceAcrossShards(_)
        | Refusal::ReservationPinned { .. }
        | Refusal::AlreadyPinned { .. }
        | Refusal::UnknownReservation(_)
        | Refusal::ReservationForgotten(_)
        | Refusal::ReservationExpired { .. }
        | Refusal::ReservationReleased { .. }
        | Refusal::ReservationConfirmed { .. }
        | Refusal::ConfirmedByOtherPayment { .. }
        | Refusal::HeldThere { .. } => render_reservation::explain(refusal),
        Refusal::WouldGoNegative { .. }
        | Refusal::BelowReserved { .. }
        | Refusal::AlreadyOpened { .. }
        | Refusal::UndeclaredLocation(_)
        | Refusal::StreamQuarantined { .. }
        | Refusal::UnknownStream(_)
        | Refusal::UnknownDrift(_)
        | Refusal::DriftConflict { .. } => render_fact::explain(refusal),
        Refusal::NoPast { sku, oldest } => no_past(sku, *oldest, made),
        Refusal::VersionChanged { expected, actual } => {
            let detail = format!("the version is {actual}, not {expected}; read it again");
            let values = Values {
                expected_version: Some(*expected),
                actual_version: Some(*actual),
                ..Values::default()
            };
            (Code::VersionChanged, detail.into(), values)
        }
        Refusal::ReplenishedNotAboveLow {
            replenished_at,
            low_at,
        } => {
            let detail = format!(
                "{replenished_at} is not above low_at, {low_at}; set it higher, or null for a \
                 fifth above low_at"
            );
            let values = Values {
                field: Some("replenished_at"),
                ..Values::default()
            };
            (Code::InvalidRequest, detail.into(), values)
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
            let values = Values {
                lines,
                ..Values::default()
            };
            (code, detail.into(), values)
        }
    }
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
