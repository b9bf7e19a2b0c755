//! Whatever bytes come in, they are read or refused, and never do harm. The checksum of the frame
//! keeps damage from getting this far; this is for the day it does not.

use holdfast_ledger::codec::{Fault, VERSION, chunk};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::arbitrary;
use crate::arbitrary_chunk;
use crate::round_trip::{decode, encode};

/// One way of damaging bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Remove(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        at().prop_map(Damage::Cut),
        at().prop_map(Damage::Remove),
        (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Self::Set(at, byte) => bytes[at.index(length)] = *byte,
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Remove(at) => drop(bytes.remove(at.index(length))),
            Self::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What is read in spite of its damage must be as good as any other event.
    #[test]
    fn a_damaged_record_is_refused_or_read_as_another(
        (first, events) in arbitrary::record(),
        damages in vec(damage(), 1..4),
    ) {
        let mut body = encode(first, &events);
        for damage in &damages { damage.apply(&mut body); }
        if let Ok(read) = decode(first, events.len(), &body) {
            let again = encode(first, &read);
            prop_assert_eq!(decode(first, read.len(), &again), Ok(read));
        }
    }

    #[test]
    fn a_damaged_chunk_is_refused_or_read_as_another(
        (id, state) in arbitrary_chunk::chunk(),
        damages in vec(damage(), 1..4),
    ) {
        let mut bytes = chunk::encode(&state);
        for damage in &damages { damage.apply(&mut bytes); }
        if let Ok(read) = chunk::decode(id, &bytes) {
            prop_assert_eq!(chunk::decode(id, &chunk::encode(&read)), Ok(read));
        }
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused(
        mut bytes in vec(any::<u8>(), 1..200),
        count in 0..4_usize,
        (id, _) in arbitrary_chunk::chunk(),
    ) {
        bytes[0] = VERSION;
        let _ = decode(1, count, &bytes);
        let _ = chunk::decode(id, &bytes);
    }

    #[test]
    fn a_record_cut_short_anywhere_is_refused((first, events) in arbitrary::record()) {
        let body = encode(first, &events);
        for length in (0..body.len()).rev().take(200) {
            prop_assert!(decode(first, events.len(), &body[..length]).is_err());
        }
    }
}

#[test]
fn a_count_beyond_the_end_is_refused_before_anything_is_made() {
    // An event with 31 effects and as many more as a varint can say.
    let mut body = vec![VERSION, 65, 31 << 3];
    body.extend([0xff; 9]);
    body.push(1);
    let error = decode(1, 1, &body).expect_err("there are no effects");
    assert_eq!(error.fault, Fault::Truncated);
}
