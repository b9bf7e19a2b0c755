//! Real baskets with errors put in on purpose, told to the real program and reconciled: every error
//! is found, none is invented, and when all are decided on, ledger, counts, orders and feeds agree.
//!
//! `cargo bench --bench baskets -- FILE SEED` takes a CSV of baskets, packed or not (without one, the
//! excerpt of the tests). It ends with an error at the first thing that is not as it must be.
//! Deliberately absent: what is derived and what is true (`tests/derive/`), and how fast holdfast
//! is; the seconds printed are those of a proof that waits for itself.

#[path = "baskets/scene.rs"]
mod scene;
#[path = "../tests/crash/server.rs"]
#[expect(dead_code, reason = "the tests of crashes need more of it")]
mod server;

#[path = "../tests/derive/mod.rs"]
mod derive;

use derive::{Clock, DELIVERY, Derived, Errors, Fate, Pair, RECEIPT, Slip};
use scene::{Scene, drift_line, text_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

const EXCERPT: &str = "tests/fixtures/baskets-excerpt.csv";

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with("--"));
    let file = arguments.next().unwrap_or_else(|| EXCERPT.to_owned());
    let seed = arguments.next().map_or(7, |seed| {
        seed.parse()
            .expect("the second argument is a number, the seed")
    });
    let began = Instant::now();
    let derived = derive::derive(&read(Path::new(&file)), seed);
    println!(
        "{file}, seed {seed}: {} orders over {} places (SKU and store) in {} stores",
        derived.baskets.len(),
        derived.places.len(),
        derived.clocks.len()
    );
    let mut proof = Proof {
        scene: Scene::new(),
        derived,
        made: BTreeMap::new(),
        before: String::new(),
        counted: String::new(),
    };
    proof.is_told();
    proof.orders_agree();
    proof.counts_agree();
    proof.feeds_agree();
    proof.all_agree();
    println!("all agree after {:.0} s", began.elapsed().as_secs_f64());
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut packed = flate2::read::MultiGzDecoder::new(&bytes[..]);
        packed.read_to_string(&mut text).expect("a packed text");
    } else {
        text = String::from_utf8(bytes).expect("a text");
    }
    text
}

/// What is told, to whom, and what came of it.
struct Proof {
    scene: Scene,
    derived: Derived,
    /// The reservations of each order.
    made: BTreeMap<String, Vec<String>>,
    /// The moment before the last deliveries, which is what slow clocks say of the count.
    before: String,
    /// The moment of the count.
    counted: String,
}

/// Says what was done, and how long it took.
fn step<T>(what: &str, work: impl FnOnce() -> (T, String)) -> T {
    let began = Instant::now();
    let (done, came) = work();
    println!("  {:>6.1} s  {what}: {came}", began.elapsed().as_secs_f64());
    done
}

fn same(what: &str, found: &[String], expected: &[String]) {
    let missed = expected
        .iter()
        .filter(|one| found.binary_search(one).is_err());
    let invented = found
        .iter()
        .filter(|one| expected.binary_search(one).is_err());
    let (missed, invented) = (missed.collect::<Vec<_>>(), invented.collect::<Vec<_>>());
    assert!(
        missed.is_empty() && invented.is_empty() && found.len() == expected.len(),
        "{what}: missed {missed:?}; invented {invented:?}"
    );
}

impl Proof {
    /// Tells the ledger what the derived world tells it.
    fn is_told(&mut self) {
        let receipts = self.receipts(|pair, _| vec![(self.derived.places[pair].0, None)]);
        let messages = self.receipts(|_, slip| {
            let twice = |sequences: [Option<u64>; 2]| sequences.map(|at| (RECEIPT, at)).to_vec();
            match slip {
                Slip::RepeatedReceipt => twice([None, None]),
                Slip::RepeatedMark => twice([Some(1), Some(1)]),
                Slip::Reordered => twice([Some(2), Some(1)]),
                Slip::None | Slip::LateReceipt | Slip::DoubleCount | Slip::StaleSeller => vec![],
            }
        });
        let deliveries = self.receipts(|pair, _| match self.derived.clock(pair) {
            Clock::Behind => vec![(DELIVERY, None)],
            Clock::Right | Clock::Ahead => vec![],
        });
        step("received", || {
            let rows = self.scene.imports(&receipts, "receipts.csv");
            ((), format!("{rows} places"))
        });
        step("messages repeated and out of order", || {
            let rows = self.scene.imports(&messages, "messages.csv");
            ((), format!("{rows} messages"))
        });
        step("orders", || ((), self.sells()));
        // Whoever did not pay in time has lapsed.
        sleep(Duration::from_millis(1_500));
        self.before = self.scene.now();
        sleep(Duration::from_millis(20));
        step("last deliveries, which slow clocks miss", || {
            let rows = self.scene.imports(&deliveries, "deliveries.csv");
            ((), format!("{rows} places"))
        });
        self.counted = self.scene.now();
        sleep(Duration::from_millis(20));
        step("receipts from before the count, booked after it", || {
            let late = self.receipts(|_, slip| match slip {
                Slip::LateReceipt => vec![(RECEIPT, None)],
                _ => vec![],
            });
            let late = late.replace(",\n", &format!(",{}\n", self.before));
            let rows = self.scene.imports(&late, "late.csv");
            ((), format!("{rows} places"))
        });
    }

    /// A file of receipts: units and sequences at each place.
    fn receipts(&self, of: impl Fn(&Pair, Slip) -> Vec<(u32, Option<u64>)>) -> String {
        let mut file = "sku,kind,location,qty,source,epoch,sequence,occurred_at\n".to_owned();
        for (pair, (_, slip)) in &self.derived.places {
            for (units, sequence) in of(pair, *slip) {
                let source = source_of(&pair.1);
                let mark = sequence.map(|at| format!("{source},1,{at}"));
                let mark = mark.unwrap_or_else(|| ",,".to_owned());
                writeln!(file, "{},receive,{},{units},{mark},", pair.0, pair.1).expect("text");
            }
        }
        file
    }

    /// Reserves, and what follows, for every basket.
    fn sells(&mut self) -> String {
        let mut reserves = Vec::new();
        for basket in &self.derived.baskets {
            let lines = basket
                .lines
                .iter()
                .map(|(pair, count)| json!({"sku": pair.0, "location": pair.1, "qty": count}));
            let lines: Vec<Value> = lines.collect();
            let ttl = if basket.fate == Fate::PaidLate {
                1_000
            } else {
                1_800_000
            };
            let times = if basket.fate == Fate::Twice { 2 } else { 1 };
            for time in 0..times {
                reserves.push(
                    json!({"op": "reserve", "key": format!("r-{}-{time}", basket.order),
                    "order_ref": basket.order, "ttl_ms": ttl, "lines": lines}),
                );
            }
        }
        let answers = self.scene.batch(&reserves);
        for (reserve, answer) in reserves.iter().zip(&answers) {
            assert_eq!(answer["status"], 201, "{answer}");
            let made = self.made.entry(text_of(reserve, "order_ref")).or_default();
            made.push(text_of(&answer["reservation"], "id"));
        }
        let (mut next, mut ships) = (Vec::new(), Vec::new());
        for basket in &self.derived.baskets {
            let op = match basket.fate {
                Fate::PaidLate => continue,
                Fate::Released => "release",
                _ => "confirm",
            };
            for id in &self.made[&basket.order] {
                next.push(json!({"op": op, "key": format!("{op}-{id}"), "reservation": id}));
            }
            if basket.fate == Fate::Whole {
                let of =
                    |(pair, count): (&Pair, &u32)| ship(pair, i64::from(*count), &basket.order);
                ships.extend(basket.lines.iter().map(of));
            }
        }
        for answer in self.scene.batch(&next) {
            assert_eq!(answer["status"], 200, "{answer}");
        }
        for answer in self.scene.batch(&ships) {
            assert_eq!(answer["status"], 201, "{answer}");
        }
        let (reserves, ships) = (reserves.len(), ships.len());
        format!("{reserves} reservations, {ships} shipments")
    }

    fn orders_agree(&mut self) {
        let orders = self.derived.orders(&self.made);
        step("order export", || {
            self.scene.reconciles("orders", "orders.csv", &orders, &[]);
            let found = self.scene.waiting();
            let lines: Vec<String> = sorted(found.iter().map(drift_line));
            same("the order export", &lines, &self.derived.wrong_orders());
            let count = found.len();
            let by_hand = self.scene.decide(found, &|_| Verdict::Approve);
            (
                (),
                format!("{count} errors found, as put in, and approved ({by_hand} by hand)"),
            )
        });
        step("order export again", || {
            let report = self.scene.reconciles("orders", "again.csv", &orders, &[]);
            assert_eq!(report["found"], json!([]), "{}", report["drifts"]);
            ((), "nothing".to_owned())
        });
    }

    fn counts_agree(&mut self) {
        let (derived, scene) = (&self.derived, &mut self.scene);
        let moment = |ahead: &str| {
            let (before, counted, ahead) = (&self.before, &self.counted, ahead.to_owned());
            move |clock| match clock {
                Clock::Behind => before.clone(),
                Clock::Ahead => ahead.clone(),
                Clock::Right => counted.clone(),
            }
        };
        step("count with clocks that are ahead", || {
            let file = derived.count(Errors::In, moment("2999-01-01T00:00:00Z"));
            scene.is_refused("warehouse", &file);
            ((), "refused".to_owned())
        });
        let first = derived.count(Errors::In, moment(&self.counted));
        step("first count", || {
            scene.reconciles("warehouse", "first.csv", &first, &[]);
            let found = scene.waiting();
            let lines = sorted(found.iter().map(drift_line));
            same("the first count", &lines, &derived.wrong_counts());
            let lost = derived.places.keys().filter(|pair| derived.lost(pair) > 0);
            let ships: Vec<Value> = lost
                .map(|pair| ship(pair, derived.lost(pair), "found"))
                .collect();
            for answer in scene.batch(&ships) {
                assert_eq!(answer["status"], 201, "{answer}");
            }
            let count = found.len();
            let verdict = |drift: &Value| {
                let pair = (text_of(drift, "sku"), text_of(drift, "location"));
                if derived.is_ledgers_error(&pair) {
                    Verdict::Approve
                } else {
                    Verdict::Dismiss
                }
            };
            scene.decide(found, &verdict);
            ((), format!("{count} errors found, as put in, and decided"))
        });
        step("first count again", || {
            let report = scene.reconciles("warehouse", "first.csv", &first, &[]);
            assert_eq!(report["drifts"]["opened"], 0, "known already");
            ((), "nothing new".to_owned())
        });
        step("second count", || {
            let right = derived.count(Errors::Out, |_| String::new());
            scene.reconciles("warehouse", "second.csv", &right, &[]);
            let found = scene.waiting();
            let lines = sorted(found.iter().map(drift_line));
            same("the second count", &lines, &derived.wrong_recounts());
            let count = found.len();
            scene.decide(found, &|_| Verdict::Approve);
            (
                (),
                format!("{count} errors left, as expected, and approved"),
            )
        });
    }

    fn feeds_agree(&mut self) {
        let (derived, scene) = (&self.derived, &mut self.scene);
        let stores: Vec<&str> = derived.clocks.keys().map(String::as_str).collect();
        step("sellers' feeds", || {
            let feed = |store: &str| derived.feed(|own| own == store, Errors::In);
            scene.all_reconcile("seller", &stores, &feed);
            let found = scene.waiting();
            let lines = sorted(found.iter().map(drift_line));
            same("the sellers' feeds", &lines, &derived.wrong_feeds());
            let count = found.len();
            scene.decide(found, &|_| Verdict::Dismiss);
            (
                (),
                format!("{count} errors found, as put in, and dismissed"),
            )
        });
        step("streams", || {
            let reordered = derived
                .places
                .values()
                .filter(|(_, slip)| *slip == Slip::Reordered);
            let late: u64 = stores
                .iter()
                .map(|store| scene.late(&source_of(store)))
                .sum();
            assert_eq!(late, reordered.count() as u64, "messages that came late");
            ((), format!("{late} late messages told of"))
        });
    }

    fn all_agree(mut self) {
        let (derived, scene) = (&self.derived, &mut self.scene);
        let stores: Vec<&str> = derived.clocks.keys().map(String::as_str).collect();
        step("all papers without errors", || {
            let count = derived.count(Errors::Out, |_| String::new());
            let orders = derived.orders(&self.made);
            for (source, file) in [("warehouse", count), ("orders", orders)] {
                let report = scene.reconciles(source, "last.csv", &file, &[]);
                assert_eq!(report["found"], json!([]), "{source}");
            }
            let feed = |store: &str| derived.feed(|own| own == store, Errors::Out);
            assert_eq!(scene.all_reconcile("seller", &stores, &feed), 0);
            ((), "nothing".to_owned())
        });
        step("counters of every place", || {
            let places = scene.places();
            for pair in derived.places.keys() {
                let truth = (derived.on_hand(pair), derived.physical(pair));
                assert_eq!(places.get(pair), Some(&truth), "{pair:?}");
            }
            ((), format!("{} as they are in truth", places.len()))
        });
        step("holdfast verify", || {
            self.scene.is_proved();
            ((), "proved".to_owned())
        });
    }
}

/// What is decided about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approve,
    Dismiss,
}

fn source_of(store: &str) -> String {
    format!("wms-{store}")
}

fn ship(pair: &Pair, units: i64, document: &str) -> Value {
    json!({"op": "movement", "key": format!("ship-{document}-{}-{}", pair.0, pair.1), "sku": pair.0,
        "location": pair.1, "kind": "ship", "qty": units, "document": document})
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}
