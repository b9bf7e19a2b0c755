//! Strategies for what few SKUs have, and for the effects that change it.

use std::collections::BTreeMap;

use holdfast_core::{
    Band, Basis, CountedEffect, DriftKind, DriftRecord, DriftState, Effect, FeedMark, HoldAfter,
    HomeLines, LocationRecord, Measure, MessageEffect, Proposal, Quarantine, QuarantineCause,
    ReservationId, StreamEffect, StreamKey, StreamRecord, Supply, SupplyEffect, Timestamp,
};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::arbitrary::{id, line, location, number, sku, text, time, units, versions};

/// A SKU's streams, messages and drifts.
pub(crate) type Life = (Vec<StreamRecord>, Vec<(u64, Timestamp)>, Vec<DriftRecord>);

/// What a count compared.
pub(crate) fn basis() -> impl Strategy<Value = Basis> {
    let measure = select(vec![
        Measure::Physical,
        Measure::Sellable,
        Measure::Available,
    ]);
    (measure, any::<[bool; 2]>()).prop_map(|(measure, [excludes_returned, excludes_damaged])| {
        Basis {
            measure,
            excludes_returned,
            excludes_damaged,
        }
    })
}

/// An effect on what few have.
pub(crate) fn effect() -> BoxedStrategy<Effect> {
    prop_oneof![
        (number(), any::<[u32; 2]>(), units()).prop_map(|(number, after, told)| {
            Effect::HoldAfter(HoldAfter {
                number,
                after,
                told,
            })
        }),
        (id(), any::<u32>(), vec(line().boxed(), 0..4)).prop_map(|(id, version, lines)| {
            let lines = lines.into();
            Effect::HomeLines(Box::new(HomeLines { id, version, lines }))
        }),
        location_record().prop_map(Effect::Location),
        stream_effect().prop_map(|stream| Effect::Stream(Box::new(stream))),
        stream_key().prop_map(|key| Effect::StreamForgotten(Box::new(key))),
        (sku(), location(), time(), any::<u64>(), basis()).prop_map(
            |(sku, location, taken_at, taken_seq, basis)| {
                Effect::Counted(Box::new(CountedEffect {
                    sku,
                    location,
                    taken_at,
                    taken_seq,
                    basis,
                }))
            }
        ),
        drift().prop_map(|drift| Effect::Drift(Box::new(drift))),
        (sku(), id()).prop_map(|which| Effect::DriftForgotten(Box::new(which))),
        (sku(), any::<u64>(), time()).prop_map(|(sku, hash, at)| {
            Effect::Message(Box::new(MessageEffect { sku, hash, at }))
        }),
        (sku(), time()).prop_map(|which| Effect::MessagesForgotten(Box::new(which))),
        (sku(), supply(), versions()).prop_map(|(sku, supply, versions)| {
            Effect::Supply(Box::new(SupplyEffect {
                sku,
                supply,
                versions,
            }))
        }),
    ]
    .boxed()
}

pub(crate) fn supply() -> BoxedStrategy<Supply> {
    let bands = select(Band::ALL.to_vec());
    (bands, of(time()), of(time()))
        .prop_map(|(band, depleted_at, sold_out_at)| Supply {
            band,
            depleted_at,
            sold_out_at,
        })
        .boxed()
}

pub(crate) fn mark() -> BoxedStrategy<FeedMark> {
    (number(), number(), any::<u32>())
        .prop_map(|(epoch, sequence, content)| FeedMark {
            epoch,
            sequence,
            content,
        })
        .boxed()
}

/// Locations in order.
pub(crate) fn locations() -> BoxedStrategy<Vec<LocationRecord>> {
    btree_map(location(), location_record(), 0..4)
        .prop_map(|map| {
            let named = map
                .into_iter()
                .map(|(location, record)| LocationRecord { location, ..record });
            named.collect()
        })
        .boxed()
}

/// What few SKUs have, in order.
pub(crate) fn life() -> BoxedStrategy<Life> {
    let streams = btree_map((location(), text()), stream_record(), 0..3);
    let drifts = btree_map(id(), drift(), 0..3);
    (streams, btree_map(any::<u64>(), time(), 0..5), drifts)
        .prop_map(|(streams, messages, drifts)| {
            let streams = streams
                .into_iter()
                .map(|((location, source), record)| StreamRecord {
                    location,
                    source,
                    ..record
                });
            let drifts: BTreeMap<ReservationId, DriftRecord> = drifts;
            let drifts = drifts
                .into_iter()
                .map(|(id, drift)| DriftRecord { id, ..drift });
            (
                streams.collect(),
                messages.into_iter().collect(),
                drifts.collect(),
            )
        })
        .boxed()
}

fn location_record() -> BoxedStrategy<LocationRecord> {
    (location(), any::<bool>(), any::<u64>())
        .prop_map(|(location, selling, version)| LocationRecord {
            location,
            selling,
            version,
        })
        .boxed()
}

fn stream_key() -> BoxedStrategy<StreamKey> {
    (sku(), location(), text())
        .prop_map(|(sku, location, source)| StreamKey {
            sku,
            location,
            source,
        })
        .boxed()
}

fn quarantine() -> BoxedStrategy<Quarantine> {
    let causes = vec![QuarantineCause::Contradiction, QuarantineCause::FellBack];
    (select(causes), any::<u64>(), number())
        .prop_map(|(cause, epoch, sequence)| Quarantine {
            cause,
            epoch,
            sequence,
        })
        .boxed()
}

prop_compose! {
    fn stream_effect()(
        key in stream_key(),
        mark in of(mark()),
        absolute in of((any::<u64>(), time())),
        late in any::<u64>(),
        stale in number(),
        quarantined in of(quarantine()),
        at in time(),
    ) -> StreamEffect {
        StreamEffect { key, mark, absolute, late, stale, quarantined, at }
    }
}

prop_compose! {
    fn stream_record()(
        (location, source) in (location(), text()),
        epoch in any::<u64>(),
        seen in btree_map(number(), any::<u32>(), 0..6),
        absolute in of((any::<u64>(), time())),
        late in any::<u64>(),
        stale in number(),
        quarantined in of(quarantine()),
        at in time(),
    ) -> StreamRecord {
        let seen = seen.into_iter().collect();
        StreamRecord { location, source, epoch, seen, absolute, late, stale, quarantined, at }
    }
}

fn proposal() -> BoxedStrategy<Proposal> {
    prop_oneof![
        Just(Proposal::Look),
        any::<i64>().prop_map(Proposal::Adjust),
        any::<u32>().prop_map(Proposal::Cancel),
        Just(Proposal::Release),
        Just(Proposal::Confirm),
        any::<u32>().prop_map(Proposal::Ship),
    ]
    .boxed()
}

fn state() -> BoxedStrategy<DriftState> {
    prop_oneof![
        Just(DriftState::Open),
        (time(), id(), of(text())).prop_map(|(at, movement, reason)| DriftState::Corrected {
            at,
            movement,
            reason
        }),
        (time(), of(text())).prop_map(|(at, reason)| DriftState::Dismissed { at, reason }),
    ]
    .boxed()
}

prop_compose! {
    fn drift()(
        (id, reservation) in (id(), of(id())),
        kind in select(DriftKind::ALL.to_vec()),
        (sku, location) in (sku(), location()),
        [expected, found, adjusted] in any::<[i64; 3]>(),
        proposal in proposal(),
        evidence in any::<(u64, u64)>(),
        (source, document) in (of(text()), of(text())),
        opened_at in time(),
        state in state(),
    ) -> DriftRecord {
        DriftRecord {
            id, kind, sku, location, expected, found, proposal, evidence, adjusted, reservation,
            source, document, opened_at, state,
        }
    }
}
