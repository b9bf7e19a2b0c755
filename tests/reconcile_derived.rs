//! Real baskets, with errors put in on purpose: reconciliation finds each, invents none, and when
//! they are decided, ledger, counts, orders and feeds agree.

mod derive;
#[allow(dead_code, reason = "each test file uses its part")]
#[path = "reconcile_world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use derive::{Derived, Fate, Pair, RECEIPT, Slip};
use holdfast::reconcile::{AsOf, Rejected, Report, Source, State};
use holdfast_core::{
    Answer, Command, Confirm, Counter, FeedMark, Late, Location, Millis, Mode, Movement,
    MovementKind, Note, Release, ReservationId, Reserve, ReserveLine, Timestamp, Units, Verdict,
};
use world::{World, sku, text, wanted};

const EXCERPT: &str = include_str!("fixtures/baskets-excerpt.csv");

/// What was derived, told to a ledger.
struct Told {
    world: World,
    derived: Derived,
    /// The reservations of each order.
    made: BTreeMap<String, Vec<ReservationId>>,
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
            counted: Timestamp::ZERO,
        };
        let places = told.derived.places.clone();
        for (pair, (received, slip)) in &places {
            told.world.stocks(&pair.0, &pair.1, *received).await;
            let times = match slip {
                Slip::RepeatedReceipt | Slip::RepeatedMark => 2,
                Slip::None | Slip::LateReceipt | Slip::DoubleCount | Slip::StaleSeller => 0,
            };
            for _ in 0..times {
                told.receives(pair, *slip == Slip::RepeatedMark, None).await;
            }
        }
        for at in 0..told.derived.baskets.len() {
            told.checks_out(at).await;
        }
        // Whoever did not pay in time has lapsed.
        told.world.hands.advance(Millis::from_secs(700));
        told.counted = told.world.router().now();
        told.world.hands.advance(Millis::from_secs(60));
        for (pair, (_, slip)) in &places {
            if *slip == Slip::LateReceipt {
                told.receives(
                    pair,
                    false,
                    Some(Timestamp::from_ms(told.counted.ms() - 5_000)),
                )
                .await;
            }
        }
        told
    }

    async fn receives(&self, pair: &Pair, is_marked: bool, occurred_at: Option<Timestamp>) {
        let mark = FeedMark {
            epoch: 1,
            sequence: 1,
            content: 0,
        };
        let movement = Movement {
            location: Location::parse(&pair.1).expect("a name"),
            feed: is_marked.then_some(mark),
            note: Note {
                source: Some(text("wms")),
                occurred_at,
                ..Note::default()
            },
            ..Movement::new(sku(&pair.0), MovementKind::Receive(units(RECEIPT)))
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
            self.made.entry(basket.order.clone()).or_default().push(id);
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

    /// The order export.
    fn orders(&self) -> String {
        let mut file = "order_ref,reservation,state,sku,location,qty\n".to_owned();
        for basket in &self.derived.baskets {
            let state = match basket.fate {
                Fate::NoOrder => continue,
                Fate::Cancelled | Fate::Released => "cancelled",
                _ => "paid",
            };
            let id = self.made[&basket.order][0];
            for (pair, count) in &basket.lines {
                let order = &basket.order;
                writeln!(file, "{order},{id},{state},{},{},{count}", pair.0, pair.1).expect("text");
            }
        }
        file
    }

    /// What lies on the shelf, in truth.
    fn physical(&self, pair: &Pair) -> i64 {
        let (received, slip) = self.derived.places[pair];
        let left = self.sum(pair, Fate::has_left);
        i64::from(received + slip.extra()) - left
    }

    /// What can be sold, in truth.
    fn on_hand(&self, pair: &Pair) -> i64 {
        let (received, slip) = self.derived.places[pair];
        let sold = self.sum(pair, Fate::is_sold);
        i64::from(received + slip.extra()) - sold
    }

    fn sum(&self, pair: &Pair, counts: impl Fn(Fate) -> bool) -> i64 {
        let baskets = self
            .derived
            .baskets
            .iter()
            .filter(|basket| counts(basket.fate));
        let units = baskets.filter_map(|basket| basket.lines.get(pair));
        units.map(|units| i64::from(*units)).sum()
    }

    /// The warehouse's count, with shelves counted twice, or without.
    fn count(&self, has_slips: bool) -> String {
        let mut file = "sku,location,counted\n".to_owned();
        for (pair, (_, slip)) in &self.derived.places {
            let times = if has_slips && *slip == Slip::DoubleCount {
                2
            } else {
                1
            };
            let counted = times * self.physical(pair);
            writeln!(file, "{},{},{counted}", pair.0, pair.1).expect("text");
        }
        file
    }

    /// The sellers' feed, with receipts they missed, or without.
    fn feed(&self, has_slips: bool) -> String {
        let mut file = "sku,location,on_hand\n".to_owned();
        for (pair, (_, slip)) in &self.derived.places {
            let missed = i64::from(has_slips && *slip == Slip::StaleSeller);
            let on_hand = self.on_hand(pair) - missed * i64::from(RECEIPT);
            writeln!(file, "{},{},{on_hand}", pair.0, pair.1).expect("text");
        }
        file
    }

    /// What the order export is to show, sorted.
    fn wrong_orders(&self) -> Vec<String> {
        let mut all = Vec::new();
        for basket in &self.derived.baskets {
            let kind = match basket.fate {
                Fate::Cancelled => "cancelled-confirmed",
                Fate::NoOrder => "no-order",
                Fate::Twice => "confirmed-twice",
                Fate::PaidLate => {
                    let (pair, _) = basket.lines.iter().next().expect("a line");
                    let paid: u32 = basket.lines.values().sum();
                    all.push(format!("paid-expired {} {} {paid}", pair.0, pair.1));
                    continue;
                }
                Fate::Whole | Fate::Released | Fate::LostShipment => continue,
            };
            let line =
                |(pair, units): (&Pair, &u32)| format!("{kind} {} {} -{units}", pair.0, pair.1);
            all.extend(basket.lines.iter().map(line));
        }
        all.sort_unstable();
        all
    }

    /// What the count is to show, sorted.
    fn wrong_counts(&self) -> Vec<String> {
        let wrong = self.derived.places.iter().filter_map(|(pair, (_, slip))| {
            let lost = self.sum(pair, |fate| fate == Fate::LostShipment);
            let difference = match slip {
                Slip::RepeatedReceipt => -lost - i64::from(RECEIPT),
                // The count says twice what is there; the ledger, what is there and what was lost.
                Slip::DoubleCount => self.physical(pair) - lost,
                Slip::None | Slip::RepeatedMark | Slip::LateReceipt | Slip::StaleSeller => -lost,
            };
            (difference != 0).then(|| format!("warehouse {} {} {difference}", pair.0, pair.1))
        });
        let mut all: Vec<String> = wrong.collect();
        all.sort_unstable();
        all
    }
}

fn found(report: &Report) -> Vec<String> {
    assert_eq!(report.state, State::Done, "{report:?}");
    assert_eq!(report.rows.left_out, 0, "{:?}", report.faults);
    let line = |found: &holdfast::reconcile::Difference| {
        let (kind, sku, location) = (&found.kind, &found.sku, &found.location);
        format!("{kind} {sku} {location} {}", found.difference)
    };
    let mut all: Vec<String> = report.found.iter().map(line).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn every_error_put_into_real_baskets_is_found_and_none_is_invented() {
    let told = Told::new(EXCERPT, 7).await;
    let world = &told.world;

    let orders = told.orders();
    let report = world.compares(Source::Orders, None, &orders).await;
    assert_eq!(found(&report), told.wrong_orders());
    assert!(report.drifts.found.len() >= 4, "{:?}", report.drifts.found);
    world.approves(&report).await;
    let again = world.compares(Source::Orders, None, &orders).await;
    assert_eq!(found(&again), Vec::<String>::new());

    // A warehouse whose clock is ahead is not believed.
    let ahead = Timestamp::from_ms(world.router().now().ms() + 3_600_000);
    let mut skewed = wanted(Source::Warehouse);
    skewed.as_of = Some(AsOf::Time(ahead));
    assert!(matches!(
        world.desk().take(&skewed).await,
        Err(Rejected::Future)
    ));

    let (count, counted) = (told.count(true), Some(AsOf::Time(told.counted)));
    let report = world.compares(Source::Warehouse, counted, &count).await;
    assert_eq!(found(&report), told.wrong_counts());
    for found in &report.found {
        let pair = (found.sku.clone(), found.location.clone());
        let lost = told.sum(&pair, |fate| fate == Fate::LostShipment);
        let is_double = told.derived.places[&pair].1 == Slip::DoubleCount;
        // What left is booked as that, so that it is not sold once more.
        if lost > 0 {
            told.ships(&pair, lost as u32).await;
        }
        let verdict = if is_double || found.difference == -lost {
            Verdict::Dismiss
        } else {
            Verdict::Approve
        };
        let answer = world.decides(&found.drift, &found.sku, verdict).await;
        assert!(
            matches!(answer, Answer::Drift { .. }),
            "{found:?}: {answer:?}"
        );
    }
    let again = world.compares(Source::Warehouse, counted, &count).await;
    assert_eq!((again.drifts.opened, again.drifts.waiting), (0, 0));
    // Where goods were lost and a receipt repeated, the shipment was half of the difference.
    let recounted = world
        .compares(Source::Warehouse, None, &told.count(false))
        .await;
    world.approves(&recounted).await;

    let report = world.compares(Source::Seller, None, &told.feed(true)).await;
    let stale = |(_, slip): &&(u32, Slip)| *slip == Slip::StaleSeller;
    let stale = told.derived.places.values().filter(stale).count();
    assert!(
        stale > 0 && report.found.len() >= stale,
        "{:?}",
        found(&report)
    );
    for found in &report.found {
        let verdict = Verdict::Dismiss;
        world.decides(&found.drift, &found.sku, verdict).await;
    }

    // All agree.
    let count = world
        .compares(Source::Warehouse, None, &told.count(false))
        .await;
    assert_eq!(found(&count), Vec::<String>::new());
    let orders = world.compares(Source::Orders, None, &orders).await;
    assert_eq!(found(&orders), Vec::<String>::new());
    let feed = world
        .compares(Source::Seller, None, &told.feed(false))
        .await;
    assert_eq!(found(&feed), Vec::<String>::new());
    for pair in told.derived.places.keys() {
        let view = world.router().sku(&sku(&pair.0)).expect("it is known");
        let level = view.levels.iter().find(|(own, _)| own.as_str() == pair.1);
        let (_, counters) = level.expect("it is known there");
        assert_eq!(counters.physical(), told.physical(pair), "{pair:?}");
        assert_eq!(
            counters.get(Counter::OnHand),
            told.on_hand(pair),
            "{pair:?}"
        );
    }
}
