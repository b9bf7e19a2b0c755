//! What every reconciliation does with what it finds: opens drifts, lets the policy approve the
//! small ones, and tries again where a shard is busy.
//!
//! Deliberately absent: what is compared with what (`run_stock`, `run_orders`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_core::{
    Answer, Command, DecideDrift, DriftRecord, DriftState, FromHome, Millis, Proposal, Refusal,
    ReservationId, Text, Verdict,
};
use holdfast_runtime::{Deadline, Operation, Router, Told, Unavailable};
use tokio::time::{Instant, sleep};

use super::agreed::Agreed;
use super::finding::{Finding, Paper};
use super::job::{Folder, Order};
use super::reader::{Fault, Unusable};
use super::report::Report;

/// What reconciliations may do, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows compared a second, at most.
    pub rows_per_s_max: u64,
    /// Rows of one file, at most.
    pub rows_max: u64,
    /// Corrections of at most this many units may be approved by the policy; 0: none is.
    pub approve_units_max: u64,
    /// … if they are at most this share of what the ledger expects, in percent.
    pub approve_share_max: u64,
    /// Shards may hold a cart's units so long before its home records the reservation.
    pub lead: Millis,
}

/// A reconciliation under way.
pub(super) struct Run {
    pub(super) router: Router,
    pub(super) folder: Folder,
    pub(super) order: Order,
    pub(super) paper: Paper,
    pub(super) limits: Limits,
    pub(super) agreed: Arc<Agreed>,
    pub(super) report: Arc<Mutex<Report>>,
}

/// Why a reconciliation was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// Its file is not compared.
    #[error(transparent)]
    Refused(#[from] Unusable),
    /// The server can't go on with it.
    #[error("{0}")]
    Failed(String),
    /// The server is being stopped; it goes on with it when it starts again.
    #[error("the server stops")]
    Stopped,
}

/// Drifts opened in one call.
const BATCH: usize = 256;

/// The pause before something is tried again, and how often it is.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
pub(super) const TRIES: u32 = 1_500;

impl Run {
    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the drifts of what was found, and approves those that the policy lets through.
    pub(super) async fn settle(&self, findings: &[Finding]) -> Result<(), Ended> {
        for findings in findings.chunks(BATCH) {
            let commands = findings.iter().map(|finding| finding.open(&self.paper));
            let opened = self.perform(commands.collect()).await?;
            let mut drifts = Vec::with_capacity(findings.len());
            for (finding, answer) in findings.iter().zip(opened) {
                match answer {
                    Answer::Drift { view, .. } => drifts.push((finding, view.drift)),
                    answer => self.report().fault(Fault {
                        line: finding.line,
                        reason: refused(&answer),
                    }),
                }
            }
            self.approve(&mut drifts).await?;
            let arrived = self.order.arrived();
            let mut report = self.report();
            for (finding, drift) in &drifts {
                report.found(finding, drift, arrived <= drift.opened_at);
            }
        }
        Ok(())
    }

    async fn approve(&self, drifts: &mut [(&Finding, DriftRecord)]) -> Result<(), Ended> {
        let small: Vec<&mut DriftRecord> = drifts
            .iter_mut()
            .map(|(_, drift)| drift)
            .filter(|drift| drift.state == DriftState::Open && self.limits.lets_through(drift))
            .collect();
        let reason = Text::parse("small enough for the policy").ok();
        let approve = |drift: &&mut DriftRecord| {
            Command::DecideDrift(Box::new(DecideDrift {
                id: drift.id,
                sku: drift.sku.clone(),
                movement: ReservationId::UNMINTED,
                verdict: Verdict::Approve,
                reason: reason.clone(),
                home: FromHome::Here,
            }))
        };
        let decided = self.perform(small.iter().map(approve).collect()).await?;
        for (drift, answer) in small.into_iter().zip(decided) {
            // One that has changed since waits for people.
            if let Answer::Drift { view, .. } = answer {
                *drift = view.drift;
            }
        }
        Ok(())
    }

    /// Does commands that may be repeated until each is answered.
    async fn perform(&self, commands: Vec<Command>) -> Result<Vec<Answer>, Ended> {
        let mut answers: Vec<Option<Answer>> = commands.iter().map(|_| None).collect();
        let trace = self.order.trace();
        for _ in 0..TRIES {
            let open: Vec<usize> = (0..answers.len())
                .filter(|place| answers[*place].is_none())
                .collect();
            if open.is_empty() {
                return Ok(answers.into_iter().flatten().collect());
            }
            let operations = open.iter().map(|place| Operation {
                trace: trace.map(Box::new),
                ..Operation::of(commands[*place].clone())
            });
            let deadline = Deadline::within(Duration::from_secs(10));
            let told = self.router.batch(operations.collect(), deadline).await;
            let mut is_busy = false;
            for (place, told) in open.into_iter().zip(told) {
                match told {
                    Ok(answer) => answers[place] = Some(answer),
                    Err(Unavailable::Draining) => return Err(Ended::Stopped),
                    Err(Unavailable::Full(table)) => {
                        let full = "decide on some, or raise reconcile.drifts_max";
                        let full = format!("the table of {table} is full; {full}");
                        return Err(Ended::Failed(full));
                    }
                    Err(_) => is_busy = true,
                }
            }
            if is_busy {
                sleep(PAUSE).await;
            }
        }
        Err(Ended::Failed("a shard did not come back".to_owned()))
    }

    /// Asks again while a shard can't answer.
    pub(super) async fn insist<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T, Unavailable>>,
    {
        for _ in 0..TRIES {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(Unavailable::Draining) => return Err(Ended::Stopped),
                Err(_) => sleep(PAUSE).await,
            }
        }
        Err(Ended::Failed("a shard did not come back".to_owned()))
    }

    /// Waits until a projection has taken what was committed when this was asked.
    pub(super) async fn caught_up<F>(&self, mut seen: impl FnMut() -> F) -> Result<(), Ended>
    where
        F: Future<Output = Result<Vec<(u16, u64)>, Ended>>,
    {
        let shards = self.router.shards();
        for _ in 0..TRIES {
            let seen = seen().await?;
            let is_there = |shard: &holdfast_runtime::ShardStatus| {
                let of = seen.iter().find(|(index, _)| *index == shard.index);
                of.is_some_and(|(_, seq)| shard.seq <= *seq)
            };
            if shards.iter().all(is_there) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        let late = "what happened lately is not in the projections yet; try again later";
        Err(Ended::Failed(late.to_owned()))
    }
}

impl Limits {
    /// Whether a correction is so small that nobody need look.
    fn lets_through(&self, drift: &DriftRecord) -> bool {
        let Proposal::Adjust(delta) = drift.proposal else {
            return false;
        };
        let (units, all) = (delta.unsigned_abs(), drift.expected.unsigned_abs());
        let is_small_share =
            u128::from(units) * 100 <= u128::from(all) * u128::from(self.approve_share_max);
        units <= self.approve_units_max && is_small_share
    }
}

/// Holds a reconciliation to its pace.
pub(super) struct Pace {
    began: Instant,
    done: u64,
    per_s: u64,
}

impl Pace {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            began: Instant::now(),
            done: 0,
            per_s: limits.rows_per_s_max.max(1),
        }
    }

    /// Waits until `rows` more may have been done.
    pub(super) async fn took(&mut self, rows: u64) {
        let due = self.due(rows);
        self.done += rows;
        tokio::time::sleep_until(due).await;
    }

    /// When it goes on after `rows` more: now at the earliest.
    pub(super) fn next_after(&self, rows: u64) -> Instant {
        self.due(rows).max(Instant::now())
    }

    fn due(&self, rows: u64) -> Instant {
        let done = self.done + rows;
        self.began + Duration::from_millis(done.saturating_mul(1_000) / self.per_s)
    }
}

/// Runs what reads files where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Ended> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Ended::Failed(format!("a step of it broke: {error}")))
}

fn refused(answer: &Answer) -> String {
    match answer {
        Answer::Refused { refusal, .. } => match refusal.as_ref() {
            Refusal::UnknownSku(_) => "the SKU is unknown".to_owned(),
            other => format!("its drift was refused: {other:?}"),
        },
        _ => "its drift was not opened".to_owned(),
    }
}

/// Whether a strong read says that a reservation ended so long ago that it is forgotten.
pub(super) fn is_forgotten(told: &Told) -> bool {
    let Ok(Answer::Refused { refusal, .. }) = told else {
        return false;
    };
    matches!(refusal.as_ref(), Refusal::ReservationForgotten(_))
}
