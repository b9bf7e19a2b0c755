//! Keys over two shards: what is found out about one that comes again, and what is not lost when
//! two look alike.
//!
//! Deliberately absent: keys on one shard, which `checkout` has.

mod common;

use common::*;
use holdfast_core::{Command, KeyTag, Millis, Refusal, Sku};
use holdfast_runtime::{Clock, Operation, Router, Runtime, Settings};
use tempfile::TempDir;

/// A key and its content.
fn tagged(hash: [u64; 2], content: u64, command: Command) -> Operation {
    let key = Some(KeyTag { hash, content });
    Operation::keyed(key, command)
}

/// Two shards with a SKU of each.
async fn two_shards(settings: &Settings) -> (Runtime, Router, Sku, Sku) {
    let runtime = start(settings).await;
    let router = runtime.router();
    let (here, there) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &here, 100).await;
    stock(&router, &there, 100).await;
    (runtime, router, here, there)
}

#[tokio::test]
async fn a_key_that_another_shard_has_kept_is_refused_for_other_content() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 2);
    let (runtime, router, here, there) = two_shards(&settings).await;
    let first = tagged([7, 7], 1, reserve(&here, 1));
    view(router.execute(first, soon()).await);
    let misuse = || tagged([7, 7], 2, reserve(&there, 1));
    let told = router.execute(misuse(), soon()).await;
    assert_eq!(refusal(told), Refusal::KeyReused);
    let batch = vec![
        plain(reserve(&there, 1)),
        misuse(),
        tagged([8, 8], 3, reserve(&there, 2)),
    ];
    let mut told = router.batch(batch, soon()).await.into_iter();
    let mut next = || told.next().expect("three answers");
    assert_eq!(view(next()).lines[0].units, 1);
    assert_eq!(refusal(next()), Refusal::KeyReused);
    assert_eq!(view(next()).lines[0].units, 2);
    assert_eq!(router.sku(&there).expect("known").available(), 97);
    runtime.halt().await;

    let runtime = start(&settings).await;
    let told = runtime.router().execute(misuse(), soon()).await;
    assert_eq!(refusal(told), Refusal::KeyReused, "also after a restart");
    runtime.halt().await;
}

#[tokio::test]
async fn a_key_that_looks_like_one_of_another_shard_goes_its_way() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 2);
    let (runtime, router, here, there) = two_shards(&settings).await;
    view(
        router
            .execute(tagged([7, 1], 1, reserve(&here, 1)), soon())
            .await,
    );
    // The directory sees the first half of a hash alone.
    let alike = || tagged([7, 2], 2, reserve(&there, 1));
    let made = view(router.execute(alike(), soon()).await);
    let batch = vec![alike(), tagged([7, 3], 3, reserve(&there, 1))];
    let mut told = router.batch(batch, soon()).await.into_iter();
    let repeat = told.next().expect("two answers");
    assert!(is_replayed(&repeat));
    assert_eq!(view(repeat).id, made.id);
    view(told.next().expect("two answers"));
    assert_eq!(router.sku(&here).expect("known").available(), 99);
    assert_eq!(router.sku(&there).expect("known").available(), 98);
    runtime.halt().await;
}

#[tokio::test]
async fn a_key_that_its_shard_has_forgotten_is_free_on_another() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 2);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let (runtime, router, here, there) = two_shards(&settings).await;
    let first = view(
        router
            .execute(tagged([7, 7], 1, reserve(&here, 1)), soon())
            .await,
    );
    view(run(&router, release(first.id)).await);
    assert_eq!(router.keys(), 1);
    hands.advance(Millis::from_secs(2 * 86_400));
    eventually("the key is forgotten", || router.keys() == 0).await;
    let told = router
        .execute(tagged([7, 7], 2, reserve(&there, 1)), soon())
        .await;
    view(told);
    runtime.halt().await;
}
