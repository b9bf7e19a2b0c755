//! The proof, handed lies.

use super::{
    super::{account::LineAccount, plan::Fate},
    *,
};
use crate::client::wire::Status;

/// A run over one place: 10 units received, three reservations of 2 units, each in its standing.
struct Run {
    contents: Contents,
    account: Account,
    before: HashMap<Pair, Place>,
    after: HashMap<Pair, Place>,
    read_back: ReadBackAnswers,
    others: u64,
}

const PAIR: Pair = Pair {
    sku: 0,
    location: 0,
};

fn honest() -> Run {
    let mut contents = Contents::default();
    contents.skus.intern("P1");
    contents.locations.intern("main");
    let mut account = Account::default();
    account.received.insert(PAIR, 10);
    let mut read_back = Vec::new();
    let standings = [Standing::Confirmed, Standing::Released, Standing::Open];
    for (place, standing) in standings.into_iter().enumerate() {
        let of = |wanted| if standing == wanted { 2 } else { 0 };
        let line = LineAccount {
            pair: PAIR,
            qty: 2,
            open: of(Standing::Open),
            confirmed: of(Standing::Confirmed),
            released: of(Standing::Released),
            expired: 0,
        };
        let (id, lines) = (format!("r{place}"), vec![line]);
        account.held.push(Held {
            id,
            fate: Fate::Confirm,
            standing,
            lines,
        });
        read_back.push((place, Ok(reservation(place, &line))));
    }
    let counters = Counters {
        received: 10,
        on_hand: 8,
        sold: 2,
        released: 2,
        reserved: 2,
        ..Counters::default()
    };
    let after = HashMap::from([(
        PAIR,
        Place {
            counters,
            available: 6,
        },
    )]);
    let before = HashMap::new();
    Run {
        contents,
        account,
        before,
        after,
        read_back,
        others: 0,
    }
}

fn reservation(place: usize, line: &LineAccount) -> Reservation {
    let status = match () {
        () if line.confirmed > 0 => Status::Confirmed,
        () if line.released > 0 => Status::Released,
        () => Status::Open,
    };
    let line = Line {
        sku: "P1".to_owned(),
        location: "main".to_owned(),
        requested: 2,
        qty: line.qty,
        open: line.open,
        confirmed: line.confirmed,
        released: line.released,
        expired: line.expired,
    };
    Reservation {
        id: format!("r{place}"),
        status,
        order_ref: None,
        created_at: String::new(),
        late: None,
        lines: vec![line],
        shortages: None,
    }
}

impl Run {
    fn broken(&self) -> Vec<(&'static str, Verdict)> {
        let Self {
            contents,
            account,
            before,
            after,
            read_back,
            others,
        } = self;
        let sums_wrong = &[];
        let findings = judge(&Evidence {
            contents,
            account,
            before,
            after,
            sums_wrong,
            read_back,
            others: *others,
        });
        let broken = findings
            .iter()
            .filter(|finding| finding.verdict != Verdict::Holds);
        broken
            .map(|finding| (finding.claim, finding.verdict))
            .collect()
    }

    fn place(&mut self) -> &mut Place {
        self.after.get_mut(&PAIR).expect("every run has it")
    }
}

#[test]
fn an_honest_run_is_proved_also_on_shelves_that_were_not_empty() {
    let mut run = honest();
    assert_eq!(run.broken(), []);
    let counters = Counters {
        received: 5,
        on_hand: 4,
        sold: 1,
        ..Counters::default()
    };
    run.before.insert(
        PAIR,
        Place {
            counters,
            available: 4,
        },
    );
    let after = &mut run.place().counters;
    (after.received, after.on_hand, after.sold) = (15, 12, 3);
    assert_eq!(run.broken(), []);
}

#[test]
fn an_abandoned_hold_may_have_lapsed_between_the_two_reads() {
    let mut run = honest();
    run.place().counters.reserved = 0;
    run.place().counters.expired = 2;
    assert_eq!(run.broken(), []);
}

#[test]
fn an_oversell_is_seen_although_the_counters_hide_it() {
    let mut run = honest();
    run.account.received.insert(PAIR, 3);
    let claims: Vec<&str> = run.broken().into_iter().map(|(claim, _)| claim).collect();
    assert!(claims.contains(&"nothing was oversold"), "{claims:?}");
}

#[test]
fn a_sale_that_was_not_booked_is_an_undersell() {
    let mut run = honest();
    run.place().counters.sold = 0;
    run.place().counters.on_hand = 10;
    let claims: Vec<&str> = run.broken().into_iter().map(|(claim, _)| claim).collect();
    assert_eq!(
        claims,
        [
            "what was confirmed was sold, once",
            "the shelves hold what was not sold"
        ]
    );
}

#[test]
fn a_reservation_that_is_gone_or_changed_is_lost() {
    let lost = (
        "no acknowledged reservation is lost or changed",
        Verdict::Fails,
    );
    let mut run = honest();
    let gone = Problem::of_status(hyper::StatusCode::NOT_FOUND);
    run.read_back[0].1 = Err(gone);
    assert_eq!(run.broken(), [lost]);

    let mut run = honest();
    let Ok(answer) = &mut run.read_back[1].1 else {
        panic!("it was read")
    };
    answer.status = Status::Expired;
    assert_eq!(run.broken(), [lost]);

    let mut run = honest();
    let Ok(answer) = &mut run.read_back[2].1 else {
        panic!("it was read")
    };
    (answer.lines[0].qty, answer.lines[0].open) = (1, 1);
    assert_eq!(run.broken(), [lost]);
}

#[test]
fn units_from_nowhere_are_never_excused_by_others() {
    let mut run = honest();
    run.others = 1;
    run.place().counters.on_hand += 1;
    let broken = run.broken();
    assert!(broken.contains(&("units are conserved (INV-1, INV-4)", Verdict::Fails)));
}

#[test]
fn what_others_changed_is_not_provable_and_what_they_did_not_is_a_failure() {
    let mut run = honest();
    run.place().counters.reserved += 1;
    let claim = "every held unit is accounted for";
    assert_eq!(run.broken(), [(claim, Verdict::Fails)]);
    run.others = 1;
    assert_eq!(run.broken(), [(claim, Verdict::NotProvable)]);
}

#[test]
fn a_negative_counter_is_seen() {
    let mut run = honest();
    run.place().counters.released = -1;
    let claims: Vec<&str> = run.broken().into_iter().map(|(claim, _)| claim).collect();
    assert!(
        claims.contains(&"units are conserved (INV-1, INV-4)"),
        "{claims:?}"
    );
}
