//! Memory and restart with 1 million open reservations of one line and 100,000 SKUs, and memory
//! with 1 million idle SKUs: on one shard, key directory and board included.
//!
//! `cargo bench -p holdfast-runtime --bench restart`. Memory is the resident set, before and after.

mod common;

use common::{CALLERS, MESSAGE, operations, skus, stock};
use holdfast_core::Millis;
use holdfast_runtime::{Deadline, Runtime, Settings, clock};
use std::time::Duration;

const RESERVATIONS: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    runtime.block_on(async {
        restart().await;
        idle_skus().await;
    });
}

async fn restart() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mut settings = Settings::new(dir.path());
    settings.permits = 16_384;
    settings.config_permits = 16_384;
    settings.policy.ttl_default = Millis::from_secs(1800);
    let runtime = Runtime::start(settings.clone())
        .await
        .expect("the runtime starts");
    let router = runtime.router();
    let skus = skus(100_000);
    stock(&router, &skus).await;
    let before = resident();
    for first in (0..RESERVATIONS).step_by((MESSAGE * CALLERS) as usize) {
        let deadline = Deadline::within(Duration::from_mins(1));
        let sent: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let operations = operations(&skus, first + caller * MESSAGE);
                let router = router.clone();
                tokio::spawn(async move { router.batch(operations, deadline).await })
            })
            .collect();
        for told in sent {
            assert!(told.await.expect("it ends").iter().all(Result::is_ok));
        }
    }
    let held = router.shards()[0].fill;
    let bytes = resident().saturating_sub(before) as f64 / held.open as f64;
    println!("{} open reservations: {bytes:.0} bytes each", held.open);
    runtime.halt().await;
    let start = clock::instant();
    let runtime = Runtime::start(settings.clone())
        .await
        .expect("the runtime starts");
    println!(
        "restart after a halt: {:.2} s, {} open",
        start.elapsed().as_secs_f64(),
        runtime.router().shards()[0].fill.open
    );
    runtime.drain(Duration::from_mins(1)).await;
    let start = clock::instant();
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    println!(
        "restart after a drain: {:.2} s, {} open",
        start.elapsed().as_secs_f64(),
        runtime.router().shards()[0].fill.open
    );
    runtime.halt().await;
}

async fn idle_skus() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mut settings = Settings::new(dir.path());
    settings.config_permits = 16_384;
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    let before = resident();
    for part in 0..100 {
        let names = (part * 10_000..(part + 1) * 10_000).map(common::sku);
        stock(&router, &names.collect::<Vec<_>>()).await;
    }
    let known = router.shards()[0].fill.skus;
    let bytes = resident().saturating_sub(before) as f64 / known as f64;
    println!("{known} idle SKUs: {bytes:.0} bytes each");
    runtime.halt().await;
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
