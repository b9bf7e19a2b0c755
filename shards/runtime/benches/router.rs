//! Router to durable acknowledgement, in process: messages of 1,000 reserves to one shard, from a
//! few callers at once, on one hot SKU and spread over 10,000 SKUs, in the same run.
//!
//! `cargo bench -p holdfast-runtime --bench router`; the directory is `HOLDFAST_BENCH_DIR`, or a
//! temporary one. Payload: one line, a key, 16 bytes of order reference, 12 of customer and SKU.

mod common;

use common::{CALLERS, MESSAGE, operations, stock};
use holdfast_runtime::{Deadline, Runtime, Settings, clock};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SKUS: usize = 10_000;

fn main() {
    let messages: u64 = std::env::var("HOLDFAST_BENCH_MESSAGES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    let mut rates = Vec::new();
    for round in 0..3 {
        for (name, skus) in [("hot", 1), ("spread", SKUS)] {
            let rate = runtime.block_on(measure(skus, messages));
            println!("round {round}: {name:>6} over {skus:>5} SKUs: {rate:>9.0} reserves/s");
            rates.push((name, rate));
        }
    }
    let best = |name| {
        rates
            .iter()
            .filter(|r| r.0 == name)
            .map(|r| r.1)
            .fold(0.0, f64::max)
    };
    println!("best: hot {:.0}, spread {:.0}", best("hot"), best("spread"));
}

async fn measure(skus: usize, messages: u64) -> f64 {
    let temporary = tempfile::TempDir::new().expect("a directory");
    let dir = std::env::var_os("HOLDFAST_BENCH_DIR").map(PathBuf::from);
    let dir = dir
        .unwrap_or_else(|| temporary.path().to_path_buf())
        .join("bench-data");
    let _ = std::fs::remove_dir_all(&dir);
    let mut settings = Settings::new(&dir);
    settings.permits = 16_384;
    settings.config_permits = 16_384;
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    let skus: Arc<Vec<Sku>> = Arc::new(
        (0..skus)
            .map(|n| Sku::parse(&format!("SKU-{n:08}")).expect("a name"))
            .collect(),
    );
    stock(&router, &skus).await;
    let next = Arc::new(AtomicU64::new(0));
    let start = clock::instant();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (router, skus, next) = (router.clone(), Arc::clone(&skus), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let message = next.fetch_add(1, Ordering::Relaxed);
                    if messages <= message {
                        return;
                    }
                    let operations = operations(&skus, message * MESSAGE);
                    let deadline = Deadline::within(Duration::from_secs(10));
                    let told = router.batch(operations, deadline).await;
                    assert!(
                        told.iter().all(Result::is_ok),
                        "{:?}",
                        told.iter().find(|t| t.is_err())
                    );
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("it ends");
    }
    let rate = (messages * MESSAGE) as f64 / start.elapsed().as_secs_f64();
    let stats = &router.stats()[0];
    let (commits, _) = stats.commit_us.counts();
    let commits: u64 = commits.iter().map(|(_, count)| count).sum();
    eprintln!(
        "    {commits} commits of {:.0} events, {:.2} ms each, {} chunks",
        stats.batch_events.sum() as f64 / commits as f64,
        stats.commit_us.sum() as f64 / commits as f64 / 1000.0,
        stats.chunks.load(Ordering::Relaxed),
    );
    runtime.halt().await;
    let _ = std::fs::remove_dir_all(&dir);
    rate
}
