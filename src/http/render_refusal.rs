//! Refusals as callers read them: the code, what happened and what to do next, and the values.
//!
//! Sold out is the commonest answer of a sale, so a refusal is written straight from the core's
//! words, without a tree of JSON values in between.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::problem::Code;
use super::render_shape::{OrNull, Refused, RefusedLine, Values};
use super::wire::scalar::{Id, Time};
use super::wire::view::{AsOf, PositionOf};
use holdfast_core::{
    ExpiredReason, LineAt, Location, OverLimit, Refusal, ReservationId, ShortLine, Sku, Timestamp,
};

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
    fn line<'a>(&self, sku: &'a Sku) -> RefusedLine<'a> {
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

    fn lines<'a>(&self, skus: &'a [Sku]) -> Vec<RefusedLine<'a>> {
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

type Explained<'a> = (Code, Cow<'static, str>, Values<'a>);

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
        Refusal::WouldGoNegative { on_hand, delta } => {
            let detail = format!("{on_hand} on hand, so {delta} would leave less than nothing");
            let values = Values {
                on_hand: Some(*on_hand),
                delta: Some(*delta),
                ..Values::default()
            };
            (Code::WouldGoNegative, detail.into(), values)
        }
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
        | Refusal::OverRelease(_) => {
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

type ExplainedLines<'a> = (Code, String, Vec<RefusedLine<'a>>);

fn explain_lines<'a>(refusal: &'a Refusal, made: &Made<'_>) -> ExplainedLines<'a> {
    match refusal {
        Refusal::UnknownSku(skus) => {
            let detail = about(
                skus,
                "is unknown; check the name, or create it with PUT first",
            );
            (Code::UnknownSku, detail, made.lines(skus))
        }
        Refusal::UnknownLocation(places) => unknown_location(places, made),
        Refusal::SalePaused(skus) => {
            let detail = about(skus, "is paused; wait until its sale goes on");
            (Code::SalePaused, detail, made.lines(skus))
        }
        Refusal::SaleClosed(windows) => sale_closed(windows, made),
        Refusal::CustomerRequired(skus) => {
            let detail = about(skus, "has a limit per customer; send customer");
            (Code::CustomerRequired, detail, made.lines(skus))
        }
        Refusal::CustomerLimit(lines) => customer_limit(lines, made),
        Refusal::InsufficientStock(lines) => insufficient_stock(lines, made),
        Refusal::Shortfall(lines) => {
            let next = "can be confirmed, since stock is missing; confirm less, or retry when it \
                        has come";
            let line = |at: &LineAt, to: &mut RefusedLine<'_>| to.confirmable = Some(at.possible);
            (
                Code::Shortfall,
                possible(lines, next),
                places(lines, made, line),
            )
        }
        Refusal::OverConfirm(lines) => {
            let line = |at: &LineAt, to: &mut RefusedLine<'_>| to.confirmable = Some(at.possible);
            let next = "are held and not sold; confirm less";
            (
                Code::OverConfirm,
                possible(lines, next),
                places(lines, made, line),
            )
        }
        Refusal::OverRelease(lines) => {
            let line = |at: &LineAt, to: &mut RefusedLine<'_>| to.releasable = Some(at.possible);
            (
                Code::OverRelease,
                possible(lines, "are open; release less"),
                places(lines, made, line),
            )
        }
        Refusal::TtlLimit { .. }
        | Refusal::ReplaceMismatch(_)
        | Refusal::ReplaceAcrossShards(_)
        | Refusal::ReservationPinned { .. }
        | Refusal::UnknownReservation(_)
        | Refusal::ReservationForgotten(_)
        | Refusal::ReservationExpired { .. }
        | Refusal::ReservationReleased { .. }
        | Refusal::ReservationConfirmed { .. }
        | Refusal::ConfirmedByOtherPayment { .. }
        | Refusal::AlreadyPinned { .. }
        | Refusal::WouldGoNegative { .. }
        | Refusal::BelowReserved { .. }
        | Refusal::VersionChanged { .. }
        | Refusal::KeyReused => unreachable!("only refusals with lines come here"),
    }
}

/// `A is unknown; …`, or `A and 2 more: is unknown; …`.
fn about(skus: &[Sku], rest: &str) -> String {
    match skus {
        [] => rest.to_owned(),
        [one] => format!("{one} {rest}"),
        [first, others @ ..] => format!("{first} (and {} more) {rest}", others.len()),
    }
}

fn more(detail: &mut String, count: usize) {
    if count > 1 {
        write!(detail, " (the first of {count} such lines)").expect("a String takes every text");
    }
}

fn unknown_location<'a>(places: &'a [(Sku, Location)], made: &Made<'_>) -> ExplainedLines<'a> {
    let mut detail = String::new();
    if let Some((sku, location)) = places.first() {
        detail = format!(
            "{sku} is not known at {location}; configure the location or receive there first"
        );
    }
    more(&mut detail, places.len());
    let lines = places.iter().map(|(sku, location)| RefusedLine {
        location: Some(location.as_str()),
        ..made.line(sku)
    });
    (Code::UnknownLocation, detail, lines.collect())
}

type Window = (Sku, Option<Timestamp>, Option<Timestamp>);

fn sale_closed<'a>(windows: &'a [Window], made: &Made<'_>) -> ExplainedLines<'a> {
    let mut detail = String::new();
    if let Some((sku, opens, closes)) = windows.first() {
        detail = match (opens, closes) {
            (Some(opens), _) if made.at < *opens => {
                format!(
                    "the sale of {sku} opens at {}; try again then",
                    Time(*opens)
                )
            }
            (_, Some(closes)) => format!("the sale of {sku} closed at {}", Time(*closes)),
            (_, None) => format!("the sale of {sku} is closed"),
        };
    }
    more(&mut detail, windows.len());
    let lines = windows.iter().map(|(sku, opens, closes)| RefusedLine {
        opens_at: Some(OrNull(opens.map(Time))),
        closes_at: Some(OrNull(closes.map(Time))),
        now: Some(Time(made.at)),
        ..made.line(sku)
    });
    (Code::SaleClosed, detail, lines.collect())
}

fn customer_limit<'a>(lines: &'a [OverLimit], made: &Made<'_>) -> ExplainedLines<'a> {
    let mut detail = String::new();
    if let Some(OverLimit {
        sku,
        limit,
        counted,
        requested,
        frees_at,
    }) = lines.first()
    {
        detail = format!(
            "{sku} is limited to {limit} for each customer: {counted} counted, {requested} asked \
             for; ask for less"
        );
        if let Some(at) = frees_at {
            write!(detail, ", or again at {}", Time(*at)).expect("a String takes every text");
        }
    }
    more(&mut detail, lines.len());
    let lines = lines.iter().map(|over| RefusedLine {
        limit: Some(over.limit),
        counted: Some(over.counted),
        requested: Some(over.requested),
        frees_at: Some(OrNull(over.frees_at.map(Time))),
        ..made.line(&over.sku)
    });
    (Code::CustomerLimit, detail, lines.collect())
}

fn insufficient_stock<'a>(lines: &'a [ShortLine], made: &Made<'_>) -> ExplainedLines<'a> {
    let mut detail = String::new();
    if let Some(ShortLine {
        sku,
        location: _,
        requested,
        available,
        undecided,
        stock: _,
    }) = lines.first()
    {
        detail = format!("{requested} {sku} asked for, {available} available");
        detail.push_str(match (undecided, available) {
            (0, 0) => "; wait for stock or for holds to end",
            (0, _) => "; ask for less or for best_effort, or wait for holds to end",
            (_, _) => "; carts that are being decided hold some, so retry shortly",
        });
    }
    more(&mut detail, lines.len());
    let lines = lines.iter().map(|short| RefusedLine {
        location: short.location.as_ref().map(Location::as_str),
        requested: Some(short.requested),
        available: Some(short.available),
        undecided: Some(short.undecided),
        ..made.line(&short.sku)
    });
    (Code::InsufficientStock, detail, lines.collect())
}

fn possible(lines: &[LineAt], next: &str) -> String {
    let mut detail = String::new();
    if let Some(LineAt {
        sku,
        location: _,
        requested,
        possible,
    }) = lines.first()
    {
        detail = format!("{requested} {sku} asked for, {possible} {next}");
    }
    more(&mut detail, lines.len());
    detail
}

fn places<'a>(
    lines: &'a [LineAt],
    made: &Made<'_>,
    complete: impl Fn(&LineAt, &mut RefusedLine<'a>),
) -> Vec<RefusedLine<'a>> {
    let line = |at: &'a LineAt| {
        let mut line = RefusedLine {
            location: at.location.as_ref().map(Location::as_str),
            requested: Some(at.requested),
            ..made.line(&at.sku)
        };
        complete(at, &mut line);
        line
    };
    lines.iter().map(line).collect()
}
