//! Strategies for arbitrary events: anything the types allow, within INV-5 and INV-7,
//! and often enough the same names, ids and numbers for the codec's short forms. The larger ones
//! are boxed where they are used, since all of them together would not fit on a test's stack.

use holdfast_core::{
    Counter, CustomerLimit, Effect, Event, EventKind, ExpiredReason, HoldChange, HoldPhase,
    HoldRecord, HomeChange, HomeExtra, HomeRecord, KeyEffect, KeyOutcome, KeyTag, KeyTarget,
    LateHold, LineRecord, Location, Millis, Note, OnShortfall, Opening, ReservationId, Reserved,
    Resumed, Shortage, ShortageReason, Shorted, Sku, SkuConfig, SkuEffect, Slot, Sourcing,
    StockEffect, Text, Timestamp, TraceParent, Versions,
};
use proptest::collection::{btree_map, vec};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use crate::arbitrary_life;
use crate::samples::{self, START};

/// The events of a record with the sequence of the first.
pub(crate) fn record() -> impl Strategy<Value = (u64, Vec<Event>)> {
    let steps = vec(
        (
            prop_oneof![Just(0), 0..100_u64, 0..1_u64 << 40],
            event().boxed(),
        ),
        1..8,
    );
    (start(), any::<u32>(), steps).prop_map(|(start, first, steps)| {
        let mut at = start;
        let mut events = Vec::new();
        for ((step, mut event), seq) in steps.into_iter().zip(u64::from(first)..) {
            at = at.saturating_add(step);
            (event.seq, event.at) = (seq, Timestamp::from_ms(at));
            events.push(event);
        }
        (u64::from(first), events)
    })
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![8 => START..START + 1_000_000, 1 => any::<u64>()]
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    start().prop_map(Timestamp::from_ms)
}

fn event() -> impl Strategy<Value = Event> {
    let effects = prop_oneof![
        2 => vec(effect().boxed(), 0..6),
        2 => cart(),
        1 => settled(),
        1 => vec(any::<u64>().prop_map(Effect::HoldForgotten), 29..40),
    ];
    (
        select(EventKind::ALL.to_vec()),
        of(key().boxed()),
        effects,
        weighted(0.3, note().boxed()),
    )
        .prop_map(|(kind, key, effects, note)| Event {
            seq: 0,
            at: Timestamp::ZERO,
            kind,
            key,
            effects: effects.into(),
            note: note.map(Box::new),
        })
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        home()
            .boxed()
            .prop_map(|home| Effect::HomeCreated(Box::new(home))),
        home_change()
            .boxed()
            .prop_map(|change| Effect::HomeChanged(Box::new(change))),
        id().prop_map(Effect::HomeForgotten),
        hold()
            .boxed()
            .prop_map(|hold| Effect::HoldCreated(Box::new(hold))),
        hold_change().boxed().prop_map(Effect::HoldChanged),
        number().prop_map(Effect::HoldForgotten),
        stock()
            .boxed()
            .prop_map(|stock| Effect::Stock(Box::new(stock))),
        (sku(), config().boxed(), versions()).prop_map(|(sku, config, versions)| {
            Effect::Sku(Box::new(SkuEffect {
                sku,
                config,
                versions,
            }))
        }),
        (time(), time(), any::<u64>()).prop_map(|(last, start, grace)| {
            Effect::Resumed(Resumed {
                last,
                start,
                grace: Millis::new(grace),
            })
        }),
        any::<u64>().prop_map(Effect::KeysForgotten),
        reserved()
            .boxed()
            .prop_map(|new| Effect::Reserved(Box::new(new))),
        arbitrary_life::effect(),
    ]
}

fn reserved() -> impl Strategy<Value = Reserved> {
    let texts = (home().boxed(), stock().boxed(), number(), 0..3_u32);
    texts.prop_map(|(home, stock, hold, units)| Reserved {
        id: home.id,
        order_ref: home.order_ref,
        customer: home.customer,
        expires_at: home.expires_at,
        sku: stock.sku,
        location: stock.location,
        hold,
        units,
        reserved: stock.counters.first().map_or(1, |(_, value)| *value),
        versions: stock.versions,
    })
}

/// A reservation with holds that follow from its lines, or nearly so, among other effects.
fn cart() -> impl Strategy<Value = Vec<Effect>> {
    let spoil = prop_oneof![4 => Just(None), 1 => (0..12_usize).prop_map(Some)];
    let counted = prop_oneof![Just(None), Just(Some(0)), (0..9_u64).prop_map(Some)];
    let hold = (spoil, counted);
    (
        home().boxed(),
        vec(hold, 1..6),
        stock().boxed(),
        weighted(0.3, effect().boxed()),
    )
        .prop_map(|(home, holds, stock, other)| {
            let mut effects = vec![Effect::HomeCreated(Box::new(home.clone()))];
            effects.extend(other);
            for (line, (spoil, counted)) in (0..home.lines.len()).zip(holds) {
                if home.lines[line].foreign {
                    continue;
                }
                let mut hold = samples::local_hold(&home, line);
                let since = counted.map(|ms| home.id.at().after(Millis::new(ms)));
                hold.counted = home.customer.clone().zip(since);
                if let Some(field) = spoil {
                    spoil_hold(&mut hold, field);
                }
                effects.push(Effect::HoldCreated(Box::new(hold)));
                let (sku, location) = (home.lines[line].sku.clone(), Location::main());
                effects.push(Effect::Stock(Box::new(StockEffect {
                    sku,
                    location,
                    ..stock.clone()
                })));
            }
            effects
        })
}

fn spoil_hold(hold: &mut HoldRecord, field: usize) {
    match field {
        0 => hold.number ^= 1,
        1 => hold.attempt = 1,
        2 => hold.phase = HoldPhase::Bound,
        3 => hold.sku = samples::sku("OTHER"),
        4 => hold.location = samples::location("elsewhere"),
        5 => hold.requested ^= 1,
        6 => hold.units |= 1 << 31,
        7 => hold.version ^= 1,
        8 => hold.deadline = hold.deadline.after(Millis::new(1)),
        9 => hold.totals = [0; 3],
        10 => hold.counted = Some((samples::text("somebody else"), hold.deadline)),
        _ => hold.graced = true,
    }
}

/// A reservation's change with changes of holds that mostly follow from it.
fn settled() -> impl Strategy<Value = Vec<Effect>> {
    let holds = vec((number(), any::<[bool; 4]>(), hold_change().boxed()), 1..5);
    (home_change().boxed(), holds).prop_map(|(change, holds)| {
        let mut effects = vec![Effect::HomeChanged(Box::new(change.clone()))];
        for (line, (number, same, mut hold)) in holds.into_iter().enumerate() {
            hold.number = number;
            if same[0] {
                hold.version = change.version;
            }
            if same[1] {
                hold.deadline = change.expires_at;
            }
            if same[2] {
                hold.totals = change.totals.get(line).copied().unwrap_or_default();
            }
            effects.push(Effect::HoldChanged(hold));
        }
        effects
    })
}

pub(crate) fn sku() -> BoxedStrategy<Sku> {
    let few = select(vec!["SKU-00000042", "SKU-00000043", "MUG"]).prop_map(samples::sku);
    let any = "[A-Za-z0-9][A-Za-z0-9._:-]{0,63}".prop_map(|name| samples::sku(&name));
    prop_oneof![4 => few, 1 => any].boxed()
}

pub(crate) fn location() -> BoxedStrategy<Location> {
    let few = select(vec!["main", "main", "store-17"]).prop_map(samples::location);
    let any = "[A-Za-z0-9][A-Za-z0-9._:-]{0,31}".prop_map(|name| samples::location(&name));
    prop_oneof![4 => few, 1 => any].boxed()
}

pub(crate) fn text() -> BoxedStrategy<Text> {
    "[^\\p{Cc}]{1,32}"
        .prop_map(|text| samples::text(&text))
        .boxed()
}

pub(crate) fn id() -> BoxedStrategy<ReservationId> {
    let slot = prop_oneof![Just(5), 0..Slot::COUNT];
    let opening = prop_oneof![Just(1), 0..Opening::COUNT];
    let counter = prop_oneof![0..20_u64, 0..ReservationId::COUNTER_COUNT];
    let at = prop_oneof![START..START + 10, 0..1_u64 << 48];
    (at, slot, opening, counter, select(vec![0, 7, 255]))
        .prop_map(|(at, slot, opening, counter, random)| {
            let slot = Slot::new(slot).expect("in range");
            let opening = Opening::new(opening).expect("in range");
            ReservationId::mint(Timestamp::from_ms(at), slot, opening, counter, random)
        })
        .boxed()
}

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..9_u64, 70_000..70_010_u64, any::<u64>()]
}

pub(crate) fn units() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), 0..10_u32, any::<u32>()]
}

fn totals(units: u32) -> impl Strategy<Value = [u32; 3]> {
    prop_oneof![
        Just([0; 3]),
        (0..=units)
            .prop_flat_map(move |a| (Just(a), 0..=units - a))
            .prop_map(move |(a, b)| { [a, b, units - a - b] }),
    ]
}

pub(crate) fn versions() -> impl Strategy<Value = Versions> {
    let small = (0..3_u64, Just(1), Just(0));
    prop_oneof![small, (any::<u64>(), any::<u64>(), any::<u64>())]
        .prop_map(|(all, stock, config)| Versions { all, stock, config })
}

prop_compose! {
    pub(crate) fn line()(
        units in units(),
        requested in units(),
        same in any::<bool>(),
        sku in sku(),
        location in location(),
        hold in number(),
        foreign in weighted_bool(),
    )(
        totals in totals(units),
        sku in Just(sku), location in Just(location), hold in Just(hold), foreign in Just(foreign),
        requested in Just(if same { units } else { requested }), units in Just(units),
    ) -> LineRecord {
        LineRecord { sku, location, hold, foreign, requested, units, totals }
    }
}

fn weighted_bool() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.2)
}

prop_compose! {
    pub(crate) fn home()(
        id in id(),
        order_ref in of(text()),
        customer in of(text()),
        version in prop_oneof![Just(1), any::<u32>()],
        expires_at in time(),
        ended_at in weighted(0.2, time()),
        lines in prop_oneof![vec(line().boxed(), 1), vec(line().boxed(), 0..5)],
        extra in weighted(0.2, extra().boxed()),
    ) -> HomeRecord {
        let extra = extra.map(Box::new);
        let lines = lines.into();
        HomeRecord { id, order_ref, customer, version, expires_at, ended_at, lines, extra }
    }
}

prop_compose! {
    fn extra()(
        chain_start in of(time()),
        pinned_until in of(time()),
        payments in vec(text(), 0..3),
        (replaces, replaced_by) in (of(id()), of(id())),
        reason in of(text()),
        [late, graced, settled] in any::<[bool; 3]>(),
        closed in of(select(vec![
            ExpiredReason::SoldOut, ExpiredReason::CustomerLimit, ExpiredReason::LateWindow,
            ExpiredReason::LateRefused, ExpiredReason::Closed, ExpiredReason::Lapsed,
        ])),
        shortages in vec(shortage(), 0..3),
        late_holds in vec((any::<u32>(), number(), units(), units()), 0..3),
        after in vec(any::<[u32; 2]>(), 0..3),
    ) -> HomeExtra {
        let late_holds =
            late_holds.into_iter().map(|(line, hold, units, shipped)| LateHold { line, hold, units, shipped }).collect();
        HomeExtra {
            chain_start, pinned_until, payments, replaces, replaced_by, reason, late, closed,
            graced, settled, shortages, late_holds, after,
        }
    }
}

prop_compose! {
    fn shortage()(
        sku in sku(),
        requested in units(),
        granted in units(),
        reason in select(vec![
            ShortageReason::InsufficientStock, ShortageReason::CustomerLimit,
            ShortageReason::SaleClosed, ShortageReason::SalePaused, ShortageReason::Unavailable,
            ShortageReason::LocationClosed,
        ]),
    ) -> Shortage {
        Shortage { sku, requested, granted, reason }
    }
}

prop_compose! {
    fn home_change()(
        id in id(),
        version in any::<u32>(),
        expires_at in time(),
        totals in vec(any::<[u32; 3]>(), 0..4),
        ended_at in of(time()),
        extra in weighted(0.3, extra().boxed()),
    ) -> HomeChange {
        let extra = extra.map(Box::new);
        HomeChange { id, version, expires_at, totals: totals.into(), ended_at, extra }
    }
}

fn phase() -> impl Strategy<Value = HoldPhase> {
    select(vec![
        HoldPhase::Local,
        HoldPhase::Tentative,
        HoldPhase::Bound,
    ])
}

prop_compose! {
    pub(crate) fn hold()(
        line in line().boxed(),
        id in id(),
        number in number(),
        attempt in 0..2_u32,
        phase in phase(),
        version in 0..3_u32,
        deadline in time(),
        counted in of((text(), time())),
        graced in weighted_bool(),
        after in weighted(0.3, (any::<[u32; 2]>(), units())),
    ) -> HoldRecord {
        // What became of a hold is kept with it only where its home is on another shard.
        let phase = match (&after, phase) {
            (Some(_), HoldPhase::Tentative) => HoldPhase::Bound,
            (_, phase) => phase,
        };
        let (after, told) = after.unwrap_or_default();
        let LineRecord { sku, location, requested, units, totals, .. } = line;
        HoldRecord {
            number, id, attempt, phase, sku, location, requested, units, version, deadline, totals,
            counted, graced, after, told,
        }
    }
}

prop_compose! {
    fn hold_change()(
        number in number(),
        version in 0..3_u32,
        deadline in time(),
        phase in phase(),
        totals in any::<[u32; 3]>(),
    ) -> HoldChange {
        HoldChange { number, version, deadline, phase, totals }
    }
}

pub(crate) fn counter() -> impl Strategy<Value = Counter> {
    select(Counter::ALL.to_vec())
}

prop_compose! {
    fn stock()(
        sku in sku(),
        location in location(),
        counters in prop_oneof![
            btree_map(counter(), -5..500_i64, 0..5).prop_map(|map| map.into_iter().collect()),
            vec((counter(), any::<i64>()), 0..20),
        ],
        versions in versions(),
    ) -> StockEffect {
        StockEffect { sku, location, counters: counters.into(), versions }
    }
}

prop_compose! {
    pub(crate) fn config()(
        limit in of((any::<u32>(), any::<u64>())),
        opens_at in of(time()),
        closes_at in of(time()),
        paused in any::<bool>(),
        low_at in of(any::<u32>()),
        replenished_at in of(any::<u32>()),
        location_order in vec(location(), 0..4),
        sourcing in select(Sourcing::ALL.to_vec()),
        on_shortfall in select(OnShortfall::ALL.to_vec()),
    ) -> SkuConfig {
        let customer_limit =
            limit.map(|(units, window)| CustomerLimit { units, window: Millis::new(window) });
        SkuConfig {
            customer_limit, opens_at, closes_at, paused, low_at, replenished_at, location_order,
            sourcing, on_shortfall,
        }
    }
}

prop_compose! {
    fn tag()(hash in any::<[u64; 2]>(), content in any::<u64>()) -> KeyTag {
        KeyTag { hash, content }
    }
}

fn target() -> impl Strategy<Value = KeyTarget> {
    prop_oneof![
        id().prop_map(KeyTarget::Reservation),
        sku().prop_map(KeyTarget::Sku),
        (id(), sku()).prop_map(|(id, sku)| KeyTarget::Movement(id, sku)),
    ]
}

prop_compose! {
    pub(crate) fn key()(
        index in number(),
        tag in tag(),
        outcome in select(KeyOutcome::ALL.to_vec()),
        target in target(),
    ) -> KeyEffect {
        KeyEffect { index, tag, outcome, target }
    }
}

prop_compose! {
    fn note()(
        (reason, document, source) in (of(text()), of(text()), of(text())),
        occurred_at in of(time()),
        (movement, reservation, drift) in (of(id()), of(id()), of(id())),
        (payment, message) in (of(text()), of(text())),
        feed in of(arbitrary_life::mark()),
        shorted in of((vec((id(), any::<u32>()), 0..4), number())),
        trace in of(any::<[u8; TraceParent::BYTES]>()),
    ) -> Note {
        let shorted = shorted.map(|(named, more)| Box::new(Shorted { named, more }));
        Note {
            reason, document, source, occurred_at, movement, payment, reservation, drift, feed,
            message, shorted,
            trace: trace.and_then(TraceParent::from_bytes),
        }
    }
}
