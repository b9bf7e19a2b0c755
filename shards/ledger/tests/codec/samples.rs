//! Fixed events: for golden files, sizes and benches. Chunks have `samples_chunks`.

use holdfast_core::{
    Counter, CustomerLimit, Effect, Event, EventKind, ExpiredReason, HoldChange, HoldPhase,
    HoldRecord, HomeChange, HomeExtra, HomeRecord, KeyEffect, KeyOutcome, KeyTag, KeyTarget,
    LateHold, LineRecord, Location, Millis, Note, Opening, ReservationId, Reserved, Resumed,
    Shortage, ShortageReason, Sku, SkuConfig, SkuEffect, StockEffect, Text, Timestamp, Versions,
};
use smallvec::smallvec;

use crate::samples_life;

/// 2026-11-27 08:00 UTC, when a sale begins.
pub(crate) const START: u64 = 1_795_766_400_000;

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

pub(crate) fn text(text: &str) -> Text {
    Text::parse(text).expect("samples are texts")
}

pub(crate) fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("samples are SKUs")
}

pub(crate) fn location(name: &str) -> Location {
    Location::parse(name).expect("samples are locations")
}

pub(crate) fn id(sku: &Sku, ms: u64, counter: u64) -> ReservationId {
    let opening = Opening::new(3).expect("3 is an opening");
    ReservationId::mint(at(ms), sku.slot(), opening, counter, (counter * 151) as u8)
}

/// The reserve of the figures: one line, 36-byte key, 16-byte order reference, 12-byte customer,
/// 12-byte SKU, `main`; the `n`th of a sale, ten a millisecond.
pub(crate) fn reserve(n: u64, sku: &Sku) -> Event {
    let ms = n / 10;
    let id = id(sku, ms, n);
    let expires_at = at(ms + 600_000);
    let (main, hold) = (Location::main(), 70_000 + n);
    let home = HomeRecord {
        id,
        order_ref: Some(text(&format!("order-{n:010}"))),
        customer: Some(text(&format!("cust-{n:07}"))),
        version: 1,
        expires_at,
        ended_at: None,
        lines: smallvec![LineRecord {
            sku: sku.clone(),
            location: main.clone(),
            hold,
            foreign: false,
            requested: 1,
            units: 1,
            totals: [0; 3],
        }],
        extra: None,
    };
    let stock = StockEffect {
        sku: sku.clone(),
        location: main,
        counters: smallvec![(Counter::Reserved, 9_000 + n as i64)],
        versions: Versions {
            all: 12_345 + n,
            stock: 7,
            config: 2,
        },
    };
    let hold = local_hold(&home, 0);
    Event {
        seq: 1_000_000 + n,
        at: at(ms),
        kind: EventKind::ReservationCreated,
        key: Some(KeyEffect {
            index: 50_000 + n,
            tag: tag(n),
            outcome: KeyOutcome::Created,
            target: KeyTarget::Reservation(id),
        }),
        effects: smallvec![
            Effect::HomeCreated(Box::new(home)),
            Effect::HoldCreated(Box::new(hold)),
            Effect::Stock(Box::new(stock)),
        ],
        note: None,
    }
}

/// [`reserve`] as a shard records it: in one effect.
pub(crate) fn plain_reserve(n: u64, sku: &Sku) -> Event {
    let mut event = reserve(n, sku);
    let [Effect::HomeCreated(home), _, Effect::Stock(stock)] = &event.effects[..] else {
        unreachable!("a reserve is a home, a hold and stock")
    };
    let [line] = &home.lines[..] else {
        unreachable!("it has one line")
    };
    let reserved = Reserved {
        id: home.id,
        order_ref: home.order_ref.clone(),
        customer: home.customer.clone(),
        expires_at: home.expires_at,
        sku: line.sku.clone(),
        location: line.location.clone(),
        hold: line.hold,
        units: line.units,
        reserved: stock.counters[0].1,
        versions: stock.versions,
    };
    let plain = Effect::Reserved(Box::new(reserved));
    assert_eq!(
        Event {
            effects: smallvec![plain.clone()],
            ..event.clone()
        }
        .spelled_out(),
        &event.effects[..]
    );
    event.effects = smallvec![plain];
    event
}

/// The hold that follows from a reservation's line.
pub(crate) fn local_hold(home: &HomeRecord, line: usize) -> HoldRecord {
    let line = &home.lines[line];
    HoldRecord {
        number: line.hold,
        id: home.id,
        attempt: 0,
        phase: HoldPhase::Local,
        sku: line.sku.clone(),
        location: line.location.clone(),
        requested: line.requested,
        units: line.units,
        version: home.version,
        deadline: home.expires_at,
        totals: line.totals,
        counted: None,
        graced: false,
        after: [0; 2],
        told: 0,
    }
}

/// The confirm of [`reserve`]'s `n`th.
pub(crate) fn confirm(n: u64, sku: &Sku) -> Event {
    let created = reserve(n, sku);
    let Some(Effect::HomeCreated(home)) = created.effects.first() else {
        unreachable!("a reserve begins with its home");
    };
    let now = at(n / 10 + 90_000);
    Event {
        seq: 2_000_000 + n,
        at: now,
        kind: EventKind::ReservationConfirmed,
        key: Some(KeyEffect {
            index: 90_000 + n,
            tag: tag(n + 7_777),
            outcome: KeyOutcome::Confirmed,
            target: KeyTarget::Reservation(home.id),
        }),
        effects: smallvec![
            Effect::HomeChanged(Box::new(HomeChange {
                id: home.id,
                version: 2,
                expires_at: home.expires_at,
                totals: smallvec![[1, 0, 0]],
                ended_at: Some(now),
                extra: Some(Box::new(HomeExtra {
                    payments: vec![text("pay_7Gx2")],
                    ..HomeExtra::default()
                })),
            })),
            Effect::HoldChanged(HoldChange {
                number: home.lines[0].hold,
                version: 2,
                deadline: home.expires_at,
                phase: HoldPhase::Local,
                totals: [1, 0, 0],
            }),
            Effect::Stock(Box::new(StockEffect {
                sku: sku.clone(),
                location: Location::main(),
                counters: smallvec![
                    (Counter::OnHand, 20_000 - n as i64),
                    (Counter::Reserved, 9_500 - n as i64),
                    (Counter::Sold, 400 + n as i64),
                ],
                versions: Versions {
                    all: 30_000 + n,
                    stock: 7,
                    config: 2
                },
            })),
        ],
        note: None,
    }
}

pub(crate) fn tag(n: u64) -> KeyTag {
    let word = |k: u64| (n + k).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
    KeyTag {
        hash: [word(1), word(2)],
        content: word(3),
    }
}

/// One event of every kind, in the order of their numbers, its sequence its place from 1.
/// Together they have every effect, key target and field.
pub(crate) fn one_of_every_kind() -> Vec<Event> {
    let mut events = EventKind::ALL.map(of_kind).to_vec();
    events.push(replenished_late());
    for (place, event) in events.iter_mut().enumerate() {
        event.seq = place as u64 + 1;
    }
    events
}

/// A configuration with what came to have a flag of its own later.
fn replenished_late() -> Event {
    let mut event = of_kind(EventKind::SkuConfigured);
    for effect in &mut event.effects {
        if let Effect::Sku(change) = effect {
            change.config.replenished_at = Some(300);
        }
    }
    event
}

fn of_kind(kind: EventKind) -> Event {
    let tee = sku("TEE-RED-M");
    let (key, effects, note) = match kind {
        EventKind::ReservationCreated => return reserve(1, &sku("SKU-00000042")),
        EventKind::ReservationConfirmed => return confirm(1, &sku("SKU-00000042")),
        EventKind::ReservationExtended | EventKind::ReservationPinned => (
            None,
            smallvec![home_changed(&tee, None), hold_changed([0; 3])],
            None,
        ),
        EventKind::ReservationReleased => {
            let extra = HomeExtra {
                reason: Some(text("cart emptied")),
                ..HomeExtra::default()
            };
            (
                None,
                smallvec![home_changed(&tee, Some(extra)), hold_changed([0, 2, 1])],
                None,
            )
        }
        EventKind::ReservationExpired => (None, smallvec![hold_changed([0, 0, 3])], None),
        EventKind::ReservationClosed => (
            None,
            smallvec![home_changed(&tee, Some(whole_extra(&tee)))],
            None,
        ),
        EventKind::CartHeld | EventKind::CartBound | EventKind::CartSettled => {
            let hold = Effect::HoldCreated(Box::new(whole_hold(&tee)));
            (None, smallvec![hold, hold_changed([1, 1, 1])], None)
        }
        EventKind::CartDropped => (None, smallvec![Effect::HoldForgotten(70_009)], None),
        EventKind::CartClosed => (None, smallvec![home_changed(&tee, None)], None),
        EventKind::StockReceived | EventKind::StockAdjusted => {
            let target = KeyTarget::Movement(id(&tee, 5, 9), tee.clone());
            (Some(target), smallvec![stock(&tee)], Some(note(&tee)))
        }
        EventKind::StockShortfall => {
            let mut effect = stock(&tee);
            if let Effect::Stock(stock) = &mut effect {
                stock.counters = smallvec![(Counter::Sold, 3), (Counter::Adjusted, -4)];
                stock.counters.push((Counter::Sold, i64::MIN));
            }
            (None, smallvec![effect], Some(Note::default()))
        }
        EventKind::SkuConfigured => {
            let versions = Versions {
                all: 4,
                stock: 3,
                config: 1,
            };
            let effect = SkuEffect {
                sku: tee.clone(),
                config: config(),
                versions,
            };
            (
                Some(KeyTarget::Sku(tee)),
                smallvec![Effect::Sku(Box::new(effect))],
                None,
            )
        }
        EventKind::ShardResumed => {
            let (last, start) = (at(0), at(3_600_000));
            let grace = Millis::from_secs(60);
            (
                None,
                smallvec![Effect::Resumed(Resumed { last, start, grace })],
                None,
            )
        }
        EventKind::Forgotten => (
            None,
            smallvec![
                Effect::HomeForgotten(id(&tee, 1, 1)),
                Effect::HomeForgotten(id(&tee, 1, 2)),
                Effect::HoldForgotten(70_001),
                Effect::HoldForgotten(70_002),
                Effect::KeysForgotten(50_002),
                Effect::StreamForgotten(Box::new(samples_life::stream_key(&tee))),
                Effect::DriftForgotten(Box::new((tee.clone(), id(&tee, 5, 9)))),
                Effect::MessagesForgotten(Box::new((tee, at(3)))),
            ],
            None,
        ),
        EventKind::StockLow | EventKind::StockDepleted | EventKind::StockReplenished => {
            let effects = smallvec![samples_life::supply(kind, &tee)];
            (None, effects, Some(samples_life::traced()))
        }
        EventKind::ReservationCancelled
        | EventKind::ReservationMoved
        | EventKind::ReservationShipped
        | EventKind::CartTold
        | EventKind::StockOpened
        | EventKind::StockShipped
        | EventKind::StockReturned
        | EventKind::StockRestocked
        | EventKind::StockDamaged
        | EventKind::StockWrittenOff
        | EventKind::StockCounted
        | EventKind::StockTransferred
        | EventKind::LocationConfigured
        | EventKind::DriftOpened
        | EventKind::DriftCorrected
        | EventKind::DriftDismissed
        | EventKind::FeedLate
        | EventKind::FeedStale
        | EventKind::FeedGap
        | EventKind::FeedQuarantined
        | EventKind::FeedLifted => samples_life::of_kind(kind, &tee),
    };
    let key = key.map(|target| KeyEffect {
        index: 5,
        tag: tag(kind as u64),
        outcome: KeyOutcome::Moved,
        target,
    });
    Event {
        seq: 0,
        at: at(200_000),
        kind,
        key,
        effects,
        note: note.map(Box::new),
    }
}

pub(crate) fn home_changed(sku: &Sku, extra: Option<HomeExtra>) -> Effect {
    Effect::HomeChanged(Box::new(HomeChange {
        id: id(sku, 100, 77),
        version: 3,
        expires_at: at(700_100),
        totals: smallvec![[0, 2, 1], [0; 3]],
        ended_at: extra.as_ref().map(|_| at(199_000)),
        extra: extra.map(Box::new),
    }))
}

fn hold_changed(totals: [u32; 3]) -> Effect {
    let (number, version, deadline) = (70_077, 3, at(700_100));
    let phase = if totals == [1; 3] {
        HoldPhase::Bound
    } else {
        HoldPhase::Local
    };
    Effect::HoldChanged(HoldChange {
        number,
        version,
        deadline,
        phase,
        totals,
    })
}

pub(crate) fn stock(sku: &Sku) -> Effect {
    Effect::Stock(Box::new(StockEffect {
        sku: sku.clone(),
        location: location("store-17"),
        counters: smallvec![(Counter::OnHand, 120), (Counter::Received, 500)],
        versions: Versions {
            all: 90,
            stock: 8,
            config: 1,
        },
    }))
}

pub(crate) fn note(sku: &Sku) -> Note {
    Note {
        reason: Some(text("delivery")),
        document: Some(text("LS-2026-0815")),
        source: Some(text("warehouse")),
        occurred_at: Some(at(100_000)),
        movement: Some(id(sku, 5, 9)),
        payment: Some(text("pay_1")),
        ..Note::default()
    }
}

pub(crate) fn config() -> SkuConfig {
    SkuConfig {
        customer_limit: Some(CustomerLimit {
            units: 2,
            window: Millis::from_secs(86_400),
        }),
        opens_at: Some(at(0)),
        closes_at: Some(at(86_400_000)),
        paused: true,
        low_at: Some(25),
        location_order: vec![location("store-17"), Location::main(), location("store-2")],
        ..SkuConfig::default()
    }
}

pub(crate) fn whole_extra(sku: &Sku) -> HomeExtra {
    HomeExtra {
        chain_start: Some(at(50)),
        pinned_until: Some(at(800_000)),
        payments: vec![text("pay_1"), text("pay_2")],
        replaces: Some(id(sku, 40, 70)),
        replaced_by: Some(id(sku, 140, 80)),
        reason: Some(text("late")),
        late: true,
        closed: Some(ExpiredReason::LateRefused),
        graced: true,
        settled: true,
        shortages: vec![Shortage {
            sku: sku.clone(),
            requested: 5,
            granted: 3,
            reason: ShortageReason::SalePaused,
        }],
        late_holds: vec![LateHold {
            line: 1,
            hold: 400,
            units: 2,
            shipped: 1,
        }],
        after: Vec::new(),
    }
}

pub(crate) fn whole_hold(sku: &Sku) -> HoldRecord {
    HoldRecord {
        number: 70_077,
        id: id(sku, 100, 77),
        attempt: 1,
        phase: HoldPhase::Tentative,
        sku: sku.clone(),
        location: location("store-17"),
        requested: 4,
        units: 3,
        version: 0,
        deadline: at(700_100),
        totals: [1, 1, 1],
        counted: Some((text("cust-0000007"), at(101))),
        graced: true,
        after: [0; 2],
        told: 0,
    }
}
