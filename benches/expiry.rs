//! What reserves feel while a million holds expire within one second.
//!
//! `cargo bench --bench expiry`. In process, through the router, a shard per core, durable: a
//! million holds of 1,000 SKUs are made so that their deadlines lie within one second, and 64
//! callers reserve one unit at a time, each as soon as its last is durable, over 10,000 other SKUs.
//! Their latencies in the five seconds before that second are set against those from its begin until
//! no expiry is left to record. Deliberately absent: HTTP; what expires is not spoken of there.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::{all_done, directory, payload};
use hdrhistogram::Histogram;
use holdfast_core::{Command, Millis, Sku};
use holdfast_runtime::{Deadline, Operation, Router, Runtime, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const HOLDS: u64 = 1_000_000;
const HELD: usize = 1_000;
const MESSAGE: u64 = 1_000;
const CALLERS: usize = 64;
/// From the first hold to the second in which all of them end; filling must be done by then.
const LEAD: Millis = Millis::from_secs(30);
const BEFORE: Duration = Duration::from_secs(5);

/// Which histogram a latency belongs to.
const QUIET: usize = 1;
const STORM: usize = 2;
const DONE: usize = 3;

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    let mut report = Report::new("expiry");
    let [mut quiet, mut storm, mut sweep] = [(); 3].map(|()| Samples::default());
    for _ in 0..ROUNDS {
        let round = tokio.block_on(round());
        quiet.push(p99(&round.quiet));
        storm.push(p99(&round.storm));
        sweep.push(round.sweep.as_secs_f64());
    }
    let beside = format!(
        "p99 {} before, {} during; all recorded within {}",
        quiet.show(Unit::Millis),
        storm.show(Unit::Millis),
        sweep.show(Unit::Seconds)
    );
    report.figure(
        "p99 of reserves while a million holds expire in one second, over before",
        Aim::Most(2.0),
        Unit::Ratio,
        &storm.over(&quiet),
        beside,
    );
    report.end();
}

fn p99(latencies: &Histogram<u64>) -> f64 {
    latencies.value_at_quantile(0.99) as f64 / 1000.0
}

/// Latencies in microseconds, and how long it took until every expiry was recorded.
struct Round {
    quiet: Histogram<u64>,
    storm: Histogram<u64>,
    sweep: Duration,
}

async fn round() -> Round {
    let dir = directory();
    let mut settings = Settings::new(dir.path());
    settings.config_permits = settings.permits;
    settings.default_shards = std::thread::available_parallelism()
        .ok()
        .and_then(|cores| u16::try_from(cores.get()).ok())
        .unwrap_or(1);
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    let skus = payload::skus(HELD + payload::SPREAD);
    for some in skus.chunks(MESSAGE as usize) {
        all_done(&router, payload::stocking(some)).await;
    }
    let (held, others) = skus.split_at(HELD);
    let due = router.now().after(LEAD);
    for first in (0..HOLDS).step_by(MESSAGE as usize) {
        let left = due.since(router.now());
        assert!(left.ms() > 8_000, "filling took too long");
        let ttl = Millis::new(left.ms() + first * 1000 / HOLDS);
        all_done(&router, payload::message(first, MESSAGE, held, Some(ttl))).await;
    }
    let start = Instant::now() + Duration::from_millis(due.since(router.now()).ms());
    let phase = Arc::new(AtomicUsize::new(0));
    let next = Arc::new(AtomicU64::new(HOLDS));
    let others: Arc<[Sku]> = others.into();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            tokio::spawn(call(
                router.clone(),
                Arc::clone(&others),
                Arc::clone(&next),
                Arc::clone(&phase),
            ))
        })
        .collect();
    let lead = start.saturating_duration_since(Instant::now());
    tokio::time::sleep(lead.saturating_sub(BEFORE)).await;
    phase.store(QUIET, Ordering::Relaxed);
    tokio::time::sleep_until(start.into()).await;
    phase.store(STORM, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The callers' own holds live for the default ten minutes: only the million can be open twice.
    while open(&router) > next.load(Ordering::Relaxed) - HOLDS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    phase.store(DONE, Ordering::Relaxed);
    let sweep = start.elapsed();
    let [mut quiet, mut storm] = [(); 2].map(|()| histogram());
    for caller in callers {
        let [its_quiet, its_storm] = caller.await.expect("every reserve was done");
        quiet.add(its_quiet).expect("they have the same bounds");
        storm.add(its_storm).expect("they have the same bounds");
    }
    runtime.halt().await;
    Round {
        quiet,
        storm,
        sweep,
    }
}

fn open(router: &Router) -> u64 {
    let shards = router.shards();
    shards.iter().map(|shard| shard.fill.open as u64).sum()
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("good bounds")
}

async fn call(
    router: Router,
    skus: Arc<[Sku]>,
    next: Arc<AtomicU64>,
    phase: Arc<AtomicUsize>,
) -> [Histogram<u64>; 2] {
    let mut latencies = [(); 2].map(|()| histogram());
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let command = Command::Reserve(payload::reserve(n, &skus, None));
        let operation = Operation::keyed(Some(payload::key(n)), command);
        let began = phase.load(Ordering::Relaxed);
        let start = Instant::now();
        let told = router
            .execute(operation, Deadline::within(Duration::from_mins(1)))
            .await;
        assert!(told.is_ok(), "a reserve was not done: {told:?}");
        let took = start.elapsed().as_micros() as u64;
        match began {
            QUIET => latencies[0].saturating_record(took),
            STORM => latencies[1].saturating_record(took),
            DONE => return latencies,
            _ => {}
        }
    }
}
