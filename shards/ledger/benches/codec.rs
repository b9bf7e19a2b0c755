//! How fast events and chunks are written and read, on one core.
//!
//! `cargo bench -p holdfast-ledger --bench codec`. An item is an event, or an entry of a chunk.

#[path = "../tests/codec/samples.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod samples;
#[path = "../tests/codec/samples_life.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod samples_life;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use holdfast_core::{
    CHUNK_ENTRIES, ChunkId, ChunkState, Effect, Event, HoldRecord, HomeRecord, Opening, Sku,
};
use holdfast_ledger::codec::{Events, RecordEncoder, chunk};

/// Events of one record, as in a busy group commit.
const RECORD: u64 = 1_000;

fn main() {
    divan::main();
}

fn hot() -> Sku {
    samples::sku("SKU-00000042")
}

fn hot_reserves() -> Vec<Event> {
    (0..RECORD)
        .map(|n| samples::plain_reserve(n, &hot()))
        .collect()
}

fn cold_reserves() -> Vec<Event> {
    let sku = |n: u64| samples::sku(&format!("SKU-{:08}", n * 7919 % 10_000));
    (0..RECORD)
        .map(|n| samples::plain_reserve(n, &sku(n)))
        .collect()
}

fn confirms() -> Vec<Event> {
    (0..RECORD).map(|n| samples::confirm(n, &hot())).collect()
}

#[divan::bench(args = ["hot_reserves_few", "hot_reserves", "cold_reserves", "confirms"])]
fn encode(bencher: Bencher<'_, '_>, case: &str) {
    let events = case_of(case);
    let mut encoder = RecordEncoder::new();
    let mut buffer = Vec::new();
    bencher
        .counter(ItemsCount::new(events.len()))
        .bench_local(|| {
            encoder.start(events[0].seq, std::mem::take(&mut buffer));
            for event in &events {
                encoder.push(black_box(event));
            }
            buffer = encoder.finish();
            buffer.len()
        });
}

/// A record of its own for each event, as when the disk is faster than the callers.
#[divan::bench]
fn encode_alone(bencher: Bencher<'_, '_>) {
    let event = samples::plain_reserve(1, &hot());
    let mut encoder = RecordEncoder::new();
    let mut buffer = Vec::new();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        encoder.start(event.seq, std::mem::take(&mut buffer));
        encoder.push(black_box(&event));
        buffer = encoder.finish();
        buffer.len()
    });
}

#[divan::bench(args = ["hot_reserves", "cold_reserves", "confirms"])]
fn decode(bencher: Bencher<'_, '_>, case: &str) {
    let events = case_of(case);
    let mut encoder = RecordEncoder::new();
    encoder.start(events[0].seq, Vec::new());
    for event in &events {
        encoder.push(event);
    }
    let (first, count) = (events[0].seq, encoder.events());
    let body = encoder.finish();
    bencher
        .counter(ItemsCount::new(events.len()))
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| {
            let read = Events::new(first, count, black_box(&body)).expect("it was just written");
            for event in read {
                black_box(event.expect("it was just written"));
            }
        });
}

fn case_of(case: &str) -> Vec<Event> {
    match case {
        "hot_reserves" => hot_reserves(),
        // As they are on the hot path: made just now, and still in the nearest cache.
        "hot_reserves_few" => hot_reserves().drain(..16).collect(),
        "cold_reserves" => cold_reserves(),
        _ => confirms(),
    }
}

#[divan::bench(args = ["homes", "holds"])]
fn encode_chunk(bencher: Bencher<'_, '_>, case: &str) {
    let (_, state) = chunk_of(case);
    bencher
        .counter(ItemsCount::new(CHUNK_ENTRIES))
        .bench_local(|| chunk::encode(black_box(&state)));
}

#[divan::bench(args = ["homes", "holds"])]
fn decode_chunk(bencher: Bencher<'_, '_>, case: &str) {
    let (id, state) = chunk_of(case);
    let bytes = chunk::encode(&state);
    bencher
        .counter(ItemsCount::new(CHUNK_ENTRIES))
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| chunk::decode(id, black_box(&bytes)).expect("it was just written"));
}

fn chunk_of(case: &str) -> (ChunkId, ChunkState) {
    let reserves = (0..CHUNK_ENTRIES).map(|n| samples::plain_reserve(n, &hot()));
    if case == "homes" {
        let opening = Opening::new(3).expect("3 is an opening");
        let homes = reserves.map(|event| home(&event)).collect();
        (ChunkId::Homes(opening, 0), ChunkState::Homes(homes))
    } else {
        let number = |n: usize| 136 * CHUNK_ENTRIES + n as u64;
        let holds = reserves.enumerate().map(|(n, event)| HoldRecord {
            number: number(n),
            ..samples::local_hold(&home(&event), 0)
        });
        (ChunkId::Holds(136), ChunkState::Holds(holds.collect()))
    }
}

fn home(event: &Event) -> HomeRecord {
    match event.effects.first() {
        Some(Effect::Reserved(new)) => new.home(),
        _ => unreachable!("it is a plain reserve"),
    }
}
