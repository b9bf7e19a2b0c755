//! What a count that speaks of the past is compared with: the counters then, put right by what was
//! recorded since about the time before it.
//!
//! Deliberately absent: deciding. The engine compares, and asks again if stock has moved meanwhile.

use super::block::Levels;
use super::index::Index;
use super::read::{Failed, change, events_of, off_the_loop, tail};
use super::{At, NoPast, Past};
use crate::projection::Open;
use crate::router::Router;
use holdfast_core::{CountThen, Counter, Counters, Effect, Event, EventKind, Location, Sku};
use std::collections::HashMap;
use std::ops::ControlFlow;

impl Router {
    /// The counters of a SKU at a location at the moment a count was taken, with the corrections
    /// of counts taken at or before it and the facts that happened before it, even if these were
    /// recorded later.
    pub async fn count_then(
        &self,
        sku: &Sku,
        location: &Location,
        at: At,
    ) -> Result<CountThen, NoPast> {
        // Read first: if stock moves while the past is read, the engine notices.
        let view = self.sku(sku).ok_or(NoPast::UnknownSku)?;
        let (shard, open) = self.history_of(sku).await?;
        // What the projection lacks is read for each count anew.
        let is_behind = |lag: u64| self.0.count_lag_max < lag;
        if self.statement_lag(shard).is_some_and(is_behind) {
            return Err(NoPast::Behind);
        }
        self.readable(shard, &open, view.seq).await?;
        let past = self.past(sku, at).await?;
        let (sku, location) = (sku.clone(), location.clone());
        let is_asked_by_seq = matches!(at, At::Sequence(_));
        let mut then = CountThen {
            seq: past.seq,
            at: match at {
                At::Sequence(_) => past.at,
                At::Time(time) => time,
            },
            counters: counters_at(&past, &location),
            stock_version: view.versions.stock,
        };
        off_the_loop(shard, move || {
            let moment = Moment {
                seq: then.seq,
                at: then.at,
                is_asked_by_seq,
            };
            correct(&open, &sku, &location, moment, &mut then.counters)?;
            Ok(then)
        })
        .await
    }
}

/// When a count was taken.
#[derive(Clone, Copy)]
struct Moment {
    seq: u64,
    at: holdfast_core::Timestamp,
    is_asked_by_seq: bool,
}

fn counters_at(past: &Past, location: &Location) -> Counters {
    let own = past.levels.iter().find(|(own, _)| own == location);
    own.map_or_else(Counters::default, |(_, counters)| counters.clone())
}

/// Adds what was recorded later about the time before.
fn correct(
    open: &Open<Index>,
    sku: &Sku,
    location: &Location,
    moment: Moment,
    counters: &mut Counters,
) -> Result<(), Failed> {
    let now = open.projection.now()?;
    // What entries of the index changed there, of those that may speak of the time before.
    let mut steps: HashMap<u64, Counters> = HashMap::new();
    let mut levels = Levels::new();
    now.walk(sku, moment.seq, |line, after| {
        levels.clone_from(after);
        let changed = line
            .changed
            .iter()
            .find(|(place, _)| after[*place].0 == *location);
        if let Some((place, before)) = changed.filter(|_| line.is_of_past) {
            steps.insert(line.seq, difference(&after[*place].1, before));
        }
        ControlFlow::Continue(())
    })?;
    let mut seqs: Vec<u64> = steps.keys().copied().collect();
    seqs.sort_unstable();
    for event in events_of(&open.reader, &seqs)? {
        if speaks_of(&event, location, moment) {
            add(counters, &steps[&event.seq]);
        }
    }
    // What the index has not taken yet.
    let seen = now.cursor.seq;
    if levels.is_empty() {
        levels = now.levels_at(sku, At::Sequence(seen))?.2;
    }
    tail(&open.reader, seen, |event| {
        let Some(before) = change(&mut levels, sku, event) else {
            return ControlFlow::Continue(());
        };
        if moment.seq < event.seq && speaks_of(event, location, moment) {
            let at = |levels: &Levels| {
                let own = levels.iter().find(|(own, _)| own == location);
                own.map_or_else(Counters::default, |(_, counters)| counters.clone())
            };
            add(counters, &difference(&at(&levels), &at(&before)));
        }
        ControlFlow::Continue(())
    })
}

/// Whether an event recorded later tells of the time at or before a moment: a count taken by then,
/// or a fact that happened by then.
fn speaks_of(event: &Event, location: &Location, moment: Moment) -> bool {
    if event.kind == EventKind::StockCounted {
        return event.effects.iter().any(|effect| match effect {
            Effect::Counted(counted) if counted.location == *location => {
                if moment.is_asked_by_seq {
                    counted.taken_seq <= moment.seq
                } else {
                    counted.taken_at <= moment.at
                }
            }
            _ => false,
        });
    }
    let occurred = event.note.as_ref().and_then(|note| note.occurred_at);
    let is_fact = matches!(
        event.kind,
        EventKind::StockReceived
            | EventKind::StockShipped
            | EventKind::StockReturned
            | EventKind::StockDamaged
    );
    is_fact && occurred.is_some_and(|occurred| occurred <= moment.at)
}

fn difference(after: &Counters, before: &Counters) -> Counters {
    let mut step = Counters::default();
    for counter in Counter::ALL {
        step.set(counter, after.get(counter) - before.get(counter));
    }
    step
}

fn add(counters: &mut Counters, step: &Counters) {
    for counter in Counter::ALL {
        counters.set(counter, counters.get(counter) + step.get(counter));
    }
}
