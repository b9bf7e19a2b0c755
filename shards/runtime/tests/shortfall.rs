//! Holds whose units are gone, of carts over several shards: their homes release them.

mod common;

use common::*;
use holdfast_core::{
    Answer, Command, Configure, Count, Counter, Measure, Millis, MovementKind, OnShortfall, Patch,
    ReservationId, ReservationView, Sku,
};
use holdfast_runtime::Router;
use tempfile::TempDir;

/// A SKU whose newest holds are released where a shortfall leaves them without units.
async fn releases_newest(router: &Router, sku: &Sku) {
    let settings = Configure {
        on_shortfall: Patch::Set(OnShortfall::ReleaseNewest),
        ..configure(sku)
    };
    run(router, Command::Configure(Box::new(settings)))
        .await
        .expect("it is set");
}

fn count_now(sku: &Sku, counted: u64) -> Command {
    moved(
        sku,
        MovementKind::Count(Box::new(Count {
            counted,
            measure: Measure::Physical,
            excludes_returned: false,
            excludes_damaged: false,
            then: None,
        })),
    )
}

/// What home says is open of each line, once it says so.
async fn is_open(router: &Router, id: ReservationId, expected: &[u32]) -> ReservationView {
    let mut told = view(router.reservation(id, soon()).await);
    for _ in 0..1_000 {
        let open: Vec<u32> = told.lines.iter().map(|line| line.open).collect();
        if open == expected {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        told = view(router.reservation(id, soon()).await);
    }
    panic!("never {expected:?}: {:?}", told.lines);
}

#[tokio::test]
async fn a_shortfall_releases_the_newest_holds_of_carts_of_other_shards_too_and_names_them() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, [a, b, c]) = three(&dir).await;
    let router = runtime.router();
    releases_newest(&router, &b).await;
    let oldest = cart(&router, &[(&a, 1), (&b, 4)]).await.id;
    let own = cart(&router, &[(&b, 2)]).await.id;
    let pinned = cart(&router, &[(&c, 1), (&b, 2)]).await.id;
    let pin = holdfast_core::Pin {
        id: pinned,
        duration: Millis::from_secs(600),
    };
    view(run(&router, Command::Pin(pin)).await);
    let newest = cart(&router, &[(&a, 2), (&b, 2)]).await.id;
    movement(run(&router, count_now(&b, 5)).await);
    let told = is_open(&router, newest, &[2, 0]).await;
    let released: Vec<u32> = told.lines.iter().map(|line| line.released).collect();
    assert_eq!(released, [0, 2]);
    // The pinned one stays, so the one before it goes, and then the oldest, until it fits.
    is_open(&router, own, &[0]).await;
    is_open(&router, pinned, &[1, 2]).await;
    is_open(&router, oldest, &[1, 0]).await;
    let is_settled = || {
        let stock = router.sku(&b).expect("it is there");
        stock.total(Counter::Reserved) == 2
    };
    eventually("what home released is free", is_settled).await;
    caught_up(&router).await;
    let page = router.statement(&b, 0, 100).await.expect("a page");
    let mut shortfalls = page
        .entries
        .iter()
        .filter_map(|entry| entry.details.shorted.as_ref());
    let first = shortfalls.next().expect("it fell short");
    assert_eq!(first.named, [(own, 1), (pinned, 2), (newest, 2)]);
    assert_eq!(first.more, 0);
    assert_eq!(shortfalls.next(), None, "the releases take no units away");
    runtime.halt().await;
}

async fn caught_up(router: &Router) {
    eventually("the statements have caught up", || {
        (0..router.placement().shards()).all(|shard| router.statement_lag(shard) == Some(0))
    })
    .await;
}

#[tokio::test]
async fn a_release_for_a_shortfall_waits_for_a_home_that_is_down_and_never_undoes_a_confirm() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, [a, b, _]) = three(&dir).await;
    let router = runtime.router();
    releases_newest(&router, &b).await;
    let mut carts = Vec::new();
    for _ in 0..5 {
        carts.push(cart(&router, &[(&a, 1), (&b, 2)]).await.id);
    }
    movement(run(&router, count_now(&b, 3)).await);
    router.crash(0);
    let mut sold = 0;
    for id in &carts {
        // Whether the release or the confirm comes first, one of them has it.
        for _ in 0..200 {
            match run(&router, confirm(*id)).await {
                Ok(Answer::Reservation { .. }) => {
                    sold += 1;
                    break;
                }
                Ok(_) => break,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    }
    for id in &carts {
        let mut told = view(router.reservation(*id, soon()).await);
        for _ in 0..500 {
            if told.lines[1].open == 0 || told.lines[1].confirmed > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            told = view(router.reservation(*id, soon()).await);
        }
        for line in &told.lines {
            let ends = [line.confirmed, line.released].map(|units| u32::from(units > 0));
            assert!(ends[0] + ends[1] <= 1, "{line:?} has two ends");
        }
    }
    let is_over = || {
        let stock = router.sku(&b).expect("it is there");
        stock.shortfall() == 0
    };
    eventually("nothing is held that is not there", is_over).await;
    assert!(sold <= 5);
    runtime.halt().await;
}
