//! Refusals that list lines: what each asked for, and what could be had.

use std::fmt::Write as _;

use super::problem::Code;
use super::render_refusal::Made;
use super::render_shape::{OrNull, RefusedLine};
use super::wire::scalar::Time;
use holdfast_core::{LineAt, Location, OverLimit, Refusal, ShortLine, Sku, Timestamp};

pub(super) type ExplainedLines<'a> = (Code, String, Vec<RefusedLine<'a>>);

/// What a refusal of lines is called, and how its detail goes on behind how many there are.
type Next = (Code, &'static str);

const SHORTFALL: Next = (
    Code::Shortfall,
    "can be confirmed, since stock is missing; confirm less, or retry when it has come",
);
const OVER_CONFIRM: Next = (Code::OverConfirm, "are held and not sold; confirm less");
const OVER_RELEASE: Next = (Code::OverRelease, "are open; release less");
const OVER_CANCEL: Next = (Code::OverCancel, "are sold and not cancelled; cancel less");
const ALREADY_SHIPPED: Next = (
    Code::AlreadyShipped,
    "have not left yet; cancel those, and book the rest as returned once back",
);
const OVER_MOVE: Next = (Code::OverMove, "are held there and not sold; move less");

pub(super) fn explain_lines<'a>(refusal: &'a Refusal, made: &Made<'_>) -> ExplainedLines<'a> {
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
        Refusal::Shortfall(lines) => at_places(SHORTFALL, lines, made, confirmable),
        Refusal::OverConfirm(lines) => at_places(OVER_CONFIRM, lines, made, confirmable),
        Refusal::OverRelease(lines) => at_places(OVER_RELEASE, lines, made, releasable),
        Refusal::OverCancel(lines) => at_places(OVER_CANCEL, lines, made, can_be),
        Refusal::AlreadyShipped(lines) => at_places(ALREADY_SHIPPED, lines, made, can_be),
        Refusal::OverMove(lines) => at_places(OVER_MOVE, lines, made, can_be),
        Refusal::LocationClosed(places) => location_closed(places, made),
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
        | Refusal::ReplenishedNotAboveLow { .. }
        | Refusal::AlreadyOpened { .. }
        | Refusal::UndeclaredLocation(_)
        | Refusal::StreamQuarantined { .. }
        | Refusal::UnknownStream(_)
        | Refusal::UnknownDrift(_)
        | Refusal::NoPast { .. }
        | Refusal::HeldThere { .. }
        | Refusal::DriftConflict { .. }
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

fn location_closed<'a>(places: &'a [(Sku, Location)], made: &Made<'_>) -> ExplainedLines<'a> {
    let mut detail = String::new();
    if let Some((sku, location)) = places.first() {
        detail = format!("{location} does not sell now; reserve {sku} elsewhere, or name none");
    }
    more(&mut detail, places.len());
    let lines = places.iter().map(|(sku, location)| RefusedLine {
        location: Some(location.as_str()),
        ..made.line(sku)
    });
    (Code::LocationClosed, detail, lines.collect())
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

fn confirmable(line: &mut RefusedLine<'_>, possible: u64) {
    line.confirmable = Some(possible);
}

fn releasable(line: &mut RefusedLine<'_>, possible: u64) {
    line.releasable = Some(possible);
}

fn can_be(line: &mut RefusedLine<'_>, possible: u64) {
    line.possible = Some(possible);
}

/// Lines of which fewer units are possible than were asked for; `put` says under which name.
fn at_places<'a>(
    (code, next): Next,
    lines: &'a [LineAt],
    made: &Made<'_>,
    put: fn(&mut RefusedLine<'_>, u64),
) -> ExplainedLines<'a> {
    let line = |at: &'a LineAt| {
        let mut line = RefusedLine {
            location: at.location.as_ref().map(Location::as_str),
            requested: Some(at.requested),
            ..made.line(&at.sku)
        };
        put(&mut line, at.possible);
        line
    };
    let told = lines.iter().map(line).collect();
    (code, possible(lines, next), told)
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
