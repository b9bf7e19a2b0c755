//! The way of a reservation through a runtime: durable answers, reads, keys, expiry, overload.

mod common;

use common::*;
use holdfast_core::{Answer, Command, Millis, Refusal, ReservationId, Status};
use holdfast_runtime::{Clock, Deadline, Fate, Unavailable};
use std::time::Duration;
use tempfile::TempDir;

#[tokio::test]
async fn a_reservation_is_made_confirmed_and_read_back() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 2)).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 5).await;
    let made = view(run(&router, reserve(&tee, 2)).await);
    assert_eq!(made.status, Status::Open);
    assert_eq!(made.id.slot(), tee.slot());
    let sold = view(run(&router, confirm(made.id)).await);
    assert_eq!(sold.status, Status::Confirmed);
    let read = view(router.reservation(made.id, soon()).await);
    assert_eq!((read.id, read.status), (made.id, Status::Confirmed));
    let unknown = ReservationId::from_u128(made.id.as_u128() ^ (1 << 40)).expect("an id");
    let told = router.reservation(unknown, soon()).await;
    assert!(matches!(refusal(told), Refusal::UnknownReservation(_)));
    runtime.halt().await;
}

#[tokio::test]
async fn a_caller_reads_its_own_writes_from_the_board() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 2)).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 50).await;
    for taken in 1..=20 {
        let made = view(run(&router, reserve(&tee, 1)).await);
        let shown = router.sku(&tee).expect("it is on the board");
        assert_eq!(shown.available(), 50 - taken);
        assert!(made.id.at() <= shown.at);
    }
    let listed = router.skus("TEE", None, 10);
    assert_eq!(
        listed
            .iter()
            .map(holdfast_core::SkuView::available)
            .collect::<Vec<_>>(),
        [30]
    );
    runtime.halt().await;
}

#[tokio::test]
async fn a_batch_over_two_shards_answers_in_order_and_replays_a_key_within_itself() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 2)).await;
    let router = runtime.router();
    let (left, right) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &left, 3).await;
    stock(&router, &right, 3).await;
    let operations = vec![
        keyed(1, reserve(&left, 1)),
        keyed(2, reserve(&right, 2)),
        keyed(1, reserve(&left, 1)),
        keyed(3, reserve(&right, 2)),
        plain(reserve(&sku("NOBODY-KNOWS"), 1)),
    ];
    let told = router.batch(operations, soon()).await;
    assert_eq!(told.len(), 5);
    assert!(!is_replayed(&told[0]));
    assert!(is_replayed(&told[2]));
    let ids: Vec<_> = [0, 1, 2].map(|at| view(told[at].clone()).id).into();
    assert_eq!(ids[0], ids[2]);
    assert_eq!(ids[1].slot(), right.slot());
    assert!(matches!(
        refusal(told[3].clone()),
        Refusal::InsufficientStock(_)
    ));
    assert!(matches!(refusal(told[4].clone()), Refusal::UnknownSku(_)));
    assert_eq!(router.sku(&left).expect("known").available(), 2);
    runtime.halt().await;
}

/// The lines of such a refusal showed the sequence of one shard as a position in another's ledger.
#[tokio::test]
async fn a_refusal_over_two_shards_shows_each_line_as_last_committed_on_its_own() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 2)).await;
    let router = runtime.router();
    let (left, right) = (sku_on(&router, 0), sku_on(&router, 1));
    stock(&router, &left, 3).await;
    for _ in 0..5 {
        stock(&router, &right, 3).await;
    }
    let Command::Reserve(mut cart) = reserve(&left, 9) else {
        unreachable!("it is a reserve")
    };
    cart.lines.push(line(&right, 99));
    let told = run(&router, Command::Reserve(cart)).await;
    let Ok(Answer::Refused { refusal, seq, .. }) = told else {
        panic!("it is refused: {told:?}")
    };
    assert!(matches!(&*refusal, Refusal::InsufficientStock(lines) if lines.len() == 2));
    assert_eq!(seq, 0);
    for (shard, sku) in [(0, &left), (1, &right)] {
        let last = router.shards()[shard].seq;
        assert_eq!(router.position(sku, seq), router.position(sku, last));
    }
    runtime.halt().await;
}

#[tokio::test]
async fn concurrent_repeats_of_a_key_have_one_effect() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 1)).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 100).await;
    let repeats: Vec<_> = (0..50)
        .map(|_| {
            let (router, operation) = (router.clone(), keyed(7, reserve(&tee, 1)));
            tokio::spawn(async move { router.execute(operation, soon()).await })
        })
        .collect();
    let mut ids = Vec::new();
    let mut replayed = 0;
    for repeat in repeats {
        let told = repeat.await.expect("it ends");
        replayed += usize::from(is_replayed(&told));
        ids.push(view(told).id);
    }
    ids.dedup();
    assert_eq!((ids.len(), replayed), (1, 49));
    assert_eq!(router.sku(&tee).expect("known").available(), 99);
    let mut other = keyed(7, reserve(&tee, 2));
    other.key.as_mut().expect("it has one").content = 2;
    let told = router.execute(other, soon()).await;
    assert_eq!(refusal(told), Refusal::KeyReused);
    runtime.halt().await;
}

#[tokio::test]
async fn a_key_whose_try_was_refused_is_free_again() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 1)).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 1).await;
    let told = router.execute(keyed(1, reserve(&tee, 2)), soon()).await;
    assert!(matches!(refusal(told), Refusal::InsufficientStock(_)));
    assert_eq!(router.keys(), 0);
    let told = router.execute(keyed(1, reserve(&tee, 1)), soon()).await;
    assert!(!is_replayed(&told));
    assert_eq!(router.keys(), 1);
    runtime.halt().await;
}

#[tokio::test]
async fn no_reply_overtakes_its_commit_and_the_board_shows_only_commits() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 2).await;
    disk.hold();
    let first = tokio::spawn({
        let (router, command) = (router.clone(), reserve(&tee, 1));
        async move { run(&router, command).await }
    });
    let second = tokio::spawn({
        let (router, command) = (router.clone(), reserve(&tee, 1));
        async move { run(&router, command).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!first.is_finished() && !second.is_finished());
    assert_eq!(router.sku(&tee).expect("known").available(), 2);
    // These refusals lean on the two staged ones, so they wait for them, a whole message too.
    let message = tokio::spawn({
        let (router, operation) = (router.clone(), plain(reserve(&tee, 1)));
        async move { router.batch(vec![operation], soon()).await }
    });
    let refused = tokio::spawn({
        let (router, command) = (router.clone(), reserve(&tee, 1));
        async move { run(&router, command).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!refused.is_finished() && !message.is_finished());
    disk.let_go();
    assert_eq!(view(first.await.expect("it ends")).status, Status::Open);
    assert_eq!(view(second.await.expect("it ends")).status, Status::Open);
    let mut told = message.await.expect("it ends");
    told.push(refused.await.expect("it ends"));
    for told in told {
        assert!(matches!(refusal(told), Refusal::InsufficientStock(_)));
    }
    assert_eq!(router.sku(&tee).expect("known").available(), 0);
    runtime.halt().await;
}

#[tokio::test]
async fn sold_out_is_answered_while_the_disk_stands_still() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (tee, mug) = (sku("TEE-RED-M"), sku("MUG"));
    stock(&router, &tee, 1).await;
    stock(&router, &mug, 5).await;
    view(run(&router, reserve(&tee, 1)).await);
    disk.hold();
    let held_up = tokio::spawn({
        let (router, command) = (router.clone(), reserve(&mug, 1));
        async move { run(&router, command).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let syncs = disk.syncs.load(std::sync::atomic::Ordering::SeqCst);
    let told = run(&router, reserve(&tee, 1)).await;
    assert!(matches!(refusal(told), Refusal::InsufficientStock(_)));
    assert_eq!(disk.syncs.load(std::sync::atomic::Ordering::SeqCst), syncs);
    assert!(!held_up.is_finished());
    disk.let_go();
    view(held_up.await.expect("it ends"));
    runtime.halt().await;
}

#[tokio::test]
async fn without_a_permit_the_answer_is_overloaded_at_once_and_a_pause_still_works() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.permits = 8;
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 1000).await;
    disk.hold();
    let operations = (0..20).map(|_| plain(reserve(&tee, 1))).collect();
    let batch = tokio::spawn({
        let router = router.clone();
        async move { router.batch(operations, soon()).await }
    });
    eventually("the batch takes the permits", || {
        router.shards()[0].permits_used == 8
    })
    .await;
    for _ in 0..1000 {
        let told = run(&router, reserve(&tee, 1)).await;
        assert_eq!(told, Err(Unavailable::Overloaded { shard: 0 }));
    }
    assert!(router.shards()[0].queued <= 1);
    let paused = tokio::spawn({
        let (router, command) = (router.clone(), pause(&tee));
        async move { run(&router, command).await }
    });
    eventually("the pause is under way", || {
        router.shards()[0].config_permits_used == 1
    })
    .await;
    disk.let_go();
    assert!(matches!(
        paused.await.expect("it ends"),
        Ok(Answer::Sku { .. })
    ));
    let told = batch.await.expect("it ends");
    let overloaded =
        |told: &&holdfast_runtime::Told| matches!(told, Err(Unavailable::Overloaded { .. }));
    assert_eq!(told.iter().filter(overloaded).count(), 12);
    assert!(told[8..].iter().all(|told| overloaded(&told)));
    assert!(matches!(
        refusal(run(&router, reserve(&tee, 1)).await),
        Refusal::SalePaused(_)
    ));
    assert_eq!(router.shards()[0].permits_used, 0);
    runtime.halt().await;
}

#[tokio::test]
async fn a_command_past_its_deadline_or_without_a_caller_is_dropped_before_it_begins() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 1)).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 10).await;
    let past = Deadline::within(Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let told = router.execute(plain(reserve(&tee, 1)), past).await;
    assert_eq!(told, Err(Unavailable::Deadline));
    assert_eq!(Unavailable::Deadline.fate(), Fate::NotApplied);
    // On this runtime of one thread the shard runs only once this task waits again.
    let mut gone = Box::pin(router.execute(keyed(1, reserve(&tee, 1)), soon()));
    let waker = std::task::Waker::noop();
    let polled = gone
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    drop(gone);
    eventually("both are dropped", || {
        router.stats()[0]
            .dropped
            .load(std::sync::atomic::Ordering::SeqCst)
            == 2
    })
    .await;
    assert_eq!(router.keys(), 0);
    assert_eq!(router.sku(&tee).expect("known").available(), 10);
    runtime.halt().await;
}

#[tokio::test]
async fn a_deadline_that_passes_frees_the_units_by_itself() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 2).await;
    let short = view(run(&router, reserve_ttl(&tee, 1, Millis::from_secs(1))).await);
    let long = view(run(&router, reserve_ttl(&tee, 1, Millis::from_secs(60))).await);
    assert_eq!(router.sku(&tee).expect("known").available(), 0);
    hands.advance(Millis::new(999));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(router.sku(&tee).expect("known").available(), 0);
    hands.advance(Millis::new(1));
    eventually("the timer fires", || {
        router.sku(&tee).expect("known").available() == 1
    })
    .await;
    assert_eq!(
        view(router.reservation(short.id, soon()).await).status,
        Status::Expired
    );
    assert_eq!(
        view(router.reservation(long.id, soon()).await).status,
        Status::Open
    );
    runtime.halt().await;
}

#[tokio::test]
async fn a_thousand_lapsed_reservations_expire_in_bounded_turns_while_commands_go_on() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.policy.expire_per_turn = 16;
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 1000).await;
    let ttl = Millis::from_secs(1);
    let operations = (0..1000)
        .map(|_| plain(reserve_ttl(&tee, 1, ttl)))
        .collect();
    let told = router.batch(operations, soon()).await;
    assert!(told.iter().all(Result::is_ok));
    hands.advance(ttl);
    // It meets them all, over many turns, before it can be decided.
    let all = view(run(&router, reserve(&tee, 1000)).await);
    assert_eq!(all.status, Status::Open);
    assert_eq!(
        router.stats()[0]
            .expired
            .load(std::sync::atomic::Ordering::SeqCst),
        1000
    );
    runtime.halt().await;
}

#[tokio::test]
async fn expiry_pauses_while_the_wall_clock_is_ahead_and_goes_on_when_it_is_put_right() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 1).await;
    view(run(&router, reserve_ttl(&tee, 1, Millis::from_secs(1))).await);
    hands.set_wall(timestamp(3_600_000));
    assert!(router.clock().now().paused);
    hands.advance(Millis::from_secs(2));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(router.sku(&tee).expect("known").available(), 0);
    hands.set_wall(timestamp(3000));
    eventually("expiry goes on", || {
        router.sku(&tee).expect("known").available() == 1
    })
    .await;
    runtime.halt().await;
}

#[tokio::test]
async fn a_full_table_refuses_reserves_and_forgets_nothing() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.policy.reservations_max = 2;
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 10).await;
    let first = view(run(&router, reserve(&tee, 1)).await);
    view(run(&router, reserve(&tee, 1)).await);
    view(run(&router, release(first.id)).await);
    let told = run(&router, reserve(&tee, 1)).await;
    assert_eq!(told, Err(Unavailable::Full("reservations")));
    assert_eq!(
        view(router.reservation(first.id, soon()).await).status,
        Status::Released
    );
    runtime.halt().await;
}

#[tokio::test]
async fn what_is_past_its_retention_is_forgotten_and_its_key_is_free() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 10).await;
    let told = router.execute(keyed(1, reserve(&tee, 1)), soon()).await;
    let first = view(told);
    view(run(&router, release(first.id)).await);
    assert_eq!(router.keys(), 1);
    hands.advance(Millis::from_secs(2 * 86_400));
    eventually("the key is forgotten", || router.keys() == 0).await;
    eventually("the reservation is", || {
        router.shards()[0].fill.reservations == 0
    })
    .await;
    let told = router.reservation(first.id, soon()).await;
    assert!(matches!(refusal(told), Refusal::ReservationForgotten(_)));
    let told = router.execute(keyed(1, reserve(&tee, 1)), soon()).await;
    assert!(!is_replayed(&told));
    runtime.halt().await;
}

#[tokio::test]
async fn a_command_of_another_kind_than_callers_send_does_no_harm() {
    let dir = TempDir::new().expect("a directory");
    let runtime = start(&settings(&dir, 1)).await;
    let router = runtime.router();
    let tee = sku("TEE-RED-M");
    stock(&router, &tee, 1).await;
    let made = view(run(&router, reserve(&tee, 1)).await);
    let told = run(&router, Command::CloseCart(made.id)).await;
    assert!(told.is_ok());
    assert_eq!(
        view(router.reservation(made.id, soon()).await).status,
        Status::Open
    );
    runtime.halt().await;
}
