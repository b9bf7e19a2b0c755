//! The bytes of version 1, pinned. What was released must stay readable for ever, so a difference
//! here means a new version, never a new golden file for an old one.
//!
//! A file of a new version is made by running these tests with `HOLDFAST_GOLDEN=write`, which
//! writes what is missing and leaves alone what is there.

use std::fmt::Write;
use std::path::Path;

use holdfast_ledger::codec::{Events, RecordEncoder, VERSION, chunk};

use crate::{samples, samples_chunks};

/// The lines `name hex` of a golden file, written first if that is asked for.
fn golden(name: &str, actual: &str) -> String {
    let file = format!("tests/golden/codec-v{VERSION}-{name}.hex");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    if !path.exists() && std::env::var("HOLDFAST_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, actual).expect("the golden directory can be written");
    }
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn line(name: &str, bytes: &[u8]) -> String {
    let mut line = format!("{name} ");
    for byte in bytes {
        write!(line, "{byte:02x}").expect("a string takes what is written");
    }
    line.push('\n');
    line
}

fn bytes(line: &str) -> Vec<u8> {
    let (_, hex) = line.split_once(' ').expect("a line is a name and hex");
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| str::from_utf8(pair).expect("hex is ASCII"))
        .map(|pair| u8::from_str_radix(pair, 16).expect("two hex digits"))
        .collect()
}

#[test]
fn an_event_of_every_kind_has_the_bytes_of_its_version() {
    let mut encoder = RecordEncoder::new();
    let mut actual = String::new();
    for event in samples::one_of_every_kind() {
        encoder.start(event.seq, Vec::new());
        encoder.push(&event);
        actual += &line(&format!("{:?}", event.kind), &encoder.finish());
    }
    let golden = golden("events", &actual);
    assert_eq!(actual, golden);
    for (event, line) in samples::one_of_every_kind().into_iter().zip(golden.lines()) {
        let body = bytes(line);
        let read: Result<Vec<_>, _> = Events::new(event.seq, 1, &body)
            .expect("it begins well")
            .collect();
        assert_eq!(read, Ok(vec![event]), "{line}");
    }
}

#[test]
fn a_record_of_several_events_has_the_bytes_of_its_version() {
    let (hot, cold) = (samples::sku("SKU-00000042"), samples::sku("MUG"));
    let skus = [&hot, &hot, &cold, &hot];
    let spelled_out = skus
        .iter()
        .zip(0..)
        .map(|(sku, n)| samples::reserve(n, sku));
    let plain = skus
        .iter()
        .zip(0..)
        .map(|(sku, n)| samples::plain_reserve(n, sku));
    let mixed = skus.iter().zip(0..).map(|(sku, n)| match n % 2 {
        0 => samples::plain_reserve(n, sku),
        _ => samples::reserve(n, sku),
    });
    let records: [(&str, Vec<_>); 3] = [
        ("reserves", plain.collect()),
        ("reserves-spelled-out", spelled_out.collect()),
        ("reserves-mixed", mixed.collect()),
    ];
    let mut actual = String::new();
    let mut encoder = RecordEncoder::new();
    for (name, events) in &records {
        encoder.start(events[0].seq, Vec::new());
        for event in events {
            encoder.push(event);
        }
        actual += &line(name, &encoder.finish());
    }
    let golden = golden("record", &actual);
    assert_eq!(actual, golden);
    for ((_, events), line) in records.into_iter().zip(golden.lines()) {
        let body = bytes(line);
        let read: Result<Vec<_>, _> = Events::new(events[0].seq, 4, &body)
            .expect("it begins well")
            .collect();
        assert_eq!(read, Ok(events));
    }
}

#[test]
fn a_chunk_of_every_kind_has_the_bytes_of_its_version() {
    let chunks = samples_chunks::chunks();
    let actual: String = chunks
        .iter()
        .map(|(id, state)| line(&format!("{id:?}").replace(' ', ""), &chunk::encode(state)))
        .collect();
    let golden = golden("chunks", &actual);
    assert_eq!(actual, golden);
    for ((id, state), line) in chunks.into_iter().zip(golden.lines()) {
        assert_eq!(chunk::decode(id, &bytes(line)), Ok(state), "{line}");
    }
}
