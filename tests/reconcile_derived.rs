//! Real baskets, with errors put in on purpose: reconciliation finds each, invents none, and when
//! they are decided, ledger, counts, orders and feeds agree.
//!
//! An excerpt in one process; `cargo bench --bench baskets -- FILE` does the same with a whole file
//! and the real program.

mod derive;
#[allow(dead_code, reason = "each test file uses its part")]
#[path = "reconcile_world/mod.rs"]
mod world;

use std::collections::BTreeMap;

use derive::{Clock, DELIVERY, Derived, Errors, Fate, Pair, RECEIPT, Slip};
use holdfast::reconcile::{Difference, Report, Source, State, when};
use holdfast_core::{
    Answer, Command, Confirm, Counter, FeedMark, Late, Location, Millis, Mode, Movement,
    MovementKind, Note, Release, ReservationId, Reserve, ReserveLine, Timestamp, Units, Verdict,
};
use world::{World, sku, text};

const EXCERPT: &str = include_str!("fixtures/baskets-excerpt.csv");

/// What was derived, told to a ledger.
struct Told {
    world: World,
    derived: Derived,
    /// The reservations of each order.
    made: BTreeMap<String, Vec<String>>,
    /// The moment before the last deliveries, which is what slow clocks say of the count.
    before: Timestamp,
    /// The moment of the count.
    counted: Timestamp,
}

fn units(units: u32) -> Units {
    Units::new(units).expect("some")
}

impl Told {
    async fn new(csv: &str, seed: u64) -> Self {
        let mut told = Self {
            world: World::new().await,
            derived: derive::derive(csv, seed),
            made: BTreeMap::new(),
            before: Timestamp::ZERO,
            counted: Timestamp::ZERO,
        };
        let places = told.derived.places.clone();
        for (pair, (received, slip)) in &places {
            told.world.stocks(&pair.0, &pair.1, *received).await;
            let sequences: &[Option<u64>] = match slip {
                Slip::RepeatedReceipt => &[None, None],
                Slip::RepeatedMark => &[Some(1), Some(1)],
                Slip::Reordered => &[Some(2), Some(1)],
                Slip::None | Slip::LateReceipt | Slip::DoubleCount | Slip::StaleSeller => &[],
            };
            for sequence in sequences {
                told.receives(pair, RECEIPT, *sequence, None).await;
            }
        }
        for at in 0..told.derived.baskets.len() {
            told.checks_out(at).await;
        }
        // Whoever did not pay in time has lapsed.
        told.world.hands.advance(Millis::from_secs(700));
        told.before = told.world.router().now();
        told.world.hands.advance(Millis::from_secs(60));
        for pair in places.keys() {
            if told.derived.clock(pair) == Clock::Behind {
                told.receives(pair, DELIVERY, None, None).await;
            }
        }
        told.counted = told.world.router().now();
        told.world.hands.advance(Millis::from_secs(60));
        let earlier = Some(Timestamp::from_ms(told.before.ms() - 5_000));
        for (pair, (_, slip)) in &places {
            if *slip == Slip::LateReceipt {
                told.receives(pair, RECEIPT, None, earlier).await;
            }
        }
        told
    }

    async fn receives(
        &self,
        pair: &Pair,
        count: u32,
        sequence: Option<u64>,
        occurred_at: Option<Timestamp>,
    ) {
        let feed = sequence.map(|sequence| FeedMark {
            epoch: 1,
            sequence,
            content: 0,
        });
        let movement = Movement {
            location: Location::parse(&pair.1).expect("a name"),
            feed,
            note: Note {
                source: Some(text("wms")),
                occurred_at,
                ..Note::default()
            },
            ..Movement::new(sku(&pair.0), MovementKind::Receive(units(count)))
        };
        let answer = self.world.does(Command::Movement(Box::new(movement))).await;
        assert!(matches!(answer, Answer::Movement { .. }), "{answer:?}");
    }

    async fn checks_out(&mut self, at: usize) {
        let basket = self.derived.baskets[at].clone();
        let times = if basket.fate == Fate::Twice { 2 } else { 1 };
        for _ in 0..times {
            let lines = basket.lines.iter().map(|(pair, count)| ReserveLine {
                sku: sku(&pair.0),
                units: units(*count),
                location: Some(Location::parse(&pair.1).expect("a name")),
            });
            let reserve = Reserve {
                id: ReservationId::UNMINTED,
                order_ref: Some(text(&basket.order)),
                customer: None,
                ttl: Some(Millis::from_secs(600)),
                mode: Mode::AllOrNothing,
                replace: None,
                lines: lines.collect(),
            };
            let id = match self.world.does(Command::Reserve(Box::new(reserve))).await {
                Answer::Reservation { view, .. } => view.id,
                other => panic!("{other:?}"),
            };
            let made = self.made.entry(basket.order.clone()).or_default();
            made.push(id.to_string());
            let next = match basket.fate {
                Fate::PaidLate => continue,
                Fate::Released => Command::Release(Box::new(Release {
                    id,
                    lines: None,
                    reason: None,
                })),
                _ => Command::Confirm(Box::new(Confirm {
                    id,
                    lines: None,
                    late: Late::Refuse,
                    payment_ref: None,
                })),
            };
            let answer = self.world.does(next).await;
            assert!(matches!(answer, Answer::Reservation { .. }), "{answer:?}");
        }
        if basket.fate == Fate::Whole {
            for (pair, count) in &basket.lines {
                self.ships(pair, *count).await;
            }
        }
    }

    async fn ships(&self, pair: &Pair, count: u32) {
        let kind = MovementKind::Ship {
            units: units(count),
            sale: None,
        };
        self.world.moves(&pair.0, &pair.1, kind).await;
    }

    fn place(found: &Difference) -> Pair {
        (found.sku.clone(), found.location.clone())
    }
}

fn line(found: &Difference) -> String {
    let (kind, sku, location) = (&found.kind, &found.sku, &found.location);
    format!("{kind} {sku} {location} {}", found.difference)
}

fn found(report: &Report) -> Vec<String> {
    assert_eq!(report.state, State::Done, "{report:?}");
    assert_eq!(report.rows.left_out, 0, "{:?}", report.faults);
    let mut all: Vec<String> = report.found.iter().map(line).collect();
    all.sort_unstable();
    all
}

const NOTHING: Vec<String> = Vec::new();

#[tokio::test]
async fn every_error_put_into_real_baskets_is_found_and_none_is_invented() {
    let told = Told::new(EXCERPT, 7).await;
    let (world, derived) = (&told.world, &told.derived);

    let orders = derived.orders(&told.made);
    let report = world.compares(Source::Orders, None, &orders).await;
    assert_eq!(found(&report), derived.wrong_orders());
    assert!(report.drifts.found.len() >= 4, "{:?}", report.drifts.found);
    world.approves(&report).await;
    let again = world.compares(Source::Orders, None, &orders).await;
    assert_eq!(found(&again), NOTHING);

    // Where the clock of one store is ahead, nothing is compared until it is set.
    let first = |ahead: Timestamp| {
        derived.count(Errors::In, |clock| match clock {
            Clock::Behind => when::text(told.before),
            Clock::Ahead => when::text(ahead),
            Clock::Right => when::text(told.counted),
        })
    };
    let ahead = Timestamp::from_ms(world.router().now().ms() + 3_600_000);
    let report = world.compares(Source::Warehouse, None, &first(ahead)).await;
    assert_eq!(report.state, State::Refused, "{report:?}");
    let first = first(told.counted);
    let report = world.compares(Source::Warehouse, None, &first).await;
    assert_eq!(found(&report), derived.wrong_counts());
    for found in &report.found {
        let pair = Told::place(found);
        // What left is booked as that, so that it is not sold once more.
        if derived.lost(&pair) > 0 {
            told.ships(&pair, derived.lost(&pair) as u32).await;
        }
        let verdict = if derived.is_ledgers_error(&pair) {
            Verdict::Approve
        } else {
            Verdict::Dismiss
        };
        let answer = world.decides(&found.drift, &found.sku, verdict).await;
        assert!(
            matches!(answer, Answer::Drift { .. }),
            "{found:?}: {answer:?}"
        );
    }
    let again = world.compares(Source::Warehouse, None, &first).await;
    assert_eq!((again.drifts.opened, again.drifts.waiting), (0, 0));
    let right = derived.count(Errors::Out, |_| String::new());
    let report = world.compares(Source::Warehouse, None, &right).await;
    assert_eq!(found(&report), derived.wrong_recounts());
    world.approves(&report).await;

    let feed = derived.feed(|_| true, Errors::In);
    let report = world.compares(Source::Seller, None, &feed).await;
    assert!(!report.found.is_empty());
    assert_eq!(found(&report), derived.wrong_feeds());
    for found in &report.found {
        let verdict = Verdict::Dismiss;
        world.decides(&found.drift, &found.sku, verdict).await;
    }

    // All agree.
    let count = world.compares(Source::Warehouse, None, &right).await;
    assert_eq!(found(&count), NOTHING);
    let orders = world.compares(Source::Orders, None, &orders).await;
    assert_eq!(found(&orders), NOTHING);
    let feed = derived.feed(|_| true, Errors::Out);
    let feed = world.compares(Source::Seller, None, &feed).await;
    assert_eq!(found(&feed), NOTHING);
    for pair in derived.places.keys() {
        let view = world.router().sku(&sku(&pair.0)).expect("it is known");
        let level = view.levels.iter().find(|(own, _)| own.as_str() == pair.1);
        let (_, counters) = level.expect("it is known there");
        assert_eq!(counters.physical(), derived.physical(pair), "{pair:?}");
        assert_eq!(
            counters.get(Counter::OnHand),
            derived.on_hand(pair),
            "{pair:?}"
        );
    }
}
