//! Callers that retry with their keys, while shards crash under them.

mod common;

use common::*;
use holdfast_core::{Command, ReservationId, Sku};
use holdfast_runtime::{Operation, Router, ShardState};
use std::collections::HashMap;
use std::time::Duration;
use tempfile::TempDir;

const SHARDS: u16 = 3;
const CALLERS: u64 = 8;
const EACH: u64 = 40;
const STOCK: u32 = 10_000;

/// What a caller asks for with a key: one SKU, or a cart over several shards.
fn wish(number: u64, skus: &[Sku]) -> (Operation, Vec<Sku>) {
    let first = &skus[number as usize % skus.len()];
    let mut wanted = vec![first.clone()];
    if number.is_multiple_of(3) {
        wanted.push(skus[(number as usize + 1) % skus.len()].clone());
    }
    let Command::Reserve(mut made) = reserve(first, 1) else {
        unreachable!("it is a reserve")
    };
    made.lines = wanted.iter().map(|sku| line(sku, 1)).collect();
    (keyed(number, Command::Reserve(made)), wanted)
}

/// Retries until the business answers.
async fn insist(router: &Router, operation: Operation) -> ReservationId {
    for _ in 0..2000 {
        if let Ok(answer) = router.execute(operation.clone(), soon()).await {
            return view(Ok(answer)).id;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    panic!("no answer to {operation:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_is_lost_or_doubled_while_shards_crash_under_load() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, SHARDS);
    settings.restart.max = 1000;
    settings.snapshot_after_events = 50;
    let runtime = start(&settings).await;
    let router = runtime.router();
    let skus: Vec<Sku> = (0..SHARDS).map(|shard| sku_on(&router, shard)).collect();
    for sku in &skus {
        stock(&router, sku, STOCK).await;
    }
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (router, skus) = (router.clone(), skus.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for number in caller * EACH..(caller + 1) * EACH {
                    ids.push((number, insist(&router, wish(number, &skus).0).await));
                }
                ids
            })
        })
        .collect();
    for crash in 0..15_u16 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        router.crash(crash % SHARDS);
    }
    let mut ids = HashMap::new();
    let mut held: HashMap<Sku, i64> = HashMap::new();
    for caller in callers {
        for (number, id) in caller.await.expect("it ends") {
            ids.insert(number, id);
            for sku in wish(number, &skus).1 {
                *held.entry(sku).or_default() += 1;
            }
        }
    }
    for shard in 0..SHARDS {
        until_state(&router, shard, ShardState::Serving).await;
    }
    for (number, id) in &ids {
        assert_eq!(insist(&router, wish(*number, &skus).0).await, *id);
    }
    // Holds of tries that crashed away are dropped once their parts have asked.
    eventually("every unit is where the answers say", || {
        let left = |sku: &Sku| router.sku(sku).expect("known").available();
        skus.iter()
            .all(|sku| left(sku) == i64::from(STOCK) - held[sku])
    })
    .await;
    assert!(
        router
            .shards()
            .iter()
            .map(|shard| shard.restarts)
            .sum::<u64>()
            > 0
    );
    let drained = runtime.drain(Duration::from_secs(10)).await;
    assert_eq!(
        (drained.unfinished, drained.shards),
        (0, usize::from(SHARDS))
    );
    let runtime = start(&settings).await;
    for sku in &skus {
        let left = runtime.router().sku(sku).expect("known").available();
        assert_eq!(left, i64::from(STOCK) - held[sku]);
    }
    runtime.halt().await;
}
