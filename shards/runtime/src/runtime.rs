//! A runtime: shards alive in one data directory, from start to drain.

use crate::archive::Archives;
use crate::board::Board;
use crate::clock::{self, Clock};
use crate::directory::Directory;
use crate::links::{Link, Links};
use crate::lookup::Lookup;
use crate::permits::Permits;
use crate::placement::{Placement, ShardIndex};
use crate::recovery::{Failure, Plan};
use crate::router::{Inner, Router};
use crate::settings::Settings;
use crate::shard::SnapshotSettings;
use crate::statement::Statements;
use crate::supervisor::{Message, Orders, Supervisor};
use holdfast_core::Policy;
use holdfast_ledger::{DataDir, LedgerError, Options};
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::{info, warn};

/// A drain whose time is up still waits this long for snapshots, and as long for ledgers.
const CLOSE_MIN: Duration = Duration::from_millis(500);

/// Shards alive in one data directory. Drain it; dropped, it stops as a crash would.
pub struct Runtime {
    router: Router,
    supervisor: ActorRef<Message>,
}

/// Why a runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system gave no thread or task.
    #[error("starting the shards: {0}; check the limits on threads and memory")]
    System(String),
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Operations that were in flight when time was up; their callers heard nothing.
    pub unfinished: usize,
    /// Shards whose snapshot is whole, so that the next start replays nothing.
    pub shards: usize,
}

impl Runtime {
    /// Opens the data directory and recovers its shards, all at once. A shard whose ledger is
    /// damaged is quarantined; one that is another directory's refuses the start.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings {
            data,
            shards,
            default_shards,
            ..
        } = settings.clone();
        let open = move || DataDir::open_with(&data.dir, shards, default_shards, data.times);
        let dir = blocking(open).await??;
        let shards = dir.shards();
        let placement = Placement::new((0..shards).map(|shard| dir.identity(shard).slots));
        let links: Links = (0..shards)
            .map(|shard| {
                let permits = Permits::new(settings.permits);
                let config_permits = Permits::new(settings.config_permits);
                Link::new(shard, permits, config_permits, settings.held_from)
            })
            .collect();
        let restart = settings.restart.clone();
        let count_lag_max = settings.statement.lag_max;
        let plan = plan(dir, placement, links, settings)?;
        let inner = Inner {
            placement: plan.placement.clone(),
            links: Arc::clone(&plan.links),
            keys: Arc::clone(&plan.keys),
            board: Arc::clone(&plan.board),
            clock: plan.clock.clone(),
            lookup: plan.lookup.clone(),
            statement: plan.statement.clone(),
            count_lag_max,
            is_draining: AtomicBool::new(false),
            locations: tokio::sync::Mutex::new(()),
            cluster: (plan.dir.cluster().as_u128() >> 64) as u64,
        };
        let (started, tried) = oneshot::channel();
        let orders = Orders {
            plan: Arc::new(plan),
            restart,
            started,
        };
        let (supervisor, _) = Supervisor::spawn(None, Supervisor, orders)
            .await
            .map_err(|error| StartError::System(error.to_string()))?;
        let runtime = Self {
            router: Router(Arc::new(inner)),
            supervisor,
        };
        let failures = tried
            .await
            .map_err(|_| StartError::System("it was stopped".into()))?;
        for (_, failure) in failures {
            if let Failure::Ledger(error @ LedgerError::Identity { .. }) = failure {
                runtime.halt().await;
                return Err(error.into());
            }
        }
        crate::locations::repair(&runtime.router);
        Ok(runtime)
    }

    /// The way in.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Stops taking operations, lets those in flight finish, writes what the snapshots lack, and
    /// closes the ledgers; at most for about `within`.
    pub async fn drain(self, within: Duration) -> Drained {
        let until = clock::instant() + within;
        self.router.0.is_draining.store(true, Ordering::Release);
        let links = &self.router.0.links;
        let in_flight = || -> usize {
            links
                .iter()
                .map(|link| link.permits.used() + link.config_permits.used())
                .sum()
        };
        while in_flight() > 0 && clock::instant() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let unfinished = in_flight();
        if unfinished > 0 {
            warn!(unfinished, "operations are still in flight, and time is up");
        }
        let drains: Vec<(ShardIndex, oneshot::Receiver<()>)> = links
            .iter()
            .map(|link| {
                let (drained, told) = oneshot::channel();
                link.send_uncounted(crate::actor::Message::Drain(drained));
                (link.index, told)
            })
            .collect();
        let mut whole = 0;
        for (shard, told) in drains {
            let left = until.saturating_duration_since(clock::instant());
            match tokio::time::timeout(left.max(CLOSE_MIN), told).await {
                Ok(Ok(())) => whole += 1,
                Ok(Err(_)) | Err(_) => {
                    warn!(
                        shard,
                        "the snapshot is not whole; the next start replays the rest"
                    );
                }
            }
        }
        // A disk that stands still must not keep the process.
        let left = until.saturating_duration_since(clock::instant());
        if tokio::time::timeout(left.max(CLOSE_MIN), self.halt())
            .await
            .is_err()
        {
            warn!("a ledger did not close in time; the next start repairs it");
        }
        info!(shards = whole, unfinished, "drained");
        Drained {
            unfinished,
            shards: whole,
        }
    }

    /// Stops at once, as a crash would, but waits until the ledgers are closed.
    pub async fn halt(self) {
        self.router.0.is_draining.store(true, Ordering::Release);
        let (stopped, told) = oneshot::channel();
        if self.supervisor.send_message(Message::Stop(stopped)).is_ok() {
            let _ = told.await;
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let (stopped, _) = oneshot::channel();
        // After a halt there is no supervisor any more.
        let _ = self.supervisor.send_message(Message::Stop(stopped));
    }
}

/// What shards are recovered by, with the threads that follow them already running.
fn plan(
    dir: DataDir,
    placement: Placement,
    links: Links,
    settings: Settings,
) -> Result<Plan, StartError> {
    let system = |error: std::io::Error| StartError::System(error.to_string());
    let lookup = settings.lookup;
    let lookup = lookup
        .enabled
        .then(|| Lookup::start(&dir, &lookup.effort()));
    let statement = settings.statement;
    let statement = statement
        .enabled
        .then(|| Statements::start(&dir, &statement.effort()));
    let archive = settings.archive;
    let archives = archive.enabled.then(|| Archives::start(&dir, &archive));
    let system_clock = || Clock::system(settings.clock_jump);
    Ok(Plan {
        ledgers: settings.ledgers.0,
        options: Options {
            durability: settings.data.durability,
            cache_bytes: settings.data.cache_bytes,
            repair: settings.data.repair,
            ..Options::default()
        },
        policy: share(&settings.policy, dir.shards()),
        carts: settings.carts,
        snapshots: SnapshotSettings {
            after_events: settings.snapshot_after_events,
            bytes_max: settings.snapshot_bytes_max,
            journal_kept: settings.data.journal_kept,
            ..SnapshotSettings::default()
        },
        placement,
        board: Board::new(),
        keys: Directory::new(),
        links,
        clock: settings.clock.unwrap_or_else(system_clock),
        lookup: lookup.transpose().map_err(system)?,
        statement: statement.transpose().map_err(system)?,
        archives: archives.transpose()?,
        dir,
    })
}

/// A shard's part of bounds that are meant for all shards together.
fn share(policy: &Policy, shards: u16) -> Policy {
    let part = |all: usize| all.div_ceil(usize::from(shards));
    Policy {
        reservations_max: part(policy.reservations_max),
        keys_max: part(policy.keys_max),
        skus_max: part(policy.skus_max),
        drifts_max: part(policy.drifts_max),
        ..policy.clone()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StartError::System(error.to_string()))
}
