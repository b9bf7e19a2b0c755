//! Following: what happened on a shard after a sequence, event by event with the counters before
//! and after, from anywhere in the journal or the archive behind it.
//!
//! The journal has the new values of the counters that changed; the rest is a fold. A follower
//! folds what it reads, and takes the counters of a SKU that it has not met from the statement's
//! index. The index may be behind the follower, so a follower begins where the index is, or
//! earlier, and keeps every SKU that was touched since: one that is not kept has not changed since
//! the index saw it. So memory is bounded by what the index lacks and by [`KEPT`].
//!
//! Deliberately absent: waiting for news (a follower is asked again), and how events look outside.

use super::block::{Levels, sum};
use super::details::Details;
use super::index::{Index, Missing, Moment, touches_of};
use super::{At, Change, Entry, Statements};
use crate::placement::ShardIndex;
use crate::projection::Open;
use crate::router::Router;
use crate::unavailable::Unavailable;
use holdfast_core::{Counters, Effect, Event, Location, LocationRecord, Sku, SkuConfig, Text};
use holdfast_ledger::{LedgerError, ReadLimit, codec};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::sync::Arc;

/// SKUs whose counters are kept although the index has them.
const KEPT: usize = 100_000;

/// About what an event takes in the journal, and what is read in one go, in bytes.
const EVENT_BYTES: usize = 96;
const READ_MIN: usize = 16 << 10;
const READ_MAX: usize = 1 << 20;

/// What one event says of one SKU, or of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Which; absent where the event is of a reservation or of the shard alone.
    pub sku: Option<Sku>,
    /// Its place among those of the same event.
    pub part: u16,
    /// Sequence, time, what happened, what changed, who and why.
    pub entry: Entry,
    /// Units that could be promised before and after: the sums of the locations' own.
    pub available: [i64; 2],
    /// The SKU's configuration, where the event set it.
    pub config: Option<Box<SkuConfig>>,
    /// The payment, of a confirm that named one.
    pub payment_ref: Option<Text>,
    /// A location as it was declared, opened or closed.
    pub declared: Option<LocationRecord>,
}

/// Why nothing more can be followed for now.
#[derive(Debug, thiserror::Error)]
pub enum NoFollowing {
    /// The server builds no statements.
    #[error("this server keeps no statements, which events need; see statement.enabled")]
    Disabled,
    /// What happened then was trimmed from the journal.
    #[error("what happened before sequence {oldest} was trimmed")]
    Trimmed {
        /// The first sequence that can be followed.
        oldest: u64,
    },
    /// The ledger was closed, or its index begins anew: follow again from where this one was.
    #[error("the ledger was reopened")]
    Reopened,
    /// The shard can't be read now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// It can't be read.
    #[error("events can't be read: {0}")]
    Failed(String),
}

/// A reader of one shard's events. What it does blocks: not for the threads that serve.
pub struct Follower {
    shard: ShardIndex,
    open: Arc<Open<Index>>,
    /// The last event read.
    seq: u64,
    /// The last event that is not told.
    after: u64,
    /// Everything behind this is known to have been folded, or to be in the index.
    sure_from: u64,
    kept: HashMap<Sku, Held>,
    sweep_at: usize,
}

/// A SKU's counters, and the last event that changed them.
struct Held {
    levels: Levels,
    touched: u64,
}

impl Router {
    /// Follows what a shard records after the sequence `after`.
    pub fn follow(&self, shard: ShardIndex, after: u64) -> Result<Follower, NoFollowing> {
        let statements = self.0.statement.as_ref().ok_or(NoFollowing::Disabled)?;
        Follower::begin(statements, shard, after)
    }

    /// The last event of a shard that is durable, as far as its readers see.
    pub fn head_of(&self, shard: ShardIndex) -> Option<u64> {
        let open = self.0.statement.as_ref()?.of(shard)?;
        Some(open.reader.head())
    }

    /// The first event of a shard that can still be read, be it from the archive.
    pub fn begins_at(&self, shard: ShardIndex) -> Result<u64, NoFollowing> {
        let statements = self.0.statement.as_ref().ok_or(NoFollowing::Disabled)?;
        let open = opened(statements, shard)?;
        let (begins, horizon) = (open.reader.begins()?, open.projection.now()?.horizon);
        Ok(begins.max(if horizon == 0 { 0 } else { horizon + 1 }))
    }
}

fn opened(statements: &Statements, shard: ShardIndex) -> Result<Arc<Open<Index>>, NoFollowing> {
    let recovering = Unavailable::Recovering { shard };
    statements.of(shard).ok_or_else(|| recovering.into())
}

impl Follower {
    fn begin(statements: &Statements, shard: ShardIndex, after: u64) -> Result<Self, NoFollowing> {
        let open = opened(statements, shard)?;
        let indexed = open.projection.now()?.cursor.seq;
        let sure_from = indexed.min(after);
        Ok(Self {
            shard,
            open,
            seq: sure_from,
            after,
            sure_from,
            kept: HashMap::new(),
            sweep_at: KEPT,
        })
    }

    /// Which shard's.
    pub fn shard(&self) -> ShardIndex {
        self.shard
    }

    /// The last event that was told, or is not to be.
    pub fn told(&self) -> u64 {
        self.seq.max(self.after)
    }

    /// The last event that was read.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The last event there is.
    pub fn head(&self) -> u64 {
        self.open.reader.head()
    }

    /// Reads on, by whole events, until `limit` happenings are together or about 1 MiB was read;
    /// `tell` gets them in order. How many that were; none where all has been read.
    pub fn next(
        &mut self,
        limit: usize,
        tell: impl FnMut(Happening),
    ) -> Result<usize, NoFollowing> {
        self.next_until(u64::MAX, limit, tell)
    }

    /// The same, up to the sequence `last` and not beyond.
    pub fn next_until(
        &mut self,
        last: u64,
        limit: usize,
        mut tell: impl FnMut(Happening),
    ) -> Result<usize, NoFollowing> {
        // What is read beyond the limit is read again.
        let read = ReadLimit {
            records: limit.clamp(1, 1_024),
            bytes: limit.saturating_mul(EVENT_BYTES).clamp(READ_MIN, READ_MAX),
        };
        let mut told = 0;
        // What is read before the first event to be told is no answer.
        while told == 0 && self.seq < last {
            let records = self.open.reader.read(self.seq + 1, read)?;
            if records.is_empty() {
                // A closed ledger has no more heads; ask, so that a new one is opened.
                self.open.reader.oldest()?;
                return Ok(0);
            }
            let now = self.open.projection.now()?;
            if now.cursor.seq < self.sure_from {
                return Err(NoFollowing::Reopened);
            }
            'records: for record in &records {
                let events = codec::Events::new(record.first, record.events, &record.body);
                for event in events.map_err(failed)? {
                    let event = event.map_err(failed)?;
                    if event.seq <= self.seq {
                        continue;
                    }
                    if event.seq != self.seq + 1 {
                        let (from, to) = (self.seq, event.seq);
                        return Err(failed(format!("after event {from} comes {to} (INV-7)")));
                    }
                    told += self.take(&event, &now, &mut tell)?;
                    self.seq = event.seq;
                    if limit <= told || last <= event.seq {
                        break 'records;
                    }
                }
            }
            self.sweep(now.cursor.seq);
        }
        Ok(told)
    }

    /// The counters of a SKU at the last event that was read.
    pub fn levels(&mut self, sku: &Sku) -> Result<Vec<(Location, Counters)>, NoFollowing> {
        let now = self.open.projection.now()?;
        if now.cursor.seq < self.sure_from {
            return Err(NoFollowing::Reopened);
        }
        let mut levels = match self.kept.get(sku) {
            Some(held) => held.levels.clone(),
            None => at(&now, sku, self.seq)?,
        };
        levels.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(levels)
    }

    /// Folds an event, and tells of it what is to be told.
    fn take(
        &mut self,
        event: &Event,
        now: &Moment,
        tell: &mut impl FnMut(Happening),
    ) -> Result<usize, NoFollowing> {
        let is_told = self.after < event.seq;
        let touched = touches_of(event);
        let parts = touched.len();
        for (part, (sku, touch)) in touched.into_iter().enumerate() {
            let held = match self.kept.entry(sku.clone()) {
                Occupied(held) => held.into_mut(),
                Vacant(place) => {
                    let levels = at(now, sku, event.seq - 1)?;
                    place.insert(Held { levels, touched: 0 })
                }
            };
            held.touched = event.seq;
            let (before, was) = (sum(&held.levels), available(&held.levels));
            let changes = apply(&mut held.levels, touch.changes);
            if !is_told {
                continue;
            }
            tell(Happening {
                sku: Some(sku.clone()),
                part: part as u16,
                available: [was, available(&held.levels)],
                config: config_of(event, sku),
                payment_ref: payment_of(event),
                declared: None,
                entry: Entry {
                    seq: event.seq,
                    at: event.at,
                    kind: event.kind,
                    changes,
                    before,
                    after: sum(&held.levels),
                    details: Details::of(event, sku),
                },
            });
        }
        if parts == 0 && is_told {
            tell(without_sku(event));
            return Ok(1);
        }
        Ok(if is_told { parts } else { 0 })
    }

    /// Forgets SKUs that the index has as they are.
    fn sweep(&mut self, indexed: u64) {
        if self.kept.len() < self.sweep_at {
            return;
        }
        self.kept.retain(|_, held| indexed < held.touched);
        // Everything since `indexed` is kept, and an index that goes on is never before it.
        self.sure_from = self.sure_from.max(indexed.min(self.seq));
        self.sweep_at = KEPT.max(2 * self.kept.len());
    }
}

/// The counters of a SKU after `seq`, if it has not changed since the index last took events, or
/// the index has passed that.
fn at(now: &Moment, sku: &Sku, seq: u64) -> Result<Levels, NoFollowing> {
    let seen = now.cursor.seq.min(seq);
    Ok(now.levels_at(sku, At::Sequence(seen))?.2)
}

fn available(levels: &Levels) -> i64 {
    levels
        .iter()
        .map(|(_, counters)| counters.available())
        .sum()
}

/// Books the new values; what changed, location by location.
fn apply(
    levels: &mut Levels,
    changes: SmallVec<[(Location, super::block::Values); 1]>,
) -> Vec<Change> {
    let mut told: Vec<Change> = Vec::with_capacity(changes.len());
    for (location, values) in changes {
        let place = levels.iter().position(|(own, _)| *own == location);
        let place = place.unwrap_or_else(|| {
            levels.push((location.clone(), Counters::default()));
            levels.len() - 1
        });
        let counters = &mut levels[place].1;
        let before = counters.clone();
        for (counter, value) in values {
            counters.set(counter, value);
        }
        let after = counters.clone();
        match told.iter_mut().find(|change| change.location == location) {
            Some(change) => change.after = after,
            None => told.push(Change {
                location,
                before,
                after,
            }),
        }
    }
    told
}

fn config_of(event: &Event, sku: &Sku) -> Option<Box<SkuConfig>> {
    event.effects.iter().find_map(|effect| match effect {
        Effect::Sku(change) if change.sku == *sku => Some(Box::new(change.config.clone())),
        _ => None,
    })
}

fn payment_of(event: &Event) -> Option<Text> {
    event.note.as_ref().and_then(|note| note.payment.clone())
}

/// What is said of an event that touches no SKU: an extension, a pin, a location, a restart.
fn without_sku(event: &Event) -> Happening {
    let declared = event.effects.iter().find_map(|effect| match effect {
        Effect::Location(record) => Some(record.clone()),
        _ => None,
    });
    Happening {
        declared,
        sku: None,
        part: 0,
        available: [0; 2],
        config: None,
        payment_ref: payment_of(event),
        entry: Entry {
            seq: event.seq,
            at: event.at,
            kind: event.kind,
            changes: Vec::new(),
            before: Counters::default(),
            after: Counters::default(),
            details: Details::of_none(event),
        },
    }
}

fn failed(error: impl std::fmt::Display) -> NoFollowing {
    NoFollowing::Failed(error.to_string())
}

impl From<LedgerError> for NoFollowing {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Closed { .. } => Self::Reopened,
            LedgerError::Trimmed { oldest, .. } => Self::Trimmed { oldest },
            error => failed(error),
        }
    }
}

impl From<Missing> for NoFollowing {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Trimmed(seq) => Self::Trimmed { oldest: seq + 1 },
            missing => failed(missing),
        }
    }
}
