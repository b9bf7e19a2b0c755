//! Fixed events and records of what few SKUs have: streams, counts, drifts, messages, locations,
//! and what becomes of confirmed units.

use holdfast_core::{
    Band, Basis, CountedEffect, Counter, Counters, DriftKind, DriftRecord, DriftState, Effect,
    Effects, EventKind, FeedMark, HoldAfter, HoldPhase, HoldRecord, HomeExtra, HomeLines,
    KeyTarget, LevelRecord, LineRecord, Location, LocationRecord, Measure, MessageEffect, Note,
    OnShortfall, Proposal, Quarantine, QuarantineCause, Sku, SkuConfig, SkuRecord, Sourcing,
    StockEffect, StreamEffect, StreamKey, StreamRecord, Supply, SupplyEffect, TraceParent,
    Versions,
};
use smallvec::smallvec;

use crate::samples::{at, config, home_changed, id, location, note, stock, text, whole_hold};

/// An event's key target, effects and note.
type Parts = (Option<KeyTarget>, Effects, Option<Note>);

/// What an event of this kind holds; the kinds that reservations alone have are not here.
pub(crate) fn of_kind(kind: EventKind, sku: &Sku) -> Parts {
    let target = Some(KeyTarget::Movement(id(sku, 5, 9), sku.clone()));
    let moved = |effects| (target.clone(), effects, Some(whole_note(sku)));
    match kind {
        EventKind::ReservationCancelled => (
            Some(KeyTarget::Reservation(id(sku, 100, 77))),
            smallvec![home_changed(sku, Some(after())), stock(sku)],
            None,
        ),
        EventKind::ReservationShipped => (None, smallvec![home_changed(sku, Some(after()))], None),
        EventKind::ReservationMoved => (None, smallvec![home_lines(sku), stock(sku)], None),
        EventKind::CartTold => {
            let hold = Effect::HoldCreated(Box::new(shipped_hold(sku)));
            (None, smallvec![hold, hold_after()], None)
        }
        EventKind::StockShipped => moved(smallvec![stock(sku), hold_after()]),
        EventKind::StockTransferred => moved(smallvec![stock(sku), transferred(sku)]),
        EventKind::StockCounted => moved(smallvec![
            stock(sku),
            counted(sku),
            Effect::Stream(Box::new(stream(sku))),
        ]),
        EventKind::LocationConfigured => (None, smallvec![Effect::Location(closed_store())], None),
        EventKind::DriftOpened => moved(drifts(sku).into_iter().map(drift_effect).collect()),
        EventKind::DriftCorrected => moved(smallvec![drift_effect(corrected(sku))]),
        EventKind::DriftDismissed => moved(smallvec![drift_effect(dismissed(sku))]),
        EventKind::FeedLate | EventKind::FeedStale | EventKind::FeedGap => {
            let quiet = StreamEffect {
                mark: None,
                absolute: None,
                ..stream(sku)
            };
            (
                None,
                smallvec![Effect::Stream(Box::new(quiet)), message(sku)],
                None,
            )
        }
        EventKind::FeedQuarantined | EventKind::FeedLifted => {
            let quarantined = (kind == EventKind::FeedQuarantined).then(|| quarantine(2));
            let stream = StreamEffect {
                quarantined,
                ..stream(sku)
            };
            (None, smallvec![Effect::Stream(Box::new(stream))], None)
        }
        _ => moved(smallvec![stock(sku)]),
    }
}

fn whole_note(sku: &Sku) -> Note {
    Note {
        reservation: Some(id(sku, 100, 77)),
        drift: Some(id(sku, 5, 9)),
        feed: Some(mark(8_000_000_001)),
        message: Some(text("msg-7f3a")),
        ..note(sku)
    }
}

/// A note that has nothing but where its request stood in a trace.
pub(crate) fn traced() -> Note {
    Note {
        trace: Some(trace()),
        ..Note::default()
    }
}

fn trace() -> TraceParent {
    TraceParent::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .expect("it is the example of the specification")
}

/// What a crossing leaves: depleted after another event, replenished after none.
pub(crate) fn supply(kind: EventKind, sku: &Sku) -> Effect {
    let (band, depleted_at, sold_out_at) = match kind {
        EventKind::StockDepleted => (Band::Depleted, Some(at(7_000)), Some(at(8_000))),
        EventKind::StockLow => (Band::Low, None, None),
        _ => (Band::Enough, None, None),
    };
    Effect::Supply(Box::new(SupplyEffect {
        sku: sku.clone(),
        supply: Supply {
            band,
            depleted_at,
            sold_out_at,
        },
        versions: Versions {
            all: 91,
            stock: 8,
            config: 1,
        },
    }))
}

fn mark(sequence: u64) -> FeedMark {
    FeedMark {
        epoch: 3,
        sequence,
        content: 0xfeed_beef,
    }
}

fn after() -> HomeExtra {
    HomeExtra {
        after: vec![[1, 0], [0, 300]],
        ..HomeExtra::default()
    }
}

fn home_lines(sku: &Sku) -> Effect {
    let line = LineRecord {
        sku: sku.clone(),
        location: location("store-17"),
        hold: 70_078,
        foreign: false,
        requested: 3,
        units: 3,
        totals: [0, 2, 1],
    };
    let elsewhere = LineRecord {
        location: Location::main(),
        hold: 400,
        foreign: true,
        ..line.clone()
    };
    Effect::HomeLines(Box::new(HomeLines {
        id: id(sku, 100, 77),
        version: 4,
        lines: smallvec![line, elsewhere],
    }))
}

fn hold_after() -> Effect {
    Effect::HoldAfter(HoldAfter {
        number: 70_077,
        after: [1, 300],
        told: 299,
    })
}

fn transferred(sku: &Sku) -> Effect {
    Effect::Stock(Box::new(StockEffect {
        sku: sku.clone(),
        location: Location::main(),
        counters: smallvec![(Counter::OnHand, 7), (Counter::Transferred, -40)],
        versions: Versions {
            all: 91,
            stock: 9,
            config: 1,
        },
    }))
}

fn counted(sku: &Sku) -> Effect {
    Effect::Counted(Box::new(CountedEffect {
        sku: sku.clone(),
        location: location("store-17"),
        taken_at: at(150_000),
        taken_seq: 999_999,
        basis: shelf(),
    }))
}

/// All that is on the shelf but what is broken.
fn shelf() -> Basis {
    Basis {
        measure: Measure::Physical,
        excludes_returned: false,
        excludes_damaged: true,
    }
}

fn message(sku: &Sku) -> Effect {
    Effect::Message(Box::new(MessageEffect {
        sku: sku.clone(),
        hash: 0x0123_4567_89ab_cdef,
        at: at(200_000),
    }))
}

pub(crate) fn stream_key(sku: &Sku) -> StreamKey {
    StreamKey {
        sku: sku.clone(),
        location: location("store-17"),
        source: text("warehouse"),
    }
}

fn stream(sku: &Sku) -> StreamEffect {
    StreamEffect {
        key: stream_key(sku),
        mark: Some(mark(17)),
        absolute: Some((16, at(150_000))),
        late: 2,
        stale: 300,
        quarantined: None,
        at: at(200_000),
    }
}

fn quarantine(sequence: u64) -> Quarantine {
    Quarantine {
        cause: QuarantineCause::FellBack,
        epoch: 2,
        sequence,
    }
}

fn drift_effect(drift: DriftRecord) -> Effect {
    Effect::Drift(Box::new(drift))
}

/// An open drift for every proposal.
fn drifts(sku: &Sku) -> Vec<DriftRecord> {
    let proposals = [
        Proposal::Look,
        Proposal::Adjust(-3),
        Proposal::Cancel(2),
        Proposal::Release,
        Proposal::Confirm,
        Proposal::Ship(300),
    ];
    (0..)
        .zip(proposals)
        .map(|(n, proposal)| DriftRecord {
            id: id(sku, 5, 9 + n),
            kind: DriftKind::ALL[n as usize * 2],
            sku: sku.clone(),
            location: location("store-17"),
            expected: 120,
            found: 117,
            proposal,
            evidence: (1_000_000, 1_000_300),
            adjusted: -4,
            reservation: (n % 2 == 0).then(|| id(sku, 100, 77)),
            source: (n % 2 == 0).then(|| text("warehouse")),
            document: (n % 3 == 0).then(|| text("COUNT-2026-48")),
            opened_at: at(200_000),
            state: DriftState::Open,
        })
        .collect()
}

fn corrected(sku: &Sku) -> DriftRecord {
    DriftRecord {
        state: DriftState::Corrected {
            at: at(300_000),
            movement: id(sku, 300_000, 30),
            reason: None,
        },
        ..drifts(sku).swap_remove(1)
    }
}

fn dismissed(sku: &Sku) -> DriftRecord {
    DriftRecord {
        state: DriftState::Dismissed {
            at: at(300_000),
            reason: Some(text("counted twice")),
        },
        ..drifts(sku).swap_remove(0)
    }
}

/// A location that was declared and closed.
pub(crate) fn closed_store() -> LocationRecord {
    LocationRecord {
        location: location("store-17"),
        selling: false,
        version: 2,
    }
}

/// The same, of which nothing is available.
pub(crate) fn depleted_sku(sku: &Sku) -> SkuRecord {
    SkuRecord {
        supply: Supply {
            band: Band::Depleted,
            depleted_at: Some(at(150_000)),
            sold_out_at: Some(at(151_000)),
        },
        ..whole_sku(sku)
    }
}

/// The same, which is replenished at a mark of its own.
pub(crate) fn quiet_sku(sku: &Sku) -> SkuRecord {
    let mut record = depleted_sku(sku);
    record.config.replenished_at = Some(300);
    record
}

/// A SKU with everything a SKU can have but a supply.
pub(crate) fn whole_sku(sku: &Sku) -> SkuRecord {
    let mut counters = Counters::default();
    counters.set(Counter::OnHand, 120);
    counters.set(Counter::Received, 120);
    let level = |location, counted| LevelRecord {
        location,
        counters: counters.clone(),
        counted,
    };
    let stream = StreamRecord {
        location: location("store-17"),
        source: text("warehouse"),
        epoch: 3,
        seen: vec![(14, 1), (16, 0xfeed_beef), (17, u32::MAX)],
        absolute: Some((16, at(150_000))),
        late: 2,
        stale: 300,
        quarantined: None,
        at: at(200_000),
    };
    let stopped = StreamRecord {
        source: text("wms-2"),
        seen: Vec::new(),
        absolute: None,
        quarantined: Some(Quarantine {
            cause: QuarantineCause::Contradiction,
            ..quarantine(9)
        }),
        ..stream.clone()
    };
    SkuRecord {
        sku: sku.clone(),
        config: SkuConfig {
            sourcing: Sourcing::WholeCart,
            on_shortfall: OnShortfall::ReleaseNewest,
            ..config()
        },
        versions: Versions {
            all: 91,
            stock: 9,
            config: 1,
        },
        supply: Supply::default(),
        levels: vec![
            level(Location::main(), None),
            level(location("store-17"), Some((at(150_000), 999_999, shelf()))),
        ],
        streams: vec![stream, stopped],
        messages: vec![(5, at(100)), (u64::MAX, at(200_000))],
        drifts: drifts(sku),
    }
}

/// A hold of a cart of another shard, of which units were cancelled and shipped.
pub(crate) fn shipped_hold(sku: &Sku) -> HoldRecord {
    HoldRecord {
        number: 77,
        phase: HoldPhase::Bound,
        version: 5,
        totals: [3, 0, 0],
        after: [1, 2],
        told: 1,
        ..whole_hold(sku)
    }
}
