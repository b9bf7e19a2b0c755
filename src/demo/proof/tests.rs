//! The demo's proof, handed lies.

use std::time::Duration;

use super::{
    super::{Afterwards, book::Book},
    *,
};
use crate::{
    client::{
        Call,
        wire::{Counters, Line, Problem, Reservation, Status},
    },
    progress::Show,
    replay::{
        account::{Held, LineAccount, Standing},
        plan::Fate,
    },
};

fn options() -> Options {
    Options {
        binary: "holdfast".into(),
        buyers: 10,
        units: 3,
        rush: Duration::from_secs(1),
        seed: 1,
        afterwards: Afterwards::Remove,
        show: Show::Nothing,
    }
}

/// Three units, two bought, one in a cart that nobody came back for.
fn honest() -> (Told, Seen) {
    let book = Book::default();
    let standings = [Standing::Confirmed, Standing::Confirmed, Standing::Open];
    let mut read_back = Vec::new();
    for (place, standing) in standings.into_iter().enumerate() {
        let line = LineAccount {
            pair: PAIR,
            qty: 1,
            open: 1,
            confirmed: 0,
            released: 0,
            expired: 0,
        };
        let (id, fate) = (format!("r{place}"), Fate::Confirm);
        let held = Held {
            id,
            fate,
            standing: Standing::Open,
            lines: vec![line],
        };
        let entry = book.hold(held, Call::get("/"));
        book.change(entry, |held| {
            held.standing = standing;
            held.settle();
        });
        read_back.push((place, Ok(reservation(place, standing))));
    }
    let counters = Counters {
        received: 3,
        on_hand: 1,
        sold: 2,
        reserved: 1,
        ..<_>::default()
    };
    let place = Place {
        counters,
        available: 0,
    };
    let sku = Sku {
        sku: SKU.to_owned(),
        counters,
        available: 0,
        locations: [("main".to_owned(), place)].into(),
    };
    let (after, repeated_otherwise, oversold) = (sku.clone(), Vec::new(), Vec::new());
    (
        book.close(),
        Seen {
            sku,
            after,
            read_back,
            repeated_otherwise,
            looks: 9,
            oversold,
        },
    )
}

fn reservation(place: usize, standing: Standing) -> Reservation {
    let of = |wanted| u64::from(standing == wanted);
    Reservation {
        id: format!("r{place}"),
        status: if standing == Standing::Open {
            Status::Open
        } else {
            Status::Confirmed
        },
        order_ref: None,
        created_at: String::new(),
        late: None,
        lines: vec![Line {
            sku: SKU.to_owned(),
            location: "main".to_owned(),
            requested: 1,
            qty: 1,
            open: of(Standing::Open),
            confirmed: of(Standing::Confirmed),
            released: 0,
            expired: 0,
        }],
        shortages: None,
    }
}

fn broken(told: &Told, seen: &Seen, codes: (i32, i32)) -> Vec<&'static str> {
    let findings = prove(&options(), told, seen, Some(codes.0), Some(codes.1));
    let broken = findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Holds);
    broken.map(|finding| finding.claim).collect()
}

/// Changes the counters, in the sum and at the only place.
fn recount(seen: &mut Seen, change: impl Fn(&mut Counters)) {
    change(&mut seen.sku.counters);
    change(
        &mut seen
            .sku
            .locations
            .get_mut("main")
            .expect("every sale has it")
            .counters,
    );
    seen.after = seen.sku.clone();
}

#[test]
fn an_honest_sale_is_proved() {
    let (told, seen) = honest();
    assert_eq!(broken(&told, &seen, (0, 0)), <[&str; 0]>::default());
}

#[test]
fn a_fourth_sale_of_three_units_is_an_oversell() {
    let (told, mut seen) = honest();
    recount(&mut seen, |counters| counters.sold = 4);
    assert!(broken(&told, &seen, (0, 0)).contains(&"never oversold"));
}

#[test]
fn an_oversell_that_was_only_seen_in_passing_counts() {
    let (told, mut seen) = honest();
    seen.oversold.push("2 sold + 2 held + 0 free".to_owned());
    assert_eq!(broken(&told, &seen, (0, 0)), ["never oversold"]);
}

#[test]
fn a_payment_without_a_sale_and_a_sale_without_a_payment_are_seen() {
    for sold in [1, 3] {
        let (told, mut seen) = honest();
        recount(&mut seen, |counters| {
            (counters.sold, counters.on_hand) = (sold, 3 - sold);
        });
        assert!(broken(&told, &seen, (0, 0)).contains(&"every payment taken is one sale"));
    }
}

#[test]
fn a_reservation_that_the_crash_swallowed_is_seen() {
    let (told, mut seen) = honest();
    seen.read_back[0].1 = Err(Problem::of_status(hyper::StatusCode::NOT_FOUND));
    assert_eq!(
        broken(&told, &seen, (0, 0)),
        ["every acknowledged reservation survived"]
    );
}

#[test]
fn a_repeat_with_another_answer_or_an_effect_is_seen() {
    let claim = "every repeat got the first answer";
    let (told, mut seen) = honest();
    seen.repeated_otherwise
        .push("r1: repeated as r7".to_owned());
    assert_eq!(broken(&told, &seen, (0, 0)), [claim]);

    let (told, mut seen) = honest();
    seen.after.counters.sold += 1;
    assert_eq!(broken(&told, &seen, (0, 0)), [claim]);
}

#[test]
fn a_unit_that_nobody_can_explain_is_seen() {
    let (told, mut seen) = honest();
    recount(&mut seen, |counters| counters.reserved = 0);
    assert_eq!(broken(&told, &seen, (0, 0)), ["every unit is explained"]);
}

#[test]
fn the_exit_codes_of_serve_and_verify_count() {
    let (told, seen) = honest();
    for codes in [(1, 0), (0, 6)] {
        assert_eq!(broken(&told, &seen, codes), ["the ledger checks out"]);
    }
}
