//! Comparing a count or a seller's feed with the counters, chunk by chunk.
//!
//! The file is read twice: once to see that it is whole and which rows contradict each other, then
//! to compare. The stock board answers for SKUs that have not changed since the moment the file
//! tells of, and agree; all others are read from their statements, many together, since what these
//! have not taken yet is read anew each time.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::{DriftKind, Location, SkuView, Timestamp};
use holdfast_runtime::{At, NoPast, Router, Taken, Unavailable};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::agreed::{Known, Place, place_of};
use super::finding::Finding;
use super::job::place_hash;
use super::reader::{Fault, Rows, Unusable};
use super::row::{Raw, StockRow};
use super::run::{Ended, Limits, PAUSE, Pace, Run, TRIES, blocking};
use super::stock::{Then, compare, expected};

/// Rows compared at a time.
const CHUNK: usize = 4_096;

/// Rows are compared with the past when so many are waiting for it …
const TOGETHER: usize = 4_096;

/// … or the first of them would wait longer than this.
const AT_THE_LATEST: Duration = Duration::from_secs(1);

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
    /// To be compared with the past.
    others: Vec<StockRow>,
    /// Rows that were compared with the board for want of a past, and what they differ by.
    settled: u64,
    findings: Vec<Finding>,
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
        let has_past = self.has_past()?;
        let mut rows = Rows::<R>::open(&self.folder.input())?;
        let mut left_out = screened.left_out;
        let mut pace = Pace::of(&self.limits);
        let agreed = Arc::clone(&self.agreed);
        let known = Arc::new(blocking(move || agreed.read()).await?);
        let kind = self.order.source.kind();
        let (mut right, mut others, mut since) = (Vec::new(), Vec::new(), Instant::now());
        loop {
            let (router, then) = (self.router.clone(), self.moment());
            let read = move || {
                let by_board = (!has_past).then_some(kind);
                let chunk = next_chunk(&mut rows, &left_out, (&router, then), by_board);
                (rows, left_out, chunk)
            };
            let (own_rows, own_left_out, chunk) = blocking(read).await?;
            (rows, left_out) = (own_rows, own_left_out);
            let chunk = chunk?;
            let (mut compared, mut findings) = (chunk.agreed + chunk.settled, chunk.findings);
            right.extend(chunk.right);
            others.extend(chunk.others);
            let next = pace.next_after(chunk.rows);
            if chunk.is_last || TOGETHER <= others.len() || AT_THE_LATEST <= next - since {
                compared += others.len() as u64;
                let others = std::mem::take(&mut others);
                findings.extend(self.compare(others, &known, &mut right).await?);
                since = Instant::now();
            }
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

    /// Whether there are statements, which a file that names a moment can't do without.
    fn has_past(&self) -> Result<bool, Ended> {
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
        Ok(true)
    }

    /// What rows that the board does not answer for differ by; those that agree are `right`.
    async fn compare(
        &self,
        rows: Vec<StockRow>,
        known: &Known,
        right: &mut Vec<(Place, u64)>,
    ) -> Result<Vec<Finding>, Ended> {
        let kind = self.order.source.kind();
        let pasts = self.pasts(&rows).await?;
        let mut findings = Vec::new();
        for (row, past) in rows.iter().zip(pasts) {
            let place = place_of(row);
            match past {
                Ok(mut then) => {
                    then.since = known.before(place, then.seq).unwrap_or(0);
                    match compare(row, kind, &then) {
                        Some(finding) => findings.push(finding),
                        None => right.push((place, then.seq)),
                    }
                }
                Err(why) => self.report().fault(Fault {
                    line: row.line,
                    reason: why.to_string(),
                }),
            }
        }
        Ok(findings)
    }

    /// The counters that rows tell of; asked again while a shard can't answer, or its statements
    /// lack so much that they must catch up first.
    async fn pasts(&self, rows: &[StockRow]) -> Result<Vec<Result<Then, NoPast>>, Ended> {
        let moment = self.moment();
        let mut pasts: Vec<Result<Then, NoPast>> = Vec::new();
        pasts.resize(rows.len(), Err(NoPast::Behind));
        for _ in 0..TRIES {
            let open: Vec<usize> = (0..rows.len())
                .filter(|place| is_for_later(&pasts[*place]))
                .collect();
            if open.is_empty() {
                return Ok(pasts);
            }
            let taken = open.iter().map(|place| &rows[*place]).map(|row| Taken {
                sku: row.sku.clone(),
                location: row.location.clone(),
                at: moment.of(row, &self.router),
            });
            let told = self.router.counts_then(taken.collect()).await;
            let mut is_missing = false;
            for (place, told) in open.into_iter().zip(told) {
                pasts[place] = told.map(|then| Then {
                    since: 0,
                    seq: then.seq,
                    counters: then.counters,
                });
                is_missing |= is_for_later(&pasts[place]);
            }
            let is_draining =
                |past| matches!(past, &Err(NoPast::Unavailable(Unavailable::Draining)));
            if pasts.iter().any(is_draining) {
                return Err(Ended::Stopped);
            }
            if is_missing {
                sleep(PAUSE).await;
            }
        }
        if pasts.contains(&Err(NoPast::Behind)) {
            let late = "what happened lately is not in the statements yet; try again later";
            return Err(Ended::Failed(late.to_owned()));
        }
        Ok(pasts)
    }
}

/// Whether the same question may be answered a little later.
fn is_for_later(past: &Result<Then, NoPast>) -> bool {
    matches!(past, Err(NoPast::Unavailable(_) | NoPast::Behind))
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

/// Compares rows with the board, as far as it answers for the moment of which they tell; with
/// `by_board`, which is the kind of what differs, it answers for all: there is no past.
fn next_chunk<R: Raw<Row = StockRow>>(
    rows: &mut Rows<R>,
    left_out: &HashSet<u64>,
    (router, then): (&Router, Moment),
    by_board: Option<DriftKind>,
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
        } else if let Some(kind) = by_board {
            let now = Then {
                since: 0,
                seq: view.seq,
                counters: counters.clone(),
            };
            chunk.settled += 1;
            chunk.findings.extend(compare(&row, kind, &now));
        } else {
            chunk.others.push(row);
        }
    }
    Ok(chunk)
}
