//! Look-ups by order reference, customer and SKU.

mod common;

use common::*;
use holdfast_core::{Millis, ReservationId, Status};
use holdfast_runtime::{Clock, LookupFilter, LookupPage, Router};
use std::time::Duration;
use tempfile::TempDir;

/// Waits until the indexes have caught up with the ledgers.
async fn caught_up(router: &Router) {
    for _ in 0..1000 {
        let page = router
            .lookup(LookupFilter::default(), None, 1)
            .await
            .expect("a page");
        let shards = router.shards();
        let is_there = |(shard, seq, _): &(u16, u64, _)| shards[usize::from(*shard)].seq <= *seq;
        if page.as_of.len() == shards.len() && page.as_of.iter().all(is_there) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the indexes never caught up");
}

fn ids(page: &LookupPage) -> Vec<ReservationId> {
    page.items.iter().map(|view| view.id).collect()
}

fn by_order(order: &str) -> LookupFilter {
    LookupFilter {
        order_ref: Some(text(order)),
        ..LookupFilter::default()
    }
}

#[tokio::test]
async fn reservations_are_found_by_order_customer_and_sku_newest_first_as_they_stand() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 2);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (tee, mug) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &tee, 100).await;
    stock(&router, &mug, 100).await;
    let mut made = Vec::new();
    for (sku, order, customer) in [
        (&tee, "order-1", "ann"),
        (&mug, "order-1", "ann"),
        (&tee, "order-2", "bob"),
        (&mug, "order-3", "ann"),
    ] {
        hands.advance(Millis::new(10));
        made.push(view(run(&router, reserve_for(sku, 1, order, customer)).await).id);
    }
    view(run(&router, confirm(made[1])).await);
    caught_up(&router).await;

    let page = router
        .lookup(by_order("order-1"), None, 10)
        .await
        .expect("a page");
    assert_eq!(ids(&page), [made[1], made[0]]);
    assert_eq!(page.items[0].status, Status::Confirmed);
    assert_eq!(
        (page.next, page.missing.len(), page.as_of.len()),
        (None, 0, 2)
    );

    let ann = LookupFilter {
        customer: Some(text("ann")),
        ..LookupFilter::default()
    };
    let page = router.lookup(ann.clone(), None, 2).await.expect("a page");
    assert_eq!(ids(&page), [made[3], made[1]]);
    let page = router
        .lookup(ann.clone(), page.next, 2)
        .await
        .expect("a page");
    assert_eq!((ids(&page), page.next), (vec![made[0]], None));

    let open = LookupFilter {
        status: Some(Status::Open),
        ..ann
    };
    let page = router.lookup(open, None, 10).await.expect("a page");
    assert_eq!(ids(&page), [made[3], made[0]]);
    let by_sku = LookupFilter {
        sku: Some(tee.clone()),
        ..LookupFilter::default()
    };
    let page = router.lookup(by_sku, None, 10).await.expect("a page");
    assert_eq!(ids(&page), [made[2], made[0]]);
    let page = router
        .lookup(LookupFilter::default(), None, 10)
        .await
        .expect("a page");
    assert_eq!(ids(&page), made.iter().rev().copied().collect::<Vec<_>>());
    let page = router
        .lookup(by_order("order-9"), None, 10)
        .await
        .expect("a page");
    assert!(page.items.is_empty() && page.next.is_none());
    runtime.halt().await;
}

#[tokio::test]
async fn an_index_goes_on_after_a_restart_and_a_crash_of_its_shard() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 1);
    let tee = sku("TEE-RED-M");
    let runtime = start(&settings).await;
    let router = runtime.router();
    stock(&router, &tee, 100).await;
    let first = view(run(&router, reserve_for(&tee, 1, "order-1", "ann")).await).id;
    caught_up(&router).await;
    router.crash(0);
    eventually("it was rebuilt", || router.shards()[0].restarts == 1).await;
    until_state(&router, 0, holdfast_runtime::ShardState::Serving).await;
    let second = view(run(&router, reserve_for(&tee, 1, "order-1", "ann")).await).id;
    caught_up(&router).await;
    let page = router
        .lookup(by_order("order-1"), None, 10)
        .await
        .expect("a page");
    assert_eq!(ids(&page), [second, first]);
    runtime.halt().await;
    let runtime = start(&settings).await;
    let router = runtime.router();
    let third = view(run(&router, reserve_for(&tee, 1, "order-1", "ann")).await).id;
    caught_up(&router).await;
    let page = router
        .lookup(by_order("order-1"), None, 10)
        .await
        .expect("a page");
    assert_eq!(ids(&page), [third, second, first]);
    runtime.halt().await;
}

#[tokio::test]
async fn a_damaged_or_missing_index_is_built_anew_from_snapshot_and_journal() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.snapshot_after_events = 100;
    let tee = sku("TEE-RED-M");
    let runtime = start(&settings).await;
    let router = runtime.router();
    stock(&router, &tee, 10_000).await;
    for round in 0..10 {
        let order = format!("order-{round}");
        let operations = (0..100)
            .map(|_| plain(reserve_for(&tee, 1, &order, "ann")))
            .collect();
        assert!(
            router
                .batch(operations, soon())
                .await
                .iter()
                .all(Result::is_ok)
        );
    }
    runtime.halt().await;
    let path = settings.data.dir.join("shard-00").join("lookup.redb");
    for damage in ["garbage", "nothing"] {
        std::fs::remove_file(&path).expect("there was an index");
        if damage == "garbage" {
            std::fs::write(&path, vec![7; 100_000]).expect("written");
        }
        let runtime = start(&settings).await;
        let router = runtime.router();
        caught_up(&router).await;
        let page = router
            .lookup(by_order("order-3"), None, 200)
            .await
            .expect("a page");
        assert_eq!(page.items.len(), 100, "{damage}");
        runtime.halt().await;
    }
}

#[tokio::test]
async fn what_its_shard_has_forgotten_is_not_found() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 100).await;
    let old = view(run(&router, reserve_for(&tee, 1, "order-1", "ann")).await).id;
    view(run(&router, release(old)).await);
    hands.advance(Millis::from_secs(2 * 86_400));
    eventually("it is forgotten", || {
        router.shards()[0].fill.reservations == 0
    })
    .await;
    let new = view(run(&router, reserve_for(&tee, 1, "order-1", "ann")).await).id;
    caught_up(&router).await;
    let page = router
        .lookup(by_order("order-1"), None, 10)
        .await
        .expect("a page");
    assert_eq!(ids(&page), [new]);
    runtime.halt().await;
}
