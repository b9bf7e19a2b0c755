//! Fixed chunks: for golden files, and damage.

use crate::samples::{
    at, config, id, local_hold, location, reserve, sku, tag, whole_extra, whole_hold,
};
use crate::samples_life;
use holdfast_core::{
    ChunkId, ChunkState, Counter, Counters, Effect, HoldRecord, HomeRecord, KeyOutcome, KeyRecord,
    KeyTarget, LevelRecord, LineRecord, Location, Opening, ShardRecord, Sku, SkuRecord, Slot,
    Supply, Versions,
};

/// A chunk of every kind.
pub(crate) fn chunks() -> Vec<(ChunkId, ChunkState)> {
    let (tee, mug) = (sku("TEE-RED-M"), sku("MUG"));
    let opening = Opening::new(3).expect("3 is an opening");
    let shard = ShardRecord {
        next_hold: 70_078,
        next_key: 50_003,
        first_key: 12,
        locations: vec![samples_life::closed_store()],
    };
    vec![
        (ChunkId::Shard, ChunkState::Shard(shard)),
        (
            ChunkId::Skus(tee.slot()),
            ChunkState::Skus(vec![sku_record(&tee)]),
        ),
        (ChunkId::Homes(opening, 0), ChunkState::Homes(homes(&tee))),
        (ChunkId::Holds(136), ChunkState::Holds(holds(&tee))),
        (ChunkId::Keys(97), ChunkState::Keys(keys(&tee))),
        (
            ChunkId::Skus(Slot::new(0).expect("0 is a slot")),
            ChunkState::Skus(Vec::new()),
        ),
        (
            ChunkId::Skus(mug.slot()),
            ChunkState::Skus(vec![samples_life::whole_sku(&mug)]),
        ),
        (
            ChunkId::Holds(0),
            ChunkState::Holds(vec![samples_life::shipped_hold(&mug)]),
        ),
        (
            ChunkId::Skus(mug.slot()),
            ChunkState::Skus(vec![samples_life::depleted_sku(&mug)]),
        ),
        (
            ChunkId::Skus(mug.slot()),
            ChunkState::Skus(vec![samples_life::quiet_sku(&mug)]),
        ),
    ]
}

fn sku_record(sku: &Sku) -> SkuRecord {
    let mut counters = Counters::default();
    for (place, counter) in Counter::ALL.into_iter().enumerate() {
        counters.set(
            counter,
            if counter.is_signed() {
                -3
            } else {
                place as i64 * 100
            },
        );
    }
    let versions = Versions {
        all: 90,
        stock: 8,
        config: 1,
    };
    let level = |location, counters| LevelRecord {
        location,
        counters,
        counted: None,
    };
    let levels = vec![
        level(Location::main(), counters),
        level(location("store-17"), Counters::default()),
    ];
    SkuRecord {
        sku: sku.clone(),
        config: config(),
        versions,
        supply: Supply::default(),
        levels,
        streams: Vec::new(),
        messages: Vec::new(),
        drifts: Vec::new(),
    }
}

fn homes(sku: &Sku) -> Vec<HomeRecord> {
    let mut homes: Vec<_> = (1..4)
        .map(|n| match reserve(n, sku).effects.swap_remove(0) {
            Effect::HomeCreated(home) => *home,
            _ => unreachable!("a reserve begins with its home"),
        })
        .collect();
    let last = &mut homes[2];
    let foreign = LineRecord {
        sku: Sku::parse("MUG").expect("MUG is a SKU"),
        location: location("store-17"),
        hold: 400,
        foreign: true,
        requested: 6,
        units: 5,
        totals: [1, 1, 3],
    };
    last.lines.push(foreign);
    last.ended_at = Some(at(300_000));
    last.extra = Some(Box::new(whole_extra(sku)));
    (last.version, last.order_ref) = (9, None);
    homes
}

fn holds(sku: &Sku) -> Vec<HoldRecord> {
    let mut holds = vec![whole_hold(sku)];
    for number in 70_078..70_081 {
        let plain = HoldRecord {
            number,
            ..local_hold(&homes(sku)[0], 0)
        };
        holds.push(plain);
    }
    holds
}

fn keys(sku: &Sku) -> Vec<KeyRecord> {
    let targets = [
        KeyTarget::Reservation(id(sku, 3, 8)),
        KeyTarget::Sku(sku.clone()),
        KeyTarget::Movement(id(sku, 3, 8), sku.clone()),
    ];
    (0..)
        .zip(targets)
        .map(|(n, target)| KeyRecord {
            index: 49_700 + n,
            tag: tag(n),
            outcome: KeyOutcome::ALL[n as usize],
            target,
            at: at(n),
        })
        .collect()
}
