//! Single carts after the reserve, step by step: cancels, shipments and moves between shards.

use crate::stories::{calm, confirm, made, pass, reserve, send, stocked, told};
use crate::world::World;
use holdfast_core::{
    Answer, Cancel, Command, Counter, Location, Mode, MoveHold, Movement, MovementKind, Refusal,
    ReservationId, Sale, SaleLines, Sku, Units,
};
use holdfast_runtime::peer::PeerMessage;

fn units(units: u32) -> Units {
    Units::new(units).expect("a quantity")
}

fn cancel(world: &mut World, id: ReservationId) -> usize {
    let (lines, reason) = (None, None);
    send(
        world,
        Command::Cancel(Box::new(Cancel { id, lines, reason })),
    )
}

fn ship(world: &mut World, id: ReservationId, sku: &Sku, count: u32) -> usize {
    let home = usize::from(world.common.placement.home_of(id));
    let engine = world.nodes[home].engine().expect("it is up");
    let lines = engine.sale_lines(id, sku).expect("it is recorded");
    let kind = MovementKind::Ship {
        units: units(count),
        sale: Some(Box::new(Sale {
            id,
            lines: SaleLines::Told(lines),
        })),
    };
    send(
        world,
        Command::Movement(Box::new(Movement::new(sku.clone(), kind))),
    )
}

/// A cart whose second line lives on another shard, confirmed and settled there.
fn sold(world: &mut World) -> (ReservationId, Sku) {
    let (a, b) = (stocked(world, 0, 5), stocked(world, 1, 5));
    let ask = reserve(world, &[(&a, 1), (&b, 4)], Mode::AllOrNothing);
    pass(world, 500);
    let id = made(world, ask).id;
    confirm(world, id);
    pass(world, 500);
    (id, b)
}

fn counter(world: &World, sku: &Sku, counter: Counter) -> i64 {
    world.account.levels[&(sku.clone(), Location::main())].get(counter)
}

fn shown(world: &mut World, id: ReservationId, sku: &Sku) -> [u32; 2] {
    let home = usize::from(world.common.placement.home_of(id));
    let engine = world.nodes[home].engine().expect("it is up");
    let now = holdfast_core::Timestamp::from_ms(world.clock);
    let view = engine.reservation(id, now).expect("it is kept");
    let line = view.lines.iter().find(|line| line.sku == *sku);
    let line = line.expect("it has that line");
    [line.cancelled, line.shipped]
}

#[test]
fn a_cancel_gives_units_of_another_shard_back_there() {
    let mut world = calm(2);
    let (id, b) = sold(&mut world);
    assert_eq!(counter(&world, &b, Counter::Sold), 4);
    cancel(&mut world, id);
    pass(&mut world, 500);
    assert_eq!(counter(&world, &b, Counter::Sold), 0);
    assert_eq!(counter(&world, &b, Counter::OnHand), 5);
    world.rest(true).expect("everything fits");
}

#[test]
fn what_left_another_shard_is_known_at_home_and_is_not_cancelled() {
    let mut world = calm(2);
    let (id, b) = sold(&mut world);
    ship(&mut world, id, &b, 3);
    pass(&mut world, 500);
    assert_eq!(shown(&mut world, id, &b), [0, 3]);
    cancel(&mut world, id);
    pass(&mut world, 500);
    assert_eq!(shown(&mut world, id, &b), [1, 3]);
    assert_eq!(counter(&world, &b, Counter::OnHand), 2);
    world.rest(true).expect("everything fits");
}

/// Home cancels all of it before it hears that some has left: what can come back does, the rest is a
/// drift, and both sides agree on what was shipped of the sale.
#[test]
fn a_cancel_that_crosses_a_shipment_leaves_a_drift() {
    let mut world = calm(2);
    let (id, b) = sold(&mut world);
    ship(&mut world, id, &b, 3);
    cancel(&mut world, id);
    pass(&mut world, 2000);
    assert_eq!(shown(&mut world, id, &b), [4, 0]);
    assert_eq!(world.account.gone.get(&b), Some(&3));
    assert_eq!(counter(&world, &b, Counter::OnHand), 2);
    assert_eq!(counter(&world, &b, Counter::Sold), 3);
    let drifts = world.nodes[1].engine().expect("it is up").drifts();
    assert_eq!(drifts.count(), 1);
    world.rest(true).expect("everything fits");
}

/// The report is lost, then its answer; home and part die on the way.
#[test]
fn a_shipment_is_told_until_home_has_heard_whatever_is_lost() {
    let mut world = calm(2);
    let (id, b) = sold(&mut world);
    ship(&mut world, id, &b, 2);
    for _ in 0..2 {
        world.commit(1).expect("on disk");
    }
    let is_report = |message: &PeerMessage| matches!(message, PeerMessage::Shipped(_));
    assert!(world.net.iter().any(|sent| is_report(&sent.message)));
    world.net.clear();
    world.nodes[1].die();
    world.recover(1).expect("it is back");
    world.deliver().expect("home hears something");
    world.net.clear();
    world.nodes[0].die();
    world.recover(0).expect("it is back");
    pass(&mut world, 2000);
    assert_eq!(shown(&mut world, id, &b), [0, 2]);
    world.rest(true).expect("everything fits");
}

#[test]
fn units_of_another_shard_move_there_in_one_step_or_not_at_all() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 5), stocked(&mut world, 1, 5));
    let second = Location::parse("second").expect("a name");
    send(&mut world, crate::client::receive(&b, second.clone(), 2));
    let ask = reserve(&mut world, &[(&a, 1), (&b, 3)], Mode::AllOrNothing);
    pass(&mut world, 500);
    let id = made(&world, ask).id;
    let move_of = |count| {
        Command::MoveHold(Box::new(MoveHold {
            id,
            sku: b.clone(),
            from: Location::main(),
            to: second.clone(),
            units: Some(units(count)),
        }))
    };
    let too_many = send(&mut world, move_of(3));
    pass(&mut world, 3000);
    assert!(
        matches!(told(&world, too_many), Ok(Answer::Refused { refusal, .. })
        if matches!(*refusal, Refusal::InsufficientStock(_)))
    );
    let reserved = |world: &World, at: &Location| {
        world.account.levels[&(b.clone(), at.clone())].get(Counter::Reserved)
    };
    assert_eq!(
        (
            reserved(&world, &Location::main()),
            reserved(&world, &second)
        ),
        (3, 0)
    );
    let moved = send(&mut world, move_of(2));
    pass(&mut world, 1000);
    let lines = made(&world, moved).lines;
    assert_eq!(
        lines.iter().map(|line| line.open).collect::<Vec<_>>(),
        [1, 1, 2]
    );
    assert_eq!(
        (
            reserved(&world, &Location::main()),
            reserved(&world, &second)
        ),
        (1, 2)
    );
    confirm(&mut world, id);
    pass(&mut world, 500);
    assert_eq!(counter(&world, &b, Counter::Sold), 1);
    world.rest(true).expect("everything fits");
}

/// A part that is down can't hold anew: the units stay where they are.
#[test]
fn a_move_whose_part_is_down_leaves_all_as_it_was() {
    let mut world = calm(2);
    let (a, b) = (stocked(&mut world, 0, 5), stocked(&mut world, 1, 5));
    let second = Location::parse("second").expect("a name");
    send(&mut world, crate::client::receive(&b, second.clone(), 2));
    let ask = reserve(&mut world, &[(&a, 1), (&b, 2)], Mode::AllOrNothing);
    pass(&mut world, 500);
    let id = made(&world, ask).id;
    world.nodes[1].die();
    let moved = send(
        &mut world,
        Command::MoveHold(Box::new(MoveHold {
            id,
            sku: b,
            from: Location::main(),
            to: second,
            units: None,
        })),
    );
    pass(&mut world, 3000);
    assert!(told(&world, moved).is_err());
    world.rest(true).expect("everything fits");
}
