//! The figures behind docs/decisions/0003: what rows cost, and what opening after a kill costs.
//!
//! `measure layout DIR`, `measure append DIR [walk|quick] [EVENTS]`, `measure fill FILE
//! [walk|quick] MIB` (ends without closing), `measure open FILE`.

#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use holdfast_ledger::{Batch, Durability, Identity, Ledger, Log, Options, Repair};
use uuid::Uuid;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["layout", dir] => layout(Path::new(dir)),
        ["append", dir, repair, events] => append(Path::new(dir), parse(repair), events),
        ["fill", file, repair, mib] => fill(Path::new(file), parse(repair), mib),
        ["open", file] => open(Path::new(file)),
        _ => eprintln!(
            "usage: measure layout DIR | append DIR walk|quick EVENTS | fill FILE walk|quick MIB | open FILE"
        ),
    }
}

fn layout(dir: &Path) {
    println!("events/record  bytes/event  table bytes/event  file bytes/event");
    for size in [95, 110] {
        for events in [
            1, 10, 50, 64, 75, 80, 100, 150, 256, 300, 512, 1000, 2000, 4000,
        ] {
            let records = 200_000 / events;
            let options = Options {
                durability: Durability::Os,
                ..Options::default()
            };
            let (mut ledger, path) = fresh(dir, options);
            append_records(&mut ledger, records, events, size);
            let usage = ledger.usage().expect("usage").journal;
            drop(ledger);
            let total = f64::from(records * events);
            let file = std::fs::metadata(&path).expect("the file is there").len();
            println!(
                "{events:>13}  {size:>11}  {:>17.1}  {:>16.1}",
                usage.total() as f64 / total,
                file as f64 / total
            );
        }
    }
}

fn append(dir: &Path, repair: Repair, events: &str) {
    let events: u32 = events.parse().expect("EVENTS is a number");
    let (mut ledger, _) = fresh(
        dir,
        Options {
            repair,
            ..Options::default()
        },
    );
    append_records(&mut ledger, 200, events, 100);
    let mut took: Vec<u128> = (0..2000)
        .map(|_| {
            let start = Instant::now();
            append_records(&mut ledger, 1, events, 100);
            start.elapsed().as_micros()
        })
        .collect();
    let all: u128 = took.iter().sum();
    took.sort_unstable();
    let rate = 2000.0 * f64::from(events) / (all as f64 / 1e6);
    println!(
        "{repair:?}, {events} events a record: p50 {} µs, p99 {} µs, {rate:.0} events/s",
        took[1000], took[1980]
    );
}

fn fill(file: &Path, repair: Repair, mib: &str) {
    let mib: u64 = mib.parse().expect("MIB is a number");
    let options = Options {
        repair,
        durability: Durability::Os,
        ..Options::default()
    };
    Ledger::create(file, &identity()).expect("create");
    let mut ledger = Ledger::open(file, &identity(), options).expect("open");
    while ledger.usage().expect("usage").journal.total() < mib << 20 {
        append_records(&mut ledger, 200, 256, 100);
    }
    std::process::abort();
}

fn open(file: &Path) {
    let bytes = std::fs::metadata(file).expect("the file is there").len();
    let start = Instant::now();
    let ledger = Ledger::open(file, &identity(), Options::default()).expect("open");
    println!(
        "{} MiB opened in {} ms",
        bytes >> 20,
        start.elapsed().as_millis()
    );
    let start = Instant::now();
    let events: u64 = ledger
        .replay(1)
        .expect("replay")
        .map(|record| u64::from(record.expect("whole").events))
        .sum();
    println!("{events} events read in {} ms", start.elapsed().as_millis());
}

fn append_records(ledger: &mut Ledger, records: u32, events: u32, size: usize) {
    let body = vec![7; size * events as usize];
    for _ in 0..records {
        let head = ledger.head();
        let batch = Batch {
            first: head + 1,
            events,
            at: 1,
            body: body.clone(),
            ..Batch::default()
        };
        ledger.append(&batch, head, ledger.epoch()).expect("append");
    }
}

fn fresh(dir: &Path, options: Options) -> (Ledger, PathBuf) {
    let path = dir.join("measure.redb");
    let _ = std::fs::remove_file(&path);
    Ledger::create(&path, &identity()).expect("create");
    (
        Ledger::open(&path, &identity(), options).expect("open"),
        path,
    )
}

fn identity() -> Identity {
    Identity::even(Uuid::nil(), 0, 1)
}

fn parse(repair: &str) -> Repair {
    match repair {
        "quick" => Repair::Quick,
        _ => Repair::Walk,
    }
}
