//! Reading statements: pages of entries with what the journal says of them, and counters of the
//! past, the newest events included, which the index may not have taken yet.

use super::block::{Levels, Line, sum};
use super::details::Details;
use super::index::{Index, Missing, Moment, touches_of};
use super::{At, Change, Entry, NoPast, Past, StatementPage};
use crate::placement::ShardIndex;
use crate::projection::Open;
use crate::router::Router;
use crate::unavailable::Unavailable;
use holdfast_core::{Counters, Event, EventKind, Sku, Timestamp};
use holdfast_ledger::{LedgerError, ReadLimit, Reader, Record, codec};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

/// How often statements that are being opened are looked for, and the pause between.
const OPENING_LOOKS: usize = 50;
const OPENING_PAUSE: Duration = Duration::from_millis(20);

/// How often what was committed last is looked for in the journal, and the pause between.
const READABLE_LOOKS: usize = 500;
const READABLE_PAUSE: Duration = Duration::from_millis(2);

/// Digits of a position before its sequence.
const POSITION_HEAD: usize = 24;

/// Of one record: what is asked for, and no more.
const ONE: ReadLimit = ReadLimit {
    records: 1,
    bytes: 0,
};

/// Of the journal beyond the index, at a time.
const TAIL: ReadLimit = ReadLimit {
    records: 64,
    bytes: 1 << 20,
};

impl Router {
    /// The statement of a SKU after a sequence of its shard: what happened, oldest first, up to
    /// `limit` entries. It is a little behind, and says how far it is.
    pub async fn statement(
        &self,
        sku: &Sku,
        after: u64,
        limit: usize,
    ) -> Result<StatementPage, NoPast> {
        let (shard, open) = self.history_of(sku).await?;
        let sku = sku.clone();
        off_the_loop(shard, move || page(&open, &sku, after, limit)).await
    }

    /// A SKU's counters at a moment of the past.
    pub async fn past(&self, sku: &Sku, at: At) -> Result<Past, NoPast> {
        let (shard, open) = self.history_of(sku).await?;
        if matches!(at, At::Time(time) if self.now() < time) {
            return Err(NoPast::Future);
        }
        self.readable(shard, &open, 0).await?;
        let sku = sku.clone();
        off_the_loop(shard, move || past(&open, &sku, at)).await
    }

    /// Waits a little until all that a shard has answered for by now can be read, and what is
    /// known to be committed.
    pub(super) async fn readable(
        &self,
        shard: ShardIndex,
        open: &Open<Index>,
        known: u64,
    ) -> Result<(), NoPast> {
        let committed = &self.link(shard).stats.committed;
        let committed = committed
            .load(std::sync::atomic::Ordering::Acquire)
            .max(known);
        for _ in 0..READABLE_LOOKS {
            if committed <= open.reader.head() {
                return Ok(());
            }
            tokio::time::sleep(READABLE_PAUSE).await;
        }
        Err(NoPast::Behind)
    }

    /// How many events the statement of each shard is behind; nothing where none is built.
    pub fn statement_lag(&self, shard: ShardIndex) -> Option<u64> {
        let statement = self.0.statement.as_ref()?;
        let committed = &self.link(shard).stats.committed;
        let committed = committed.load(std::sync::atomic::Ordering::Acquire);
        Some(committed.saturating_sub(statement.read_up_to(shard)))
    }

    /// The sequence of a position in the ledger of a SKU's shard, if it is one.
    pub fn sequence_of(&self, sku: &Sku, position: &str) -> Option<u64> {
        let (_, sequence) = position.split_at_checked(POSITION_HEAD)?;
        let sequence = u64::from_str_radix(sequence, 16).ok()?;
        let shard = self.0.placement.shard_of_sku(sku);
        (self.shard_position(shard, sequence) == position).then_some(sequence)
    }

    /// The history of a SKU that there is.
    pub(super) async fn history_of(
        &self,
        sku: &Sku,
    ) -> Result<(ShardIndex, Arc<Open<Index>>), NoPast> {
        let shard = self.0.placement.shard_of_sku(sku);
        if self.0.statement.is_some() && self.sku(sku).is_none() {
            self.refuse_if_closed(self.link(shard))?;
            return Err(NoPast::UnknownSku);
        }
        Ok((shard, self.history(shard).await?))
    }

    /// The history of a shard.
    pub(super) async fn history(&self, shard: ShardIndex) -> Result<Arc<Open<Index>>, NoPast> {
        let statement = self.0.statement.as_ref().ok_or(NoPast::Disabled)?;
        // A shard serves a little before its statements are open.
        for _ in 0..OPENING_LOOKS {
            if let Some(open) = statement.of(shard) {
                return Ok(open);
            }
            tokio::time::sleep(OPENING_PAUSE).await;
        }
        Err(Unavailable::Recovering { shard }.into())
    }
}

/// Runs what reads files where it may block.
pub(super) async fn off_the_loop<T: Send + 'static>(
    shard: ShardIndex,
    work: impl FnOnce() -> Result<T, Failed> + Send + 'static,
) -> Result<T, NoPast> {
    let done = tokio::task::spawn_blocking(work).await;
    match done {
        Ok(done) => done.map_err(|failed| no_past(shard, failed)),
        Err(_) => Err(Unavailable::Recovering { shard }.into()),
    }
}

/// What a caller hears.
pub(super) fn no_past(shard: ShardIndex, failed: Failed) -> NoPast {
    match failed {
        Failed::No(no) => no,
        Failed::Index(Missing::Trimmed(seq)) => NoPast::Trimmed { oldest: seq + 1 },
        Failed::Ledger(LedgerError::Trimmed { oldest, .. }) => NoPast::Trimmed { oldest },
        Failed::Ledger(LedgerError::Closed { .. }) => Unavailable::Recovering { shard }.into(),
        broken @ (Failed::Index(_) | Failed::Ledger(_) | Failed::Codec(_)) => {
            error!(shard, error = %broken, "a statement can't be read");
            Unavailable::Recovering { shard }.into()
        }
    }
}

/// Why history was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    No(#[from] NoPast),
    #[error(transparent)]
    Index(#[from] Missing),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("an event can't be read: {0}")]
    Codec(#[from] codec::CodecError),
}

fn page(open: &Open<Index>, sku: &Sku, after: u64, limit: usize) -> Result<StatementPage, Failed> {
    let now = open.projection.now()?;
    let mut entries = Vec::new();
    let mut next = None;
    now.walk(sku, after, |line, levels| {
        if entries.len() == limit {
            next = entries.last().map(|entry: &Entry| entry.seq);
            return ControlFlow::Break(());
        }
        entries.extend(entry_of(&line, levels));
        ControlFlow::Continue(())
    })?;
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    let mut events = events_of(&open.reader, &seqs)?.into_iter();
    for entry in &mut entries {
        if let Some(event) = events.find(|event| event.seq == entry.seq) {
            entry.details = Details::of(&event, sku);
        }
    }
    Ok(StatementPage {
        entries,
        next,
        as_of: (now.cursor.seq, Timestamp::from_ms(now.cursor.at)),
    })
}

/// An entry, without what the journal says of it; `levels` are the counters after it.
fn entry_of(line: &Line, levels: &Levels) -> Option<Entry> {
    let changes: Vec<Change> = line
        .changed
        .iter()
        .map(|(place, before)| {
            let (location, after) = &levels[*place];
            Change {
                location: location.clone(),
                before: before.clone(),
                after: after.clone(),
            }
        })
        .collect();
    let after = sum(levels);
    let mut before = Levels::with_capacity(levels.len());
    for (place, (location, counters)) in levels.iter().enumerate() {
        let changed = line.changed.iter().find(|(own, _)| *own == place);
        let counters = changed.map_or(counters, |(_, before)| before);
        before.push((location.clone(), counters.clone()));
    }
    Some(Entry {
        seq: line.seq,
        at: Timestamp::from_ms(line.at),
        kind: EventKind::from_number(line.kind)?,
        changes,
        before: sum(&before),
        after,
        details: Details::default(),
    })
}

/// The events with these sequences, which ascend.
pub(super) fn events_of(reader: &Reader, seqs: &[u64]) -> Result<Vec<Event>, Failed> {
    let mut wanted: VecDeque<u64> = seqs.iter().copied().collect();
    let mut events = Vec::with_capacity(seqs.len());
    while let Some(first) = wanted.front() {
        let records = reader.read(*first, ONE)?;
        let Some(record) = records.first() else {
            break;
        };
        for event in codec::Events::new(record.first, record.events, &record.body)? {
            let event = event?;
            if wanted.front() == Some(&event.seq) {
                wanted.pop_front();
                events.push(event);
            }
            if wanted.front().is_none_or(|next| record.last() < *next) {
                break;
            }
        }
    }
    Ok(events)
}

fn past(open: &Open<Index>, sku: &Sku, at: At) -> Result<Past, Failed> {
    if matches!(at, At::Sequence(seq) if open.reader.head() < seq) {
        return Err(NoPast::Future.into());
    }
    let now = open.projection.now()?;
    let (mut seq, mut time, mut levels) = now.levels_at(sku, at)?;
    if is_beyond(&now, at) {
        tail(&open.reader, now.cursor.seq, |event| {
            let is_later = match at {
                At::Sequence(seq) => seq < event.seq,
                At::Time(time) => time < event.at,
            };
            if is_later {
                return ControlFlow::Break(());
            }
            if change(&mut levels, sku, event) {
                (seq, time) = (event.seq, event.at.ms());
            }
            ControlFlow::Continue(())
        })?;
    }
    if let At::Sequence(asked) = at {
        (seq, time) = (asked, time_of(&open.reader, asked)?.unwrap_or(time));
    }
    levels.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Past {
        seq,
        at: Timestamp::from_ms(time),
        levels,
    })
}

/// Whether events up to a moment may not be in the index yet.
fn is_beyond(now: &Moment, at: At) -> bool {
    match at {
        At::Sequence(seq) => now.cursor.seq < seq,
        At::Time(time) => now.cursor.at <= time.ms(),
    }
}

/// Changes counters as an event says; whether it touches the SKU.
fn change(levels: &mut Levels, sku: &Sku, event: &Event) -> bool {
    let touched = touches_of(event).into_iter().find(|(own, _)| *own == sku);
    let Some((_, touch)) = touched else {
        return false;
    };
    for (location, values) in touch.changes {
        let place = levels.iter().position(|(own, _)| *own == location);
        let place = place.unwrap_or_else(|| {
            levels.push((location, Counters::default()));
            levels.len() - 1
        });
        for (counter, value) in values {
            levels[place].1.set(counter, value);
        }
    }
    true
}

/// The events after `seen`, as many as there are, until `visit` has enough.
pub(super) fn tail(
    reader: &Reader,
    seen: u64,
    mut visit: impl FnMut(&Event) -> ControlFlow<()>,
) -> Result<(), Failed> {
    let (mut seen, head) = (seen, reader.head());
    while seen < head {
        let records = reader.read(seen + 1, TAIL)?;
        let Some(last) = records.last().map(Record::last) else {
            break;
        };
        for record in &records {
            for event in codec::Events::new(record.first, record.events, &record.body)? {
                let event = event?;
                if seen < event.seq && visit(&event).is_break() {
                    return Ok(());
                }
            }
        }
        seen = last;
    }
    Ok(())
}

/// Ledger time of an event, where the journal still has it.
pub(super) fn time_of(reader: &Reader, seq: u64) -> Result<Option<u64>, Failed> {
    match events_of(reader, &[seq]) {
        Ok(events) => Ok(events.first().map(|event| event.at.ms())),
        Err(Failed::Ledger(LedgerError::Trimmed { .. })) => Ok(None),
        Err(failed) => Err(failed),
    }
}
