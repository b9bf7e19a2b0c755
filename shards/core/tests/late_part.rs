//! A cart over two shards was made without a customer when none was needed; then a part's SKU got
//! a limit, and the payment came late. On one shard the units are taken again; the part used to
//! refuse with `customer-required`, which a paid buyer can do nothing about.

use holdfast_core::{
    Command, Configure, CustomerLimit, Engine, Location, Millis, Mode, Movement, MovementKind,
    Opening, Outcome, Patch, Policy, Refusal, Request, ReservationId, ReserveLine, Sku, Slot,
    Timestamp, Try, Units,
};

fn id(counter: u64) -> ReservationId {
    let slot = Slot::new(1).expect("a slot");
    let opening = Opening::new(1).expect("an opening");
    ReservationId::mint(Timestamp::from_ms(1000), slot, opening, counter, 0)
}

fn ask(engine: &mut Engine, command: Command) -> Outcome {
    let request = Request::of(command);
    let decision = engine.decide(&request, Timestamp::from_ms(2000));
    for event in &decision.events {
        engine.evolve(event);
    }
    decision.outcome
}

/// A part with five units of a SKU that is limited.
fn part() -> Engine {
    let mut engine = Engine::new(Policy::default());
    let sku = Sku::parse("TEE").expect("a name");
    let limit = CustomerLimit {
        units: 1,
        window: Millis::from_secs(60),
    };
    let configure = Configure {
        customer_limit: Patch::Set(limit),
        ..Configure::new(sku.clone())
    };
    let receive = Movement {
        id: id(0),
        ..Movement::new(
            sku,
            MovementKind::Receive(Units::new(5).expect("some units")),
        )
    };
    ask(&mut engine, Command::Configure(Box::new(configure)));
    ask(&mut engine, Command::Movement(Box::new(receive)));
    engine
}

fn try_of(late: Option<Vec<holdfast_core::Settle>>) -> Command {
    let line = ReserveLine {
        sku: Sku::parse("TEE").expect("a name"),
        units: Units::new(2).expect("some units"),
        location: Some(Location::main()),
    };
    Command::Try(Box::new(Try {
        id: id(1),
        attempt: 1,
        lines: vec![line],
        customer: None,
        mode: Mode::AllOrNothing,
        deadline: Timestamp::from_ms(9000),
        late,
        from: None,
    }))
}

#[test]
fn a_part_takes_units_again_for_a_late_payment_that_names_no_customer() {
    let mut engine = part();
    let outcome = ask(&mut engine, try_of(Some(Vec::new())));
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    engine.check().expect("its invariants hold");
}

#[test]
fn a_part_still_refuses_a_new_cart_that_names_no_customer() {
    let outcome = ask(&mut part(), try_of(None));
    let Outcome::Refused { refusal, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        matches!(refusal, Refusal::CustomerRequired(_)),
        "{refusal:?}"
    );
}
