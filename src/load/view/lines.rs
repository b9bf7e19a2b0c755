//! The run as a line, for pipes and log files.
//!
//! Deliberately absent: colour and cursor movement.

use super::Title;
use crate::{
    load::{
        record::{Live, Outcome},
        results::time,
    },
    show::count,
};

/// The run as it stands, in a line.
pub(super) fn line(live: &Live, title: &Title) -> String {
    let mut parts = vec![clock(live, title)];
    if let Some(phase) = &live.phase {
        parts.push(phase.name.clone());
    }
    parts.push(format!("{}/s arrive", count(live.last.arrived_rate as u64)));
    parts.push(format!("{}/s answered", count(live.last.rate as u64)));
    let last = live.last.response;
    if live.last.rate > 0.0 {
        parts.push(format!(
            "p50 {} p99 {} max {}",
            time(last.p50),
            time(last.p99),
            time(last.max)
        ));
    }
    let came = Outcome::ALL
        .into_iter()
        .zip(live.outcomes)
        .filter(|(_, count)| *count > 0);
    let outcomes: Vec<_> = came
        .map(|(outcome, number)| format!("{} {}", outcome.name().replace('_', " "), count(number)))
        .collect();
    if !outcomes.is_empty() {
        parts.push(outcomes.join(", "));
    }
    if live.dropped > 0 {
        parts.push(format!("DROPPED {}", count(live.dropped)));
    }
    for sku in &live.skus {
        parts.push(format!(
            "{}: {} left",
            sku.sku,
            count(sku.available.max(0) as u64)
        ));
    }
    format!("  {}", parts.join(" | "))
}

/// How long it runs, of how long it will.
pub(super) fn clock(live: &Live, title: &Title) -> String {
    let elapsed = live.elapsed.as_secs_f64();
    match title.planned {
        Some(planned) => {
            let planned = planned.as_secs_f64();
            match elapsed - planned {
                // Who came has to pay yet.
                over if over >= 1.0 => format!("{planned:.0} s and {over:.0} s"),
                _ => format!("{elapsed:.0} of {planned:.0} s"),
            }
        }
        None => format!("{elapsed:.0} s"),
    }
}
