//! A confirm that a cart's home has decided is always applied, and units that are missing by then
//! open a drift. It used to be told in words alone, which nobody could list, decide or correct.

use holdfast_core::{
    Command, Configure, DriftKind, DriftRecord, DriftState, Engine, Event, Location, Mode,
    Movement, MovementKind, Opening, Policy, Proposal, Request, ReservationId, ReserveLine, Settle,
    Sku, Slot, Timestamp, Try, Units,
};

fn id(counter: u64) -> ReservationId {
    let slot = Slot::new(1).expect("a slot");
    let opening = Opening::new(1).expect("an opening");
    ReservationId::mint(Timestamp::from_ms(1000), slot, opening, counter, 0)
}

fn tee() -> Sku {
    Sku::parse("TEE").expect("a name")
}

fn ask(engine: &mut Engine, command: Command) -> Vec<Event> {
    let request = Request::of(command);
    let decision = engine.decide(&request, Timestamp::from_ms(2000));
    for event in &decision.events {
        engine.evolve(event);
    }
    engine.check().expect("its invariants hold");
    decision.events.into_vec()
}

fn moved(engine: &mut Engine, kind: MovementKind) {
    let movement = Movement {
        id: id(0),
        ..Movement::new(tee(), kind)
    };
    ask(engine, Command::Movement(Box::new(movement)));
}

/// A part that has held two of three units for each of two carts, one of which it has not.
fn part() -> Engine {
    let mut engine = Engine::new(Policy::default());
    let configure = Configure::new(tee());
    ask(&mut engine, Command::Configure(Box::new(configure)));
    moved(
        &mut engine,
        MovementKind::Receive(Units::new(4).expect("some")),
    );
    for cart in [1, 2] {
        let line = ReserveLine {
            sku: tee(),
            units: Units::new(2).expect("some units"),
            location: Some(Location::main()),
        };
        let attempt = Try {
            id: id(cart),
            attempt: 1,
            lines: vec![line],
            customer: None,
            mode: Mode::AllOrNothing,
            deadline: Timestamp::from_ms(9000),
            late: None,
            from: None,
        };
        ask(&mut engine, Command::Try(Box::new(attempt)));
    }
    let (delta, force) = (-3, true);
    moved(&mut engine, MovementKind::Adjust { delta, force });
    engine
}

fn confirmed(cart: u64) -> Command {
    Command::Settle(Settle {
        id: id(cart),
        hold: cart - 1,
        version: 2,
        units: 2,
        confirmed: 2,
        released: 0,
        expired: 0,
        cancelled: 0,
        deadline: Timestamp::from_ms(9000),
    })
}

#[test]
fn units_missing_when_a_decided_confirm_arrives_are_drifts_of_their_own() {
    let mut engine = part();
    let first = ask(&mut engine, confirmed(1));
    let second = ask(&mut engine, confirmed(2));
    assert_eq!((first.len(), second.len()), (2, 2));
    let drifts: Vec<DriftRecord> = engine.drifts().cloned().collect();
    let [one, other] = &drifts[..] else {
        panic!("{drifts:?}")
    };
    assert_ne!(one.id, other.id);
    for (drift, (cart, fitted)) in drifts.iter().zip([(1, 1), (2, 0)]) {
        assert_eq!(drift.kind, DriftKind::ConfirmedMissing);
        assert_eq!((drift.expected, drift.found), (fitted, 2));
        assert_eq!(drift.reservation, Some(id(cart)));
        assert_eq!(drift.proposal, Proposal::Look);
        assert_eq!(drift.state, DriftState::Open);
        assert_eq!(
            drift.id.slot(),
            tee().slot(),
            "it is found where its SKU is"
        );
        assert_eq!(
            drift.id.opening().number(),
            0,
            "no movement can have its id"
        );
    }
    // Home tells again: nothing is new.
    assert!(ask(&mut engine, confirmed(2)).is_empty());
}
