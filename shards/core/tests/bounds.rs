//! What lies at the bounds of types: sums of lines, numbers of locations.
//!
//! Deliberately absent: ordinary quantities; stories and properties have those.

use holdfast_core::{
    Command, Configure, Engine, Location, Mode, Movement, MovementKind, Opening, Outcome, Patch,
    Policy, Refusal, Request, ReservationId, Reserve, ReserveLine, Sku, Slot, Timestamp, UNITS_MAX,
    Units,
};
use std::iter::repeat_n;

fn sku() -> Sku {
    Sku::parse("TEE").expect("a name")
}

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

fn configure(sku: &str, locations: impl Iterator<Item = String>) -> Command {
    let safety_stock = locations.map(|name| {
        let location = Location::parse(&name).expect("a name");
        (location, Patch::Keep)
    });
    Command::Configure(Box::new(Configure {
        safety_stock: safety_stock.collect(),
        ..Configure::new(Sku::parse(sku).expect("a name"))
    }))
}

/// Nine times the most that one receipt may name, at each of these locations.
fn stocked(locations: &[&str]) -> Engine {
    let mut engine = Engine::new(Policy::default());
    ask(&mut engine, configure("TEE", std::iter::empty()));
    for name in locations {
        for _ in 0..9 {
            let receive = Movement {
                id: id(0),
                location: Location::parse(name).expect("a name"),
                ..Movement::new(
                    sku(),
                    MovementKind::Receive(Units::new(UNITS_MAX).expect("the most")),
                )
            };
            ask(&mut engine, Command::Movement(Box::new(receive)));
        }
    }
    engine
}

fn reserve(mode: Mode, locations: &[Option<&str>]) -> Command {
    let lines = locations.iter().map(|location| ReserveLine {
        sku: sku(),
        units: Units::new(UNITS_MAX).expect("the most"),
        location: location.map(|name| Location::parse(name).expect("a name")),
    });
    Command::Reserve(Box::new(Reserve {
        id: id(1),
        order_ref: None,
        customer: None,
        ttl: None,
        mode,
        replace: None,
        lines: lines.collect(),
    }))
}

/// Lines of one SKU are summed, and five of the largest are more than a hold counts. Best effort
/// held 2^32 - 1 units of it and listed no shortage; with two locations the sum of what was granted
/// wrapped around, and a build that checks sums lost the shard.
#[test]
fn best_effort_holds_no_more_of_a_sku_than_a_hold_counts_and_lists_the_rest() {
    let (here, there) = (Some("main"), Some("store"));
    let five = |place| repeat_n(place, 5);
    let carts: [Vec<Option<&str>>; 4] = [
        five(None).collect(),
        five(here).chain(five(None)).collect(),
        five(here).chain(five(there)).collect(),
        five(there).chain(five(None)).collect(),
    ];
    for cart in carts {
        let mut engine = stocked(&["main", "store"]);
        let outcome = ask(&mut engine, reserve(Mode::BestEffort, &cart));
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let made = engine.reservation(id(1), Timestamp::from_ms(2000));
        let made = made.expect("it was made");
        let held: u64 = made.lines.iter().map(|line| u64::from(line.units)).sum();
        assert_eq!(held, u64::from(UNITS_MAX), "{cart:?}");
        assert_eq!(made.shortages.len(), 1, "{cart:?}");
        assert_eq!(made.shortages[0].granted, UNITS_MAX, "{cart:?}");
        engine.check().expect("every invariant holds");
    }
}

#[test]
fn all_or_nothing_refuses_more_of_a_sku_than_a_hold_counts_and_says_how_much_was_asked() {
    let (here, there) = (Some("main"), Some("store"));
    let mut engine = stocked(&["main", "store"]);
    let cart = [here, here, here, there, there, None, None, None];
    match ask(&mut engine, reserve(Mode::AllOrNothing, &cart)) {
        Outcome::Refused {
            refusal: Refusal::InsufficientStock(lines),
            ..
        } => {
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0].requested, 8 * u64::from(UNITS_MAX));
        }
        other => panic!("{other:?}"),
    }
}

/// Each of the locations had room, all together had not, and the last of them took the shard down.
#[test]
fn a_configuration_that_names_more_locations_than_are_left_is_refused_whole() {
    let mut engine = Engine::new(Policy::default());
    let names = |range: std::ops::Range<u32>| range.map(|at| format!("l{at}"));
    // 65,535 is the most; a few for each SKU, since a SKU's own are walked one by one.
    for from in (0..65_530).step_by(10) {
        ask(
            &mut engine,
            configure(&format!("S{from}"), names(from..from + 10)),
        );
    }
    let outcome = ask(&mut engine, configure("TEE", names(65_530..65_540)));
    assert!(matches!(outcome, Outcome::Full("locations")), "{outcome:?}");
    let outcome = ask(&mut engine, configure("TEE", names(65_520..65_535)));
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let outcome = ask(&mut engine, configure("TEE", names(65_534..65_536)));
    assert!(matches!(outcome, Outcome::Full("locations")), "{outcome:?}");
}
