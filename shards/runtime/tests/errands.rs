//! Commands that lean on what their shard can't know: shipments for reservations of other shards,
//! counts of the past while stock moves, and drifts about reservations of other shards.

mod common;

use common::*;
use holdfast_core::{
    Answer, At, Command, Correct, Count, Counter, DecideDrift, DriftKind, DriftRecord, DriftState,
    FromHome, KeyTag, Late, Location, Measure, Millis, MovementKind, MovementOutcome, OpenDrift,
    Proposal, Refusal, ReservationId, Sale, SaleLines, Sku, Status, Then, Units, Verdict,
};
use holdfast_runtime::{Clock, Fate, NoPast, Operation, Router, ShardState, Unavailable};
use tempfile::TempDir;

fn ship(sku: &Sku, units: u32, id: ReservationId) -> Command {
    let lines = SaleLines::Here;
    let units = Units::new(units).expect("a quantity");
    let sale = Some(Box::new(Sale { id, lines }));
    moved(sku, MovementKind::Ship { units, sale })
}

async fn sold(router: &Router, lines: &[(&Sku, u32)]) -> ReservationId {
    let made = cart(router, lines).await;
    view(run(router, confirm(made.id)).await).id
}

/// What home says of how much of each line was shipped, once it says so.
async fn has_shipped(router: &Router, id: ReservationId, expected: &[u32]) {
    for _ in 0..1_000 {
        let told = view(router.reservation(id, soon()).await);
        let shipped: Vec<u32> = told.lines.iter().map(|line| line.shipped).collect();
        if shipped == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let told = view(router.reservation(id, soon()).await);
    panic!("home never heard that {expected:?} left: {:?}", told.lines);
}

#[tokio::test]
async fn a_shipment_is_booked_on_a_reservation_of_another_shard() {
    let dir = TempDir::new().expect("a directory");
    let (settings, runtime, [a, b, c]) = three(&dir).await;
    let router = runtime.router();
    let id = sold(&router, &[(&a, 1), (&b, 4), (&c, 2)]).await;
    let part = movement(run(&router, ship(&b, 3, id)).await);
    assert_eq!((part.outcome, part.drift), (MovementOutcome::Applied, None));
    has_shipped(&router, id, &[0, 3, 0]).await;
    // In a batch with others, the last of them once more than was sold.
    let told = router
        .batch(
            vec![
                plain(ship(&c, 2, id)),
                plain(ship(&a, 1, id)),
                plain(receive(&b, 1)),
                keyed(7, ship(&b, 2, id)),
            ],
            soon(),
        )
        .await;
    let told: Vec<_> = told.into_iter().map(movement).collect();
    let outcomes: Vec<_> = told.iter().map(|one| one.outcome).collect();
    assert_eq!(
        outcomes,
        [
            MovementOutcome::Applied,
            MovementOutcome::Applied,
            MovementOutcome::Applied,
            MovementOutcome::Partly
        ]
    );
    let over = told[3].drift.expect("one too many left");
    has_shipped(&router, id, &[1, 4, 2]).await;
    let Ok(Answer::Drift { view: drift, .. }) = router.drift(over).await else {
        panic!("it opened")
    };
    assert_eq!(drift.drift.kind, DriftKind::ShippedUnsold);
    assert_eq!(drift.drift.reservation, Some(id));
    // The key again, after a restart.
    runtime.halt().await;
    let runtime = start(&settings).await;
    let router = runtime.router();
    let again = router.execute(keyed(7, ship(&b, 2, id)), soon()).await;
    assert!(matches!(again, Ok(Answer::Movement { replayed: true, .. })));
    has_shipped(&router, id, &[1, 4, 2]).await;
    runtime.halt().await;
}

#[tokio::test]
async fn a_shipment_for_a_reservation_that_nobody_knows_is_booked_as_one_that_names_none() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, [a, b, _]) = three(&dir).await;
    let router = runtime.router();
    let id = sold(&router, &[(&a, 1), (&b, 2)]).await;
    let unknown = ReservationId::mint(id.at(), a.slot(), id.opening(), id.counter() + 9, 1);
    let left = movement(run(&router, ship(&b, 1, unknown)).await);
    assert_eq!((left.outcome, left.drift), (MovementOutcome::Applied, None));
    let stock = router.sku(&b).expect("it is there");
    assert_eq!(stock.total(Counter::Shipped), 1);
    // One that is known, and has sold nothing of this, is another matter.
    let other = sold(&router, &[(&a, 1)]).await;
    let left = movement(run(&router, ship(&b, 1, other)).await);
    assert_eq!(left.outcome, MovementOutcome::Partly);
    runtime.halt().await;
}

#[tokio::test]
async fn a_shipment_waits_for_no_home_that_is_down_and_its_repeat_needs_none() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 2);
    settings.restart.pause_min = std::time::Duration::from_secs(3);
    settings.restart.pause_max = std::time::Duration::from_secs(3);
    let disk = OnDisk::put_into(&mut settings);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (a, b) = (sku_on(&router, 0), sku_on(&router, 1));
    for sku in [&a, &b] {
        stock(&router, sku, 10).await;
    }
    let id = sold(&router, &[(&a, 1), (&b, 4)]).await;
    has_shipped(&router, id, &[0, 0]).await;
    let first = movement(router.execute(keyed(1, ship(&b, 1, id)), soon()).await);
    has_shipped(&router, id, &[0, 1]).await;
    disk.fail();
    let lost = run(&router, receive(&a, 1)).await;
    assert!(lost.is_err(), "{lost:?}");
    for told in [
        run(&router, ship(&b, 1, id)).await,
        router
            .batch(vec![plain(ship(&b, 1, id))], soon())
            .await
            .remove(0),
    ] {
        let why = told.expect_err("home can't be asked");
        assert_eq!(why.fate(), Fate::NotApplied, "{why}");
        assert_ne!(why, Unavailable::Unread);
    }
    let again = router.execute(keyed(1, ship(&b, 1, id)), soon()).await;
    assert_eq!(movement(again).id, first.id);
    let stock = router.sku(&b).expect("its own shard serves");
    assert_eq!(stock.total(Counter::Shipped), 1);
    disk.heal();
    until_state(&router, 0, ShardState::Serving).await;
    movement(run(&router, ship(&b, 2, id)).await);
    has_shipped(&router, id, &[0, 3]).await;
    runtime.halt().await;
}

#[tokio::test]
async fn home_hears_of_what_left_over_crashes_of_either_side() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, [a, b, c]) = three(&dir).await;
    let router = runtime.router();
    let id = sold(&router, &[(&a, 1), (&b, 6), (&c, 2)]).await;
    for (left, shard) in (0..).zip([0, 1, 2, 1, 0]) {
        router.crash(shard);
        for _ in 0..400 {
            match router
                .execute(keyed(50 + left, ship(&b, 1, id)), soon())
                .await
            {
                Ok(told) => {
                    assert_eq!(movement(Ok(told)).drift, None);
                    break;
                }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    }
    has_shipped(&router, id, &[0, 5, 0]).await;
    let stock = router.sku(&b).expect("it is there");
    assert_eq!(stock.total(Counter::Shipped), 5);
    runtime.halt().await;
}

fn count_at(sku: &Sku, counted: u64, at: At) -> Command {
    moved(
        sku,
        MovementKind::Count(Box::new(Count {
            counted,
            measure: Measure::Physical,
            excludes_returned: false,
            excludes_damaged: false,
            then: Some(Then::At(at)),
        })),
    )
}

#[tokio::test]
async fn counts_of_then_are_right_while_stock_moves() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, [a, ..]) = three(&dir).await;
    let router = runtime.router();
    let then = At::Sequence(router.sku(&a).expect("it is there").seq);
    let others = router.clone();
    let sku = a.clone();
    let busy = tokio::spawn(async move {
        for _ in 0..150 {
            run(&others, receive(&sku, 1))
                .await
                .expect("it is recorded");
        }
    });
    let mut applied = 0;
    while !busy.is_finished() {
        let told = if applied % 2 == 0 {
            run(&router, count_at(&a, 7, then)).await
        } else {
            let both = vec![plain(count_at(&a, 7, then)), plain(receive(&a, 1))];
            let told = router.batch(both, soon()).await;
            movement(told[1].clone());
            movement(
                run(
                    &router,
                    moved(
                        &a,
                        MovementKind::Adjust {
                            delta: -1,
                            force: true,
                        },
                    ),
                )
                .await,
            );
            told[0].clone()
        };
        match told {
            Ok(told) => {
                movement(Ok(told));
                applied += 1;
            }
            // Nobody else's version is told, and nothing was booked.
            Err(why) => {
                assert!(matches!(why, Unavailable::History { .. }), "{why}");
                assert_eq!(why.fate(), Fate::NotApplied);
            }
        }
    }
    busy.await.expect("it went well");
    movement(run(&router, count_at(&a, 7, then)).await);
    let stock = router.sku(&a).expect("it is there");
    // However often it was counted, 3 were missing of the 10, once: the receipts came after.
    assert_eq!(stock.total(Counter::OnHand), 7 + 150);
    runtime.halt().await;
}

#[tokio::test]
async fn a_count_is_not_compared_with_a_past_that_takes_too_long_to_read() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 1);
    settings.statement.events_per_s_max = 1;
    settings.statement.lag_max = 3;
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let tee = sku("TEE");
    stock(&router, &tee, 10).await;
    hands.advance(Millis::from_secs(1));
    for _ in 0..20 {
        run(&router, receive(&tee, 1))
            .await
            .expect("it is recorded");
    }
    let at = At::Sequence(2);
    let then = router.count_then(&tee, &Location::main(), at).await;
    assert_eq!(then, Err(NoPast::Behind));
    let why = run(&router, count_at(&tee, 9, at)).await;
    let why = why.expect_err("it is behind");
    assert!(matches!(why, Unavailable::History { .. }), "{why}");
    assert_eq!(why.fate(), Fate::NotApplied);
    assert_eq!(router.sku(&tee).expect("there").total(Counter::Adjusted), 0);
    runtime.halt().await;
}

/// A drift about a reservation, as a reconciliation opens it.
async fn drift(
    router: &Router,
    sku: &Sku,
    (kind, proposal): (DriftKind, Proposal),
    id: ReservationId,
) -> ReservationId {
    let drift = DriftRecord {
        id: ReservationId::UNMINTED,
        kind,
        sku: sku.clone(),
        location: Location::main(),
        expected: 0,
        found: 1,
        proposal,
        evidence: (0, 0),
        adjusted: 0,
        reservation: Some(id),
        source: Some(text("shop")),
        document: Some(text("orders.csv")),
        opened_at: timestamp(0),
        state: DriftState::Open,
    };
    let open = OpenDrift {
        drift,
        note: holdfast_core::Note::default(),
    };
    match run(router, Command::OpenDrift(Box::new(open))).await {
        Ok(Answer::Drift { view, .. }) => view.drift.id,
        other => panic!("expected a drift, was told {other:?}"),
    }
}

fn approve(sku: &Sku, id: ReservationId) -> Command {
    Command::DecideDrift(Box::new(DecideDrift {
        id,
        sku: sku.clone(),
        movement: ReservationId::UNMINTED,
        verdict: Verdict::Approve,
        reason: Some(text("looked at")),
        home: FromHome::Here,
    }))
}

fn corrected_by(told: holdfast_runtime::Told) -> ReservationId {
    match told {
        Ok(Answer::Drift { view, .. }) => match view.drift.state {
            DriftState::Corrected { movement, .. } => movement,
            state => panic!("it is {state:?}"),
        },
        other => panic!("expected a drift, was told {other:?}"),
    }
}

#[tokio::test]
async fn a_drift_about_a_reservation_of_another_shard_is_corrected_at_its_home() {
    let dir = TempDir::new().expect("a directory");
    let (_, runtime, [a, b, _]) = three(&dir).await;
    let router = runtime.router();
    let id = sold(&router, &[(&a, 1), (&b, 4)]).await;
    let cancel = (DriftKind::CancelledConfirmed, Proposal::Cancel(2));
    let wanted = drift(&router, &b, cancel, id).await;
    let told = router.execute(keyed(1, approve(&b, wanted)), soon()).await;
    assert_eq!(corrected_by(told), id);
    let at_home = view(router.reservation(id, soon()).await);
    let cancelled: Vec<u32> = at_home.lines.iter().map(|line| line.cancelled).collect();
    assert_eq!(cancelled, [0, 2]);
    // The key again is a repeat; another approval comes too late.
    let again = router.execute(keyed(1, approve(&b, wanted)), soon()).await;
    assert!(matches!(again, Ok(Answer::Drift { replayed: true, .. })));
    let late = refusal(run(&router, approve(&b, wanted)).await);
    assert!(matches!(late, Refusal::DriftConflict { .. }), "{late:?}");
    // What has left is booked where it left, with what home says of the sale.
    let shipped = (DriftKind::OrderQuantity, Proposal::Ship(2));
    let wanted = drift(&router, &b, shipped, id).await;
    let by = corrected_by(run(&router, approve(&b, wanted)).await);
    assert_ne!(by, id);
    has_shipped(&router, id, &[0, 2]).await;
    // What no longer fits is a conflict, and stays open.
    let again = (DriftKind::CancelledConfirmed, Proposal::Cancel(3));
    let wanted = drift(&router, &b, again, id).await;
    let told = refusal(run(&router, approve(&b, wanted)).await);
    assert!(matches!(told, Refusal::DriftConflict { .. }), "{told:?}");
    let Ok(Answer::Drift { view: open, .. }) = router.drift(wanted).await else {
        panic!("it is there")
    };
    assert_eq!(open.drift.state, DriftState::Open);
    // Released at home.
    let held = cart(&router, &[(&a, 1), (&b, 3)]).await.id;
    let wanted = drift(&router, &b, (DriftKind::NoOrder, Proposal::Release), held).await;
    let told = router.batch(vec![plain(approve(&b, wanted))], soon()).await;
    assert_eq!(corrected_by(told[0].clone()), held);
    let gone = view(router.reservation(held, soon()).await);
    assert_eq!(gone.status, Status::Released);
    runtime.halt().await;
}

/// The key under which a drift's correction is recorded at another shard.
fn key_of(drift: ReservationId) -> KeyTag {
    let named = [&b"drift correction"[..], &drift.as_u128().to_le_bytes()].concat();
    let hash = xxhash_rust::xxh3::xxh3_128(&named);
    let hash = [(hash >> 64) as u64, hash as u64];
    KeyTag {
        hash,
        content: hash[1],
    }
}

#[tokio::test]
async fn a_correction_whose_drift_heard_of_it_only_after_a_crash_is_done_once() {
    let dir = TempDir::new().expect("a directory");
    let (settings, runtime, [a, b, _]) = three(&dir).await;
    let router = runtime.router();
    let id = sold(&router, &[(&a, 1), (&b, 6)]).await;
    let cancel = (DriftKind::CancelledConfirmed, Proposal::Cancel(2));
    let wanted = drift(&router, &b, cancel, id).await;
    let state = async |router: &Router| match router.drift(wanted).await {
        Ok(Answer::Drift { view, .. }) => view.drift,
        other => panic!("expected the drift, was told {other:?}"),
    };
    let cancelled = async |router: &Router| {
        let told = view(router.reservation(id, soon()).await);
        told.lines[1].cancelled
    };
    // Home has recorded it; before the drift's own shard is told, the server dies.
    let Command::DecideDrift(decide) = approve(&b, wanted) else {
        unreachable!("it is a decision")
    };
    let command = state(&router).await.correction(&decide);
    let operation = Operation {
        key: Some(key_of(wanted)),
        command: Command::Correct(Box::new(Correct {
            drift: wanted,
            command: command.expect("it can be cancelled"),
        })),
        trace: None,
    };
    view(router.execute(operation, soon()).await);
    assert_eq!(cancelled(&router).await, 2);
    for shard in [0, 1] {
        router.crash(shard);
    }
    runtime.halt().await;
    let runtime = start(&settings).await;
    let router = runtime.router();
    assert_eq!(state(&router).await.state, DriftState::Open);
    // Whoever approves it again ends it, and nothing is taken back twice.
    assert_eq!(corrected_by(run(&router, approve(&b, wanted)).await), id);
    assert_eq!(cancelled(&router).await, 2);
    eventually("the part has heard of it", || {
        let stock = router.sku(&b).expect("it is there");
        stock.total(Counter::OnHand) == 10 - 6 + 2 && stock.total(Counter::Sold) == 4
    })
    .await;
    runtime.halt().await;
}

#[tokio::test]
async fn a_paid_cart_that_expired_is_confirmed_for_a_drift_or_left_as_it_was() {
    let dir = TempDir::new().expect("a directory");
    let mut settings = settings(&dir, 2);
    let (clock, hands) = Clock::manual(timestamp(0));
    settings.clock = Some(clock);
    let runtime = start(&settings).await;
    let router = runtime.router();
    let (a, b) = (sku_on(&router, 0), sku_on(&router, 1));
    for sku in [&a, &b] {
        stock(&router, sku, 5).await;
    }
    let paid = (DriftKind::PaidExpired, Proposal::Confirm);
    let first = cart(&router, &[(&a, 1), (&b, 3)]).await.id;
    hands.advance(Millis::from_secs(1_200));
    let wanted = drift(&router, &b, paid, first).await;
    assert_eq!(corrected_by(run(&router, approve(&b, wanted)).await), first);
    let at_home = view(router.reservation(first, soon()).await);
    assert_eq!((at_home.status, at_home.late), (Status::Confirmed, true));
    // Not enough is left for another: the drift stays, and so does the buyer's own chance.
    let second = cart(&router, &[(&a, 1), (&b, 2)]).await.id;
    hands.advance(Millis::from_secs(1_200));
    router.catch_up(std::time::Duration::from_secs(10)).await;
    let third = cart(&router, &[(&b, 1)]).await.id;
    let wanted = drift(&router, &b, paid, second).await;
    let told = refusal(run(&router, approve(&b, wanted)).await);
    assert!(matches!(told, Refusal::DriftConflict { .. }), "{told:?}");
    view(run(&router, release(third)).await);
    let Command::Confirm(mut late) = confirm(second) else {
        unreachable!("it is a confirm")
    };
    late.late = Late::Reacquire;
    let told = view(run(&router, Command::Confirm(late)).await);
    assert!(told.late);
    runtime.halt().await;
}
