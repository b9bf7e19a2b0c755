//! What a shard survives: panics, failing disks, damaged files, drains and restarts.

mod common;

use common::*;
use holdfast_core::{Refusal, ReservationId, Sku, Status};
use holdfast_ledger::LedgerError;
use holdfast_runtime::{Fate, Readiness, Router, Runtime, ShardState, StartError, Unavailable};
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;

/// Retries as a caller would, until the shard is back.
async fn persist(router: &Router, number: u64, sku: &Sku) -> holdfast_runtime::Told {
    for _ in 0..1000 {
        let told = router.execute(keyed(number, reserve(sku, 1)), soon()).await;
        if told.is_ok() {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the shard never came back");
}

#[tokio::test]
async fn a_shard_that_panics_comes_back_with_its_state_and_its_keys() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 2)).await;
    let router = runtime.router();
    let (tee, mug) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &tee, 10).await;
    stock(&router, &mug, 10).await;
    let first = view(router.execute(keyed(1, reserve(&tee, 3)), soon()).await);
    router.crash(0);
    // The neighbour serves all the while.
    view(run(&router, reserve(&mug, 1)).await);
    eventually("it was rebuilt", || router.shards()[0].restarts == 1).await;
    until_state(&router, 0, ShardState::Serving).await;
    let told = router.execute(keyed(1, reserve(&tee, 3)), soon()).await;
    assert!(is_replayed(&told));
    assert_eq!(view(told).id, first.id);
    assert_eq!(router.sku(&tee).expect("known").available(), 7);
    let second = view(run(&router, reserve(&tee, 1)).await);
    assert!(first.id.opening() < second.id.opening());
    runtime.halt().await;
}

#[tokio::test]
async fn commands_begun_before_a_panic_are_lost_and_those_still_queued_are_not_applied() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.restart.pause_min = Duration::from_millis(200);
    settings.restart.pause_max = Duration::from_millis(400);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 10).await;
    disk.hold();
    let begun = tokio::spawn({
        let (router, operation) = (router.clone(), keyed(1, reserve(&tee, 1)));
        async move { router.execute(operation, soon()).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    // On this runtime of one thread both are in the mailbox before the shard wakes.
    router.crash(0);
    let queued = run(&router, reserve(&tee, 1)).await;
    assert_eq!(queued, Err(Unavailable::Recovering { shard: 0 }));
    let lost = begun.await.expect("it ends").expect_err("the shard died");
    assert_eq!(lost, Unavailable::Lost { shard: 0 });
    assert_eq!(
        (lost.fate(), queued.expect_err("as above").fate()),
        (Fate::Unknown, Fate::NotApplied,)
    );
    assert_eq!(
        run(&router, reserve(&tee, 1)).await,
        Err(Unavailable::Recovering { shard: 0 })
    );
    disk.let_go();
    // The commit that was under way is simply true.
    let told = persist(&router, 1, &tee).await;
    assert!(is_replayed(&told));
    assert_eq!(router.sku(&tee).expect("known").available(), 9);
    assert_eq!(router.shards()[0].permits_used, 0);
    runtime.halt().await;
}

#[tokio::test]
async fn a_failed_sync_stops_the_shard_until_a_rescue_copy_serves() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 2);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (tee, mug) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &tee, 10).await;
    stock(&router, &mug, 10).await;
    let kept = view(router.execute(keyed(1, reserve(&tee, 1)), soon()).await);
    disk.fail();
    let told = router.execute(keyed(2, reserve(&tee, 1)), soon()).await;
    assert_eq!(told.expect_err("the disk failed").fate(), Fate::Unknown);
    until_state(&router, 0, ShardState::Down).await;
    let told = run(&router, reserve(&tee, 1))
        .await
        .expect_err("it is down");
    assert!(matches!(&told, Unavailable::Down { shard: 0, reason } if reason.contains("planted")));
    view(run(&router, reserve(&mug, 1)).await);
    assert_eq!(router.is_ready(), Readiness::Ready);
    assert_eq!(disk.rescues.load(Ordering::SeqCst), 0);
    disk.heal();
    until_state(&router, 0, ShardState::Serving).await;
    assert_eq!(disk.rescues.load(Ordering::SeqCst), 1);
    assert_eq!(view(persist(&router, 1, &tee).await).id, kept.id);
    // Whether the second had reached the disk is open; the retry has one effect either way.
    view(persist(&router, 2, &tee).await);
    assert_eq!(router.sku(&tee).expect("known").available(), 8);
    runtime.halt().await;
}

#[tokio::test]
async fn a_shard_that_keeps_dying_is_marked_down_and_still_tried() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.restart.max = 2;
    settings.restart.pause_max = Duration::from_millis(300);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 10).await;
    for death in 1..=3 {
        until_state(&router, 0, ShardState::Serving).await;
        router.crash(0);
        eventually("it died", || router.shards()[0].restarts == death).await;
    }
    until_state(&router, 0, ShardState::Down).await;
    assert_eq!(router.is_ready(), Readiness::NoShardWrites);
    until_state(&router, 0, ShardState::Serving).await;
    view(run(&router, reserve(&tee, 1)).await);
    runtime.halt().await;
}

#[tokio::test]
async fn a_damaged_ledger_is_quarantined_with_a_report_and_the_others_serve() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 2);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (tee, mug) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &tee, 10).await;
    stock(&router, &mug, 10).await;
    runtime.halt().await;
    let path = settings.data.dir.join("shard-00").join("ledger.redb");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the ledger");
    let len = file.metadata().expect("its size").len();
    file.seek(SeekFrom::Start(4096)).expect("within the file");
    file.write_all(&vec![0xa5; (len - 4096) as usize])
        .expect("written");
    drop(file);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let status = router.shards();
    assert_eq!(status[0].state, ShardState::Quarantined);
    let reason = status[0].reason.as_ref().expect("a report");
    assert!(
        reason.contains("shard 0") && reason.contains("corrupt"),
        "{reason}"
    );
    assert_eq!(status[1].state, ShardState::Serving);
    view(run(&router, reserve(&mug, 1)).await);
    let told = run(&router, reserve(&tee, 1))
        .await
        .expect_err("it is quarantined");
    assert!(matches!(&told, Unavailable::Down { shard: 0, .. }));
    assert_eq!(told.fate(), Fate::NotApplied);
    assert_eq!(router.is_ready(), Readiness::Ready);
    runtime.halt().await;
}

#[tokio::test]
async fn the_ledger_of_another_shard_refuses_the_start() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 2);
    start(&settings).await.halt().await;
    let ledger = |shard: &str| settings.data.dir.join(shard).join("ledger.redb");
    std::fs::copy(ledger("shard-01"), ledger("shard-00")).expect("copied");
    let Err(error) = Runtime::start(settings.clone()).await else {
        panic!("it started")
    };
    assert!(
        matches!(
            error,
            StartError::Ledger(LedgerError::Identity { shard: 0, .. })
        ),
        "{error}"
    );
    // The refusal leaves nothing open or locked behind.
    std::fs::remove_file(ledger("shard-00")).expect("removed");
    let runtime = start(&settings).await;
    assert_eq!(runtime.router().shards()[0].state, ShardState::Quarantined);
    runtime.halt().await;
}

#[tokio::test]
async fn a_second_runtime_on_the_same_directory_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 1);
    let runtime = start(&settings).await;
    let Err(error) = Runtime::start(settings.clone()).await else {
        panic!("it started")
    };
    assert!(
        matches!(error, StartError::Ledger(LedgerError::Locked { .. })),
        "{error}"
    );
    runtime.halt().await;
    start(&settings).await.halt().await;
}

#[tokio::test]
async fn a_drain_finishes_queued_work_refuses_later_work_and_leaves_nothing_to_replay() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 100).await;
    disk.hold();
    let operations = (0..50).map(|_| plain(reserve(&tee, 1))).collect();
    let queued = tokio::spawn({
        let router = router.clone();
        async move { router.batch(operations, soon()).await }
    });
    eventually("it is under way", || router.shards()[0].permits_used == 50).await;
    let drain = tokio::spawn(runtime.drain(Duration::from_secs(10)));
    eventually("it drains", || router.is_ready() == Readiness::Draining).await;
    let told = run(&router, reserve(&tee, 1)).await;
    assert_eq!(told, Err(Unavailable::Draining));
    assert_eq!(
        router.reservation(ReservationId::UNMINTED, soon()).await,
        told
    );
    disk.let_go();
    assert!(
        queued
            .await
            .expect("it ends")
            .into_iter()
            .all(|told| told.is_ok())
    );
    let drained = drain.await.expect("it ends");
    assert_eq!((drained.unfinished, drained.shards), (0, 1));

    let data = holdfast_ledger::DataDir::open_read_only(&settings.data.dir).expect("unlocked");
    let view = data.view(0).expect("the ledger");
    let (head, replay_from) = (
        view.head().expect("read"),
        view.replay_from().expect("read"),
    );
    assert_eq!(replay_from, head + 1);
    drop((view, data));
    let runtime = start(&settings).await;
    assert_eq!(runtime.router().sku(&tee).expect("known").available(), 50);
    runtime.halt().await;
}

#[tokio::test]
async fn a_drain_ends_in_time_though_the_disk_stands_still() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 100).await;
    disk.hold();
    let stuck = tokio::spawn({
        let (router, command) = (router.clone(), reserve(&tee, 1));
        async move { run(&router, command).await }
    });
    eventually("it is under way", || router.shards()[0].permits_used == 1).await;
    let drain = tokio::spawn(runtime.drain(Duration::from_millis(50)));
    // Its caller hears that the outcome is open; the disk may still have it.
    let told = stuck.await.expect("it ends").expect_err("time was up");
    assert_eq!(told.fate(), Fate::Unknown);
    disk.let_go();
    let drained = drain.await.expect("it ends");
    assert_eq!((drained.unfinished, drained.shards), (1, 0));
}

#[tokio::test]
async fn snapshots_written_on_the_way_bound_what_a_restart_replays() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.snapshot_after_events = 500;
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 100_000).await;
    let mut made = Vec::new();
    for round in 0..20 {
        let numbers = round * 200..(round + 1) * 200;
        let operations = numbers
            .map(|number| keyed(number, reserve(&tee, 1)))
            .collect();
        made.extend(router.batch(operations, soon()).await.into_iter().map(view));
    }
    eventually("the snapshot catches up when idle", || {
        router.stats()[0].chunks.load(Ordering::SeqCst) > 20
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    runtime.halt().await;
    let data = holdfast_ledger::DataDir::open_read_only(&settings.data.dir).expect("unlocked");
    let ledger = data.view(0).expect("the ledger");
    let (head, from) = (
        ledger.head().expect("read"),
        ledger.replay_from().expect("read"),
    );
    assert!(head - from < 500, "{from} to {head}");
    drop((ledger, data));
    let runtime = start(&settings).await;
    let router = runtime.router();
    assert_eq!(router.sku(&tee).expect("known").available(), 96_000);
    assert_eq!(router.shards()[0].fill.open, 4000);
    let told = router.execute(keyed(17, reserve(&tee, 1)), soon()).await;
    assert!(is_replayed(&told));
    let read = view(router.reservation(made[3999].id, soon()).await);
    assert_eq!(read.status, Status::Open);
    runtime.halt().await;
}

#[tokio::test]
async fn a_journal_is_trimmed_below_its_snapshot_only_where_that_was_asked_for() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.snapshot_after_events = 50;
    settings.lookup.enabled = false;
    settings.data.journal_kept = Some(holdfast_core::Millis::from_secs(1));
    let (clock, hands) = holdfast_runtime::Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 100_000).await;
    for _ in 0..50 {
        let operations = (0..20).map(|_| plain(reserve(&tee, 1))).collect();
        router.batch(operations, soon()).await;
        hands.advance(holdfast_core::Millis::new(100));
    }
    runtime.halt().await;
    let data = holdfast_ledger::DataDir::open_read_only(&settings.data.dir).expect("unlocked");
    let ledger = data.view(0).expect("the ledger");
    let (oldest, from) = (
        ledger.oldest().expect("read"),
        ledger.replay_from().expect("read"),
    );
    assert!(1 < oldest && oldest <= from, "{oldest} {from}");
    drop((ledger, data));
    let runtime = start(&settings).await;
    assert_eq!(
        runtime.router().sku(&tee).expect("known").available(),
        99_000
    );
    runtime.halt().await;
}

#[tokio::test]
async fn an_id_lost_in_a_crash_is_never_given_again() {
    let dir = TempDir::new().expect("a directory");
    let settings = settings(&dir, 1);
    let mut ids: Vec<ReservationId> = Vec::new();
    for _ in 0..3 {
        let runtime = start(&settings).await;
        let router = runtime.router();
        let tee = sku("TEE-RED-M");
        stock(&router, &tee, 10).await;
        ids.push(view(run(&router, reserve(&tee, 1)).await).id);
        runtime.halt().await;
    }
    let mut places: Vec<_> = ids.iter().map(|id| (id.opening(), id.counter())).collect();
    places.dedup();
    assert_eq!(places.len(), 3);
    let runtime = start(&settings).await;
    let router = runtime.router();
    for id in &ids {
        assert_eq!(view(router.reservation(*id, soon()).await).id, *id);
    }
    let never = ReservationId::from_u128(ids[2].as_u128() + (1 << 60)).expect("an id");
    let told = router.reservation(never, soon()).await;
    assert!(matches!(refusal(told), Refusal::UnknownReservation(_)));
    runtime.halt().await;
}
