//! What came of a line, in the words that stand right of the arrow.

use super::{START, Subject, Turn, World};
use crate::model::{Told, expired_in};
use crate::script::{Line, Move, Said, Verb, Want, What, duration};
use holdfast_core::{
    Counter, Effect, Event, EventKind, ExpiredReason, LineAt, LineView, Location, OverLimit,
    Refusal, ReservationView, ShortLine, Sku, Status, Timestamp,
};
use std::fmt::Write;

/// The outcome of a line.
pub(crate) fn words<S: Subject>(world: &World<S>, line: &Line, turn: &Turn) -> String {
    let mut parts: Vec<String> = met(world, &turn.met);
    match line {
        Line::Show(name) => parts.push(show(world, name)),
        Line::Supply(name) => parts.push(super::supply::words(world, name)),
        Line::Ask(_, verb) => {
            let told = turn.told.as_ref().expect("a command is answered");
            parts.push(answer(world, verb, told, &turn.own));
        }
        Line::Policy(_) | Line::Wait(_) | Line::Back(_) | Line::Chunks(_) => {
            parts.push("ok".to_owned());
        }
        Line::Advance(_) | Line::Sweep | Line::Down(_) if parts.is_empty() => {
            parts.push("nothing".to_owned());
        }
        Line::Advance(_) | Line::Sweep | Line::Down(_) => {}
    }
    parts.join("; ")
}

/// A moment, counted from the start of the story.
pub(super) fn moment(at: Timestamp) -> String {
    let after = at.since(START).ms();
    if after == 0 {
        "+0s".to_owned()
    } else {
        format!("+{}", duration(after))
    }
}

fn met<S: Subject>(world: &World<S>, events: &[Event]) -> Vec<String> {
    let expired: Vec<&str> = events
        .iter()
        .flat_map(expired_in)
        .map(|id| world.name_of(id))
        .collect();
    let mut parts = Vec::new();
    match expired.len() {
        0 => {}
        1..=4 => parts.push(format!("expired {}", expired.join(", "))),
        many => parts.push(format!("expired {many} reservations")),
    }
    for event in events {
        match event.kind {
            EventKind::ShardResumed => parts.push(resumed(event)),
            EventKind::Forgotten => parts.push(forgot(world, event)),
            EventKind::ReservationReleased => {
                let ids = event.effects.iter().filter_map(|effect| match effect {
                    Effect::HomeChanged(change) => Some(world.name_of(change.id)),
                    _ => None,
                });
                parts.push(format!("released {}", ids.collect::<Vec<_>>().join(", ")));
            }
            _ => {}
        }
    }
    parts
}

fn resumed(event: &Event) -> String {
    let grace = event.effects.iter().find_map(|effect| match effect {
        Effect::Resumed(resumed) => Some(resumed.grace.ms()),
        _ => None,
    });
    format!("resumed grace={}", duration(grace.unwrap_or(0)))
}

fn forgot<S: Subject>(world: &World<S>, event: &Event) -> String {
    let names = event.effects.iter().filter_map(|effect| match effect {
        Effect::HomeForgotten(id) => Some(world.name_of(*id).to_owned()),
        Effect::KeysForgotten(first) => Some(format!("keys before {first}")),
        Effect::HoldForgotten(_) => Some("a hold that counted".to_owned()),
        Effect::DriftForgotten(which) => Some(world.drift_name(which.1)),
        Effect::MessagesForgotten(which) => Some(format!("messages of {}", which.0)),
        Effect::StreamForgotten(key) => Some(format!("the stream of {}", key.source)),
        _ => None,
    });
    format!("forgot {}", names.collect::<Vec<_>>().join(", "))
}

fn answer<S: Subject>(world: &World<S>, verb: &Verb, told: &Told, own: &[Event]) -> String {
    match told {
        Told::Reservation {
            view,
            created,
            replayed: true,
        } => {
            let what = if *created { "created, " } else { "" };
            format!("again: {what}now {}", view.status.as_str())
        }
        Told::Reservation {
            view,
            created: true,
            ..
        } => created(verb, view),
        Told::Reservation { view, .. } => changed(view, own),
        Told::Sku {
            created, replayed, ..
        } => {
            let word = match (created, own.is_empty(), replayed) {
                (true, _, _) => "created",
                (false, false, _) | (false, _, true) => "configured",
                (false, true, false) => "as it stands",
            };
            format!("{}{word}", if *replayed { "again: " } else { "" })
        }
        Told::Movement(moved) => {
            let movement = match verb {
                Verb::Move(movement) => Move::clone(movement),
                Verb::ShipFor {
                    sku,
                    units,
                    location,
                    ..
                } => Move {
                    what: What::Ship(*units),
                    sku: sku.clone(),
                    location: location.clone(),
                    version: None,
                    said: Said::default(),
                },
                _ => return format!("{verb} moved stock"),
            };
            let again = if moved.replayed { "again: " } else { "" };
            format!("{again}{}", world.moved_words(&movement, moved, own))
        }
        Told::Drift { drift, replayed } => {
            let again = match (replayed, own.is_empty()) {
                (true, _) => "again: ",
                (false, true) => "as it stands: ",
                (false, false) => "",
            };
            let name = world.drift_name(drift.id);
            format!("{again}{name} {}", super::moves::drift_words(drift))
        }
        Told::Location(record) => {
            let sells = if record.selling { "selling" } else { "closed" };
            let again = if own.is_empty() { "as it stands, " } else { "" };
            format!("{again}{sells}")
        }
        Told::Refused { refusal, replayed } => {
            let again = if *replayed { "again: " } else { "" };
            let for_good = if own.is_empty() { "" } else { ", recorded" };
            format!("{again}refused {}{for_good}", refused(world, refusal))
        }
        Told::Full(table) => format!("full {table}"),
    }
}

fn created(verb: &Verb, view: &ReservationView) -> String {
    let Verb::Reserve(basket) = verb else {
        panic!("only a reserve creates")
    };
    let mut text = "created".to_owned();
    let as_asked = |(want, line): (&Want, &LineView)| {
        let location = want.location.as_deref().unwrap_or("main");
        (line.sku.as_str(), line.location.as_str(), line.units) == (&want.sku, location, want.units)
    };
    let is_plain = view.lines.len() == basket.lines.len()
        && basket.lines.iter().zip(&view.lines).all(as_asked);
    if !is_plain {
        let lines = view.lines.iter().map(|line| {
            let asked = if line.requested == line.units {
                String::new()
            } else {
                format!(" of {}", line.requested)
            };
            format!("{}@{} {}{asked}", line.sku, line.location, line.units)
        });
        let _ = write!(text, " {}", lines.collect::<Vec<_>>().join(" + "));
    }
    for short in &view.shortages {
        let (sku, reason) = (&short.sku, short.reason.as_str());
        let _ = write!(
            text,
            ", short {sku} {} of {} {reason}",
            short.granted, short.requested
        );
    }
    text
}

fn changed(view: &ReservationView, own: &[Event]) -> String {
    let Some(event) = own.first() else {
        return format!("as it stands, {}", view.status.as_str());
    };
    let pinned = view.pinned_until.map_or_else(String::new, moment);
    match event.kind {
        EventKind::ReservationConfirmed if view.late => format!("confirmed late{}", tally(view)),
        EventKind::ReservationConfirmed => format!("confirmed{}", tally(view)),
        EventKind::ReservationReleased => format!("released{}", tally(view)),
        EventKind::ReservationCancelled => format!("cancelled{}", after(view)),
        EventKind::ReservationMoved => format!("moved{}", places(view)),
        EventKind::ReservationClosed => format!("closed, {}", view.status.as_str()),
        EventKind::ReservationExtended => format!("extended until={}", moment(view.expires_at)),
        EventKind::ReservationPinned => format!("pinned until={pinned}"),
        other => format!("{other:?}"),
    }
}

/// Units by what became of them, if they did not all fare the same.
fn tally(view: &ReservationView) -> String {
    let sum = |of: fn(&LineView) -> u32| view.lines.iter().map(of).sum::<u32>();
    let sums = [
        ("open", sum(|line| line.open)),
        ("confirmed", sum(|line| line.confirmed)),
        ("released", sum(|line| line.released)),
        ("expired", sum(|line| line.expired)),
    ];
    let parts: Vec<String> = sums
        .iter()
        .filter(|(_, units)| *units > 0)
        .map(|(name, units)| format!("{name}={units}"))
        .collect();
    if parts.len() == 1 {
        String::new()
    } else {
        format!(" {}", parts.join(" "))
    }
}

/// Where the units lie now.
fn places(view: &ReservationView) -> String {
    let lines = view.lines.iter();
    let lines = lines.map(|line| format!("{}@{} {}", line.sku, line.location, line.units));
    format!(" {}", lines.collect::<Vec<_>>().join(" + "))
}

/// What became of the confirmed units, if they were not all taken back.
fn after(view: &ReservationView) -> String {
    let sum = |of: fn(&LineView) -> u32| view.lines.iter().map(of).sum::<u32>();
    let cancelled = sum(|line| line.cancelled);
    let shipped = sum(|line| line.shipped);
    let confirmed = sum(|line| line.confirmed);
    let mut text = String::new();
    if cancelled < confirmed {
        let _ = write!(text, " {cancelled} of {confirmed}");
    }
    if shipped > 0 {
        let _ = write!(text, " shipped={shipped}");
    }
    text
}

fn show<S: Subject>(world: &World<S>, name: &str) -> String {
    if let Some(id) = world.id_of(name) {
        return match world.subject.engine().reservation(id, world.now) {
            Some(view) => show_reservation(world, &view),
            None => refused(world, &world.subject.engine().absent(id)),
        };
    }
    if let Some((id, _)) = world.drift_named(name) {
        return match world.subject.engine().drift(id) {
            Some(view) => super::moves::drift_words(&view.drift),
            None => "unknown-drift".to_owned(),
        };
    }
    let (sku, location) = name
        .split_once('@')
        .map_or((name, None), |(a, b)| (a, Some(b)));
    let sku = super::translate::sku_of(sku);
    let Some(view) = world.subject.engine().sku(&sku) else {
        return "unknown-sku".to_owned();
    };
    let levels = view
        .levels
        .iter()
        .filter(|(at, _)| location.is_none_or(|name| at.as_str() == name));
    let (mut available, mut shortfall, mut sum) = (0, 0, holdfast_core::Counters::default());
    for (_, level) in levels {
        available += level.available();
        shortfall += level.shortfall();
        sum.add(level);
    }
    let mut text = format!("available={available}");
    for counter in Counter::ALL
        .into_iter()
        .filter(|counter| sum.get(*counter) != 0)
    {
        let _ = write!(text, " {}={}", counter.name(), sum.get(counter));
    }
    if shortfall > 0 {
        let _ = write!(text, " shortfall={shortfall}");
    }
    text
}

fn show_reservation<S: Subject>(world: &World<S>, view: &ReservationView) -> String {
    let lines = view.lines.iter().map(|line| {
        let parts = [
            ("open", line.open),
            ("confirmed", line.confirmed),
            ("released", line.released),
            ("expired", line.expired),
            ("cancelled", line.cancelled),
            ("shipped", line.shipped),
        ];
        let parts = parts.iter().filter(|(_, units)| *units > 0);
        let parts: Vec<String> = parts
            .map(|(name, units)| format!("{name}={units}"))
            .collect();
        format!("{}@{} {}", line.sku, line.location, parts.join(" "))
    });
    let mut text = format!(
        "{}: {}",
        view.status.as_str(),
        lines.collect::<Vec<_>>().join(" + ")
    );
    if view.status == Status::Open {
        let _ = write!(text, "; until={}", moment(view.expires_at));
    }
    if let Some(until) = view.pinned_until {
        let _ = write!(text, " pinned_until={}", moment(until));
    }
    if view.late {
        text.push_str("; late");
    }
    if let Some(payment) = &view.payment_ref {
        let _ = write!(text, "; payment={payment}");
    }
    if let Some(id) = view.replaces {
        let _ = write!(text, "; replaces {}", world.name_of(id));
    }
    if let Some(id) = view.replaced_by {
        let _ = write!(text, "; replaced_by {}", world.name_of(id));
    }
    text
}

fn refused<S: Subject>(world: &World<S>, refusal: &Refusal) -> String {
    let name = |id: &holdfast_core::ReservationId| world.name_of(*id).to_owned();
    match refusal {
        Refusal::TtlLimit { max, .. } => format!("ttl-limit max={}", duration(max.ms())),
        Refusal::ReplaceMismatch(id) => format!("replace-mismatch {}", name(id)),
        Refusal::ReplaceAcrossShards(id) => format!("replace-across-shards {}", name(id)),
        Refusal::ReservationPinned { id, until } => {
            format!("reservation-pinned {} until={}", name(id), moment(*until))
        }
        Refusal::UnknownSku(skus) => format!("unknown-sku {}", list(skus, Sku::to_string)),
        Refusal::UnknownLocation(places) => {
            format!(
                "unknown-location {}",
                list(places, |(sku, at)| format!("{sku}@{at}"))
            )
        }
        Refusal::SalePaused(skus) => format!("sale-paused {}", list(skus, Sku::to_string)),
        Refusal::SaleClosed(skus) => format!("sale-closed {}", list(skus, closed)),
        Refusal::CustomerRequired(skus) => {
            format!("customer-required {}", list(skus, Sku::to_string))
        }
        Refusal::CustomerLimit(over) => format!("customer-limit {}", list(over, over_limit)),
        Refusal::InsufficientStock(lines) => format!("insufficient-stock {}", short(lines)),
        Refusal::UnknownReservation(_) => "unknown-reservation".to_owned(),
        Refusal::ReservationForgotten(_) => "reservation-forgotten".to_owned(),
        Refusal::ReservationExpired { reason, .. } if *reason == ExpiredReason::Lapsed => {
            "reservation-expired".to_owned()
        }
        Refusal::ReservationExpired { reason, .. } => {
            format!("reservation-expired {}", reason.as_str())
        }
        Refusal::ReservationReleased {
            at,
            reason,
            replaced_by,
            ..
        } => {
            let mut text = format!("reservation-released at={}", moment(*at));
            if let Some(reason) = reason {
                let _ = write!(text, " reason={reason}");
            }
            if let Some(id) = replaced_by {
                let _ = write!(text, " replaced_by={}", name(id));
            }
            text
        }
        Refusal::ReservationConfirmed { .. } => "reservation-confirmed".to_owned(),
        Refusal::ConfirmedByOtherPayment { first, .. } => {
            format!("confirmed-by-other-payment first={first}")
        }
        Refusal::Shortfall(lines) => format!("shortfall {}", list(lines, |l| at(l, "confirmable"))),
        Refusal::OverConfirm(lines) => format!("over-confirm {}", list(lines, |l| at(l, "open"))),
        Refusal::OverRelease(lines) => format!("over-release {}", list(lines, |l| at(l, "open"))),
        Refusal::AlreadyPinned { until, .. } => format!("already-pinned until={}", moment(*until)),
        Refusal::WouldGoNegative { counter, value, .. } => {
            format!("would-go-negative {}={value}", counter.name())
        }
        Refusal::BelowReserved {
            on_hand, reserved, ..
        } => {
            format!("below-reserved on_hand={on_hand} reserved={reserved}")
        }
        Refusal::VersionChanged { expected, actual } => {
            format!("version-changed expected={expected} actual={actual}")
        }
        Refusal::ReplenishedNotAboveLow {
            replenished_at,
            low_at,
        } => format!("not-above-low enough={replenished_at} low={low_at}"),
        Refusal::KeyReused => "idempotency-key-reused".to_owned(),
        Refusal::OverCancel(lines) => {
            format!("over-cancel {}", list(lines, |l| at(l, "cancellable")))
        }
        Refusal::AlreadyShipped(lines) => {
            format!("already-shipped {}", list(lines, |l| at(l, "here")))
        }
        Refusal::OverMove(lines) => format!("over-move {}", list(lines, |l| at(l, "open"))),
        Refusal::AlreadyOpened { sku, location } => format!("already-opened {sku} at={location}"),
        Refusal::LocationClosed(lines) => format!(
            "location-closed {}",
            list(lines, |(sku, location)| format!("{sku}@{location}"))
        ),
        Refusal::UndeclaredLocation(location) => format!("undeclared-location {location}"),
        Refusal::StreamQuarantined { quarantine, .. } => {
            format!("stream-quarantined {}", quarantine.cause.as_str())
        }
        Refusal::UnknownStream(_) => "unknown-stream".to_owned(),
        Refusal::UnknownDrift(_) => "unknown-drift".to_owned(),
        Refusal::DriftConflict { .. } => "drift-conflict".to_owned(),
        Refusal::NoPast { .. } | Refusal::HeldThere { .. } => {
            unreachable!("one shard says none of these")
        }
    }
}

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(" + ")
}

fn closed((sku, opens, closes): &(Sku, Option<Timestamp>, Option<Timestamp>)) -> String {
    let mut text = sku.to_string();
    if let Some(at) = opens {
        let _ = write!(text, " opens={}", moment(*at));
    }
    if let Some(at) = closes {
        let _ = write!(text, " closes={}", moment(*at));
    }
    text
}

fn over_limit(over: &OverLimit) -> String {
    let frees = over
        .frees_at
        .map_or_else(String::new, |at| format!(" frees_at={}", moment(at)));
    format!(
        "{} limit={} counted={}{frees}",
        over.sku, over.limit, over.counted
    )
}

fn short(lines: &[ShortLine]) -> String {
    match lines {
        [
            ShortLine {
                location: None,
                available,
                ..
            },
        ] => format!("available={available}"),
        lines => list(lines, |line| {
            format!(
                "{}{} available={}",
                line.sku,
                place(line.location.as_ref()),
                line.available
            )
        }),
    }
}

fn at(line: &LineAt, word: &str) -> String {
    format!(
        "{}{} {word}={}",
        line.sku,
        place(line.location.as_ref()),
        line.possible
    )
}

fn place(location: Option<&Location>) -> String {
    location.map_or_else(String::new, |location| format!("@{location}"))
}
