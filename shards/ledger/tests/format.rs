//! The format on disk: every version ever released can be read, and damage is named.
//!
//! `tests/golden/ledger-v1.redb` is a ledger of format 1, `ledger-v1-rows.hex` its rows in hex. Both are made by
//! running this test with `HOLDFAST_GOLDEN=write`, once for a format; a new format gets new files.

mod common;

use std::fmt::Write;
use std::path::PathBuf;

use common::{append, batch, identity, on_disk, open, rows, silently};
use holdfast_ledger::faults::{Disk, Random};
use holdfast_ledger::{Batch, Chunk, Item, Ledger, LedgerError, Log, Place, View};

/// A small history with every kind of row in it.
fn history() -> Vec<Batch> {
    let body = |bytes: u32| (0..bytes).map(|n| (n * 7) as u8).collect::<Vec<u8>>();
    let chunk = |id, sequence, body| Chunk { id, sequence, body };
    vec![
        Batch {
            first: 1,
            events: 3,
            at: 1_000,
            body: body(30),
            ..Batch::default()
        },
        Batch {
            first: 4,
            events: 40,
            at: 1_001,
            body: body(8_200),
            chunks: vec![
                chunk(0x0100_0007, 43, body(20)),
                chunk(0x0200_0007, 4, body(9)),
            ],
            ..Batch::default()
        },
        Batch {
            first: 44,
            events: 1,
            at: 1_001,
            body: body(11),
            chunks: vec![chunk(0x0200_0007, 44, Vec::new())],
            replay_from: Some(5),
            trim_below: Some(4),
        },
        Batch {
            first: 45,
            events: 2,
            at: 1_900,
            body: body(25),
            ..Batch::default()
        },
        Batch {
            first: 47,
            events: 1,
            at: 1_901,
            body: body(12),
            ..Batch::default()
        },
        Batch {
            first: 48,
            events: 3,
            at: 1_901,
            body: body(13),
            ..Batch::default()
        },
    ]
}

fn written() -> Disk {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    for batch in history() {
        append(&mut ledger, &batch).expect("the disk is sound");
    }
    ledger.close().expect("the disk is sound");
    disk
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn in_hex(disk: &Disk) -> String {
    let mut text = String::new();
    for (table, key, value) in rows::all(disk) {
        write!(text, "{table} {key:#x} ").expect("a string takes any text");
        for byte in value {
            write!(text, "{byte:02x}").expect("a string takes any text");
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_rows_of_format_1_are_written_as_ever() {
    let disk = written();
    if std::env::var_os("HOLDFAST_GOLDEN").is_some() {
        std::fs::write(golden("ledger-v1.redb"), disk.bytes()).expect("writable");
        std::fs::write(golden("ledger-v1-rows.hex"), in_hex(&disk)).expect("writable");
    }
    let expected =
        std::fs::read_to_string(golden("ledger-v1-rows.hex")).expect("it is in the repository");
    assert!(
        in_hex(&disk) == expected,
        "rows differ from tests/golden/ledger-v1-rows.hex"
    );
}

#[test]
fn a_file_of_format_1_is_read_as_ever() {
    let disk =
        Disk::with_image(std::fs::read(golden("ledger-v1.redb")).expect("it is in the repository"));
    let mut view = View::open_with_backend(disk.clone(), &identity()).expect("it can be read");
    let (mut chunks, mut records) = (Vec::new(), Vec::new());
    let seen = view.check(|item| {
        match item {
            Item::Chunk(chunk) => chunks.push(chunk),
            Item::Record(record) => records.push(record),
        }
        Ok(())
    });
    let seen = seen.expect("it is whole");
    let history = history();
    assert_eq!(records.len(), 5, "the first record was trimmed");
    for (record, batch) in records.iter().zip(&history[1..]) {
        assert_eq!(
            (record.first, record.events, record.at),
            (batch.first, batch.events, batch.at)
        );
        assert_eq!(record.body, batch.body);
    }
    assert_eq!(
        chunks,
        [history[1].chunks[0].clone(), history[2].chunks[0].clone()]
    );
    assert_eq!(
        (seen.oldest, seen.head, seen.replay_from, seen.opening),
        (4, 50, 5, 1)
    );
    assert_eq!(
        (seen.records, seen.events, seen.chunks, seen.tombstones),
        (5, 47, 1, 1)
    );
    drop(view);
    assert_eq!(open(&disk).expect("it can be served").head(), 50);
}

/// What a check of the ledger on `disk` says.
fn verdict(disk: &Disk) -> Result<(), LedgerError> {
    View::open_with_backend(disk.clone(), &identity())?
        .check(|_| Ok(()))
        .map(drop)
}

#[test]
fn damage_to_any_row_is_named_with_its_shard_and_place() {
    let place = |table, key: u64| match (table, key) {
        ("journal", key) => Place::Record(key >> 8),
        ("chunks" | "tombstones", id) => Place::Chunk(id),
        ("meta", 0) => Place::Identity,
        ("meta", 1) => Place::Opening,
        _ => Place::Progress,
    };
    let whole = written().bytes();
    verdict(&Disk::with_image(whole.clone())).expect("it is whole");
    for (table, key, value) in rows::all(&Disk::with_image(whole.clone())) {
        for at in [0, 1, 3, 7, value.len() / 2, value.len() - 1] {
            let disk = Disk::with_image(whole.clone());
            let mut damaged = value.clone();
            damaged[at] ^= 0x10;
            rows::set(&disk, table, key, Some(&damaged));
            let error = verdict(&disk).expect_err("it is damaged");
            let LedgerError::Corrupt {
                shard: 3,
                place: found,
                ..
            } = error
            else {
                panic!("{table} {key:#x}: {error}");
            };
            assert_eq!(found, place(table, key), "{error}");
            assert!(error.to_string().starts_with("shard 3: "), "{error}");
        }
    }
}

#[test]
fn a_row_that_is_missing_or_stands_elsewhere_is_named() {
    let whole = written().bytes();
    let head = |first: u64, events: u32, at: u64| {
        let mut body = events.to_le_bytes().to_vec();
        body.extend_from_slice(&at.to_le_bytes());
        body.extend_from_slice(&[0, 0, 0, 0, 1]);
        rows::sealed(1, first << 8, &body)
    };
    let moved = rows::all(&Disk::with_image(whole.clone()))
        .pop()
        .expect("there are rows")
        .2;
    // Two records, the first of one event.
    let sheaf = |events: u32, second: u32| {
        let mut body = events.to_le_bytes().to_vec();
        body.extend_from_slice(&1_901_u64.to_le_bytes());
        body.extend_from_slice(&[32, 0, 0, 0, 1]);
        for events in [1, second] {
            body.extend_from_slice(&events.to_le_bytes());
            body.extend_from_slice(&1_901_u64.to_le_bytes());
            body.extend_from_slice(&[0; 4]);
        }
        rows::sealed(11, 47 << 8, &body)
    };
    let whole_sheaf = Disk::with_image(whole.clone());
    rows::set(&whole_sheaf, "journal", 47 << 8, Some(&sheaf(4, 3)));
    verdict(&whole_sheaf).expect("these two add up");
    let cases: [(&str, u64, Option<Vec<u8>>, Place); 10] = [
        ("journal", 47 << 8, Some(sheaf(5, 3)), Place::Record(47)),
        ("journal", 47 << 8, Some(sheaf(1, 0)), Place::Record(47)),
        ("journal", 44 << 8, None, Place::Record(45)),
        ("journal", 4 << 8, None, Place::Record(4)),
        ("journal", 4 << 8 | 1, None, Place::Record(4)),
        (
            "journal",
            44 << 8,
            Some(head(44, 2, 1_001)),
            Place::Record(45),
        ),
        (
            "journal",
            44 << 8,
            Some(head(44, 1, 1_000)),
            Place::Record(44),
        ),
        (
            "journal",
            44 << 8,
            Some(head(45, 1, 1_001)),
            Place::Record(44),
        ),
        (
            "chunks",
            5,
            Some(rows::sealed(3, 5, &[99, 0, 0, 0, 0, 0, 0, 0, 1])),
            Place::Chunk(5),
        ),
        ("meta", 1, Some(moved), Place::Opening),
    ];
    for (table, key, row, place) in cases {
        let disk = Disk::with_image(whole.clone());
        rows::set(&disk, table, key, row.as_deref());
        let error = verdict(&disk).expect_err("it is damaged");
        let named =
            matches!(error, LedgerError::Corrupt { shard: 3, place: found, .. } if found == place);
        assert!(named, "{table} {key:#x}: {error}");
    }
}

#[test]
fn replay_ends_at_the_first_damaged_record() {
    let disk = written();
    rows::set(&disk, "journal", 44 << 8, Some(b"not a row"));
    let ledger = open(&disk).expect("the rest is whole");
    let read: Vec<_> = ledger.replay(4).expect("it begins").collect();
    assert_eq!(read.len(), 2);
    assert!(read[0].is_ok());
    let named = matches!(
        read[1],
        Err(LedgerError::Corrupt {
            place: Place::Record(44),
            ..
        })
    );
    assert!(named, "{:?}", read[1]);
}

/// Bytes of the file in front of redb's.
const FRONT: u64 = 256 << 10;

#[test]
fn a_byte_changed_in_the_write_ahead_log_is_noticed_but_in_the_last_record() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let mut ends = vec![0];
    for bytes in [30, 0, 300, 5] {
        let next = batch(&ledger, 3, bytes);
        append(&mut ledger, &next).expect("the disk is sound");
        ends.push((ends[ends.len() - 1] + 10 + 24 + bytes as u64).next_multiple_of(16));
    }
    drop(ledger);
    let whole = disk.bytes();
    for at in 0..ends[4] {
        let mut damaged = whole.clone();
        damaged[at as usize] ^= 1;
        let found = View::open_with_backend(Disk::with_image(damaged), &identity())
            .and_then(|view| view.head());
        let within = ends.partition_point(|end| *end <= at) - 1;
        match found {
            // Nothing reads what a record is padded with.
            Ok(12) => {
                assert!(34 <= at - ends[within], "byte {at} is read by nobody");
            }
            // As a record torn by a crash, which nobody was told of.
            Ok(head) => assert_eq!((within, head), (3, 9), "byte {at}"),
            Err(error) => assert!(
                matches!(
                    error,
                    LedgerError::Corrupt {
                        place: Place::Record(_),
                        ..
                    }
                ),
                "byte {at}: {error}"
            ),
        }
    }
}

#[test]
fn a_byte_changed_anywhere_in_the_file_is_noticed_or_harmless() {
    let whole = written().bytes();
    let seen = |disk: &Disk| -> Result<Vec<Item>, LedgerError> {
        let mut items = Vec::new();
        View::open_with_backend(disk.clone(), &identity())?.check(|item| {
            items.push(item);
            Ok(())
        })?;
        Ok(items)
    };
    let expected = seen(&Disk::with_image(whole.clone())).expect("it is whole");
    let mut random = Random::new(13);
    let mut noticed = 0;
    for n in 0..1_200 {
        let mut damaged = whole.clone();
        // In front of redb's part there is a log with nothing in it.
        let at = (FRONT + random.below(whole.len() as u64 - FRONT)) as usize;
        damaged[at] ^= 1 << random.below(8);
        let disk = Disk::with_image(damaged);
        match silently(|| seen(&disk)) {
            Ok(items) => assert!(
                items == expected,
                "case {n}: byte {at} changed what is read"
            ),
            Err(_) => noticed += 1,
        }
        // Serving it panics no more than checking it does.
        silently(|| drop(open(&disk).map(|ledger| replayed(&ledger))));
    }
    assert!(50 < noticed, "only {noticed} of 1,200 were noticed");
}

fn replayed(ledger: &Ledger) -> usize {
    ledger.replay(ledger.oldest()).map_or(0, Iterator::count)
}
