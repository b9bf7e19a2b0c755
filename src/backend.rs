//! The stock behind the calls: from the configuration to a running runtime, its numbers for
//! probes and metrics, and its end.
//!
//! Deliberately absent: HTTP (`http`), sockets and signals (`service`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use holdfast_core::{Millis, Policy};
use holdfast_ledger::{Durability, LedgerError, Times};
use holdfast_runtime::{
    ArchiveSettings, CartSettings, Histogram, LookupSettings, Readiness, RestartSettings, Router,
    Runtime, Settings, ShardStats, ShardStatus, StartError, StatementSettings,
};
use tracing::warn;

use crate::cli::Exit;
use crate::cli::serve::{self, Opened, Refused};
use crate::config::{self, Config, OrAuto, machine};
use crate::events::sinks::Sinks;
use crate::events::{Deliveries, EventSettings, Events, ExportStatus, Exports, StoreError};
use crate::http::probes::{Backend, Health};
use crate::http::{Api, Bounds, EventBounds, Imports, Operator, Shards, admin_routes, data_routes};
use crate::reconcile::Reconciler;
use crate::telemetry::{
    ExportSample, HistogramSample, Permits, RuntimeSample, ShardSample, ShardState, SinkSample,
    TableFill,
};
use crate::test_clock::TestClock;

/// Keys kept for each reservation: its own, and those of what is done with it. One of them can't be
/// taken by receipts, reserves and the like (`Policy::keys_kept`).
const KEYS_PER_RESERVATION: usize = 5;

/// How often tables and the disk are looked at for warnings.
const WATCH_EVERY: Duration = Duration::from_secs(10);

/// The stock as probes and metrics see it.
pub struct Stock {
    router: Router,
    tables: TablesMax,
    clock_is_ahead: AtomicBool,
    clock_alarms: AtomicU64,
    sinks: Option<Sinks>,
    exports: Option<Exports>,
}

/// Bounds of one shard's tables.
#[derive(Clone, Copy)]
struct TablesMax {
    reservations: usize,
    keys: usize,
    skus: usize,
    carts: usize,
}

/// What a configuration asks of the runtime.
pub fn settings(config: &Config) -> Settings {
    let mut settings = Settings::new(&config.data.dir);
    settings.data.durability = match config.data.durability {
        config::Durability::Fsync => Durability::Fsync,
        config::Durability::Os => Durability::Os,
    };
    settings.data.cache_bytes = config.data.cache_bytes.0 as usize;
    settings.data.journal_kept = config
        .data
        .journal_trim
        .then(|| millis(config.data.journal_kept_ms));
    settings.snapshot_after_events = config.data.snapshot_after_events;
    settings.shards = match config.shards.count {
        OrAuto::Auto => None,
        OrAuto::Set(count) => Some(u16::try_from(count).unwrap_or(u16::MAX)),
    };
    settings.default_shards = u16::try_from(machine::cores()).unwrap_or(u16::MAX);
    settings.permits = config.shards.permits_per_shard as usize;
    settings.config_permits = config.shards.permits_config_per_shard as usize;
    settings.restart = RestartSettings {
        max: u32::try_from(config.shards.restarts_max).unwrap_or(u32::MAX),
        window: config.shards.restart_window_ms.duration(),
        pause_min: config.shards.restart_backoff_ms.duration(),
        pause_max: config.shards.restart_backoff_max_ms.duration(),
    };
    settings.carts = CartSettings {
        undecided_max: config.carts.undecided_max as usize,
        try_timeout: millis(config.carts.try_timeout_ms),
        resend: millis(config.carts.resend_ms),
        resend_max: millis(config.carts.resend_max_ms),
        retries: u32::try_from(config.carts.retries).unwrap_or(u32::MAX),
    };
    settings.lookup = LookupSettings {
        enabled: config.lookup.enabled,
        events_per_s_max: config.lookup.events_per_second,
        ..LookupSettings::default()
    };
    let archive = &config.archive;
    settings.archive = ArchiveSettings {
        enabled: archive.enabled,
        file_bytes: archive.file_bytes.0,
        kept: (0 < archive.kept_ms.0).then(|| millis(archive.kept_ms)),
    };
    settings.statement = StatementSettings {
        enabled: config.statement.enabled,
        events_per_s_max: config.statement.events_per_second,
        ..StatementSettings::default()
    };
    settings.clock_jump = millis(config.reservations.clock_jump_ms);
    settings.policy = policy(config);
    settings
}

/// The bounds of the domain, over all shards together.
fn policy(config: &Config) -> Policy {
    let lives = &config.reservations;
    let reservations_max = config.reservations_max() as usize;
    Policy {
        ttl_default: millis(lives.ttl_default_ms),
        ttl_min: millis(lives.ttl_min_ms),
        ttl_max: millis(lives.ttl_max_ms),
        lifetime_max: millis(lives.lifetime_max_ms),
        pin_max: millis(lives.pin_max_ms),
        late_window: millis(lives.late_window_ms),
        retention: millis(lives.retention_ms),
        order_retention: millis(lives.order_retention_ms),
        key_retention: millis(lives.key_retention_ms),
        message_retention: millis(config.feeds.message_retention_ms),
        stream_retention: millis(config.feeds.stream_retention_ms),
        feeds_gapless: config.feeds.gapless.0.clone(),
        reservations_max,
        locations_declared: config.stock.locations_declared,
        keys_max: reservations_max.saturating_mul(KEYS_PER_RESERVATION),
        drifts_max: config.reconcile.drifts_max as usize,
        expire_per_turn: lives.expire_per_turn as usize,
        resume_grace: millis(lives.resume_grace_ms),
        ..Policy::default()
    }
}

const fn millis(config::Millis(ms): config::Millis) -> Millis {
    Millis::new(ms)
}

/// `holdfast serve`: the service over the stock of the data directory, until a signal ends it.
pub async fn serve(args: serve::Args) -> Exit {
    let shards = Shards::default();
    let admin = |_: &Config, health: &Arc<Health>| {
        admin_routes(Operator::new(Arc::clone(health), shards.clone()))
    };
    let times = if args.test_clock {
        Times::Test
    } else {
        Times::Real
    };
    serve::run(args, admin, |config, health| {
        open(config, health, shards.clone(), times)
    })
    .await
}

/// Opens the data directory, recovers its shards, and mounts the data listener's calls over them.
pub async fn open(
    config: Config,
    health: Arc<Health>,
    shards: Shards,
    times: Times,
) -> Result<Opened, Refused> {
    check_disk(&config).map_err(|message| (Exit::Refused, message))?;
    let mut settings = settings(&config);
    if config.statement.enabled {
        // Nothing is trimmed until it is known who has still to read it.
        settings.held_from = 0;
    }
    let clock = match times {
        Times::Real => None,
        Times::Test => {
            let opened = TestClock::open(&config.data.dir, settings.clock_jump);
            let (clock, hands) = opened.map_err(|error| (Exit::Refused, error.to_string()))?;
            (settings.data.times, settings.clock) = (times, Some(clock));
            Some(hands)
        }
    };
    let runtime = Runtime::start(settings.clone())
        .await
        .map_err(|error| refused(&error))?;
    let router = runtime.router();
    let api = Api::new(
        router.clone(),
        Bounds::of(&config.http),
        Imports::new(&config),
    );
    health.set_operations(Arc::clone(api.operations()));
    let reconciler = Reconciler::open(&config, &router)
        .map_err(|error| (Exit::Failure, format!("reconciliations: {error}")))?;
    api.set_reconciliations(reconciler.desk());
    let outward = if config.statement.enabled {
        Some(Outward::start(&config, &router, &api).await?)
    } else {
        None
    };
    shards.set(api.clone(), clock);
    let mut stock = Stock::new(router, &settings);
    if let Some(outward) = &outward {
        stock.sinks = Some(outward.sinks.clone());
        stock.exports.clone_from(&outward.exports);
    }
    let stock = Arc::new(stock);
    let watch = tokio::spawn(watch(Arc::clone(&stock), config.clone()));
    let drain = config.http.drain_ms.duration();
    let stop = async move {
        watch.abort();
        reconciler.stop();
        if let Some(outward) = outward {
            outward.stop().await;
        }
        runtime.drain(drain).await;
    };
    Ok(Opened {
        data: data_routes(api),
        backend: stock,
        stop: Box::pin(stop),
    })
}

/// What tells the rest of the business of what happens here.
struct Outward {
    events: Events,
    deliveries: Deliveries,
    sinks: Sinks,
    exports: Option<Exports>,
}

impl Outward {
    async fn start(config: &Config, router: &Router, api: &Api) -> Result<Self, Refused> {
        let settings = EventSettings::of(&config.events);
        let events = Events::start(router.clone(), &settings)
            .await
            .map_err(|error| (Exit::Failure, format!("events: {error}")))?;
        api.set_events(events.clone(), EventBounds::of(&config.events));
        let deliveries = Deliveries::start(&events, &config.data.dir, &config.events)
            .map_err(|error| not_remembered(&error))?;
        api.set_deliveries(deliveries.clone());
        let sinks = Sinks::start(&events, &config.sinks, deliveries.store());
        let sinks = sinks.map_err(|error| (Exit::Refused, error.to_string()))?;
        api.set_sinks(sinks.clone());
        let exports = Exports::start(&events, &config.export);
        Ok(Self {
            events,
            deliveries,
            sinks,
            exports,
        })
    }

    /// Those that carry events end before that which tells them.
    async fn stop(self) {
        self.sinks.stop();
        if let Some(exports) = self.exports {
            exports.stop();
        }
        self.deliveries.stop().await;
        self.events.stop();
    }
}

fn not_remembered(error: &StoreError) -> Refused {
    let exit = match error {
        StoreError::Foreign { .. } => Exit::Refused,
        StoreError::Damaged { .. } | StoreError::Failed { .. } => Exit::Failure,
    };
    (exit, error.to_string())
}

fn refused(error: &StartError) -> Refused {
    let exit = match error {
        StartError::Ledger(LedgerError::Locked { .. }) => Exit::Locked,
        StartError::Ledger(
            LedgerError::Identity { .. }
            | LedgerError::Missing { .. }
            | LedgerError::ShardCount { .. }
            | LedgerError::Manifest { .. },
        ) => Exit::Refused,
        StartError::Ledger(
            LedgerError::Io { .. }
            | LedgerError::Full { .. }
            | LedgerError::File { .. }
            | LedgerError::Corrupt { .. }
            | LedgerError::Fenced { .. }
            | LedgerError::Batch { .. }
            | LedgerError::Stopped { .. }
            | LedgerError::Archive { .. }
            | LedgerError::Trimmed { .. }
            | LedgerError::Worn { .. }
            | LedgerError::Closed { .. },
        )
        | StartError::System(_) => Exit::Failure,
    };
    (exit, error.to_string())
}

/// Refuses a start on a disk that is as good as full.
fn check_disk(config: &Config) -> Result<(), String> {
    let least = config.data.disk_free_bytes_min.0;
    match free_bytes(&config.data.dir) {
        Some(free) if free < least => Err(format!(
            "{free} bytes are free on the disk of {}, less than data.disk_free_bytes_min \
             ({least}); free some, or lower the key",
            config.data.dir.display()
        )),
        Some(_) | None => Ok(()),
    }
}

/// Free bytes on the disk of a directory that may not be there yet.
fn free_bytes(directory: &Path) -> Option<u64> {
    let there = std::path::absolute(directory).ok()?;
    let there: PathBuf = there.ancestors().find(|path| path.exists())?.to_owned();
    let disk = rustix::fs::statvfs(&there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Warns when a table or the disk comes near its end, once until that is over.
async fn watch(stock: Arc<Stock>, config: Config) {
    let warn_percent = config.reservations.warn_fill_percent;
    let mut warned: Vec<(u32, &'static str)> = Vec::new();
    let mut disk_is_low = false;
    let mut every = tokio::time::interval(WATCH_EVERY);
    loop {
        every.tick().await;
        let sample = stock.sample();
        let mut full = Vec::new();
        for (shard, table) in sample
            .shards
            .iter()
            .flat_map(|shard| shard.tables.iter().map(|table| (shard.shard, table)))
        {
            if table.used.saturating_mul(100) >= table.max.saturating_mul(warn_percent) {
                let name = (shard, table.table);
                if !warned.contains(&name) {
                    let TableFill { table, used, max } = table;
                    warn!(
                        shard,
                        table, used, max, "a table fills; at its end calls get 503 capacity"
                    );
                }
                full.push(name);
            }
        }
        warned = full;
        let is_low = check_disk(&config).err();
        if let (Some(message), false) = (&is_low, disk_is_low) {
            warn!("{message}");
        }
        disk_is_low = is_low.is_some();
    }
}

impl Stock {
    /// The numbers of `router`'s shards, which were started with `settings`.
    pub fn new(router: Router, settings: &Settings) -> Self {
        let shards = usize::from(router.placement().shards());
        let part = |all: usize| all.div_ceil(shards.max(1));
        let tables = TablesMax {
            reservations: part(settings.policy.reservations_max),
            // Beyond this only payments, releases and pauses find room.
            keys: part(settings.policy.keys_max - settings.policy.keys_kept()),
            skus: part(settings.policy.skus_max),
            carts: settings.carts.undecided_max,
        };
        let (clock_is_ahead, clock_alarms) = (AtomicBool::new(false), AtomicU64::new(0));
        Self {
            router,
            tables,
            clock_is_ahead,
            clock_alarms,
            sinks: None,
            exports: None,
        }
    }

    fn shard(&self, status: &ShardStatus, stats: &ShardStats, is_draining: bool) -> ShardSample {
        let state = match status.state {
            holdfast_runtime::ShardState::Serving if is_draining => ShardState::Draining,
            holdfast_runtime::ShardState::Serving => ShardState::Serving,
            holdfast_runtime::ShardState::Recovering => ShardState::Recovering,
            holdfast_runtime::ShardState::Down
            | holdfast_runtime::ShardState::Quarantined
            | holdfast_runtime::ShardState::Stopped => ShardState::Down,
        };
        let table = |table, used: usize, max: usize| TableFill {
            table,
            used: used as u64,
            max: max as u64,
        };
        let fill = &status.fill;
        ShardSample {
            shard: u32::from(status.index),
            state,
            restarts: status.restarts,
            permits: Permits {
                used: status.permits_used as u64,
                max: status.permits_max as u64,
                refused: stats.overloaded.load(Ordering::Relaxed),
            },
            permits_config: Permits {
                used: status.config_permits_used as u64,
                max: status.config_permits_max as u64,
                refused: stats.config_overloaded.load(Ordering::Relaxed),
            },
            commit_micros: histogram(&stats.commit_us),
            commit_events: histogram(&stats.batch_events),
            expiry_backlog: status.backlog as u64,
            carts_undecided: status.undecided as u64,
            tables: vec![
                table("reservations", fill.reservations, self.tables.reservations),
                table("keys", fill.keys, self.tables.keys),
                table("skus", fill.skus, self.tables.skus),
                table("carts", status.undecided, self.tables.carts),
            ],
            invariant_violations: stats.violations.load(Ordering::Relaxed),
            sequence: status.seq,
            statement_lag_read: stats.lag_read.load(Ordering::Relaxed),
            statement_lag: self.router.statement_lag(status.index),
        }
    }
}

impl Backend for Stock {
    fn sample(&self) -> RuntimeSample {
        let is_ahead = self.router.clock().alarm() > Millis::default();
        if is_ahead && !self.clock_is_ahead.swap(is_ahead, Ordering::Relaxed) {
            self.clock_alarms.fetch_add(1, Ordering::Relaxed);
        }
        self.clock_is_ahead.store(is_ahead, Ordering::Relaxed);
        let is_draining = self.router.is_ready() == Readiness::Draining;
        let (statuses, stats) = (self.router.shards(), self.router.stats());
        let shards = statuses.iter().zip(&stats);
        let shards = shards.map(|(status, stats)| self.shard(status, stats, is_draining));
        let shards: Vec<ShardSample> = shards.collect();
        let skus = statuses.iter().map(|status| status.fill.skus as u64).sum();
        let clock_alarms = self.clock_alarms.load(Ordering::Relaxed);
        let sinks = self.sinks.as_ref().map(Sinks::status).unwrap_or_default();
        let sinks = sinks.into_iter().map(|sink| SinkSample {
            sink: sink.name,
            lag: sink.lag,
            delivered: sink.delivered,
            failures: sink.failures,
            gaps: sink.gaps,
            is_failing: sink.error.is_some(),
        });
        RuntimeSample {
            shards,
            skus,
            clock_alarms,
            sinks: sinks.collect(),
            exports: self
                .exports
                .as_ref()
                .map(Exports::status)
                .map(export_sample),
        }
    }

    fn can_write(&self) -> bool {
        match self.router.is_ready() {
            Readiness::Ready => true,
            Readiness::Replaying | Readiness::Draining | Readiness::NoShardWrites => false,
        }
    }
}

fn export_sample(status: ExportStatus) -> ExportSample {
    ExportSample {
        written: status.written,
        failures: status.failures,
        last_s: status.last_s,
    }
}

fn histogram(of: &Histogram) -> HistogramSample {
    let (counts, beyond) = of.counts();
    HistogramSample {
        bounds: counts.iter().map(|(bound, _)| *bound).collect(),
        counts: counts
            .iter()
            .map(|(_, count)| *count)
            .chain([beyond])
            .collect(),
        sum: of.sum(),
    }
}
