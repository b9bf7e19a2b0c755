//! What goes in comes out.

use holdfast_core::{ChunkState, Event};
use holdfast_ledger::codec::{CodecError, Events, Fault, RecordEncoder, VERSION, chunk};
use proptest::prelude::*;

use crate::{arbitrary, arbitrary_chunk, samples, samples_chunks};

pub(crate) fn encode(first: u64, events: &[Event]) -> Vec<u8> {
    let mut encoder = RecordEncoder::new();
    encoder.start(first, Vec::new());
    for event in events {
        encoder.push(event);
    }
    encoder.finish()
}

pub(crate) fn decode(first: u64, count: usize, body: &[u8]) -> Result<Vec<Event>, CodecError> {
    Events::new(
        first,
        u32::try_from(count).expect("samples are short"),
        body,
    )?
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_read_as_it_was_written((first, events) in arbitrary::record()) {
        let body = encode(first, &events);
        prop_assert_eq!(decode(first, events.len(), &body), Ok(events));
    }

    #[test]
    fn any_chunk_is_read_as_it_was_written((id, state) in arbitrary_chunk::chunk()) {
        let bytes = chunk::encode(&state);
        prop_assert_eq!(bytes.is_empty(), state.is_empty());
        prop_assert_eq!(chunk::decode(id, &bytes), Ok(state));
    }

    #[test]
    fn equal_chunks_have_equal_bytes((id, state) in arbitrary_chunk::chunk()) {
        let bytes = chunk::encode(&state);
        let again = chunk::decode(id, &bytes).expect("it was just written");
        prop_assert_eq!(chunk::encode(&again), bytes);
    }

    #[test]
    fn a_record_does_not_depend_on_those_before_it(
        (first, events) in arbitrary::record(),
        (other_first, others) in arbitrary::record(),
    ) {
        let mut encoder = RecordEncoder::new();
        encoder.start(other_first, Vec::new());
        for event in &others { encoder.push(event); }
        let buffer = encoder.finish();
        encoder.start(first, buffer);
        for event in &events { encoder.push(event); }
        prop_assert_eq!(encoder.events() as usize, events.len());
        prop_assert_eq!(encoder.body_bytes(), encode(first, &events).len());
        prop_assert_eq!(encoder.finish(), encode(first, &events));
    }
}

#[test]
fn names_written_out_more_than_once_are_still_read_right() {
    // Far more SKUs than the encoder remembers, so that most are forgotten before they come again.
    let sku = |n: u64| samples::sku(&format!("SKU-{:08}", n * 7919 % 1_500));
    let events: Vec<_> = (0..6_000).map(|n| samples::reserve(n, &sku(n))).collect();
    let body = encode(events[0].seq, &events);
    assert_eq!(decode(events[0].seq, events.len(), &body), Ok(events));
}

#[test]
#[should_panic(expected = "INV-7: sequences have no gap")]
fn an_event_out_of_sequence_is_never_written() {
    encode(1, &[samples::reserve(1, &samples::sku("MUG"))]);
}

#[test]
#[should_panic(expected = "INV-7: time never runs backwards")]
fn an_event_before_the_last_one_is_never_written() {
    let mut events = samples::one_of_every_kind();
    events.swap(0, 1);
    (events[0].seq, events[1].seq) = (1, 2);
    encode(1, &events);
}

#[test]
#[should_panic(expected = "INV-5")]
fn a_line_that_ended_more_than_it_held_is_never_written() {
    let (_, mut state) = samples_chunks::chunks().swap_remove(2);
    let ChunkState::Homes(homes) = &mut state else {
        unreachable!("the third is of homes")
    };
    homes[0].lines[0].totals = [1, 0, 1];
    chunk::encode(&state);
}

#[test]
fn another_number_of_events_than_said_is_an_error() {
    let events = [0, 1].map(|n| samples::reserve(n, &samples::sku("MUG")));
    let (first, body) = (events[0].seq, encode(events[0].seq, &events));
    let fault = |count| decode(first, count, &body).map_err(|error| error.fault);
    assert_eq!(fault(0), Err(Fault::Trailing));
    assert_eq!(fault(1), Err(Fault::Trailing));
    assert_eq!(fault(2), Ok(events.to_vec()));
    assert_eq!(fault(3), Err(Fault::Truncated));
    assert_eq!(
        decode(u64::MAX, 2, &body).map_err(|error| error.fault),
        Err(Fault::Overflow)
    );
}

#[test]
fn an_unknown_version_is_an_error_that_says_so() {
    let event = samples::reserve(1, &samples::sku("MUG"));
    let mut body = encode(event.seq, std::slice::from_ref(&event));
    assert_eq!(body[0], VERSION);
    body[0] = VERSION + 1;
    let error = decode(event.seq, 1, &body).expect_err("the version is unknown");
    assert_eq!(
        error.to_string(),
        "its version is unknown, this one reads 1 (byte 1 of the body)"
    );
    let (id, state) = samples_chunks::chunks().swap_remove(1);
    let mut bytes = chunk::encode(&state);
    bytes[0] = 0;
    assert_eq!(
        chunk::decode(id, &bytes).expect_err("unknown").fault,
        Fault::Version
    );
}

#[test]
fn records_of_another_chunk_or_out_of_order_are_an_error() {
    let chunks = samples_chunks::chunks();
    for (id, state) in &chunks {
        let bytes = chunk::encode(state);
        for (other, _) in chunks
            .iter()
            .filter(|(other, _)| other != id && !bytes.is_empty())
        {
            assert!(
                chunk::decode(*other, &bytes).is_err(),
                "{id:?} was read as {other:?}"
            );
        }
    }
    let (id, mut state) = chunks[2].clone();
    let ChunkState::Homes(homes) = &mut state else {
        unreachable!("the third is of homes")
    };
    homes.swap(0, 1);
    let error = chunk::decode(id, &chunk::encode(&state)).expect_err("out of order");
    assert_eq!(error.fault, Fault::Order);
}

#[test]
fn the_shards_own_chunk_is_never_empty() {
    let (id, _) = samples_chunks::chunks().swap_remove(0);
    assert_eq!(
        chunk::decode(id, &[]).expect_err("it has no bytes").fault,
        Fault::Truncated
    );
}
