//! How soon a page of the statement of a SKU with a million events is there, and its counters at a
//! moment of the past; and what the projection takes on disk.
//!
//! `cargo bench --bench statement`. In process, one shard, the files in the page cache, nothing
//! else going on. Deliberately absent: HTTP, and a cold disk.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::{ROUNDS, all_done, directory, payload};
use holdfast_core::{Millis, Sku};
use holdfast_runtime::{At, Router, Runtime, Settings};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 1_000_000;
const MESSAGE: u64 = 1_000;
/// Entries of a page where the caller does not say.
const PAGE: usize = 100;

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    tokio.block_on(measure());
}

async fn measure() {
    let dir = directory();
    let mut settings = Settings::new(dir.path().join("data"));
    settings.config_permits = settings.permits;
    settings.policy.reservations_max = 2 * EVENTS as usize;
    settings.statement.events_per_s_max = u64::MAX;
    settings.statement.busy_percent_max = 100;
    let file = settings.data.dir.join("shard-00").join("statement.redb");
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    let skus = payload::skus(1);
    all_done(&router, payload::stocking(&skus)).await;
    let ttl = Some(Millis::from_secs(1800));
    for first in (0..EVENTS).step_by(MESSAGE as usize) {
        all_done(&router, payload::message(first, MESSAGE, &skus, ttl)).await;
    }
    while router.statement_lag(0) != Some(0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut report = Report::new("statement");
    pages(&mut report, &router, &skus[0]).await;
    let bytes = std::fs::metadata(&file).map_or(0, |file| file.len());
    let mut size = Samples::default();
    size.push(bytes as f64 / EVENTS as f64);
    report.figure(
        "the statements' file, per event".to_owned(),
        Aim::None,
        Unit::Bytes,
        &size,
        "1 SKU, 1 million reserves".to_owned(),
    );
    report.end();
    runtime.halt().await;
}

async fn pages(report: &mut Report, router: &Router, sku: &Sku) {
    let head = router.shards()[0].seq;
    for (words, after) in [("first", 0), ("middle", head / 2), ("last", head - 50)] {
        let mut took = Samples::default();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let page = router.statement(sku, after, PAGE).await.expect("a page");
            took.push(start.elapsed().as_secs_f64() * 1e3);
            assert!(!page.entries.is_empty());
        }
        report.figure(
            format!("{words} page of a statement"),
            Aim::Most(50.0),
            Unit::Millis,
            &took,
            "a SKU with 1 million events, 100 entries".to_owned(),
        );
    }
    let mut took = Samples::default();
    for round in 0..ROUNDS as u64 {
        let start = Instant::now();
        let at = At::Sequence(head / 7 * (round + 1));
        router.past(sku, at).await.expect("known");
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.figure(
        "counters at a moment of the past".to_owned(),
        Aim::Most(50.0),
        Unit::Millis,
        &took,
        "a SKU with 1 million events".to_owned(),
    );
}
