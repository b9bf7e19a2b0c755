//! The desk where reconciliations are handed in: each runs behind, at a bounded pace, and one that
//! a server left behind when it died is begun anew.
//!
//! Beginning anew is harmless: the moment a file tells of is settled when it arrives, so that it
//! finds the same, and a drift that is known is not opened again.
//! Deliberately absent: HTTP, and deciding on drifts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_core::{SkuView, Timestamp};
use holdfast_runtime::{At, Router};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::agreed::Agreed;
use super::job::{AsOf, Folder, Order, Source, Wanted};
use super::report::{Report, State};
use super::row::{RawCount, RawSeller};
use super::run::{Ended, Limits, Run};

/// How long the next piece of a file is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// SKUs looked at in one go.
const PAGE: usize = 1_000;

/// Where reconciliations are handed in. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    router: Router,
    root: PathBuf,
    limits: Limits,
    agreed: Arc<Agreed>,
    jobs: Mutex<BTreeMap<String, Job>>,
}

/// A reconciliation that has not ended.
struct Job {
    folder: Folder,
    order: Order,
    report: Arc<Mutex<Report>>,
    task: Option<JoinHandle<()>>,
    /// When a piece of its file came last.
    touched: Instant,
}

/// Why a reconciliation is not taken, or not known.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// One of the same scope has not ended.
    #[error("reconciliation {0} of the same source has not ended")]
    Overlaps(String),
    /// It tells of a moment that is not yet.
    #[error("as_of lies in the future")]
    Future,
    /// The position is of no shard, or beyond what it has recorded.
    #[error("as_of is no position of this ledger")]
    NoPosition,
    /// No reconciliation has this id.
    #[error("no reconciliation has this id")]
    Unknown,
    /// Its file is complete already.
    #[error("the file is complete already")]
    Complete,
    /// A piece before this one is missing: the length so far.
    #[error("the piece does not follow the {0} bytes before it")]
    Gap(u64),
    /// The disk.
    #[error("it can't be kept: {0}")]
    Io(#[from] io::Error),
}

impl Job {
    fn of(folder: &Folder, order: &Order) -> Self {
        Self {
            folder: folder.clone(),
            order: order.clone(),
            report: Arc::default(),
            task: None,
            touched: Instant::now(),
        }
    }

    /// Gives up an order whose file never came whole, so that it does not stand in the way.
    fn is_abandoned(&self) -> bool {
        let is_waiting = lock(&self.report).state == State::Receiving;
        if !is_waiting || self.touched.elapsed() < PATIENCE {
            return false;
        }
        let report = Report {
            state: State::Failed,
            reason: Some("its file never came whole".to_owned()),
            ..Report::default()
        };
        let id = &self.order.id;
        if let Err(error) = self.folder.write_report(&report) {
            error!(reconciliation = id, %error, "its report can't be written");
        }
        true
    }
}

impl Desk {
    /// A desk that keeps its folders below `root`; goes on with what was left behind.
    pub fn open(router: Router, root: &Path, limits: Limits) -> io::Result<Self> {
        let desk = Self(Arc::new(Inner {
            router,
            root: root.to_owned(),
            limits,
            agreed: Arc::new(Agreed::in_folder(root)),
            jobs: Mutex::default(),
        }));
        for folder in Folder::all(root)? {
            let (order, report) = (folder.order()?, folder.report().unwrap_or_default());
            let id = order.id.clone();
            if report.state.has_ended() {
                continue;
            }
            desk.jobs().insert(id.clone(), Job::of(&folder, &order));
            if report.state == State::Running {
                info!(reconciliation = id, "goes on with a reconciliation");
                desk.start(&id)?;
            }
        }
        Ok(desk)
    }

    /// Takes an order; its file comes with `append`.
    pub async fn take(&self, wanted: &Wanted) -> Result<Order, Rejected> {
        let now = self.0.router.now();
        let then = self.moment(wanted.as_of, now).await?;
        let mut order = wanted.order(then, now);
        let mut jobs = self.jobs();
        jobs.retain(|_, job| !job.is_abandoned());
        if let Some(other) = jobs.values().find(|job| job.order.overlaps(&order)) {
            return Err(Rejected::Overlaps(other.order.id.clone()));
        }
        // Under the lock, so that of two that come at once one is taken.
        let folder = Folder::create(&self.0.root, &mut order, now)?;
        jobs.insert(order.id.clone(), Job::of(&folder, &order));
        Ok(order)
    }

    /// Adds a piece of a file: how long it is now.
    pub fn append(&self, id: &str, offset: u64, piece: &[u8]) -> Result<u64, Rejected> {
        let folder = {
            let mut jobs = self.jobs();
            let Some(job) = jobs.get_mut(id) else {
                drop(jobs);
                self.report(id)?;
                return Err(Rejected::Complete);
            };
            if lock(&job.report).state != State::Receiving {
                return Err(Rejected::Complete);
            }
            job.touched = Instant::now();
            job.folder.clone()
        };
        let length = folder.append(offset, piece)?;
        if length < offset {
            return Err(Rejected::Gap(length));
        }
        Ok(length)
    }

    /// The file is complete: from now on a server that starts goes on with it.
    pub fn seal(&self, id: &str) -> io::Result<()> {
        let jobs = self.jobs();
        let Some(job) = jobs.get(id).filter(|job| job.task.is_none()) else {
            return Ok(());
        };
        let report = Report::running();
        job.folder.write_report(&report)?;
        *lock(&job.report) = report;
        Ok(())
    }

    /// Begins a comparison whose file is complete.
    pub fn start(&self, id: &str) -> io::Result<()> {
        let mut jobs = self.jobs();
        let Some(job) = jobs.get_mut(id).filter(|job| job.task.is_none()) else {
            return Ok(());
        };
        *lock(&job.report) = Report::running();
        let run = Run {
            router: self.0.router.clone(),
            folder: job.folder.clone(),
            paper: job.folder.paper(&job.order)?,
            order: job.order.clone(),
            limits: self.0.limits,
            agreed: Arc::clone(&self.0.agreed),
            report: Arc::clone(&job.report),
        };
        let desk = self.clone();
        job.task = Some(tokio::spawn(async move { desk.run(run).await }));
        Ok(())
    }

    /// What was asked, and how it stands.
    pub fn report(&self, id: &str) -> Result<(Order, Report), Rejected> {
        if let Some(job) = self.jobs().get(id) {
            return Ok((job.order.clone(), lock(&job.report).clone()));
        }
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let folders = Folder::all(&self.0.root)?;
        let mut orders = folders.into_iter().filter(|_| is_id);
        let own = orders.find(|folder| folder.order().is_ok_and(|order| order.id == id));
        let folder = own.ok_or(Rejected::Unknown)?;
        Ok((folder.order()?, folder.report()?))
    }

    /// What arrived before a time and has ended, or was never complete.
    pub(super) fn ended_before(&self, until: u64) -> io::Result<Vec<Folder>> {
        let mut jobs = self.jobs();
        jobs.retain(|_, job| !job.is_abandoned());
        let mut old = Folder::older_than(&self.0.root, until)?;
        old.retain(|folder| folder.id().is_none_or(|id| !jobs.contains_key(id)));
        Ok(old)
    }

    /// Ends what runs; it goes on at the next start.
    pub fn stop(&self) {
        for job in self.jobs().values() {
            if let Some(task) = &job.task {
                task.abort();
            }
        }
    }

    /// A point in a shard's ledger, from its opaque text.
    pub fn position(&self, text: &str) -> Option<AsOf> {
        let hex = |range: std::ops::Range<usize>| u64::from_str_radix(text.get(range)?, 16).ok();
        let shard = u16::try_from(hex(20..24)?).ok()?;
        let seq = hex(24..40)?;
        let is_own = shard < self.0.router.placement().shards()
            && self.0.router.shard_position(shard, seq) == text;
        is_own.then_some(AsOf::Position(shard, seq))
    }

    /// The ledger time of a moment: for a position, that of its own ledger.
    async fn moment(&self, as_of: Option<AsOf>, now: Timestamp) -> Result<Timestamp, Rejected> {
        let (shard, seq) = match as_of {
            None => return Ok(now),
            Some(AsOf::Time(at)) if now < at => return Err(Rejected::Future),
            Some(AsOf::Time(at)) => return Ok(at),
            Some(AsOf::Position(shard, seq)) => (shard, seq),
        };
        let router = &self.0.router;
        let mut after = None;
        loop {
            let skus = router.skus("", after.as_ref(), PAGE);
            let is_own = |view: &&SkuView| router.placement().shard_of_sku(&view.sku) == shard;
            if let Some(view) = skus.iter().find(is_own) {
                let past = router.past(&view.sku, At::Sequence(seq)).await;
                return Ok(past.map_err(|_| Rejected::NoPosition)?.at);
            }
            after = Some(skus.last().ok_or(Rejected::NoPosition)?.sku.clone());
        }
    }

    async fn run(self, run: Run) {
        let ended = match run.order.source {
            Source::Warehouse => run.stock::<RawCount>().await,
            Source::Seller => run.stock::<RawSeller>().await,
            Source::Orders => run.orders().await,
        };
        let id = run.order.id.clone();
        // It runs until its report is written and another one may begin: whoever sees that it has
        // ended may go on at once.
        let mut report = run.report().clone();
        match ended {
            Ok(()) => report.state = State::Done,
            Err(Ended::Stopped) => return,
            Err(Ended::Refused(why)) => {
                (report.state, report.reason) = (State::Refused, Some(why.to_string()));
            }
            Err(Ended::Failed(why)) => {
                warn!(reconciliation = id, why, "a reconciliation was given up");
                (report.state, report.reason) = (State::Failed, Some(why));
            }
        }
        if let Err(error) = run.folder.write_report(&report) {
            error!(reconciliation = id, %error, "its report can't be written");
        }
        self.jobs().remove(&id);
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        lock(&self.0.jobs)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
