//! What counts that speak of the past are compared with: the counters then, put right by what was
//! recorded since about the time before it.
//!
//! Many are answered together: what the index has not taken yet is read once for all of a shard,
//! and of each only its own place is kept meanwhile.
//! Deliberately absent: deciding. The engine compares, and asks again if stock has moved meanwhile.

use super::block::{Levels, Values};
use super::index::{Index, Moment as Now, touches_of};
use super::read::{Failed, events_of, no_past, off_the_loop, tail, time_of};
use super::{At, NoPast};
use crate::placement::ShardIndex;
use crate::projection::Open;
use crate::router::Router;
use holdfast_core::{
    CountThen, Counter, Counters, Effect, Event, EventKind, Location, Sku, Timestamp,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// A count that speaks of the past: of what, where, and when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Of what.
    pub sku: Sku,
    /// Where.
    pub location: Location,
    /// When.
    pub at: At,
}

/// A count that is answered, with what stood on the board when it was asked.
struct Asked {
    /// Its place among those that were asked together.
    place: usize,
    taken: Taken,
    seen: u64,
    stock_version: u64,
}

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
        let taken = Taken {
            sku: sku.clone(),
            location: location.clone(),
            at,
        };
        let mut then = self.counts_then(vec![taken]).await;
        then.pop().expect("each is answered")
    }

    /// The same of many at once, in their order. What the statements of a shard have not taken yet
    /// is read once for all of them.
    pub async fn counts_then(&self, taken: Vec<Taken>) -> Vec<Result<CountThen, NoPast>> {
        let mut then: Vec<Result<CountThen, NoPast>> = Vec::new();
        then.resize(taken.len(), Err(NoPast::UnknownSku));
        let mut shards: BTreeMap<ShardIndex, Vec<Asked>> = BTreeMap::new();
        for (place, taken) in taken.into_iter().enumerate() {
            if matches!(taken.at, At::Time(time) if self.now() < time) {
                then[place] = Err(NoPast::Future);
                continue;
            }
            // Read first: if stock moves while the past is read, the engine notices.
            let Some(view) = self.sku(&taken.sku) else {
                continue;
            };
            let shard = self.0.placement.shard_of_sku(&taken.sku);
            shards.entry(shard).or_default().push(Asked {
                place,
                taken,
                seen: view.seq,
                stock_version: view.versions.stock,
            });
        }
        for (shard, asked) in shards {
            let places: Vec<usize> = asked.iter().map(|asked| asked.place).collect();
            match self.counts_of(shard, asked).await {
                Ok(own) => places
                    .into_iter()
                    .zip(own)
                    .for_each(|(place, own)| then[place] = own),
                Err(why) => places
                    .into_iter()
                    .for_each(|place| then[place] = Err(why.clone())),
            }
        }
        then
    }

    async fn counts_of(
        &self,
        shard: ShardIndex,
        asked: Vec<Asked>,
    ) -> Result<Vec<Result<CountThen, NoPast>>, NoPast> {
        let open = self.history(shard).await?;
        let is_behind = |lag: u64| self.0.count_lag_max < lag;
        if self.statement_lag(shard).is_some_and(is_behind) {
            return Err(NoPast::Behind);
        }
        let seen = asked.iter().map(|asked| asked.seen).max();
        self.readable(shard, &open, seen.unwrap_or(0)).await?;
        let stats = std::sync::Arc::clone(&self.link(shard).stats);
        off_the_loop(shard, move || {
            let (then, lag) = counts(&open, &asked)?;
            stats.lag_read.fetch_add(lag, Ordering::Relaxed);
            let told = then
                .into_iter()
                .map(|own| own.map_err(|why| no_past(shard, why)));
            Ok(told.collect())
        })
        .await
    }
}

/// A moment at which a count was taken.
#[derive(Clone, Copy)]
struct Moment {
    seq: u64,
    at: Timestamp,
    is_asked_by_seq: bool,
}

/// A count while its past is read: its place as it stood at its moment, and as it stands now.
struct Reading {
    moment: Moment,
    then: Counters,
    now: Counters,
    /// What was recorded after the moment about the time before it.
    later: Counters,
}

/// Ledger times of sequences that counts name: those of one file all name the same.
type Times = HashMap<u64, Option<u64>>;

/// What counts are compared with, and how many events the index had not taken were read for that.
fn counts(
    open: &Open<Index>,
    asked: &[Asked],
) -> Result<(Vec<Result<CountThen, Failed>>, u64), Failed> {
    let now = open.projection.now()?;
    let mut times = Times::new();
    let indexed = |asked: &Asked| Reading::of_index(open, &now, &asked.taken, &mut times);
    let mut readings: Vec<Result<Reading, Failed>> = asked.iter().map(indexed).collect();
    let lag = follow(open, &now, asked, &mut readings)?;
    let then = asked.iter().zip(readings).map(|(asked, reading)| {
        let mut reading = reading?;
        add(&mut reading.then, &reading.later);
        Ok(CountThen {
            seq: reading.moment.seq,
            at: reading.moment.at,
            counters: reading.then,
            stock_version: asked.stock_version,
        })
    });
    Ok((then.collect(), lag))
}

impl Reading {
    /// As far as the index knows.
    fn of_index(
        open: &Open<Index>,
        now: &Now,
        taken: &Taken,
        times: &mut Times,
    ) -> Result<Self, Failed> {
        if matches!(taken.at, At::Sequence(seq) if open.reader.head() < seq) {
            return Err(NoPast::Future.into());
        }
        // What changed there later, of what may speak of the time before, and how it stands now.
        let mut steps: Vec<(u64, Counters)> = Vec::new();
        let mut latest: Option<Counters> = None;
        let (last, last_at, levels) = now.levels_then(&taken.sku, taken.at, |line, after| {
            let own = line
                .changed
                .iter()
                .find(|(place, _)| after[*place].0 == taken.location);
            if let Some((place, before)) = own {
                let after = &after[*place].1;
                if line.is_of_past {
                    steps.push((line.seq, difference(after, before)));
                }
                latest = Some(after.clone());
            }
        })?;
        let moment = match taken.at {
            At::Time(at) => Moment {
                seq: last,
                at,
                is_asked_by_seq: false,
            },
            At::Sequence(seq) => {
                let at = match times.get(&seq) {
                    Some(known) => *known,
                    None => *times.entry(seq).or_insert(time_of(&open.reader, seq)?),
                };
                Moment {
                    seq,
                    at: Timestamp::from_ms(at.unwrap_or(last_at)),
                    is_asked_by_seq: true,
                }
            }
        };
        let then = counters_at(&levels, &taken.location);
        let mut reading = Self {
            moment,
            now: latest.unwrap_or_else(|| then.clone()),
            then,
            later: Counters::default(),
        };
        let seqs: Vec<u64> = steps.iter().map(|(seq, _)| *seq).collect();
        for event in events_of(&open.reader, &seqs)? {
            if speaks_of(&event, &taken.location, reading.moment) {
                let own = steps.binary_search_by_key(&event.seq, |(seq, _)| *seq);
                add(&mut reading.later, &steps[own.expect("it was asked for")].1);
            }
        }
        Ok(reading)
    }

    /// One event further, which changed these of its SKU.
    fn pass(&mut self, event: &Event, taken: &Taken, changes: &[(Location, Values)]) {
        let before = self.now.clone();
        for (location, values) in changes {
            if *location == taken.location {
                for (counter, value) in values {
                    self.now.set(*counter, *value);
                }
            }
        }
        let is_later = match taken.at {
            At::Sequence(seq) => seq < event.seq,
            At::Time(time) => time < event.at,
        };
        if !is_later {
            self.then.clone_from(&self.now);
            if !self.moment.is_asked_by_seq {
                self.moment.seq = event.seq;
            }
        } else if speaks_of(event, &taken.location, self.moment) {
            add(&mut self.later, &difference(&self.now, &before));
        }
    }
}

/// Reads what the index has not taken yet, once: how many events that were.
fn follow(
    open: &Open<Index>,
    now: &Now,
    asked: &[Asked],
    readings: &mut [Result<Reading, Failed>],
) -> Result<u64, Failed> {
    let mut of_sku: HashMap<&Sku, Vec<usize>> = HashMap::new();
    for (place, asked) in asked.iter().enumerate() {
        of_sku.entry(&asked.taken.sku).or_default().push(place);
    }
    let mut events = 0;
    tail(&open.reader, now.cursor.seq, |event| {
        events += 1;
        for (sku, touch) in touches_of(event) {
            for place in of_sku.get(sku).into_iter().flatten() {
                if let Ok(reading) = &mut readings[*place] {
                    reading.pass(event, &asked[*place].taken, &touch.changes);
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(events)
}

fn counters_at(levels: &Levels, location: &Location) -> Counters {
    let own = levels.iter().find(|(own, _)| own == location);
    own.map_or_else(Counters::default, |(_, counters)| counters.clone())
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
