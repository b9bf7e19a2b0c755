//! Refusals of movements, streams and drifts.

use super::problem::Code;
use super::render_refusal::Explained;
use super::render_shape::Values;
use super::wire::scalar::Id;
use holdfast_core::{DriftState, Quarantine, QuarantineCause, Refusal, ReservationId, StreamKey};

/// Writes what was refused of a movement, a stream or a drift.
///
/// # Panics
/// For the refusals of reservations, which are not here.
pub(super) fn explain(refusal: &Refusal) -> Explained<'_> {
    match refusal {
        Refusal::WouldGoNegative {
            counter,
            value,
            delta,
        } => would_go_negative(counter.name(), *value, *delta),
        Refusal::BelowReserved {
            on_hand,
            reserved,
            delta,
        } => below_reserved(*on_hand, *reserved, *delta),
        Refusal::AlreadyOpened { sku, location } => {
            let detail = format!(
                "{sku} has been moved at {location} before; correct it with a count or adjust"
            );
            let values = Values {
                location: Some(location.as_str()),
                ..Values::default()
            };
            (Code::AlreadyOpened, detail.into(), values)
        }
        Refusal::UndeclaredLocation(location) => {
            let detail = format!("{location} was not declared; PUT /v1/locations/{location} first");
            let values = Values {
                location: Some(location.as_str()),
                ..Values::default()
            };
            (Code::UnknownLocation, detail.into(), values)
        }
        Refusal::StreamQuarantined { stream, quarantine } => quarantined(stream, *quarantine),
        Refusal::UnknownStream(stream) => {
            let detail = format!(
                "{} has no quarantined stream for {} at {}",
                stream.source, stream.sku, stream.location
            );
            (Code::UnknownStream, detail.into(), of_stream(stream))
        }
        Refusal::UnknownDrift(id) => {
            let detail = "no drift has this id, or it was decided longer ago than drifts are kept";
            (Code::UnknownDrift, detail.into(), of_drift(*id))
        }
        Refusal::DriftConflict { id, state } => {
            let detail = match state {
                DriftState::Open => {
                    "it proposes nothing, or what it was about has changed since; reconcile again, \
                     or put it right and dismiss it"
                }
                DriftState::Corrected { .. } => "it was corrected before",
                DriftState::Dismissed { .. } => "it was dismissed before",
            };
            (Code::DriftConflict, detail.into(), of_drift(*id))
        }
        other => unreachable!("{other:?} is not about stock facts"),
    }
}

fn would_go_negative(name: &'static str, value: i64, delta: i64) -> Explained<'static> {
    let detail = format!("{name} is {value}, so {delta} would leave less than nothing");
    let values = Values {
        counter: Some(name),
        value: Some(value),
        delta: Some(delta),
        ..Values::default()
    };
    (Code::WouldGoNegative, detail.into(), values)
}

fn below_reserved(on_hand: i64, reserved: i64, delta: i64) -> Explained<'static> {
    let detail = format!(
        "{reserved} of {on_hand} are reserved, so {delta} would leave less than is held; wait, or \
         send force: true"
    );
    let values = Values {
        on_hand: Some(on_hand),
        reserved: Some(reserved),
        delta: Some(delta),
        ..Values::default()
    };
    (Code::BelowReserved, detail.into(), values)
}

fn quarantined(stream: &StreamKey, quarantine: Quarantine) -> Explained<'_> {
    let Quarantine {
        cause,
        epoch,
        sequence,
    } = quarantine;
    let what = match cause {
        QuarantineCause::Contradiction => "came with other content before",
        QuarantineCause::FellBack => "is of an epoch that is over",
    };
    let detail = format!(
        "message {sequence} of epoch {epoch} {what}; look at {}, then POST /v1/feeds/{}/lift",
        stream.source, stream.source
    );
    let values = Values {
        epoch: Some(epoch),
        sequence: Some(sequence),
        reason: Some(cause.as_str()),
        ..of_stream(stream)
    };
    (Code::StreamQuarantined, detail.into(), values)
}

fn of_stream(stream: &StreamKey) -> Values<'_> {
    Values {
        location: Some(stream.location.as_str()),
        source: Some(stream.source.as_str()),
        ..Values::default()
    }
}

fn of_drift<'a>(id: ReservationId) -> Values<'a> {
    Values {
        drift: Some(Id(id)),
        ..Values::default()
    }
}
