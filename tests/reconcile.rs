//! Reconciliation over a whole runtime: files in, drifts out, and nothing twice.

#[allow(dead_code, reason = "each test file uses its part")]
#[path = "reconcile_world/mod.rs"]
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast::config::Config;
use holdfast::reconcile::{AsOf, Rejected, Report, Source, State, Wanted, when};
use holdfast_core::{Answer, Millis, ReservationId, Timestamp, Verdict};
use tokio::time::sleep;
use world::{START_MS, World, lines, sku, told, wanted};

#[tokio::test]
async fn a_count_opens_a_drift_for_each_difference_and_none_twice() {
    let world = World::new().await;
    for (name, units) in [("A", 10), ("B", 5), ("C", 7)] {
        world.stocks(name, "berlin", units).await;
    }
    let file = "sku,location,counted\nA,berlin,8\nB,berlin,5\nC,berlin,9\nD,berlin,1\nA,ulm,1\n";
    let as_of = Some(AsOf::Time(world.router().now()));
    let first = world.compares(Source::Warehouse, as_of, file).await;
    assert_eq!(first.state, State::Done, "{first:?}");
    let all = lines(&["warehouse A 10→8 adjust -2", "warehouse C 7→9 adjust +2"]);
    assert_eq!(told(&first), all);
    assert_eq!((first.drifts.opened, first.drifts.waiting), (2, 2));
    let faults: Vec<u64> = first.faults.iter().map(|fault| fault.line).collect();
    assert_eq!(faults, [5, 6], "an unknown SKU, and an unknown location");

    // The same again, while they wait: known.
    let second = world.compares(Source::Warehouse, as_of, file).await;
    assert_eq!((second.drifts.opened, second.drifts.known), (0, 2));

    // One is approved, one dismissed; the same file finds nothing new.
    let (a, c) = (&first.found[0], &first.found[1]);
    world.decides(&a.drift, &a.sku, Verdict::Approve).await;
    world.decides(&c.drift, &c.sku, Verdict::Dismiss).await;
    let third = world.compares(Source::Warehouse, as_of, file).await;
    assert_eq!(
        (third.drifts.opened, third.drifts.waiting),
        (0, 0),
        "{third:?}"
    );
    let on_hand = |name| {
        let view = world.router().sku(&sku(name)).expect("it is known");
        view.total(holdfast_core::Counter::OnHand)
    };
    assert_eq!((on_hand("A"), on_hand("C")), (8, 7));

    // A count of now agrees where the ledger was put right.
    let now = world.compares(
        Source::Warehouse,
        None,
        "sku,location,counted\nA,berlin,8\n",
    );
    assert_eq!(told(&now.await), lines(&[]));
}

#[tokio::test]
async fn a_count_is_compared_with_the_moment_it_tells_of() {
    let world = World::new().await;
    world.stocks("A", "main", 10).await;
    let then = AsOf::Time(world.router().now());
    world.hands.advance(Millis::from_secs(60));
    world.stocks("A", "main", 5).await;
    let counted = world.compares(Source::Warehouse, Some(then), "sku,counted\nA,10\n");
    assert_eq!(told(&counted.await), lines(&[]));
    let counted = world.compares(Source::Warehouse, Some(then), "sku,counted\nA,9\n");
    assert_eq!(told(&counted.await), lines(&["warehouse A 10→9 adjust -1"]));
    // It agrees with what is there now, and not with what was there then.
    let counted = world.compares(Source::Warehouse, Some(then), "sku,counted\nA,15\n");
    assert_eq!(
        told(&counted.await),
        lines(&["warehouse A 10→15 adjust +5"])
    );
    let counted = world.compares(Source::Warehouse, None, "sku,counted\nA,15\n");
    assert_eq!(told(&counted.await), lines(&[]));
}

#[tokio::test]
async fn the_policy_approves_what_is_small_and_leaves_the_rest() {
    let small = |config: &mut Config| {
        config.reconcile.approve_units_max = 3;
        config.reconcile.approve_share_max = 10;
    };
    let world = World::with(small).await;
    for name in ["A", "B", "C"] {
        world.stocks(name, "main", 100).await;
    }
    world.stocks("D", "main", 5).await;
    let file = "sku,counted\nA,97\nB,104\nC,100\nD,4\n";
    let report = world.compares(Source::Warehouse, None, file).await;
    assert_eq!(
        (report.drifts.approved, report.drifts.waiting),
        (1, 2),
        "{report:?}"
    );
    let view = world.router().sku(&sku("A")).expect("it is known");
    assert_eq!(view.total(holdfast_core::Counter::OnHand), 97);
}

#[tokio::test]
async fn orders_are_compared_with_their_reservations() {
    let world = World::new().await;
    world.stocks("A", "main", 100).await;
    let paid = world.sells("O-1", "A", 2).await;
    let cancelled = world.sells("O-2", "A", 3).await;
    let expired = world.holds("O-3", "A", 4).await;
    let stranger = world.sells("O-4", "A", 5).await;
    let twice = [
        world.sells("O-5", "A", 6).await,
        world.sells("O-5", "A", 6).await,
    ];
    let less = world.sells("O-6", "A", 7).await;
    let open = world.holds("O-7", "A", 1).await;
    world.hands.advance(Millis::from_secs(601));
    let pending = world.holds("O-8", "A", 1).await;
    let unconfirmed = world.holds("O-9", "A", 2).await;
    let nobody = ReservationId::mint(
        Timestamp::from_ms(START_MS),
        sku("A").slot(),
        paid.opening(),
        999_999,
        7,
    );
    let file = format!(
        "order_ref,reservation,state,sku,qty\nO-1,{paid},paid,A,2\nO-2,{cancelled},cancelled,A,3\n\
         O-3,{expired},paid,A,4\nO-5,{},paid,A,6\nO-6,{less},paid,A,6\nO-7,{open},cancelled,A,1\n\
         O-8,{pending},pending,A,1\nO-9,{unconfirmed},paid,A,2\nO-10,{nobody},paid,A,1\n",
        twice[0]
    );
    let report = world.compares(Source::Orders, None, &file).await;
    assert_eq!(report.state, State::Done, "{report:?}");
    let all = lines(&[
        "cancelled-confirmed A 3→0 cancel 3",
        "paid-expired A 0→4 confirm",
        "no-order A 5→0 cancel 5",
        "confirmed-twice A 6→0 cancel 6",
        "order-quantity A 7→6 cancel 1",
        "paid-unconfirmed A 0→2 confirm",
        "unknown-reservation A 0→1 look",
    ]);
    assert_eq!(told(&report), all);
    let of = |kind: &str| {
        let found = report.found.iter().find(|found| found.kind == kind);
        found.and_then(|found| found.reservation.clone())
    };
    assert_eq!(of("no-order"), Some(stranger.to_string()));
    assert_eq!(of("confirmed-twice"), Some(twice[1].to_string()));

    // What can be put right is; then only what people must look at is left.
    for found in report.found.iter().filter(|found| found.proposal != "look") {
        let answer = world
            .decides(&found.drift, &found.sku, Verdict::Approve)
            .await;
        assert!(
            matches!(answer, Answer::Drift { .. }),
            "{found:?}: {answer:?}"
        );
    }
    let again = world.compares(Source::Orders, None, &file).await;
    assert_eq!(told(&again), lines(&["unknown-reservation A 0→1 look"]));
}

#[tokio::test]
async fn a_seller_may_send_what_he_can_sell_or_what_he_has() {
    let world = World::new().await;
    for name in ["A", "B"] {
        world.stocks(name, "main", 10).await;
        world.holds("O", name, 3).await;
    }
    let file = "sku,location,available,on_hand\nA,main,7,\nB,main,,10\n";
    assert_eq!(
        told(&world.compares(Source::Seller, None, file).await),
        lines(&[])
    );
    let file = "sku,location,available,on_hand\nA,main,9,\nB,main,,8\n";
    let report = world.compares(Source::Seller, None, file).await;
    assert_eq!(
        told(&report),
        lines(&["seller A 7→9 adjust +2", "seller B 10→8 adjust -2"])
    );
    world.approves(&report).await;
    assert_eq!(
        told(&world.compares(Source::Seller, None, file).await),
        lines(&[])
    );
}

#[tokio::test]
async fn files_that_contradict_themselves_or_the_clock_or_end_too_soon_open_nothing() {
    let world = World::new().await;
    world.stocks("A", "main", 10).await;
    world.stocks("B", "main", 10).await;
    let reason = |report: Report| {
        assert_eq!(report.state, State::Refused, "{report:?}");
        assert!(report.found.is_empty());
        report.reason.expect("it says why")
    };
    let cut = world
        .compares(Source::Warehouse, None, "sku,counted\nA,9\nB,1")
        .await;
    assert!(reason(cut).contains("cut off"));
    let tomorrow = when::text(Timestamp::from_ms(START_MS + 86_400_000));
    let file = format!("sku,counted,taken_at\nA,9,\nB,1,{tomorrow}\n");
    let future = world.compares(Source::Warehouse, None, &file).await;
    assert!(reason(future).contains("line 3"));
    let ahead = Wanted {
        as_of: Some(AsOf::Time(Timestamp::from_ms(START_MS + 86_400_000))),
        ..wanted(Source::Seller)
    };
    assert!(matches!(
        world.desk().take(&ahead).await,
        Err(Rejected::Future)
    ));
    // Two numbers of one place: neither is believed. The same one twice: once.
    let file = "sku,counted\nA,9\nA,8\nB,11\nB,11\n";
    let report = world.compares(Source::Warehouse, None, file).await;
    assert_eq!(told(&report), lines(&["warehouse B 10→11 adjust +1"]));
    assert_eq!(report.rows.left_out, 3);
}

#[tokio::test]
async fn one_scope_is_compared_once_at_a_time_and_a_restart_goes_on() {
    let world = World::with(|config| config.reconcile.rows_per_second = 100).await;
    world.stocks("A", "main", 10).await;
    let desk = world.desk();
    let order = desk.take(&wanted(Source::Warehouse)).await.expect("taken");
    let other = desk.take(&wanted(Source::Warehouse)).await;
    assert!(matches!(other, Err(Rejected::Overlaps(id)) if id == order.id));
    desk.take(&wanted(Source::Seller))
        .await
        .expect("another source");
    // The file is complete, and the server dies before it has begun.
    let pieces = [(0_u64, "sku,counted\n"), (12, "A,8\n"), (12, "A,8\n")];
    for (offset, piece) in pieces {
        desk.append(&order.id, offset, piece.as_bytes())
            .expect("kept");
    }
    let gap = desk.append(&order.id, 99, b"A,8\n");
    assert!(matches!(gap, Err(Rejected::Gap(16))), "{gap:?}");
    desk.seal(&order.id).expect("kept");
    let late = desk.append(&order.id, 16, b"A,7\n");
    assert!(matches!(late, Err(Rejected::Complete)), "{late:?}");
    let world = world.again().await;
    let report = world.ended(&order.id).await;
    assert_eq!(
        told(&report),
        lines(&["warehouse A 10→8 adjust -2"]),
        "{report:?}"
    );
    assert_eq!(report.drifts.opened, 1);
}

#[tokio::test]
async fn a_dropped_file_is_taken_once_it_has_stopped_growing() {
    let drop = tempfile::tempdir().expect("a temporary directory");
    let folder = drop.path().to_owned();
    let world = World::with(|config| {
        config.reconcile.folder = Some(folder);
        config.reconcile.interval_ms = holdfast::config::Millis(100);
    })
    .await;
    world.stocks("A", "main", 10).await;
    world.hands.advance(Millis::from_secs(400 * 86_400));
    std::fs::write(drop.path().join("notes.txt"), "no file to compare").expect("written");
    let name = "warehouse.berlin.csv";
    std::fs::write(drop.path().join(name), "sku,counted\nA,8\n").expect("written");
    let report = drop.path().join("done").join(format!("{name}.report.json"));
    for _ in 0..200 {
        if report.exists() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let report: Report = serde_json::from_slice(&std::fs::read(report).expect("a report"))
        .expect("a report in JSON");
    assert_eq!(
        told(&report),
        lines(&["warehouse A 10→8 adjust -2"]),
        "{report:?}"
    );
    assert!(drop.path().join("done").join(name).exists());
    assert!(drop.path().join("notes.txt").exists());
}

#[tokio::test]
async fn a_reconciliation_that_finds_more_than_may_wait_is_given_up() {
    let world = World::with(|config| config.reconcile.drifts_max = 2).await;
    for name in ["A", "B", "C"] {
        world.stocks(name, "main", 10).await;
    }
    let file = "sku,counted\nA,9\nB,9\nC,9\n";
    let report = world.compares(Source::Warehouse, None, file).await;
    assert_eq!(report.state, State::Failed, "{report:?}");
    let reason = report.reason.expect("it says why");
    assert!(reason.contains("the table of drifts is full"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_orders_that_come_at_once_one_is_taken_and_its_end_makes_way() {
    let world = World::new().await;
    world.stocks("A", "main", 10).await;
    for _ in 0..20 {
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let desk = world.desk();
                tokio::spawn(async move { desk.take(&wanted(Source::Warehouse)).await })
            })
            .collect();
        let mut taken = Vec::new();
        for answer in asked {
            match answer.await.expect("it does not break") {
                Ok(order) => taken.push(order.id),
                Err(Rejected::Overlaps(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(taken.len(), 1, "two of one scope run at once: {taken:?}");
        let (desk, id) = (world.desk(), &taken[0]);
        desk.append(id, 0, b"sku,counted\nA,10\n").expect("kept");
        desk.seal(id).expect("kept");
        desk.start(id).expect("it starts");
        // Whoever asks sees the end as soon as it is one.
        while !desk.report(id).expect("it is known").1.state.has_ended() {
            tokio::task::yield_now().await;
        }
    }
}

/// The folders of reconciliations that are left, by name.
fn folders(world: &World) -> BTreeSet<String> {
    let root = world.config.data.dir.join("reconciliations");
    let entries = std::fs::read_dir(root).expect("it is there");
    let names = entries.map(|entry| entry.expect("it is there").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    names.filter(|name| name != "agreed").collect()
}

/// Started again after so long, once the sweep of the start has left so many folders.
async fn after_days(world: World, days: u64, left: usize) -> World {
    world.hands.advance(Millis::new(days * 86_400_000));
    let world = world.again().await;
    for _ in 0..200 {
        if folders(&world).len() == left {
            // Nor does it take more.
            sleep(Duration::from_millis(100)).await;
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(folders(&world).len(), left, "{:?}", folders(&world));
    world
}

#[tokio::test]
async fn a_reconciliation_is_removed_in_time_but_not_while_its_drifts_wait() {
    let world = World::with(|config| {
        config.reconcile.retention_ms = holdfast::config::Millis(10 * 86_400_000);
    })
    .await;
    for name in ["A", "B"] {
        world.stocks(name, "main", 10).await;
    }
    let agrees = world
        .compares(Source::Warehouse, None, "sku,counted\nA,10\n")
        .await;
    assert_eq!(agrees.drifts.opened, 0, "{agrees:?}");
    let (moment, file) = (
        Some(AsOf::Time(world.router().now())),
        "sku,counted\nA,9\nB,8\n",
    );
    let differs = world.compares(Source::Warehouse, moment, file).await;
    assert_eq!(differs.drifts.waiting, 2, "{differs:?}");
    let all = folders(&world);
    let [gone, evidence] = [0, 1].map(|at| all.iter().nth(at).expect("two").clone());
    // What a crash left of one that was being made or removed.
    let root = world.config.data.dir.join("reconciliations");
    std::fs::create_dir(root.join("0000000003e80000")).expect("ours");
    std::fs::create_dir(root.join("notes")).expect("ours");

    let world = after_days(world, 9, 3).await;
    assert!(world.desk().report(&gone).is_ok(), "it is not old enough");
    let world = after_days(world, 2, 2).await;
    assert!(
        matches!(world.desk().report(&gone), Err(Rejected::Unknown)),
        "ten days have passed"
    );
    let (_, report) = world.desk().report(&evidence).expect("its drifts wait");
    assert_eq!(report, differs);

    let [a, b] = &differs.found[..] else {
        panic!("{differs:?}")
    };
    world.decides(&a.drift, &a.sku, Verdict::Approve).await;
    let world = after_days(world, 1, 2).await;
    assert!(world.desk().report(&evidence).is_ok(), "one waits still");
    world.decides(&b.drift, &b.sku, Verdict::Dismiss).await;
    let world = after_days(world, 1, 1).await;
    assert_eq!(folders(&world), lines(&["notes"]), "what is not ours stays");
    // The drifts are the ledger's: the same file finds them.
    let again = world.compares(Source::Warehouse, moment, file).await;
    assert_eq!(
        (again.drifts.known, again.drifts.opened),
        (2, 0),
        "{again:?}"
    );
}
