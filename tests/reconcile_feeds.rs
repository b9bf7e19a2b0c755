//! What sellers send, compared: what they can sell or what they have, of another moment, by another
//! clock, and beside what was promised. And goods that left without a word.

#[allow(dead_code, reason = "each test file uses its part")]
#[path = "reconcile_world/mod.rs"]
mod world;

use holdfast::reconcile::{AsOf, Difference, Rejected, Source, State, Wanted, when};
use holdfast_core::{
    Answer, Command, Configure, Counter, Location, Millis, MovementKind, Patch, Refusal, Timestamp,
    Units, Verdict,
};
use world::{World, lines, sku, told, wanted};

fn units(units: u32) -> Units {
    Units::new(units).expect("some")
}

fn counter(world: &World, name: &str, counter: Counter) -> i64 {
    let view = world.router().sku(&sku(name)).expect("it is known");
    view.total(counter)
}

fn later(at: Timestamp, ms: i64) -> AsOf {
    AsOf::Time(Timestamp::from_ms(at.ms().saturating_add_signed(ms)))
}

async fn keeps_back(world: &World, name: &str, units: u32) {
    let configure = Configure {
        safety_stock: vec![(Location::main(), Patch::Set(units))],
        ..Configure::new(sku(name))
    };
    world.does(Command::Configure(Box::new(configure))).await;
}

#[tokio::test]
async fn what_a_seller_can_sell_leaves_out_holds_and_what_is_kept_back() {
    let world = World::new().await;
    for name in ["A", "B", "C"] {
        world.stocks(name, "main", 10).await;
        world.holds("O", name, 3).await;
        keeps_back(&world, name, 2).await;
    }
    // 10 on hand, 3 held, 2 kept back: 5 can be sold.
    let file = "sku,available,on_hand\nA,5,\nB,,10\nC,5,\n";
    let report = world.compares(Source::Seller, None, file).await;
    assert_eq!(told(&report), lines(&[]));
    let file = "sku,available,on_hand\nA,4,\nB,,9\nC,10,\n";
    let report = world.compares(Source::Seller, None, file).await;
    let all = lines(&[
        "seller A 5→4 adjust -1",
        "seller B 10→9 adjust -1",
        "seller C 5→10 adjust +5",
    ]);
    assert_eq!(told(&report), all);
    world.approves(&report).await;
    let on_hand = ["A", "B", "C"].map(|name| counter(&world, name, Counter::OnHand));
    assert_eq!(on_hand, [9, 9, 15]);
    let again = world.compares(Source::Seller, None, file).await;
    assert_eq!(told(&again), lines(&[]));
}

#[tokio::test]
async fn a_seller_who_has_less_than_is_promised_leaves_a_shortfall_and_none_below_nothing() {
    let world = World::new().await;
    world.stocks("A", "main", 10).await;
    world.holds("O", "A", 6).await;
    let file = "sku,on_hand\nA,4\n";
    let report = world.compares(Source::Seller, None, file).await;
    assert_eq!(told(&report), lines(&["seller A 10→4 adjust -6"]));
    world.approves(&report).await;
    assert_eq!(counter(&world, "A", Counter::OnHand), 4);
    // Nothing can be sold, as he says; that is no difference, however much is promised.
    let file = "sku,available\nA,0\n";
    assert_eq!(
        told(&world.compares(Source::Seller, None, file).await),
        lines(&[])
    );
    // He can sell one again: what is promised has to be there first.
    let file = "sku,available\nA,1\n";
    let report = world.compares(Source::Seller, None, file).await;
    assert_eq!(told(&report), lines(&["seller A 0→1 adjust +3"]));
    world.approves(&report).await;
    assert_eq!(
        told(&world.compares(Source::Seller, None, file).await),
        lines(&[])
    );
}

#[tokio::test]
async fn a_stale_feed_is_compared_with_its_own_moment_and_never_undoes_a_later_correction() {
    let world = World::new().await;
    world.stocks("A", "main", 10).await;
    world.stocks("B", "main", 10).await;
    let then = world.router().now();
    world.hands.advance(Millis::from_secs(60));
    world.stocks("A", "main", 5).await;
    world.sells("O", "B", 2).await;
    // Of its own moment it agrees; taken for one of now it would take a receipt and a sale back.
    let stale = "sku,on_hand\nA,10\nB,10\n";
    let report = world
        .compares(Source::Seller, Some(later(then, 0)), stale)
        .await;
    assert_eq!(told(&report), lines(&[]));
    let report = world.compares(Source::Seller, None, stale).await;
    let all = lines(&["seller A 15→10 adjust -5", "seller B 8→10 adjust +2"]);
    assert_eq!(told(&report), all);
    for found in &report.found {
        world
            .decides(&found.drift, &found.sku, Verdict::Dismiss)
            .await;
    }
    // Two feeds of one moment, the second of them approved after the first was: a conflict.
    let (one, other) = ("sku,on_hand\nA,14\n", "sku,on_hand\nA,13\n");
    let first = world.compares(Source::Seller, None, one).await;
    let second = world.compares(Source::Seller, None, other).await;
    world.approves(&first).await;
    let late = &second.found[0];
    let answer = world
        .decides(&late.drift, &late.sku, Verdict::Approve)
        .await;
    let Answer::Refused { refusal, .. } = &answer else {
        panic!("{answer:?}");
    };
    assert!(
        matches!(**refusal, Refusal::DriftConflict { .. }),
        "{answer:?}"
    );
    assert_eq!(counter(&world, "A", Counter::OnHand), 14);
    // The old feed again, of its own moment, still agrees with it, corrections of later or not.
    let report = world
        .compares(Source::Seller, Some(later(then, 0)), stale)
        .await;
    assert_eq!(told(&report), lines(&[]));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_refused_ahead_and_tells_of_its_own_moment_behind() {
    let world = World::new().await;
    world.stocks("A", "main", 10).await;
    let now = world.router().now();
    for ahead in [1_000, 3_600_000] {
        let skewed = Wanted {
            as_of: Some(later(now, ahead)),
            ..wanted(Source::Seller)
        };
        let taken = world.desk().take(&skewed).await;
        assert!(matches!(taken, Err(Rejected::Future)), "{ahead}");
    }
    // A row's own time ahead refuses the whole file, whoever else is right.
    let ahead = when::text(Timestamp::from_ms(now.ms() + 3_600_000));
    let file = format!("sku,counted,taken_at\nA,10,\nA,9,{ahead}\n");
    let report = world.compares(Source::Warehouse, None, &file).await;
    assert_eq!(report.state, State::Refused, "{report:?}");
    // Behind by more than a receipt ago: what came since shows as a difference, and people look.
    world.hands.advance(Millis::from_secs(60));
    world.stocks("A", "main", 5).await;
    world.hands.advance(Millis::from_secs(1));
    let true_now = world.router().now();
    let file = "sku,on_hand\nA,15\n";
    let behind = world
        .compares(Source::Seller, Some(later(true_now, -30_000)), file)
        .await;
    assert_eq!(told(&behind), lines(&["seller A 10→15 adjust +5"]));
    let found = &behind.found[0];
    world
        .decides(&found.drift, &found.sku, Verdict::Dismiss)
        .await;
    // Behind by less than that: no difference.
    let behind = world
        .compares(Source::Seller, Some(later(true_now, -100)), file)
        .await;
    assert_eq!(told(&behind), lines(&[]));
}

#[tokio::test]
async fn rows_that_say_neither_or_both_are_left_out_and_the_others_compared() {
    let world = World::new().await;
    for name in ["A", "B", "C", "D"] {
        world.stocks(name, "main", 10).await;
    }
    let file = "sku,available,on_hand\nA,9,\nB,9,9\nC,,\nD,,-1\n";
    let report = world.compares(Source::Seller, None, file).await;
    assert_eq!(told(&report), lines(&["seller A 10→9 adjust -1"]));
    let left_out: Vec<u64> = report.faults.iter().map(|fault| fault.line).collect();
    assert_eq!(left_out, [3, 4, 5], "{:?}", report.faults);
}

async fn ships(world: &World, name: &str, count: u32) {
    let (units, sale) = (units(count), None);
    world
        .moves(name, "main", MovementKind::Ship { units, sale })
        .await;
}

#[tokio::test]
async fn goods_that_left_without_a_word_are_booked_for_their_order() {
    let world = World::new().await;
    world.stocks("A", "main", 20).await;
    world.stocks("B", "main", 20).await;
    let whole = world.sells("O-1", "A", 3).await;
    let other = world.sells("O-2", "B", 2).await;
    let paid = world.sells("O-3", "A", 1).await;
    // Something left that names no order: it is not on any reservation.
    ships(&world, "B", 1).await;
    let file = format!(
        "order_ref,reservation,state,sku,qty\nO-1,{whole},shipped,A,3\nO-2,{other},shipped,B,2\n\
         O-3,{paid},paid,A,1\n"
    );
    let then = Some(later(world.router().now(), 0));
    let report = world.compares(Source::Orders, then, &file).await;
    assert_eq!(report.state, State::Done, "{report:?}");
    let all = lines(&["order-quantity A 0→3 ship 3", "order-quantity B 0→2 ship 2"]);
    assert_eq!(told(&report), all);
    let of = |name: &str| {
        let found = report.found.iter().find(|found| found.sku == name);
        found.expect("it was found").clone()
    };
    let answer = world.decides(&of("A").drift, "A", Verdict::Approve).await;
    assert!(matches!(answer, Answer::Drift { .. }), "{answer:?}");
    let shipped = ["A", "B"].map(|name| counter(&world, name, Counter::Shipped));
    assert_eq!(shipped, [3, 1]);
    // One of the two had left without its order's name: people look at it and dismiss it.
    world.decides(&of("B").drift, "B", Verdict::Dismiss).await;
    ships(&world, "B", 1).await;
    let again = world.compares(Source::Orders, then, &file).await;
    let open: Vec<&str> = again
        .found
        .iter()
        .map(|found| found.state.as_str())
        .collect();
    assert!(open.iter().all(|state| *state != "open"), "{again:?}");
    // A proposal that has been overtaken is a conflict: the goods can't leave twice.
    let late = world.sells("O-4", "A", 2).await;
    let file = format!("{file}O-4,{late},shipped,A,2\n");
    let report = world.compares(Source::Orders, None, &file).await;
    let is_new = |found: &&Difference| found.sku == "A" && found.state == "open";
    let found = report.found.iter().find(is_new);
    let found = found.expect("O-4 has not left here").clone();
    world.ships_for(late, "A", 2).await;
    let answer = world.decides(&found.drift, "A", Verdict::Approve).await;
    let is_conflict = matches!(&answer, Answer::Refused { refusal, .. }
        if matches!(**refusal, Refusal::DriftConflict { .. }));
    assert!(is_conflict, "{answer:?}");
    assert_eq!(counter(&world, "A", Counter::Shipped), 5);
}
