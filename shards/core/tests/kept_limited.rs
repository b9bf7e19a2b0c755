//! What a cart of another shard sold may be cancelled, or leave, for as long as its home keeps the
//! reservation. On a SKU with a customer limit it used to be forgotten after 30 days, the longest
//! that a limit looks back: a cancel after that found nothing, and its units stayed sold for ever.

use holdfast_core::{
    Command, Configure, Counter, CustomerLimit, DropHold, Engine, Event, Location, Millis, Mode,
    Movement, MovementKind, Opening, Patch, Policy, Request, ReservationId, ReserveLine, Settle,
    Sku, Slot, Text, Timestamp, Try, Units,
};

const DAY: u64 = 86_400_000;

fn id(counter: u64) -> ReservationId {
    let slot = Slot::new(1).expect("a slot");
    let opening = Opening::new(1).expect("an opening");
    ReservationId::mint(Timestamp::from_ms(1000), slot, opening, counter, 0)
}

fn tee() -> Sku {
    Sku::parse("TEE").expect("a name")
}

fn ask(engine: &mut Engine, at: u64, command: Command) -> Vec<Event> {
    let request = Request::of(command);
    let decision = engine.decide(&request, Timestamp::from_ms(at));
    for event in &decision.events {
        engine.evolve(event);
    }
    engine.check().expect("its invariants hold");
    decision.events.into_vec()
}

/// Forgets all that is past its retention.
fn forget(engine: &mut Engine, at: u64) {
    while let Some(event) = engine.forget(Timestamp::from_ms(at), 100) {
        engine.evolve(&event);
    }
    let next = engine.next_forget();
    assert!(
        next.is_none_or(|next| at < next.ms()),
        "due, and not done: {next:?}"
    );
}

fn settle(version: u32, cancelled: u32) -> Command {
    Command::Settle(Settle {
        id: id(1),
        hold: 0,
        version,
        units: 2,
        confirmed: 2,
        released: 0,
        expired: 0,
        cancelled,
        deadline: Timestamp::from_ms(9000),
    })
}

/// A part that has sold two of four units of a limited SKU for another shard's cart.
fn part() -> Engine {
    let mut engine = Engine::new(Policy {
        order_retention: Millis::new(60 * DAY),
        ..Policy::default()
    });
    let configure = Configure {
        customer_limit: Patch::Set(CustomerLimit {
            units: 2,
            window: Millis::new(DAY),
        }),
        ..Configure::new(tee())
    };
    ask(&mut engine, 2000, Command::Configure(Box::new(configure)));
    let receive = Movement {
        id: id(0),
        ..Movement::new(tee(), MovementKind::Receive(Units::new(4).expect("some")))
    };
    ask(&mut engine, 2000, Command::Movement(Box::new(receive)));
    let attempt = Try {
        id: id(1),
        attempt: 1,
        lines: vec![ReserveLine {
            sku: tee(),
            units: Units::new(2).expect("some units"),
            location: Some(Location::main()),
        }],
        customer: Text::parse("ann").ok(),
        mode: Mode::AllOrNothing,
        deadline: Timestamp::from_ms(9000),
        late: None,
        from: None,
    };
    ask(&mut engine, 2000, Command::Try(Box::new(attempt)));
    ask(&mut engine, 3000, settle(2, 0));
    engine
}

fn sold(engine: &Engine) -> i64 {
    engine
        .sku(&tee())
        .expect("it is there")
        .total(Counter::Sold)
}

#[test]
fn a_cancel_finds_what_a_limited_sku_sold_for_another_shard_after_the_longest_window() {
    let mut engine = part();
    forget(&mut engine, 31 * DAY);
    assert_eq!(sold(&engine), 2);
    assert!(!ask(&mut engine, 31 * DAY, settle(3, 2)).is_empty());
    assert_eq!(sold(&engine), 0, "what was cancelled is there again");
    forget(&mut engine, 31 * DAY);
    assert_eq!(engine.kept_holds().count(), 0);
}

#[test]
fn what_a_limited_sku_sold_is_kept_until_home_has_forgotten_it_and_it_counts_no_more() {
    let mut engine = part();
    let drop = || {
        let (id, hold) = (id(1), 0);
        Command::DropHold(DropHold { id, hold })
    };
    // Home has forgotten it before its window is over.
    assert!(ask(&mut engine, 8 * DAY, drop()).is_empty());
    let (_, due) = engine.kept_hold(0).expect("it is kept");
    assert!(30 * DAY < due.ms(), "asked before it could be dropped");
    forget(&mut engine, 61 * DAY);
    assert_eq!(engine.kept_holds().count(), 1);
    assert_eq!(ask(&mut engine, 61 * DAY, drop()).len(), 1);
    assert_eq!(engine.kept_holds().count(), 0);
    assert_eq!(sold(&engine), 2);
}
