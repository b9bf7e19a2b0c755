//! Reconciliation over several shards: files, positions, carts and kills that concern all of them,
//! and the evidence of what is found.

#[allow(dead_code, reason = "each test file uses its part")]
#[path = "reconcile_world/mod.rs"]
mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use holdfast::config::{Config, OrAuto};
use holdfast::reconcile::{AsOf, Difference, Report, Source, State};
use holdfast_core::{
    Answer, Command, Confirm, Counter, EventKind, Late, Millis, Mode, MovementKind, ReservationId,
    Reserve, ReserveLine, Units, Verdict,
};
use world::{World, lines, sku, text, told, wanted};

const SHARDS: u64 = 3;

fn three(config: &mut Config) {
    config.shards.count = OrAuto::Set(SHARDS);
}

/// Names of SKUs, each on the shard of its number modulo 3.
fn names(world: &World, count: usize) -> Vec<String> {
    let router = world.router();
    let placement = router.placement();
    let mut names: Vec<String> = Vec::new();
    for number in 0.. {
        let name = format!("S-{number}");
        let wanted = (names.len() as u64 % SHARDS) as u16;
        if placement.shard_of_sku(&sku(&name)) == wanted {
            names.push(name);
        }
        if names.len() == count {
            break;
        }
    }
    names
}

async fn cart(world: &World, order: &str, of: &[&str], units: u32) -> ReservationId {
    let line = |name: &&str| ReserveLine {
        sku: sku(name),
        units: Units::new(units).expect("some"),
        location: None,
    };
    let reserve = Reserve {
        id: ReservationId::UNMINTED,
        order_ref: Some(text(order)),
        customer: None,
        ttl: Some(Millis::from_secs(600)),
        mode: Mode::AllOrNothing,
        replace: None,
        lines: of.iter().map(line).collect(),
    };
    match world.does(Command::Reserve(Box::new(reserve))).await {
        Answer::Reservation { view, .. } => view.id,
        other => panic!("{other:?}"),
    }
}

async fn pays(world: &World, id: ReservationId) {
    let confirm = Confirm {
        id,
        lines: None,
        late: Late::Refuse,
        payment_ref: None,
    };
    let answer = world.does(Command::Confirm(Box::new(confirm))).await;
    assert!(matches!(answer, Answer::Reservation { .. }), "{answer:?}");
}

fn on_hand(world: &World, name: &str) -> i64 {
    let view = world.router().sku(&sku(name)).expect("it is known");
    view.total(Counter::OnHand)
}

/// The kinds of the entries that a difference names as its evidence.
async fn evidence(world: &World, found: &Difference) -> Vec<EventKind> {
    let router = world.router();
    // A statement is built behind; what is named is there a little later.
    let entries = loop {
        let page = router.statement(&sku(&found.sku), found.after, 1_000).await;
        let page = page.expect("there are statements");
        if found.up_to <= page.as_of.0 {
            break page.entries;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let own = entries.iter().filter(|entry| entry.seq <= found.up_to);
    own.map(|entry| entry.kind).collect()
}

fn one(report: &Report) -> &Difference {
    assert_eq!(report.state, State::Done, "{report:?}");
    assert_eq!(report.found.len(), 1, "{report:?}");
    &report.found[0]
}

#[tokio::test]
async fn a_count_over_three_shards_finds_each_difference_on_its_own_shard() {
    let world = World::with(three).await;
    let names = names(&world, 9);
    for name in &names {
        world.stocks(name, "main", 10).await;
    }
    let mut file = "sku,counted\n".to_owned();
    let mut all = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        // One of each shard is wrong, by another number each.
        let counted = 10 + if at < 3 { at as i64 + 1 } else { 0 };
        writeln!(file, "{name},{counted}").expect("text");
        if at < 3 {
            let by = at + 1;
            all.insert(format!("warehouse {name} 10→{counted} adjust +{by}"));
        }
    }
    let as_of = Some(AsOf::Time(world.router().now()));
    let report = world.compares(Source::Warehouse, as_of, &file).await;
    assert_eq!(told(&report), all);
    world.approves(&report).await;
    for (at, name) in names.iter().enumerate() {
        let expected = if at < 3 { 11 + at as i64 } else { 10 };
        assert_eq!(on_hand(&world, name), expected, "{name}");
    }
    let again = world.compares(Source::Warehouse, as_of, &file).await;
    assert_eq!((again.drifts.opened, again.drifts.waiting), (0, 0));
    let now = world.compares(Source::Warehouse, None, &file).await;
    assert_eq!(told(&now), lines(&[]));
}

#[tokio::test]
async fn a_position_of_one_shard_is_a_moment_of_the_others() {
    let world = World::with(three).await;
    let names = names(&world, 3);
    for name in &names {
        world.stocks(name, "main", 10).await;
    }
    let router = world.router();
    let view = router.sku(&sku(&names[1])).expect("it is known");
    let position = AsOf::Position(router.placement().shard_of_sku(&view.sku), view.seq);
    world.hands.advance(Millis::from_secs(5));
    // The last of them was stocked after that position's time, and is compared before it.
    for name in &names {
        let more = MovementKind::Receive(Units::new(5).expect("some"));
        world.moves(name, "main", more).await;
    }
    let first_two = format!("sku,counted\n{},10\n{},10\n", names[0], names[1]);
    let report = world.compares(Source::Warehouse, Some(position), &first_two);
    assert_eq!(told(&report.await), lines(&[]));
    let last = format!("sku,counted\n{},10\n", names[2]);
    let report = world.compares(Source::Warehouse, Some(position), &last);
    let difference = format!("warehouse {} 0→10 adjust +10", names[2]);
    assert_eq!(told(&report.await), lines(&[&difference]));
}

#[tokio::test]
async fn orders_whose_lines_lie_on_several_shards_are_compared_line_by_line() {
    let world = World::with(three).await;
    let names = names(&world, 3);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for name in &names {
        world.stocks(name, "main", 50).await;
    }
    let right = cart(&world, "O-1", &names, 2).await;
    let cancelled = cart(&world, "O-2", &names, 3).await;
    let stranger = cart(&world, "O-3", &names[..2], 1).await;
    for id in [right, cancelled, stranger] {
        pays(&world, id).await;
    }
    let mut file = "order_ref,reservation,state,sku,qty\n".to_owned();
    for name in &names {
        writeln!(file, "O-1,{right},paid,{name},2").expect("text");
        writeln!(file, "O-2,{cancelled},cancelled,{name},3").expect("text");
    }
    let report = world.compares(Source::Orders, None, &file).await;
    assert_eq!(report.state, State::Done, "{report:?}");
    let mut all = BTreeSet::new();
    for name in &names {
        all.insert(format!("cancelled-confirmed {name} 3→0 cancel 3"));
    }
    for name in &names[..2] {
        all.insert(format!("no-order {name} 1→0 cancel 1"));
    }
    assert_eq!(told(&report), all);
    for found in &report.found {
        let seen = evidence(&world, found).await;
        let has = |kinds: [EventKind; 2]| kinds.iter().all(|kind| seen.contains(kind));
        let at_home = [
            EventKind::ReservationCreated,
            EventKind::ReservationConfirmed,
        ];
        let is_whole = has(at_home) || has([EventKind::CartHeld, EventKind::CartSettled]);
        assert!(is_whole, "{found:?}: {seen:?}");
    }
    // The same moment again, while they wait: known, on each shard.
    let again = world.compares(Source::Orders, None, &file).await;
    assert_eq!(
        (again.drifts.opened, again.drifts.known),
        (0, 5),
        "{again:?}"
    );
}

#[tokio::test]
async fn the_evidence_of_a_difference_is_what_happened_since_it_agreed() {
    let world = World::with(three).await;
    let names = names(&world, 3);
    for name in &names {
        world.stocks(name, "main", 10).await;
    }
    let count = |units: [u64; 3]| {
        let rows = names.iter().zip(units);
        let rows = rows.map(|(name, units)| format!("{name},{units}\n"));
        format!("sku,counted\n{}", rows.collect::<String>())
    };
    // Nobody has looked yet: all there is.
    let wrong = world
        .compares(Source::Warehouse, None, &count([10, 10, 9]))
        .await;
    let found = one(&wrong);
    assert_eq!(found.after, 0);
    let all = evidence(&world, found).await;
    assert!(all.contains(&EventKind::SkuConfigured), "{all:?}");

    // The first two agreed; what happens to one of them after that is the evidence.
    world.sells("O-1", &names[0], 2).await;
    world.stocks(&names[0], "main", 5).await;
    let report = world
        .compares(Source::Warehouse, None, &count([14, 10, 9]))
        .await;
    let first = report.found.iter().find(|found| found.sku == names[0]);
    let first = first.expect("15 and 14 differ");
    let since = evidence(&world, first).await;
    let sold = [
        EventKind::ReservationCreated,
        EventKind::ReservationConfirmed,
    ];
    assert_eq!(since[..2], sold, "{first:?}");
    assert!(
        since.contains(&EventKind::StockReceived) && since.len() <= 4,
        "{since:?}"
    );

    // Another measure has agreed nowhere yet.
    let sellable = format!("sku,counted,measure\n{},12,sellable\n", names[0]);
    let other = world.compares(Source::Warehouse, None, &sellable).await;
    let found = one(&other);
    assert_eq!(found.after, 0, "{found:?}");

    // After a decision it begins there …
    world
        .decides(&first.drift, &first.sku, Verdict::Approve)
        .await;
    let shelf = format!("sku,counted\n{},20\n", names[0]);
    let next = world.compares(Source::Warehouse, None, &shelf).await;
    let seen = evidence(&world, one(&next)).await;
    assert_eq!(one(&next).after, first.up_to);
    assert!(!seen.contains(&EventKind::StockReceived), "{seen:?}");
    assert!(seen.contains(&EventKind::StockAdjusted), "{seen:?}");
    // … and survives a restart, as what agreed does.
    let world = world.again().await;
    world.stocks(&names[1], "main", 1).await;
    let shelf = format!("sku,counted\n{},12\n", names[1]);
    let next = world.compares(Source::Warehouse, None, &shelf).await;
    let seen = evidence(&world, one(&next)).await;
    assert!(!seen.contains(&EventKind::SkuConfigured), "{seen:?}");
    assert_eq!(seen.last(), Some(&EventKind::StockReceived));
}

#[tokio::test]
async fn the_evidence_of_an_order_is_what_happened_since_its_reservation_was_made() {
    let world = World::with(three).await;
    let names = names(&world, 1);
    let name = &names[0];
    world.stocks(name, "main", 10).await;
    world.sells("O-0", name, 1).await;
    world.hands.advance(Millis::from_secs(60));
    let before = world.router().sku(&sku(name)).expect("it is known").seq;
    let id = world.sells("O-1", name, 2).await;
    let others = "O-0,,paid";
    let file = format!(
        "order_ref,reservation,state,sku,qty\n{others},{name},1\nO-1,{id},cancelled,{name},2\n"
    );
    let report = world.compares(Source::Orders, None, &file).await;
    let found = one(&report);
    assert_eq!(found.after, before, "{found:?}");
    let seen = evidence(&world, found).await;
    let own = [
        EventKind::ReservationCreated,
        EventKind::ReservationConfirmed,
    ];
    assert_eq!(seen, own);
}

#[tokio::test]
async fn a_comparison_stopped_midway_over_shards_goes_on_and_ends_the_same() {
    let mut world = World::with(|config| {
        three(config);
        // What the first chunk brought is settled at once, and the second waits for eight seconds.
        config.reconcile.rows_per_second = 512;
        config.reconcile.approve_units_max = 1;
    })
    .await;
    let names = names(&world, 3 * 1_500);
    for chunk in names.chunks(500) {
        world.stocks_all(chunk, 10).await;
    }
    let mut file = "sku,counted\n".to_owned();
    for (at, name) in names.iter().enumerate() {
        let counted = match at % 90 {
            0 => 7,
            1 => 9,
            _ => 10,
        };
        writeln!(file, "{name},{counted}").expect("text");
    }
    let order = world
        .desk()
        .take(&wanted(Source::Warehouse))
        .await
        .expect("taken");
    // What is corrected is corrected after the moment that the file tells of.
    world.hands.advance(Millis::new(10));
    world
        .desk()
        .append(&order.id, 0, file.as_bytes())
        .expect("kept");
    world.desk().seal(&order.id).expect("kept");
    world.desk().start(&order.id).expect("it starts");
    let begun = world
        .until(&order.id, |report| report.drifts.approved > 0)
        .await;
    assert_eq!(begun.state, State::Running, "{begun:?}");
    world.config.reconcile.rows_per_second = 1_000_000;
    let world = world.again().await;
    let report = world.ended(&order.id).await;
    assert_eq!(report.state, State::Done, "{report:?}");
    assert_eq!(report.rows.compared, names.len() as u64);
    let drifts = &report.drifts;
    assert_eq!((drifts.opened, drifts.known), (100, 0), "{drifts:?}");
    assert_eq!((drifts.approved, drifts.waiting), (50, 50), "{drifts:?}");
    for (at, name) in names.iter().enumerate() {
        let expected = if at % 90 == 1 { 9 } else { 10 };
        assert_eq!(on_hand(&world, name), expected, "{name}, {at}");
    }
    let as_of = Some(AsOf::Time(order.as_of()));
    let again = world.compares(Source::Warehouse, as_of, &file).await;
    assert_eq!(
        (again.drifts.opened, again.drifts.known),
        (0, 100),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_statements_lack_is_read_once_for_many_rows() {
    let world = World::with(|config| {
        three(config);
        config.statement.events_per_second = 1;
    })
    .await;
    let names = names(&world, 60);
    world.stocks_all(&names, 10).await;
    let moment = world.router().now();
    world.hands.advance(Millis::from_secs(1));
    let mut file = "sku,counted\n".to_owned();
    for (at, name) in names.iter().enumerate() {
        let units = Units::new(5).expect("some");
        let later = MovementKind::Receive(units);
        world.moves(name, "main", later).await;
        writeln!(file, "{name},{}", if at % 3 == 0 { 9 } else { 10 }).expect("text");
    }
    let events: u64 = world.router().shards().iter().map(|shard| shard.seq).sum();
    let report = world
        .compares(Source::Warehouse, Some(AsOf::Time(moment)), &file)
        .await;
    assert_eq!(report.state, State::Done, "{report:?}");
    assert_eq!((report.rows.compared, report.drifts.opened), (60, 20));
    assert!(
        told(&report)
            .iter()
            .all(|line| line.ends_with(" 10→9 adjust -1"))
    );
    let stats = world.router().stats();
    let read = stats
        .iter()
        .map(|stats| stats.lag_read.load(Ordering::Relaxed));
    let read: u64 = read.sum();
    assert!(0 < read && read <= events, "{read} of {events} events read");
}
