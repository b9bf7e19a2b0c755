//! What a reserve costs in the journal. Run with `--nocapture` to see the bytes.

use holdfast_core::Event;
use holdfast_ledger::codec::RecordEncoder;

use crate::samples;

fn body(events: &[Event]) -> Vec<u8> {
    let mut encoder = RecordEncoder::new();
    encoder.start(events[0].seq, Vec::new());
    for event in events {
        encoder.push(event);
    }
    encoder.finish()
}

#[test]
fn a_reserve_of_one_line_takes_at_most_110_bytes_even_alone_in_its_record() {
    let sku = samples::sku("SKU-00000042");
    let alone = body(&[samples::plain_reserve(1, &sku)]);
    println!("alone: {} bytes: {alone:02x?}", alone.len());
    assert!(alone.len() <= 110, "it takes {} bytes", alone.len());
}

#[test]
fn a_reserve_in_a_group_commit_takes_at_most_80_bytes() {
    let hot = samples::sku("SKU-00000042");
    let events: Vec<_> = (0..1000).map(|n| samples::plain_reserve(n, &hot)).collect();
    let one = body(&events).len().div_ceil(1000);
    println!("hot SKU, 1,000 in a record: {one} bytes each");
    assert!(one <= 80, "it takes {one} bytes");
    let confirms: Vec<_> = (0..1000).map(|n| samples::confirm(n, &hot)).collect();
    println!(
        "confirm, 1,000 in a record: {} bytes each",
        body(&confirms).len().div_ceil(1000)
    );
}

#[test]
fn a_reserve_of_a_cold_sku_takes_at_most_100_bytes_in_a_group_commit() {
    let sku = |n: u64| samples::sku(&format!("SKU-{:08}", n * 7919 % 10_000));
    let events: Vec<_> = (0..1000)
        .map(|n| samples::plain_reserve(n, &sku(n)))
        .collect();
    let one = body(&events).len().div_ceil(1000);
    println!("1,000 SKUs, 1,000 in a record: {one} bytes each");
    assert!(one <= 100, "it takes {one} bytes");
}
