//! `holdfast verify` must be able to say no: for damage it names shard and record, and for a ledger
//! whose records are whole but tell a lie it names what does not hold.
//!
//! The ledgers are written here, record by record, with the events of a real engine; a lie is told
//! by changing an event before it is written, so that every checksum is right.

use holdfast::progress::Show;
use holdfast::show::Paint;
use holdfast::verify::{Report, verify};
use holdfast_core::{
    ChunkState, Command, Configure, Counter, Effect, Engine, Event, EventKind, Millis, Mode,
    Movement, MovementKind, Opening, Policy, Request, ReservationId, Reserve, ReserveLine, Sku,
    Text, Timestamp, Units,
};
use holdfast_ledger::codec::{Events, RecordEncoder, chunk};
use holdfast_ledger::{Archive, Batch, Chunk, DataDir, Log, Options};
use smallvec::smallvec;
use std::path::Path;
use tempfile::TempDir;

const ORDER: &str = "an-order-to-be-found-on-the-disk";

#[test]
fn an_honest_ledger_is_verified() {
    let report = told(|_| {});
    assert!(report.is_good(), "{}", text(&report));
    assert_eq!((report.totals.on_hand, report.totals.reserved), (5, 3));
    assert!(!text(&report).contains('✗'));
}

#[test]
fn units_promised_that_were_not_there_are_found() {
    let report = told(|event| {
        change(
            event,
            EventKind::StockReceived,
            &[(Counter::OnHand, 1), (Counter::Received, 1)],
        );
    });
    assert_eq!(broken(&report), ["INV-3"], "{}", text(&report));
}

#[test]
fn a_hold_that_is_missing_is_found() {
    let report = told(|event| {
        event
            .effects
            .retain(|effect| !matches!(effect, Effect::HoldCreated(_)));
    });
    assert_eq!(broken(&report), ["INV-2, 5, 8"], "{}", text(&report));
}

#[test]
fn units_that_came_from_nowhere_are_found() {
    let report = told(|event| change(event, EventKind::StockReceived, &[(Counter::OnHand, 6)]));
    // A debug build's engine refuses the event itself; a release leaves it to the auditor.
    let said = text(&report);
    assert!(!report.is_good() && said.contains("INV-4"), "{said}");
}

#[test]
fn a_transfer_that_arrives_from_nowhere_is_found() {
    let report = told(|event| {
        if event.kind != EventKind::StockReceived {
            return;
        }
        for effect in &mut event.effects {
            if let Effect::Stock(stock) = effect {
                stock
                    .counters
                    .retain(|(counter, _)| *counter != Counter::OnHand);
                stock.counters.insert(0, (Counter::OnHand, 6));
                stock.counters.push((Counter::Transferred, 1));
            }
        }
    });
    // Each location explains its own units; only over all of them one is too many.
    let said = text(&report);
    assert!(
        !report.is_good() && said.contains("transferred sums to 1"),
        "{said}"
    );
}

#[test]
fn damage_is_named_by_shard_and_record_and_nothing_is_proved_of_that_shard() {
    let directory = directory(|_| {});
    let path = DataDir::open_read_only(directory.path())
        .expect("it is free")
        .ledger_path(0);
    let mut bytes = std::fs::read(&path).expect("the ledger is there");
    let places: Vec<usize> = bytes
        .windows(ORDER.len())
        .enumerate()
        .filter_map(|(at, found)| (found == ORDER.as_bytes()).then_some(at))
        .collect();
    assert!(!places.is_empty(), "the order stands in a record");
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(&path, bytes).expect("it can be written");

    let output = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .args(["verify", "--data-dir"])
        .arg(directory.path())
        .output()
        .expect("verify runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("shard 0: record 3"), "{said}");
    assert!(
        !said.contains('✓'),
        "nothing is proved of a shard that can't be read:\n{said}"
    );
}

#[test]
fn a_snapshot_that_the_journal_does_not_give_is_found() {
    let directory = directory(|_| {});
    snapshot(directory.path(), 0, |state| {
        if let ChunkState::Skus(skus) = state {
            skus[0].config.low_at = Some(7);
        }
    });
    let report = verify(directory.path(), Show::Nothing).expect("it can be looked at");
    let said = text(&report);
    assert_eq!(broken(&report), ["INV-6"], "{said}");
    assert!(said.contains("shard 0: Skus"), "{said}");
}

#[test]
fn what_was_trimmed_is_proved_from_the_archive_and_damage_there_is_named() {
    let directory = directory(|_| {});
    archive(directory.path());
    snapshot(directory.path(), 3, |_| {});
    let report = verify(directory.path(), Show::Nothing).expect("it can be looked at");
    let said = text(&report);
    assert!(report.is_good(), "{said}");
    assert_eq!(report.shards[0].archive_files, 1);
    assert!(1 < report.shards[0].oldest, "nothing was trimmed");
    assert!(
        report.checks.iter().all(|check| check.limit.is_none()),
        "{said}"
    );

    let dir = DataDir::open_read_only(directory.path()).expect("it is free");
    let file = std::fs::read_dir(dir.archive_path(0)).expect("it is there");
    let file = file.map(|file| file.expect("listed").path()).next();
    let file = file.expect("one was sealed");
    drop(dir);
    let whole = std::fs::read(&file).expect("it is there");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&file, damaged).expect("it can be written");
    let report = verify(directory.path(), Show::Nothing).expect("it can be looked at");
    let said = text(&report);
    assert!(!report.is_good() && said.contains(".hfa"), "{said}");
    std::fs::remove_file(&file).expect("it can be removed");
    let report = verify(directory.path(), Show::Nothing).expect("it can be looked at");
    let limited = report.checks.iter().filter(|check| check.limit.is_some());
    assert_eq!(limited.count(), 3, "{}", text(&report));
}

/// Archives all but the last record of a stopped directory.
fn archive(path: &Path) {
    let dir = DataDir::open_read_only(path).expect("it is free");
    let view = dir.view(0).expect("whole");
    let records = view.replay(1).expect("whole");
    let mut records: Vec<_> = records.map(|record| record.expect("whole")).collect();
    records.pop();
    let archive = Archive::open(&dir.archive_path(0), &dir.identity(0)).expect("a directory");
    let mut writer = archive.begin(1).expect("a file");
    for record in &records {
        writer.push(record).expect("written");
    }
    archive.seal(writer).expect("sealed");
}

#[test]
fn of_a_trimmed_journal_verify_says_what_it_could_not_prove() {
    let directory = directory(|_| {});
    snapshot(directory.path(), 3, |_| {});
    let report = verify(directory.path(), Show::Nothing).expect("it can be looked at");
    let said = text(&report);
    assert!(report.is_good(), "{said}");
    assert_eq!((report.totals.on_hand, report.totals.reserved), (5, 3));
    let limited = report.checks.iter().filter(|check| check.limit.is_some());
    let limited: Vec<&str> = limited.map(|check| check.name).collect();
    assert_eq!(limited, ["INV-1", "INV-3", "INV-6"], "{said}");
    assert!(said.contains("the journal was trimmed"), "{said}");
}

/// Writes a snapshot of the whole state into a ledger, some of it a lie, and trims the journal below
/// a sequence.
fn snapshot(path: &Path, trim_below: u64, lie: impl Fn(&mut ChunkState)) {
    let dir = DataDir::open(path, Some(1), 1).expect("it is free");
    let mut ledger = dir
        .open_ledger(0, Options::default())
        .expect("it was closed");
    let mut engine = Engine::new(Policy::default());
    for record in ledger.replay(1).expect("it is whole") {
        let record = record.expect("it is whole");
        let events = Events::new(record.first, record.events, &record.body);
        for event in events.expect("it begins well") {
            engine.evolve(&event.expect("it is whole"));
        }
    }
    let head = ledger.head();
    let chunks = engine.all_chunks().into_iter().map(|(id, mut state)| {
        lie(&mut state);
        Chunk {
            id: id.to_u64(),
            sequence: head,
            body: chunk::encode(&state),
        }
    });
    let batch = Batch {
        first: head + 1,
        at: engine.at().ms(),
        chunks: chunks.collect(),
        replay_from: Some(head + 1),
        trim_below: (trim_below > 0).then_some(trim_below),
        ..Batch::default()
    };
    let epoch = ledger.epoch();
    ledger
        .append(&batch, head, epoch)
        .expect("the disk takes it");
    ledger.close().expect("the disk takes it");
}

/// What `verify` says of a ledger some of whose events are lies.
fn told(lie: impl Fn(&mut Event)) -> Report {
    let directory = directory(lie);
    verify(directory.path(), Show::Nothing).expect("the directory can be looked at")
}

fn text(report: &Report) -> String {
    report.to_text(5, Paint::PLAIN)
}

/// The names of what does not hold.
fn broken(report: &Report) -> Vec<&str> {
    let broken = report
        .checks
        .iter()
        .filter(|check| !check.broken.is_empty());
    broken.map(|check| check.name).collect()
}

fn change(event: &mut Event, kind: EventKind, to: &[(Counter, i64)]) {
    if event.kind != kind {
        return;
    }
    for effect in &mut event.effects {
        let Effect::Stock(stock) = effect else {
            continue;
        };
        for (counter, value) in &mut stock.counters {
            let new = to.iter().find(|(other, _)| other == counter);
            *value = new.map_or(*value, |(_, value)| *value);
        }
    }
}

/// A stopped directory of one shard: a SKU, five units, three of them reserved, a record each.
fn directory(lie: impl Fn(&mut Event)) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    write(directory.path(), lie);
    directory
}

fn write(path: &Path, lie: impl Fn(&mut Event)) {
    let dir = DataDir::open(path, Some(1), 1).expect("a new directory");
    // Without a log each record lies by itself; with one they would be settled together.
    let options = Options {
        wal_bytes: 0,
        ..Options::default()
    };
    let mut ledger = dir.open_ledger(0, options).expect("a new ledger");
    let mut engine = Engine::new(Policy::default());
    let mut encoder = RecordEncoder::new();
    for (at, command) in commands().into_iter().enumerate() {
        let now = Timestamp::from_ms(1_795_361_400_000 + at as u64);
        let decision = engine.decide(&Request::of(command), now);
        for event in &decision.events {
            let effects = event.spelled_out().into_owned().into();
            let mut written = Event {
                effects,
                ..event.clone()
            };
            lie(&mut written);
            encoder.start(event.seq, Vec::new());
            encoder.push(&written);
            let batch = Batch {
                first: event.seq,
                events: 1,
                at: event.at.ms(),
                body: encoder.finish(),
                ..Batch::default()
            };
            let (head, epoch) = (ledger.head(), ledger.epoch());
            ledger
                .append(&batch, head, epoch)
                .expect("the disk takes it");
            engine.evolve(event);
        }
    }
    ledger.close().expect("the disk takes it");
}

fn commands() -> Vec<Command> {
    let sku = Sku::parse("TEE-RED-M").expect("a SKU");
    let opening = Opening::new(1).expect("an opening");
    let id = |counter| {
        let at = Timestamp::from_ms(1_795_361_400_000);
        ReservationId::mint(at, sku.slot(), opening, counter, 7)
    };
    let units = |units| Units::new(units).expect("some units");
    let configure = Configure::new(sku.clone());
    let receive = Movement {
        id: id(0),
        ..Movement::new(sku.clone(), MovementKind::Receive(units(5)))
    };
    let reserve = Reserve {
        id: id(1),
        order_ref: Text::parse(ORDER).ok(),
        customer: None,
        ttl: Some(Millis::from_secs(600)),
        mode: Mode::AllOrNothing,
        replace: None,
        lines: smallvec![ReserveLine {
            sku,
            units: units(3),
            location: None
        }],
    };
    vec![
        Command::Configure(Box::new(configure)),
        Command::Movement(Box::new(receive)),
        Command::Reserve(Box::new(reserve)),
    ]
}
