//! Locations over all shards, one of them down for a while, and the list of shortfalls.

mod common;

use common::*;
use holdfast_core::{
    Command, Configure, Location, Movement, MovementKind, OnShortfall, Patch, Refusal, Reserve,
    Sku, Status,
};
use holdfast_runtime::{Cause, Deadline, Router, ShardState, Unavailable};
use std::time::Duration;
use tempfile::TempDir;

fn store() -> Location {
    Location::parse("store").expect("a name")
}

fn at_store(sku: &Sku) -> Command {
    let Command::Reserve(reserve) = reserve(sku, 1) else {
        unreachable!("it is a reserve")
    };
    let mut reserve: Reserve = *reserve;
    reserve.lines[0].location = Some(store());
    Command::Reserve(Box::new(reserve))
}

/// Makes a SKU with stock at the store.
async fn fill(router: &Router, sku: &Sku) {
    stock(router, sku, 1).await;
    let Command::Movement(movement) = receive(sku, 5) else {
        unreachable!("it is a movement")
    };
    let movement = Movement {
        location: store(),
        ..*movement
    };
    run(router, Command::Movement(Box::new(movement)))
        .await
        .expect("the stock is received");
}

async fn is_closed(router: &Router, sku: &Sku) -> bool {
    let told = run(router, at_store(sku)).await;
    matches!(told, Ok(holdfast_core::Answer::Refused { refusal, .. })
        if matches!(*refusal, Refusal::LocationClosed(_)))
}

async fn sells(
    router: &Router,
    selling: bool,
    deadline: Deadline,
) -> Result<holdfast_core::LocationRecord, Unavailable> {
    let selling = Patch::Set(selling);
    let told = router.configure_location(store(), selling, Cause::default(), deadline);
    told.await
}

#[tokio::test]
async fn a_location_is_closed_on_every_shard_and_closing_it_again_records_nothing() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 3)).await;
    let router = runtime.router();
    let skus = [0, 1, 2].map(|shard| sku_on(&router, shard));
    for sku in &skus {
        fill(&router, sku).await;
    }
    let first = sells(&router, false, soon()).await.expect("all are told");
    assert!(!first.selling);
    for sku in &skus {
        assert!(is_closed(&router, sku).await, "{sku}");
    }
    let before: Vec<u64> = router.shards().iter().map(|shard| shard.seq).collect();
    let again = sells(&router, false, soon()).await.expect("all know");
    assert_eq!(again, first);
    let after: Vec<u64> = router.shards().iter().map(|shard| shard.seq).collect();
    assert_eq!(before, after);
    let known = router.locations(None, 10).await.expect("listed");
    assert_eq!(known, [first]);
    let opened = sells(&router, true, soon()).await.expect("all are told");
    assert!(again.version < opened.version);
    for sku in &skus {
        assert!(!is_closed(&router, sku).await, "{sku}");
    }
    runtime.halt().await;
}

#[tokio::test]
async fn a_shard_that_was_down_hears_of_a_closed_location_at_its_next_start() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 2);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (tee, mug) = (sku_on(&router, 0), sku_on(&router, 1));
    fill(&router, &tee).await;
    fill(&router, &mug).await;
    sells(&router, true, soon()).await.expect("all are told");
    runtime.halt().await;
    let ledger = settings.data.dir.join("shard-01").join("ledger.redb");
    let kept = std::fs::read(&ledger).expect("the ledger");
    let mut damaged = kept.clone();
    damaged[4096..].fill(0xa5);
    std::fs::write(&ledger, damaged).expect("written");

    let runtime = start(&settings).await;
    let router = runtime.router();
    until_state(&router, 1, ShardState::Quarantined).await;
    let deadline = Deadline::within(Duration::from_millis(300));
    let told = sells(&router, false, deadline).await;
    assert!(
        matches!(told, Err(Unavailable::Down { shard: 1, .. })),
        "{told:?}"
    );
    // The others have it, and the list says so.
    assert!(is_closed(&router, &tee).await);
    let known = router.locations(None, 10).await.expect("listed");
    assert!(!known[0].selling);
    // What leaves out a shard is no list of shortfalls.
    assert!(router.shortfalls(None, 10).await.is_err());
    runtime.halt().await;

    std::fs::write(&ledger, kept).expect("written");
    let runtime = start(&settings).await;
    let router = runtime.router();
    until_state(&router, 1, ShardState::Serving).await;
    let mut tries = 0;
    while !is_closed(&router, &mug).await {
        tries += 1;
        assert!(tries < 1_000, "the shard never heard of it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seq = router.shards()[1].seq;
    runtime.halt().await;
    // It is in that shard's own ledger.
    let runtime = start(&settings).await;
    let router = runtime.router();
    assert!(seq > 0 && is_closed(&router, &mug).await);
    runtime.halt().await;
}

#[tokio::test]
async fn shortfalls_are_listed_with_the_orders_they_leave_without_and_the_newest_are_released() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 2)).await;
    let router = runtime.router();
    let (tee, mug) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &tee, 4).await;
    stock(&router, &mug, 4).await;
    let first = view(run(&router, reserve_for(&mug, 2, "o1", "ann")).await);
    // A cart homed on the other shard.
    let Command::Reserve(mut cart) = reserve_for(&tee, 1, "o2", "ben") else {
        unreachable!("it is a reserve")
    };
    cart.lines.push(line(&mug, 1));
    let cart = view(run(&router, Command::Reserve(cart)).await);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let last = view(run(&router, reserve_for(&mug, 1, "o3", "ann")).await);
    let (delta, force) = (-3, true);
    let less = Movement::new(mug.clone(), MovementKind::Adjust { delta, force });
    run(&router, Command::Movement(Box::new(less)))
        .await
        .expect("it is recorded");
    let short = router.shortfalls(None, 10).await.expect("listed");
    assert_eq!(short.len(), 1);
    let short = &short[0];
    assert_eq!((short.on_hand, short.reserved, short.units), (1, 4, 3));
    let named = short.affected.iter().map(|affected| {
        let order = affected.order_ref.as_ref().map(ToString::to_string);
        (affected.id, order.unwrap_or_default(), affected.without)
    });
    let expected = [(&first, "o1", 1), (&cart, "o2", 1), (&last, "o3", 1)];
    let expected = expected.map(|(view, order, units)| (view.id, order.to_owned(), units));
    assert_eq!(named.collect::<Vec<_>>(), expected);
    let after = (mug.clone(), Location::main());
    let rest = router.shortfalls(Some(after), 10).await;
    assert_eq!(rest, Ok(Vec::new()));

    let policy = Configure {
        on_shortfall: Patch::Set(OnShortfall::ReleaseNewest),
        ..configure(&mug)
    };
    run(&router, Command::Configure(Box::new(policy)))
        .await
        .expect("configured");
    let mut tries = 0;
    while router.sku(&mug).is_some_and(|view| view.shortfall() > 0) {
        tries += 1;
        assert!(tries < 1_000, "nothing was released");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let last = view(router.reservation(last.id, soon()).await);
    assert_eq!(last.status, Status::Released);
    runtime.halt().await;
}
