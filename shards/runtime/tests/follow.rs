//! Following events from anywhere, held against statements, with the index whole and far behind.

mod common;

use common::*;
use holdfast_core::{Command, Extend, Millis, Sku};
use holdfast_runtime::{
    Clock, Entry, Follower, Happening, NoFollowing, NoPast, Router, ShardIndex,
};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// Sales of a few SKUs: reserves, confirms, releases, expiries, receipts, one cart of two SKUs.
async fn sell(router: &Router, hands: &holdfast_runtime::clock::Hands, rounds: u32) -> Vec<Sku> {
    let skus: Vec<Sku> = (0..7).map(|n| sku(&format!("TEE-{n}"))).collect();
    for sku in &skus {
        stock(router, sku, 1_000).await;
    }
    for round in 0..rounds {
        hands.advance(Millis::new(u64::from(round % 5) * 900));
        let own = &skus[(round % 7) as usize];
        match round % 11 {
            0 => run(router, receive(own, 3))
                .await
                .map(drop)
                .expect("it is taken"),
            1 => {
                let other = &skus[((round + 1) % 7) as usize];
                cart(router, &[(own, 1), (other, 2)]).await;
            }
            _ => {
                let made = reserve_ttl(own, 1 + round % 3, Millis::new(30_000));
                let id = view(run(router, made).await).id;
                let then = match round % 4 {
                    0 => confirm(id),
                    1 => release(id),
                    2 => Command::Extend(Extend {
                        id,
                        ttl: Millis::new(60_000),
                    }),
                    _ => continue,
                };
                run(router, then).await.expect("it is taken");
            }
        }
    }
    skus
}

/// Everything after a sequence, told in steps of `limit`.
fn all(follower: &mut Follower, limit: usize) -> Result<Vec<Happening>, NoFollowing> {
    let mut told = Vec::new();
    while follower.next(limit, |happening| told.push(happening))? != 0 {}
    Ok(told)
}

async fn followed(router: &Router, shard: ShardIndex, after: u64) -> Vec<Happening> {
    readable(router, shard).await;
    let mut follower = router.follow(shard, after).expect("it can be followed");
    all(&mut follower, 1 + (after % 90) as usize).expect("it is whole")
}

/// Waits until readers see all that was answered.
async fn readable(router: &Router, shard: ShardIndex) {
    eventually("the journal can be read up to its end", || {
        let committed = &router.stats()[usize::from(shard)].committed;
        router.head_of(shard) == Some(committed.load(std::sync::atomic::Ordering::Acquire))
    })
    .await;
}

async fn statement(router: &Router, sku: &Sku) -> Vec<Entry> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        match router.statement(sku, after, 500).await {
            Err(NoPast::Unavailable(_)) => tokio::task::yield_now().await,
            page => {
                let page = page.expect("a page");
                entries.extend(page.entries);
                match page.next {
                    Some(next) => after = next,
                    None => return entries,
                }
            }
        }
    }
}

fn by_sku(told: &[Happening]) -> BTreeMap<Sku, Vec<Entry>> {
    let mut by_sku = BTreeMap::<Sku, Vec<Entry>>::new();
    for happening in told {
        if let Some(sku) = &happening.sku {
            let entry = happening.entry.clone();
            by_sku.entry(sku.clone()).or_default().push(entry);
        }
    }
    by_sku
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_followed_from_anywhere_is_what_statements_say() {
    let dir = TempDir::new().expect("a directory");
    let (clock, hands) = Clock::manual(timestamp(0));
    let mut settings = settings(&dir, 2);
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let skus = sell(&router, &hands, 300).await;
    eventually("the statements have caught up", || {
        (0..2).all(|shard| router.statement_lag(shard) == Some(0))
    })
    .await;
    let mut statements = BTreeMap::new();
    for sku in &skus {
        statements.insert(sku.clone(), statement(&router, sku).await);
    }
    for shard in 0..2 {
        let head = router.head_of(shard).expect("it is open");
        for after in [0, 1, head / 3, head / 2, head - 1, head] {
            let told = followed(&router, shard, after).await;
            let seqs: Vec<u64> = told.iter().map(|one| one.entry.seq).collect();
            assert!(seqs.is_sorted() && seqs.first().is_none_or(|first| after < *first));
            let by_sku = by_sku(&told);
            for sku in &skus {
                if router.placement().shard_of_sku(sku) != shard {
                    continue;
                }
                let later = statements[sku].iter().filter(|entry| after < entry.seq);
                let later: Vec<Entry> = later.cloned().collect();
                let told = by_sku.get(sku).cloned().unwrap_or_default();
                assert_eq!(told, later, "{sku} after {after}");
            }
        }
    }
    runtime.halt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_far_behind_makes_no_difference() {
    let dir = TempDir::new().expect("a directory");
    let (clock, hands) = Clock::manual(timestamp(0));
    let mut settings = settings(&dir, 1);
    settings.clock = Some(clock);
    settings.statement.events_per_s_max = 20;
    let runtime = start(&settings).await;
    let router = runtime.router();
    let skus = sell(&router, &hands, 300).await;
    let from_the_start = followed(&router, 0, 0).await;
    assert!(
        router.statement_lag(0).expect("it is built") > 100,
        "this test wants an index that is behind"
    );
    let head = router.head_of(0).expect("it is open");
    for after in [head / 4, head / 2, head - 3] {
        let told = followed(&router, 0, after).await;
        let mut later = from_the_start.clone();
        later.retain(|one| after < one.entry.seq);
        assert_eq!(told, later, "after {after}");
    }
    // The sum of what is told is the state.
    let mut follower = router.follow(0, head).expect("it can be followed");
    all(&mut follower, 100).expect("it is whole");
    for sku in &skus {
        let view = router.sku(sku).expect("it is there");
        assert_eq!(follower.levels(sku).expect("it is whole"), view.levels);
        let last = from_the_start
            .iter()
            .rev()
            .find(|one| one.sku.as_ref() == Some(sku));
        let last = last.expect("it was sold");
        assert_eq!(last.entry.after, view.totals());
        assert_eq!(last.available[1], view.available());
    }
    runtime.halt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_of_a_shard_that_was_rebuilt_says_so_and_goes_on_from_where_it_was() {
    let dir = TempDir::new().expect("a directory");
    let (clock, hands) = Clock::manual(timestamp(0));
    let mut settings = settings(&dir, 1);
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    sell(&router, &hands, 40).await;
    readable(&router, 0).await;
    let mut follower = router.follow(0, 0).expect("it can be followed");
    let mut told = Vec::new();
    follower
        .next(30, |one| told.push(one))
        .expect("it is whole");
    router.crash(0);
    let refused = loop {
        match all(&mut follower, 30) {
            Ok(more) => told.extend(more),
            Err(refused) => break refused,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, NoFollowing::Reopened), "{refused}");
    let seq = follower.seq();
    let mut follower = loop {
        match router.follow(0, seq) {
            Ok(follower) => break follower,
            Err(NoFollowing::Unavailable(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    };
    loop {
        match all(&mut follower, 30) {
            Ok(more) => told.extend(more),
            Err(NoFollowing::Reopened) => {
                follower = loop {
                    if let Ok(follower) = router.follow(0, follower.seq()) {
                        break follower;
                    }
                    tokio::task::yield_now().await;
                };
                continue;
            }
            Err(other) => panic!("{other}"),
        }
        if told.iter().any(|one| {
            one.entry.kind == holdfast_core::EventKind::ShardResumed && 1 < one.entry.seq
        }) {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut seqs: Vec<u64> = told.iter().map(|one| one.entry.seq).collect();
    seqs.dedup();
    let expected: Vec<u64> = (1..=seqs.len() as u64).collect();
    assert_eq!(seqs, expected, "no event is lost or told twice");
    runtime.halt().await;
}
