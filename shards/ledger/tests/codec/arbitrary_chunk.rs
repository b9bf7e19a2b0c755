//! Strategies for arbitrary chunks: their records belong to them and are in order.

use holdfast_core::{
    CHUNK_ENTRIES, ChunkId, ChunkState, Counters, HoldRecord, HomeRecord, KeyRecord, LevelRecord,
    Opening, ReservationId, ShardRecord, Sku, SkuRecord, Slot,
};
use proptest::collection::btree_map;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use crate::arbitrary::{config, counter, hold, home, key, location, time, versions};
use crate::arbitrary_life::{life, locations};
use crate::samples;

/// A chunk of any kind, its records in order.
pub(crate) fn chunk() -> impl Strategy<Value = (ChunkId, ChunkState)> {
    prop_oneof![
        shard_chunk(),
        skus_chunk(),
        homes_chunk(),
        holds_chunk(),
        keys_chunk()
    ]
}

fn shard_chunk() -> BoxedStrategy<(ChunkId, ChunkState)> {
    (any::<[u64; 3]>(), locations())
        .prop_map(|([next_hold, next_key, first_key], locations)| {
            let record = ShardRecord {
                next_hold,
                next_key,
                first_key,
                locations,
            };
            (ChunkId::Shard, ChunkState::Shard(record))
        })
        .boxed()
}

/// SKUs of slot 0: one name in 4,096 is.
fn skus_of_a_slot() -> Vec<Sku> {
    let slot = Slot::new(0).expect("0 is a slot");
    let names = (0..60_000_u32).map(|n| samples::sku(&format!("SKU-{n:08}")));
    names.filter(|sku| sku.slot() == slot).collect()
}

fn skus_chunk() -> BoxedStrategy<(ChunkId, ChunkState)> {
    let counters = btree_map(counter(), any::<i64>(), 0..14).prop_map(|map| {
        let mut counters = Counters::default();
        for (counter, value) in map {
            counters.set(counter, value);
        }
        counters
    });
    let record = (
        config().boxed(),
        (versions(), crate::arbitrary_life::supply()),
        btree_map(
            location(),
            (
                counters,
                of((time(), any::<u64>(), crate::arbitrary_life::basis())),
            ),
            0..4,
        ),
        weighted(0.5, life()),
    );
    btree_map(select(skus_of_a_slot()), record, 0..5)
        .prop_map(|records| {
            let records = records.into_iter().map(|(sku, record)| {
                let (config, (versions, supply), levels, life) = record;
                let (streams, messages, drifts) = life.unwrap_or_default();
                let level = |(location, (counters, counted))| LevelRecord {
                    location,
                    counters,
                    counted,
                };
                SkuRecord {
                    sku,
                    config,
                    versions,
                    supply,
                    levels: levels.into_iter().map(level).collect(),
                    streams,
                    messages,
                    drifts,
                }
            });
            let id = ChunkId::Skus(Slot::new(0).expect("0 is a slot"));
            (id, ChunkState::Skus(records.collect()))
        })
        .boxed()
}

fn homes_chunk() -> BoxedStrategy<(ChunkId, ChunkState)> {
    let block = prop_oneof![
        Just(0),
        0..(ReservationId::COUNTER_COUNT / CHUNK_ENTRIES) as u32
    ];
    (
        0..Opening::COUNT,
        block,
        btree_map(0..CHUNK_ENTRIES, home().boxed(), 0..6),
    )
        .prop_map(|(opening, block, homes)| {
            let opening = Opening::new(opening).expect("in range");
            let homes = homes.into_iter().map(|(entry, home)| {
                let counter = u64::from(block) * CHUNK_ENTRIES + entry;
                let old = home.id;
                let id = ReservationId::mint(old.at(), old.slot(), opening, counter, old.random());
                HomeRecord { id, ..home }
            });
            (
                ChunkId::Homes(opening, block),
                ChunkState::Homes(homes.collect()),
            )
        })
        .boxed()
}

/// Blocks of numbers, up to the last.
fn block() -> impl Strategy<Value = u64> {
    prop_oneof![0..9_u64, Just(u64::MAX / CHUNK_ENTRIES)]
}

fn holds_chunk() -> BoxedStrategy<(ChunkId, ChunkState)> {
    (block(), btree_map(0..CHUNK_ENTRIES, hold().boxed(), 0..6))
        .prop_map(|(block, holds)| {
            let holds = holds.into_iter().map(|(entry, hold)| {
                let number = block * CHUNK_ENTRIES + entry;
                HoldRecord { number, ..hold }
            });
            (ChunkId::Holds(block), ChunkState::Holds(holds.collect()))
        })
        .boxed()
}

fn keys_chunk() -> BoxedStrategy<(ChunkId, ChunkState)> {
    (
        block(),
        btree_map(0..CHUNK_ENTRIES, (key().boxed(), time()), 0..6),
    )
        .prop_map(|(block, keys)| {
            let keys = keys.into_iter().map(|(entry, (key, at))| KeyRecord {
                index: block * CHUNK_ENTRIES + entry,
                tag: key.tag,
                outcome: key.outcome,
                target: key.target,
                at,
            });
            (ChunkId::Keys(block), ChunkState::Keys(keys.collect()))
        })
        .boxed()
}
