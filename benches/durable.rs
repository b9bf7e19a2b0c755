//! From the router to the durable acknowledgement, in process: messages of 1,000 reserves to one
//! shard, four in flight, on one hot SKU and spread over 10,000, and beside them a bare redb that
//! commits the same records. And one reserve at a time on a server that has nothing else to do.
//!
//! `cargo bench --bench durable`. Messages are made beforehand, 40 at a time and out of
//! the measured time, and each round has a new directory. Deliberately absent: HTTP, which `http` has.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::{ROUNDS, all_done, directory, payload};
use holdfast_ledger::{DataDir, View};
use holdfast_runtime::{Deadline, Operation, Router, Runtime, Settings};
use redb::{Builder, TableDefinition};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MESSAGE: u64 = 1_000;
const IN_FLIGHT: usize = 4;
/// Messages that are made at once, out of the measured time.
const WAVE: usize = 40;
const CACHE_BYTES: usize = 32 << 20;
const BARE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// Reserves that are sent one after another.
const ALONE: u64 = 400;

/// What a round came to.
struct Round {
    rate: f64,
    /// Reserves in a commit, on average.
    commit_events: f64,
    commit_ms: f64,
}

/// What the rounds came to.
#[derive(Default)]
struct Measured {
    hot: Samples,
    spread: Samples,
    bare: Samples,
    /// Reserves in a commit, and its milliseconds, with the hot SKU.
    events: Samples,
    millis: Samples,
    /// Milliseconds of one reserve at a time, and of a bare commit of the same bytes.
    alone: Samples,
    bare_alone: Samples,
}

fn main() {
    let messages = std::env::var("BENCH_MESSAGES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000);
    let mut report = Report::new("durable");
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    let (one, many) = (payload::skus(1), payload::skus(payload::SPREAD));
    let mut all = Measured::default();
    for _ in 0..ROUNDS {
        let dir = directory();
        let hot = tokio.block_on(round(dir.path(), &one, messages));
        all.hot.push(hot.rate);
        all.events.push(hot.commit_events);
        all.millis.push(hot.commit_ms);
        let commits = commit_bare(dir.path());
        all.bare
            .push((messages * MESSAGE) as f64 / commits.iter().sum::<f64>());
        drop(dir);
        let dir = directory();
        let alone = tokio.block_on(one_by_one(dir.path(), &one));
        all.alone.push(1000.0 * alone);
        all.bare_alone
            .push(1000.0 * median(commit_bare(dir.path())));
        drop(dir);
        let dir = directory();
        let spread = tokio.block_on(round(dir.path(), &many, messages));
        all.spread.push(spread.rate);
    }
    all.show(&mut report);
    report.end();
}

impl Measured {
    fn show(&self, report: &mut Report) {
        let beside = format!(
            "bare redb, the same records: {}; {:.0} reserves and {:.1} ms a commit",
            self.bare.show(Unit::PerSecond),
            self.events.median(),
            self.millis.median(),
        );
        report.figure(
            "router to disk, messages of 1,000, one shard, one hot SKU",
            Aim::Least(1_000_000.0),
            Unit::PerSecond,
            &self.hot,
            beside,
        );
        report.figure(
            "the same over the bare redb",
            Aim::None,
            Unit::Ratio,
            &self.hot.over(&self.bare),
            String::new(),
        );
        let beside = format!(
            "hot {}, spread {}",
            self.hot.show(Unit::PerSecond),
            self.spread.show(Unit::PerSecond)
        );
        report.figure(
            "hot SKU over 10,000 SKUs, one shard",
            Aim::Least(0.9),
            Unit::Ratio,
            &self.hot.over(&self.spread),
            beside,
        );
        let beside = format!(
            "medians: a reserve {}, a commit {}",
            self.alone.show(Unit::Millis),
            self.bare_alone.show(Unit::Millis)
        );
        report.figure(
            "one reserve on an idle server over a bare redb commit of the same bytes",
            Aim::Most(1.5),
            Unit::Ratio,
            &self.alone.over(&self.bare_alone),
            beside,
        );
    }
}

fn median(of: Vec<f64>) -> f64 {
    let mut samples = Samples::default();
    for sample in of {
        samples.push(sample);
    }
    samples.median()
}

/// How long a reserve takes that is sent when the one before was answered, in seconds.
async fn one_by_one(dir: &Path, skus: &[holdfast_core::Sku]) -> f64 {
    let runtime = Runtime::start(Settings::new(dir))
        .await
        .expect("the runtime starts");
    let router = runtime.router();
    all_done(&router, payload::stocking(skus)).await;
    let mut took = Vec::new();
    for operation in payload::message(0, ALONE, skus, None) {
        let start = Instant::now();
        let told = router.execute(operation, Deadline::within(Duration::from_mins(1)));
        told.await.expect("it is answered");
        took.push(start.elapsed().as_secs_f64());
    }
    runtime.halt().await;
    median(took)
}

async fn round(dir: &Path, skus: &[holdfast_core::Sku], messages: u64) -> Round {
    let mut settings = Settings::new(dir);
    // Stocking comes faster than operators do.
    settings.config_permits = settings.permits;
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    for some in skus.chunks(100) {
        all_done(&router, payload::stocking(some)).await;
    }
    let stats = Arc::clone(&router.stats()[0]);
    let before = (commits(&stats), stats.commit_us.sum());
    let mut took = Duration::ZERO;
    // In waves, so that what is sent is as near in the caches as what was just received.
    for first in (0..messages).step_by(WAVE) {
        let wave = first..messages.min(first + WAVE as u64);
        let prepared = wave.map(|number| payload::message(number * MESSAGE, MESSAGE, skus, None));
        let prepared = Arc::new(Mutex::new(prepared.collect()));
        let start = Instant::now();
        let callers: Vec<_> = (0..IN_FLIGHT)
            .map(|_| tokio::spawn(send_all(router.clone(), Arc::clone(&prepared))))
            .collect();
        for caller in callers {
            caller.await.expect("every message was done");
        }
        took += start.elapsed();
    }
    let reserves = (messages * MESSAGE) as f64;
    let rate = reserves / took.as_secs_f64();
    let commits = (commits(&stats) - before.0) as f64;
    let commit_ms = (stats.commit_us.sum() - before.1) as f64 / commits / 1000.0;
    runtime.halt().await;
    Round {
        rate,
        commit_events: reserves / commits,
        commit_ms,
    }
}

async fn send_all(router: Router, prepared: Arc<Mutex<Vec<Vec<Operation>>>>) {
    let next = || {
        let mut left = prepared.lock().unwrap_or_else(PoisonError::into_inner);
        left.pop()
    };
    while let Some(message) = next() {
        all_done(&router, message).await;
    }
}

fn commits(stats: &holdfast_runtime::ShardStats) -> u64 {
    let (counts, beyond) = stats.commit_us.counts();
    counts.iter().map(|(_, count)| count).sum::<u64>() + beyond
}

/// Commits the records of a closed ledger to a new redb file, as the ledger does, and nothing else;
/// how long each commit took, in seconds.
fn commit_bare(dir: &Path) -> Vec<f64> {
    let data = DataDir::open_read_only(dir).expect("it was closed");
    let view = View::open(&data.ledger_path(0), &data.identity(0)).expect("it was closed");
    let records: Vec<(u64, Vec<u8>)> = view
        .replay(1)
        .expect("the journal begins at 1")
        .map(|record| record.expect("it was just written"))
        .map(|record| (record.first, record.body))
        .collect();
    drop(view);
    let db = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .create(dir.join("bare.redb"))
        .expect("a new file");
    let mut took = Vec::with_capacity(records.len());
    for (first, body) in &records {
        let start = Instant::now();
        let mut txn = db.begin_write().expect("the disk is there");
        txn.set_two_phase_commit(true);
        let mut table = txn.open_table(BARE).expect("the disk is there");
        table
            .insert(first, body.as_slice())
            .expect("the disk is there");
        drop(table);
        txn.commit().expect("the disk is there");
        took.push(start.elapsed().as_secs_f64());
    }
    took
}
