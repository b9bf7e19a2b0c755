//! Single carts, step by step: the cases that were once wrong, and those that should be seen.

use crate::client::{configure, receive};
use crate::world::{Mood, World};
use holdfast_core::{
    Answer, Command, Confirm, Counter, ExpiredReason, Late, LineUnits, Location, Millis, Mode,
    Movement, MovementKind, Patch, Refusal, Remainder, ReservationId, ReservationView, Reserve,
    ReserveLine, ShortageReason, Sku, Text, Timestamp, Units,
};
use holdfast_runtime::{Told, Unavailable};

/// A world in which nothing goes wrong by itself, and late confirms are possible for 30 s.
pub(crate) fn calm(shards: u16) -> World {
    let is_short = |world: &World| world.common.policy.late_window == Millis::from_secs(30);
    let worlds = (0..).map(|seed| World::new(seed, shards, None, false).expect("it starts"));
    let mut world = worlds.into_iter().find(is_short).expect("half of them are");
    world.mood = Mood {
        loss: 0,
        repeat: 0,
        crash: 0,
        skew: 0,
        is_tardy: false,
        is_selling: false,
    };
    world
}

/// A new SKU of a shard, with stock.
pub(crate) fn stocked(world: &mut World, shard: u16, units: u32) -> Sku {
    let names = (0..).map(|number| Sku::parse(&format!("S{number}")).expect("a name"));
    let mut own = names.filter(|sku| {
        let is_new = !world
            .account
            .levels
            .contains_key(&(sku.clone(), Location::main()));
        is_new && world.common.placement.shard_of_sku(sku) == shard
    });
    let sku = own.next().expect("hashes reach every shard");
    send(world, Command::Configure(Box::new(configure(&sku, None))));
    send(world, receive(&sku, Location::main(), units));
    pass(world, 1);
    sku
}

pub(crate) fn send(world: &mut World, command: Command) -> usize {
    world.send(command, true).expect("it is taken");
    world.clients.asks.len() - 1
}

pub(crate) fn reserve(world: &mut World, lines: &[(&Sku, u32)], mode: Mode) -> usize {
    let order = format!("order-{}", world.clients.asks.len());
    let lines = lines.iter().map(|(sku, units)| ReserveLine {
        sku: (*sku).clone(),
        units: Units::new(*units).expect("a quantity"),
        location: None,
    });
    let reserve = Reserve {
        id: ReservationId::UNMINTED,
        order_ref: Some(Text::parse(&order).expect("a text")),
        customer: None,
        ttl: Some(Millis::from_secs(5)),
        mode,
        replace: None,
        lines: lines.collect(),
    };
    send(world, Command::Reserve(Box::new(reserve)))
}

pub(crate) fn confirm(world: &mut World, id: ReservationId) -> usize {
    let confirm = Confirm {
        id,
        lines: None,
        late: Late::Reacquire,
        payment_ref: None,
    };
    send(world, Command::Confirm(Box::new(confirm)))
}

/// Everything arrives and is committed, timers run, for so long.
pub(crate) fn pass(world: &mut World, ms: u64) {
    world.flush().expect("all is well");
    for _ in 0..ms.div_ceil(20) {
        world.advance(ms.min(20));
        for node in 0..world.nodes.len() as u16 {
            world.tick(node).expect("all is well");
        }
        world.flush().expect("all is well");
    }
}

pub(crate) fn told(world: &World, ask: usize) -> Told {
    let told = world.clients.answers.iter().rev();
    let mut told = told.filter(|(at, _)| *at == ask);
    told.next().expect("it was answered").1.clone()
}

pub(crate) fn made(world: &World, ask: usize) -> ReservationView {
    match told(world, ask) {
        Ok(Answer::Reservation { view, .. }) => *view,
        other => panic!("expected a reservation, was told {other:?}"),
    }
}

fn winners(world: &World, asks: &[usize]) -> usize {
    let wins = |ask: &&usize| matches!(told(world, **ask), Ok(Answer::Reservation { .. }));
    asks.iter().filter(wins).count()
}

/// Each cart held the other's last unit at its part, found its own line short of a unit that
/// nobody had decided on, and was refused at once: both callers went without.
#[test]
fn of_two_carts_that_cross_for_the_last_units_one_gets_them() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 1), stocked(&mut world, 1, 1));
    let asks = [
        reserve(&mut world, &[(&a, 1), (&b, 1)], Mode::AllOrNothing),
        reserve(&mut world, &[(&b, 1), (&a, 1)], Mode::AllOrNothing),
    ];
    pass(&mut world, 3000);
    assert_eq!(winners(&world, &asks), 1);
    world.rest(true).expect("everything fits");
}

#[test]
fn of_three_rivals_for_the_last_unit_one_gets_it() {
    let mut world = calm(3);
    let last = stocked(&mut world, 2, 1);
    let own: Vec<Sku> = (0..3).map(|at| stocked(&mut world, at, 5)).collect();
    let asks: Vec<usize> = own
        .iter()
        .map(|own| reserve(&mut world, &[(own, 1), (&last, 1)], Mode::AllOrNothing))
        .collect();
    pass(&mut world, 3000);
    assert_eq!(winners(&world, &asks), 1);
    world.rest(true).expect("everything fits");
}

/// A part says what it could not grant with its first answer only. When that was lost, home made
/// the cart from the repeated one, and the caller never learnt that a line was cut.
#[test]
fn a_shortage_is_told_though_the_first_answer_of_the_part_was_lost() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 2), stocked(&mut world, 1, 1));
    let ask = reserve(&mut world, &[(&a, 2), (&b, 2)], Mode::BestEffort);
    world.deliver().expect("the try arrives");
    world.commit(1).expect("handed over");
    world.commit(1).expect("on disk");
    world.net.clear();
    pass(&mut world, 1000);
    let view = made(&world, ask);
    let short = &view.shortages[0];
    assert_eq!((&short.sku, short.requested, short.granted), (&b, 2, 1));
    world.rest(true).expect("everything fits");
}

#[test]
fn a_part_that_is_down_is_left_out_by_best_effort_and_refuses_all_or_nothing() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 5), stocked(&mut world, 1, 5));
    world.nodes[1].die();
    let some = reserve(&mut world, &[(&a, 1), (&b, 2)], Mode::BestEffort);
    let all = reserve(&mut world, &[(&a, 1), (&b, 2)], Mode::AllOrNothing);
    pass(&mut world, 3000);
    let view = made(&world, some);
    assert_eq!(view.lines.len(), 1);
    assert_eq!(view.shortages[0].reason, ShortageReason::Unavailable);
    let unavailable = Err(Unavailable::PartUnavailable { shard: 1 });
    assert_eq!(told(&world, all), unavailable);
    world.rest(true).expect("everything fits");
}

#[test]
fn a_decided_confirm_is_applied_though_units_went_missing_meanwhile() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 2), stocked(&mut world, 1, 2));
    world.account.forced.insert(b.clone());
    let ask = reserve(&mut world, &[(&a, 2), (&b, 2)], Mode::AllOrNothing);
    pass(&mut world, 500);
    let id = made(&world, ask).id;
    let sold = confirm(&mut world, id);
    world.commit(0).expect("handed over");
    world.commit(0).expect("on disk");
    world.collect().expect("answered");
    assert_eq!(made(&world, sold).lines[1].confirmed, 2);
    let thief = Movement::new(
        b.clone(),
        MovementKind::Adjust {
            delta: -1,
            force: true,
        },
    );
    send(&mut world, Command::Movement(Box::new(thief)));
    world.rest(true).expect("everything fits");
    let counters = &world.account.levels[&(b, Location::main())];
    let of = |counter| counters.get(counter);
    assert_eq!((of(Counter::Sold), of(Counter::OnHand)), (2, 0));
    assert_eq!((of(Counter::Received), of(Counter::Adjusted)), (2, 0));
}

/// Home died while it asked the part anew. The next late confirm found the unit under the lost
/// attempt's hold, which home would not drop while it tried, and was refused for good as sold out.
#[test]
fn what_a_partial_confirm_kept_is_sold_late_and_only_that() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 3), stocked(&mut world, 1, 3));
    let ask = reserve(&mut world, &[(&a, 3), (&b, 3)], Mode::AllOrNothing);
    pass(&mut world, 500);
    let id = made(&world, ask).id;
    let some = LineUnits {
        sku: b.clone(),
        location: None,
        units: Units::new(2).expect("a quantity"),
    };
    let part = Confirm {
        id,
        lines: Some((vec![some], Remainder::Keep)),
        late: Late::Reacquire,
        payment_ref: None,
    };
    let part = send(&mut world, Command::Confirm(Box::new(part)));
    pass(&mut world, 6000);
    assert_eq!(made(&world, part).lines[1].confirmed, 2);
    let rest = confirm(&mut world, id);
    world.nodes[0].die();
    world.recover(0).expect("it is back");
    // What the lost attempt holds stands in the way for a moment, and not for good.
    confirm(&mut world, id);
    pass(&mut world, 2000);
    let again = confirm(&mut world, id);
    pass(&mut world, 1000);
    let lost = Err(Unavailable::Lost { shard: 0 });
    assert_eq!(told(&world, rest), lost);
    let view = made(&world, again);
    assert!(view.late);
    assert_eq!(view.lines.iter().map(|line| line.confirmed).sum::<u32>(), 6);
    world.rest(true).expect("everything fits");
}

/// While a late confirm waited for its part, the window ended and a second confirm was answered
/// 410, which is final and may already have led to a refund. Then the first one sold the units.
#[test]
fn a_late_confirm_under_way_does_not_outlive_the_window_that_refused_another() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 2), stocked(&mut world, 1, 2));
    let ask = reserve(&mut world, &[(&a, 1), (&b, 1)], Mode::AllOrNothing);
    pass(&mut world, 500);
    let view = made(&world, ask);
    let end = view.expires_at.after(Millis::from_secs(30)).ms();
    pass(&mut world, 6000);
    world.advance(end - world.clock - 100);
    let first = confirm(&mut world, view.id);
    world.advance(200);
    let second = confirm(&mut world, view.id);
    pass(&mut world, 1000);
    for ask in [second, first] {
        let Ok(Answer::Refused { refusal, .. }) = told(&world, ask) else {
            panic!("expected a refusal, was told {:?}", told(&world, ask));
        };
        let Refusal::ReservationExpired { reason, .. } = *refusal else {
            panic!("expected a final refusal, was told {refusal:?}");
        };
        assert_eq!(reason, ExpiredReason::LateWindow);
    }
    world.rest(true).expect("everything fits");
}

/// A confirm of one line of a reservation, late if need be.
fn confirm_one(world: &mut World, id: ReservationId, sku: &Sku) -> usize {
    let line = LineUnits {
        sku: sku.clone(),
        location: None,
        units: Units::new(1).expect("a quantity"),
    };
    let confirm = Confirm {
        id,
        lines: Some((vec![line], Remainder::Release)),
        late: Late::Reacquire,
        payment_ref: None,
    };
    send(world, Command::Confirm(Box::new(confirm)))
}

/// A cart over both shards whose time has passed: its SKU at home, and that of its part.
fn lapsed(world: &mut World) -> (ReservationId, Sku, Sku) {
    let (a, b) = (stocked(world, 0, 1), stocked(world, 1, 1));
    let ask = reserve(world, &[(&a, 1), (&b, 1)], Mode::AllOrNothing);
    pass(world, 6000);
    (made(world, ask).id, a, b)
}

/// While a late confirm of all waited for its part, one of home's own line was answered. The first
/// was then refused as closed, for good, though units were sold, and its repeat was not refused.
#[test]
fn a_late_confirm_that_another_overtook_hears_what_its_repeat_hears() {
    let mut world = calm(2);
    let (id, own, _) = lapsed(&mut world);
    let all = confirm(&mut world, id);
    let one = confirm_one(&mut world, id, &own);
    pass(&mut world, 1000);
    let again = confirm(&mut world, id);
    pass(&mut world, 1000);
    for ask in [one, all, again] {
        let view = made(&world, ask);
        let confirmed: Vec<_> = view.lines.iter().map(|line| line.confirmed).collect();
        assert_eq!(confirmed, [1, 0], "what the other leaves is closed");
    }
    world.rest(true).expect("everything fits");
}

/// The same with a part that had sold the units: the confirm of its line was answered 200 with a
/// reservation of which that line was not confirmed, and its repeat was refused for good.
#[test]
fn a_late_confirm_that_another_overtook_and_its_part_refuses_is_refused() {
    let mut world = calm(2);
    let (id, own, elsewhere) = lapsed(&mut world);
    let rival = reserve(&mut world, &[(&elsewhere, 1)], Mode::AllOrNothing);
    pass(&mut world, 100);
    made(&world, rival);
    let gone = confirm_one(&mut world, id, &elsewhere);
    let one = confirm_one(&mut world, id, &own);
    pass(&mut world, 1000);
    let again = confirm_one(&mut world, id, &elsewhere);
    pass(&mut world, 1000);
    assert_eq!(made(&world, one).lines[0].confirmed, 1);
    for ask in [gone, again] {
        let (refusal, _) = refused(&world, ask);
        let Refusal::ReservationExpired { reason, .. } = refusal else {
            panic!("expected a final refusal, was told {refusal:?}");
        };
        assert_eq!(reason, ExpiredReason::Closed);
    }
    world.rest(true).expect("everything fits");
}

fn refused(world: &World, ask: usize) -> (Refusal, Timestamp) {
    match told(world, ask) {
        Ok(Answer::Refused { refusal, at, .. }) => (*refusal, at),
        other => panic!("expected a refusal, was told {other:?}"),
    }
}

fn pause(world: &mut World, sku: &Sku) {
    let mut configure = configure(sku, None);
    configure.paused = Patch::Set(true);
    send(world, Command::Configure(Box::new(configure)));
    pass(world, 1);
}

/// It was `insufficient-stock` with an `available` of 0 for whatever nothing could be granted of.
#[test]
fn a_cart_that_gets_nothing_by_best_effort_is_refused_for_the_first_reason_of_any_shard() {
    let mut world = calm(3);
    let (paused, empty) = (stocked(&mut world, 0, 9), stocked(&mut world, 1, 1));
    let other = stocked(&mut world, 2, 1);
    let all = reserve(&mut world, &[(&empty, 1), (&other, 1)], Mode::AllOrNothing);
    pass(&mut world, 500);
    made(&world, all);
    pause(&mut world, &paused);
    let at_part = reserve(&mut world, &[(&empty, 1), (&paused, 1)], Mode::BestEffort);
    let at_home = reserve(&mut world, &[(&paused, 1), (&empty, 1)], Mode::BestEffort);
    let short = reserve(&mut world, &[(&empty, 1), (&other, 2)], Mode::BestEffort);
    pass(&mut world, 1000);
    let expected = Refusal::SalePaused(vec![paused]);
    assert_eq!(refused(&world, at_part).0, expected);
    assert_eq!(refused(&world, at_home).0, expected);
    let Refusal::InsufficientStock(lines) = refused(&world, short).0 else {
        panic!("both are short: {:?}", told(&world, short));
    };
    let told: Vec<_> = lines
        .iter()
        .map(|line| (&line.sku, line.requested))
        .collect();
    assert_eq!(told, [(&empty, 1), (&other, 2)]);
    assert!(lines.iter().all(|line| line.stock.is_some()), "{lines:?}");
    world.rest(true).expect("everything fits");
}

/// The refusal was dated 1970, and named the SKU of one part only.
#[test]
fn unknown_skus_of_all_parts_refuse_a_best_effort_cart_and_say_when() {
    let mut world = calm(3);
    let known = stocked(&mut world, 0, 9);
    let ghost = |shard: u16| {
        let names = (0..).map(|number| Sku::parse(&format!("GHOST{number}")).expect("a name"));
        let mut own = names.filter(|sku| world.common.placement.shard_of_sku(sku) == shard);
        own.next().expect("hashes reach every shard")
    };
    let (one, two) = (ghost(1), ghost(2));
    let ask = reserve(
        &mut world,
        &[(&known, 1), (&one, 1), (&two, 1)],
        Mode::BestEffort,
    );
    pass(&mut world, 1000);
    let (refusal, at) = refused(&world, ask);
    assert_eq!(refusal, Refusal::UnknownSku(vec![one, two]));
    assert!(Timestamp::ZERO < at, "{at:?}");
    world.rest(true).expect("everything fits");
}
