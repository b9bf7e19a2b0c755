//! Comparing a count or a seller's feed with the counters, chunk by chunk.
//!
//! The file is read twice: once to see that it is whole and which rows contradict each other, then
//! to compare. The stock board answers for SKUs that have not changed since the moment the file
//! tells of, and agree; all others are read from their statements.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use holdfast_core::{Location, SkuView, Timestamp};
use holdfast_runtime::{At, NoPast, Router};
use tokio::time::sleep;
use tracing::warn;

use super::agreed::{Known, Place, place_of};
use super::finding::Finding;
use super::job::place_hash;
use super::reader::{Fault, Rows, Unusable};
use super::row::{Raw, StockRow};
use super::run::{Ended, Limits, Pace, Run, blocking};
use super::stock::{Then, compare, expected};

/// Rows compared at a time.
const CHUNK: usize = 4_096;

/// Readers of the past at once.
const READERS: usize = 2;

/// What the first reading has found.
#[derive(Default)]
struct Screened {
    rows: u64,
    faults: Vec<Fault>,
    /// Lines that are not compared.
    left_out: HashSet<u64>,
}

/// What a chunk brought.
#[derive(Default)]
struct Chunk {
    rows: u64,
    /// Rows that agree with the board, those of places without stock included.
    agreed: u64,
    /// Places that agree, and up to which sequence.
    right: Vec<(Place, u64)>,
    faults: Vec<Fault>,
    /// To be compared with the past, and what the board says.
    others: Vec<(StockRow, SkuView)>,
    is_last: bool,
}

impl Run {
    pub(super) async fn stock<R: Raw<Row = StockRow> + 'static>(&self) -> Result<(), Ended> {
        let (path, limits, now) = (self.folder.input(), self.limits, self.router.now());
        let told = self.order.rows;
        let screened = blocking(move || screen::<R>(&path, &limits, told, now)).await??;
        {
            let mut report = self.report();
            report.rows.read = screened.rows;
            screened
                .faults
                .into_iter()
                .for_each(|fault| report.fault(fault));
        }
        let has_past = self.await_statements().await?;
        let mut rows = Rows::<R>::open(&self.folder.input())?;
        let mut left_out = screened.left_out;
        let mut pace = Pace::of(&self.limits);
        let agreed = Arc::clone(&self.agreed);
        let known = Arc::new(blocking(move || agreed.read()).await?);
        let mut right = Vec::new();
        loop {
            let (router, then) = (self.router.clone(), self.moment());
            let read = move || {
                let chunk = next_chunk(&mut rows, &left_out, &router, then);
                (rows, left_out, chunk)
            };
            let (own_rows, own_left_out, chunk) = blocking(read).await?;
            (rows, left_out) = (own_rows, own_left_out);
            let chunk = chunk?;
            let compared = chunk.agreed + chunk.others.len() as u64;
            right.extend(chunk.right);
            let past = has_past.then(|| Arc::clone(&known));
            let findings = self.compare(chunk.others, past, &mut right).await?;
            {
                let mut report = self.report();
                report.rows.compared += compared;
                chunk
                    .faults
                    .into_iter()
                    .for_each(|fault| report.fault(fault));
            }
            self.settle(&findings).await?;
            if chunk.is_last {
                return self.keep(right).await;
            }
            pace.took(chunk.rows).await;
        }
    }

    /// Keeps where the file agreed. Not to be able to costs a later difference short evidence only.
    async fn keep(&self, right: Vec<(Place, u64)>) -> Result<(), Ended> {
        let agreed = Arc::clone(&self.agreed);
        if let Err(error) = blocking(move || agreed.add(right)).await? {
            warn!(%error, "where counts agreed can't be kept; later evidence reaches further back");
        }
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment {
            at: self.order.as_of(),
            position: self.order.position,
        }
    }

    /// Waits until statements tell of the moment of arrival; false where there are none.
    async fn await_statements(&self) -> Result<bool, Ended> {
        let shards = self.router.shards();
        let has_none = |shard: &holdfast_runtime::ShardStatus| {
            self.router.statement_lag(shard.index).is_none()
        };
        if shards.iter().any(has_none) {
            if self.order.names_moment {
                let none = "the past is not known without statements; see statement.enabled";
                return Err(Ended::Failed(none.to_owned()));
            }
            return Ok(false);
        }
        let seen = || async {
            let shards = self.router.shards();
            let seen = shards.iter().map(|shard| {
                let lag = self.router.statement_lag(shard.index).unwrap_or(u64::MAX);
                (shard.index, shard.seq.saturating_sub(lag))
            });
            Ok(seen.collect())
        };
        self.caught_up(seen).await?;
        Ok(true)
    }

    /// What rows that the board does not answer for differ by; those that agree are `right`.
    /// Without a past, the board is all there is to compare with.
    async fn compare(
        &self,
        rows: Vec<(StockRow, SkuView)>,
        known: Option<Arc<Known>>,
        right: &mut Vec<(Place, u64)>,
    ) -> Result<Vec<Finding>, Ended> {
        let kind = self.order.source.kind();
        let Some(known) = known else {
            let now = rows.iter().filter_map(|(row, view)| {
                let counters = counters_at(view, &row.location)
                    .cloned()
                    .unwrap_or_default();
                let (since, seq) = (0, view.seq);
                compare(
                    row,
                    kind,
                    &Then {
                        since,
                        seq,
                        counters,
                    },
                )
            });
            return Ok(now.collect());
        };
        let share = rows.len().div_ceil(READERS).max(1);
        let mut rows = rows.into_iter().map(|(row, _)| row);
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let (router, then) = (self.router.clone(), self.moment());
            let (own, known) = (rows.by_ref().take(share), Arc::clone(&known));
            let own: Vec<StockRow> = own.collect();
            readers.push(tokio::spawn(async move {
                let mut pasts = Vec::with_capacity(own.len());
                for row in own {
                    let place = place_of(&row);
                    let mut past = past(&router, &row, then).await;
                    if let Ok(then) = &mut past {
                        then.since = known.before(place, then.seq).unwrap_or(0);
                    }
                    pasts.push((row, place, past));
                }
                pasts
            }));
        }
        let mut findings = Vec::new();
        for reader in readers {
            let pasts = reader
                .await
                .map_err(|error| Ended::Failed(error.to_string()))?;
            for (row, place, past) in pasts {
                match past {
                    Ok(then) => match compare(&row, kind, &then) {
                        Some(finding) => findings.push(finding),
                        None => right.push((place, then.seq)),
                    },
                    Err(NoPast::Unavailable(holdfast_runtime::Unavailable::Draining)) => {
                        return Err(Ended::Stopped);
                    }
                    Err(why) => self.report().fault(Fault {
                        line: row.line,
                        reason: why.to_string(),
                    }),
                }
            }
        }
        Ok(findings)
    }
}

/// The moment a file tells of.
#[derive(Clone, Copy)]
struct Moment {
    at: Timestamp,
    position: Option<(u16, u64)>,
}

impl Moment {
    /// The moment of a row, in the ledger of its SKU.
    fn of(self, row: &StockRow, router: &Router) -> At {
        let shard = router.placement().shard_of_sku(&row.sku);
        match (row.at, self.position) {
            (Some(at), _) => At::Time(at),
            (None, Some((own, seq))) if own == shard => At::Sequence(seq),
            (None, _) => At::Time(self.at),
        }
    }
}

/// The counters that a row tells of; asked again while a shard can't answer.
async fn past(router: &Router, row: &StockRow, then: Moment) -> Result<Then, NoPast> {
    let at = then.of(row, router);
    let mut tries = 0;
    loop {
        match router.count_then(&row.sku, &row.location, at).await {
            Err(NoPast::Unavailable(_)) if tries < 300 => {
                tries += 1;
                sleep(std::time::Duration::from_millis(100)).await;
            }
            other => {
                return other.map(|then| Then {
                    since: 0,
                    seq: then.seq,
                    counters: then.counters,
                });
            }
        }
    }
}

fn counters_at<'a>(view: &'a SkuView, location: &Location) -> Option<&'a holdfast_core::Counters> {
    let own = view.levels.iter().find(|(own, _)| own == location);
    own.map(|(_, counters)| counters)
}

/// Reads a file to its end: whether it can be compared, and which rows can't.
fn screen<R: Raw<Row = StockRow>>(
    path: &Path,
    limits: &Limits,
    told: Option<u64>,
    now: Timestamp,
) -> Result<Screened, Unusable> {
    let mut rows = Rows::<R>::open(path)?;
    let mut screened = Screened::default();
    let mut seen: HashMap<u128, (u32, u32)> = HashMap::new();
    while let Some(row) = rows.next()? {
        screened.rows += 1;
        if screened.rows > limits.rows_max {
            return Err(Unusable::TooLong(limits.rows_max));
        }
        let row = match row {
            Ok(row) => row,
            Err(fault) => {
                screened.faults.push(fault);
                continue;
            }
        };
        if row.at.is_some_and(|at| now < at) {
            return Err(Unusable::Future(row.line));
        }
        let own = (row.line as u32, row.units as u32);
        let place = place_hash(row.sku.as_str(), &row.location);
        let (line, units) = *seen.entry(place).or_insert(own);
        if line != own.0 {
            screened.left_out.insert(row.line);
            let reason = if units == own.1 {
                format!("the same as line {line}")
            } else {
                // Neither can be believed.
                if screened.left_out.insert(u64::from(line)) {
                    screened.faults.push(Fault {
                        line: u64::from(line),
                        reason: format!("line {} says otherwise", row.line),
                    });
                }
                format!("line {line} says otherwise")
            };
            screened.faults.push(Fault {
                line: row.line,
                reason,
            });
        }
    }
    match told {
        Some(told) if told != screened.rows => Err(Unusable::Rows {
            found: screened.rows,
            told,
        }),
        _ => Ok(screened),
    }
}

fn next_chunk<R: Raw<Row = StockRow>>(
    rows: &mut Rows<R>,
    left_out: &HashSet<u64>,
    router: &Router,
    then: Moment,
) -> Result<Chunk, Unusable> {
    let mut chunk = Chunk::default();
    let mut last: Option<SkuView> = None;
    while chunk.rows < CHUNK as u64 {
        let Some(row) = rows.next()? else {
            chunk.is_last = true;
            break;
        };
        chunk.rows += 1;
        // Malformed rows were told at the first reading.
        let Ok(row) = row else { continue };
        if left_out.contains(&row.line) {
            continue;
        }
        if last.as_ref().is_none_or(|view| view.sku != row.sku) {
            last = router.sku(&row.sku);
        }
        let view = last.as_ref().filter(|view| view.sku == row.sku);
        let counters = view.and_then(|view| counters_at(view, &row.location));
        let (Some(view), Some(counters)) = (view, counters) else {
            if view.is_some() && row.units == 0 {
                chunk.agreed += 1;
            } else {
                let what = if view.is_some() {
                    "the SKU is not known at this location"
                } else {
                    "the SKU is unknown"
                };
                chunk.faults.push(Fault {
                    line: row.line,
                    reason: what.to_owned(),
                });
            }
            continue;
        };
        let is_unchanged = match then.of(&row, router) {
            At::Sequence(seq) => view.seq <= seq,
            At::Time(at) => view.at <= at,
        };
        if is_unchanged && expected(&row, counters) == row.units as i64 {
            chunk.agreed += 1;
            chunk.right.push((place_of(&row), view.seq));
        } else {
            chunk.others.push((row, view.clone()));
        }
    }
    Ok(chunk)
}
