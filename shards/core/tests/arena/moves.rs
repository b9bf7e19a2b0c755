//! Random movements, feeds and drifts: few units, two sources, and sequences that soon come again.

use crate::script::{Counted, Difference, Move, Said, Setting, Verb, What};
use holdfast_core::{DriftKind, Measure, Patch, Place};
use proptest::prelude::*;
use proptest::sample::select;

use super::steps::{location, sku};

/// Settings of what is told: from where on it is low, from where on it is replenished.
pub(super) fn thresholds() -> impl Strategy<Value = Setting> {
    let mark = |mark: std::ops::Range<u32>| {
        prop_oneof![
            4 => mark.prop_map(Patch::Set),
            1 => Just(Patch::Clear),
            1 => Just(Patch::Keep),
        ]
    };
    (mark(0..5), mark(1..7)).prop_map(|(low, enough)| Setting {
        low,
        enough,
        ..Setting::default()
    })
}

/// A movement of any kind.
pub(super) fn movement() -> impl Strategy<Value = Verb> {
    let place = prop::option::weighted(0.5, location());
    let version = prop::option::weighted(0.1, 0_u64..8);
    (what(), sku(), place, version, said()).prop_map(|(what, sku, location, version, said)| {
        Verb::Move(Box::new(Move {
            what,
            sku,
            location,
            version,
            said,
        }))
    })
}

fn what() -> impl Strategy<Value = What> {
    let units = || 1_u32..4;
    let place = || select(vec![Place::OnHand, Place::Returned, Place::Damaged]);
    let from = || select(vec![Place::OnHand, Place::Returned]);
    let delta = prop_oneof![2 => -3_i64..0, 1 => 1_i64..3];
    prop_oneof![
        1 => [0_u32..3, 0_u32..3, 0_u32..2, 0_u32..2].prop_map(What::Opening),
        5 => units().prop_map(What::Receive),
        5 => units().prop_map(What::Ship),
        3 => units().prop_map(What::Return),
        3 => (units(), from()).prop_map(|(units, from)| What::Damage(units, from)),
        5 => counted().prop_map(What::Count),
        3 => units().prop_map(What::Restock),
        3 => (units(), place(), any::<bool>())
            .prop_map(|(units, from, force)| What::WriteOff(units, from, force)),
        5 => (delta, any::<bool>()).prop_map(|(delta, force)| What::Adjust(delta, force)),
        4 => (units(), location(), any::<bool>())
            .prop_map(|(units, to, force)| What::Transfer(units, to, force)),
    ]
}

fn counted() -> impl Strategy<Value = Counted> {
    let measure = prop_oneof![
        3 => Just(Measure::Physical),
        2 => Just(Measure::Sellable),
        1 => Just(Measure::Available),
    ];
    let taken = prop::option::weighted(0.4, select(vec![0, 1_000, 10_000, 30_000, 90_000]));
    (0_u32..7, measure, any::<[bool; 2]>(), taken).prop_map(|(units, measure, without, taken)| {
        Counted {
            units,
            measure,
            without,
            taken,
        }
    })
}

fn said() -> impl Strategy<Value = Said> {
    let mark = (1_u64..3, 1_u64..9);
    let told = (
        select(vec!["w1", "w2"]),
        prop::option::weighted(0.7, mark),
        prop::option::weighted(0.2, select(vec!["m1", "m2", "m3"])),
    );
    let occurred = || prop::option::weighted(0.3, select(vec![0, 2_000, 12_000, 50_000]));
    prop_oneof![
        2 => occurred().prop_map(|occurred| Said { occurred, ..Said::default() }),
        3 => (told, occurred()).prop_map(|((source, mark, message), occurred)| Said {
            source: Some(source.to_owned()),
            mark,
            message: message.map(str::to_owned),
            occurred,
        }),
    ]
}

/// A stream goes on that may have been quarantined.
pub(super) fn lift() -> impl Strategy<Value = Verb> {
    let place = prop::option::weighted(0.5, location());
    (sku(), place, select(vec!["w1", "w2"]))
        .prop_map(|(sku, location, source)| Verb::Lift(sku, location, source.to_owned()))
}

/// A difference that somebody found; about a reservation, if one is named.
pub(super) fn difference() -> impl Strategy<Value = Difference> {
    let kind = select(vec![
        DriftKind::Warehouse,
        DriftKind::Seller,
        DriftKind::OrderQuantity,
    ]);
    let document = prop::option::weighted(0.5, select(vec!["a", "b"]));
    let numbers = (0_i64..4, 0_i64..4);
    let place = prop::option::weighted(0.5, location());
    (sku(), place, kind, numbers, document).prop_map(|(sku, location, kind, numbers, document)| {
        Difference {
            sku,
            location,
            kind,
            numbers,
            document: document.map(str::to_owned),
            about: None,
        }
    })
}
