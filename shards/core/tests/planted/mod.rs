//! Faults as they are planted: a request that asks for less, a decision that says more or less.

use crate::arena::is_crossing;
use holdfast_core::{
    Command, Decision, Event, EventKind, HomeChange, Outcome, Refusal, Request, Reserve, Units,
};

/// Tells the last crossing of a decision twice.
pub(crate) fn cross_twice(decision: &mut Decision) {
    let last = decision.events.last().filter(|event| is_crossing(event));
    if let Some(last) = last.cloned() {
        decision.events.push(Event {
            seq: last.seq + 1,
            ..last
        });
    }
}

/// Tells nothing of what a release crosses.
pub(crate) fn release_quietly(decision: &mut Decision) {
    let first = decision.events.first();
    if first.is_some_and(|event| event.kind == EventKind::ReservationReleased) {
        decision.events.retain(|event| !is_crossing(event));
        decision.read = decision.events[0].seq;
    }
}

/// Where all that was confirmed is cancelled, cancels a unit more.
pub(crate) fn cancel_one_more(change: &mut HomeChange) {
    let Some(extra) = &mut change.extra else {
        return;
    };
    for (after, [confirmed, ..]) in extra.after.iter_mut().zip(&change.totals) {
        after[0] += u32::from(after[0] > 0 && after[0] + after[1] == *confirmed);
    }
}

/// The same reserve with a unit less, if one unit of one line at one location was missing.
pub(crate) fn one_less(request: &Request, honest: &Decision) -> Option<Request> {
    let Outcome::Refused {
        refusal: Refusal::InsufficientStock(short),
        ..
    } = &honest.outcome
    else {
        return None;
    };
    let Command::Reserve(reserve) = &request.command else {
        return None;
    };
    let ([short], [line], None) = (&short[..], &reserve.lines[..], reserve.replace) else {
        return None;
    };
    let units = Units::new(line.units.get() - 1)?;
    line.location
        .as_ref()
        .filter(|_| short.available == u64::from(units.get()))?;
    let mut less = Reserve::clone(reserve);
    less.lines[0].units = units;
    let command = Command::Reserve(Box::new(less));
    Some(Request::keyed(request.key, command))
}
