//! Random histories: few SKUs, locations, customers and keys, and a clock that moves oddly.
//! A step names earlier reservations and keys by chance, known only when the history runs. So any
//! part of a history is a history too, which makes failures shrink.

use super::moves::{difference, lift, movement};
use crate::script::{Basket, Difference, Line, Move, Said, Setting, Verb, Want, What};
use crate::world::{Subject, World};
use holdfast_core::{Mode, OnShortfall, Patch, Remainder, Sourcing, Verdict};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One step of a history.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A command that names nothing earlier.
    Plain(Key, Verb),
    /// A reserve; it may take the place of an earlier one.
    Reserve(Key, Basket, Option<Index>),
    /// A command on an earlier reservation.
    On(Key, Index, On),
    /// A difference, perhaps about an earlier reservation: what is to become of it.
    Differs(Key, Difference, Option<(Index, String)>),
    /// A decision on an earlier drift.
    Decide(Key, Index, Verdict),
    /// An earlier command again, word for word.
    Again(Index),
    /// Something that is no command.
    Other(Line),
    /// Until about the next deadline: so many milliseconds after it, less one.
    ToDeadline(u8),
    /// Chunks are taken: so many of those that changed.
    Remember(u8),
    /// The state is rebuilt.
    Recover(Vec<Index>),
}

/// What is done to a reservation.
#[derive(Clone, Debug)]
pub(crate) enum On {
    Confirm {
        part: Option<(Part, Remainder)>,
        refuse_late: bool,
        payment: Option<String>,
    },
    Release {
        part: Option<Part>,
        reason: Option<String>,
    },
    Cancel {
        part: Option<Part>,
    },
    Ship {
        part: Part,
        from: String,
        is_there: bool,
    },
    Move {
        part: Part,
        to: String,
        all: bool,
    },
    Extend(u64),
    Pin(u64),
}

/// Units of one of its lines.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    line: Index,
    units: u32,
    is_placed: bool,
}

/// The key of a command.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    None,
    Fresh,
    Used(Index),
}

/// Every history starts with something to sell, and with something that was sold before.
pub(crate) fn opening_lines() -> Vec<Line> {
    let lines = [
        "configure TEE safety@main=0",
        "configure MUG safety@main=1",
        "receive TEE 3",
        "opening TEE on_hand=2 unshipped=3 at=store",
        "ship TEE 2 at=store",
        "receive MUG 3",
    ];
    lines
        .iter()
        .map(|line| crate::script::parse(line).expect("written above"))
        .collect()
}

/// The line that a step is, in this world; nothing if it names what is not there.
pub(crate) fn line_of<S: Subject>(step: &Step, world: &World<S>) -> Option<Line> {
    Some(match step {
        Step::Plain(key, verb) => Line::Ask(key_of(key, world), verb.clone()),
        Step::Reserve(key, basket, replace) => {
            let replace = replace.and_then(|index| named(index, world));
            let name = format!("r{}", world.reserves + 1);
            let basket = Basket {
                name,
                replace,
                ..basket.clone()
            };
            Line::Ask(key_of(key, world), Verb::Reserve(Box::new(basket)))
        }
        Step::On(key, index, on) => Line::Ask(
            key_of(key, world),
            verb_on(named(*index, world)?, on, world),
        ),
        Step::Differs(key, difference, about) => {
            let about = match about {
                Some((index, word)) => Some((named(*index, world)?, word.clone())),
                None => None,
            };
            let difference = Difference {
                about,
                ..difference.clone()
            };
            Line::Ask(key_of(key, world), Verb::Drift(Box::new(difference)))
        }
        Step::Decide(key, index, verdict) => {
            if world.drifts.is_empty() {
                return None;
            }
            let name = format!("d{}", index.index(world.drifts.len()) + 1);
            let (verdict, reason) = (*verdict, None);
            let verb = Verb::Decide {
                name,
                verdict,
                reason,
            };
            Line::Ask(key_of(key, world), verb)
        }
        Step::Again(index) => {
            if world.keyed.is_empty() {
                return None;
            }
            index.get(&world.keyed).clone()
        }
        Step::Other(line) => line.clone(),
        Step::ToDeadline(offset) => {
            let deadline = world.subject.engine().next_deadline()?;
            let until = deadline.ms() + u64::from(*offset);
            Line::Wait(until.checked_sub(world.now.ms() + 1)?)
        }
        Step::Remember(_) | Step::Recover(_) => return None,
    })
}

fn key_of<S: Subject>(key: &Key, world: &World<S>) -> Option<String> {
    match key {
        Key::None => None,
        Key::Fresh => Some(format!("k{}", world.keyed.len() + 1)),
        Key::Used(_) if world.keyed.is_empty() => None,
        Key::Used(index) => match index.get(&world.keyed) {
            Line::Ask(key, _) => key.clone(),
            _ => None,
        },
    }
}

fn named<S: Subject>(index: Index, world: &World<S>) -> Option<String> {
    let names = world.names();
    (!names.is_empty()).then(|| index.get(&names).to_string())
}

fn verb_on<S: Subject>(name: String, on: &On, world: &World<S>) -> Verb {
    let want = |part: &Part| {
        let id = world.id_of(&name).expect("it was named");
        let view = world.subject.engine().reservation(id, world.now);
        let lines = view.map(|view| view.lines).unwrap_or_default();
        let Some(line) = (!lines.is_empty()).then(|| part.line.get(&lines)) else {
            return vec![Want {
                sku: "TEE".to_owned(),
                location: None,
                units: part.units,
            }];
        };
        let location = part.is_placed.then(|| line.location.to_string());
        vec![Want {
            sku: line.sku.to_string(),
            location,
            units: part.units,
        }]
    };
    match on {
        On::Confirm {
            part,
            refuse_late,
            payment,
        } => {
            let lines = part.as_ref().map(|(part, rest)| (want(part), *rest));
            let (refuse_late, payment) = (*refuse_late, payment.clone());
            Verb::Confirm {
                name,
                lines,
                refuse_late,
                payment,
            }
        }
        On::Release { part, reason } => {
            let (lines, reason) = (part.as_ref().map(want), reason.clone());
            Verb::Release {
                name,
                lines,
                reason,
            }
        }
        On::Cancel { part } => {
            let (lines, reason) = (part.as_ref().map(want), None);
            Verb::Cancel {
                name,
                lines,
                reason,
            }
        }
        On::Ship {
            part,
            from,
            is_there,
        } => {
            let placed = Part {
                is_placed: *is_there,
                ..part.clone()
            };
            let [want] = &want(&placed)[..] else {
                unreachable!("one part is one want")
            };
            Verb::ShipFor {
                name,
                sku: want.sku.clone(),
                units: want.units,
                location: want.location.clone().or_else(|| Some(from.clone())),
            }
        }
        On::Move { part, to, all } => {
            let [want] = &want(part)[..] else {
                unreachable!("one part is one want")
            };
            let (sku, to) = (want.sku.clone(), to.clone());
            let from = want.location.clone().unwrap_or_else(|| "main".to_owned());
            let units = (!all).then_some(want.units);
            Verb::MoveHold {
                name,
                sku,
                from,
                to,
                units,
            }
        }
        On::Extend(ms) => Verb::Extend(name, *ms),
        On::Pin(ms) => Verb::Pin(name, *ms),
    }
}

/// What a history is mostly about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Theme {
    /// Everything.
    All,
    /// One SKU, its limit, and customers who come back.
    Limits,
    /// Movements, feeds and drifts.
    Stock,
}

/// Histories of up to `steps` steps.
pub(crate) fn history(theme: Theme, steps: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(theme), 1..=steps)
}

fn step(theme: Theme) -> impl Strategy<Value = Step> {
    let (basket, plain) = match theme {
        Theme::All => (
            basket().boxed(),
            prop_oneof![6 => configure(), 8 => movement(), 1 => place(), 1 => lift()].boxed(),
        ),
        Theme::Limits => (small_basket().boxed(), change_of_limit().boxed()),
        Theme::Stock => (
            small_basket().boxed(),
            prop_oneof![12 => movement(), 1 => lift()].boxed(),
        ),
    };
    let moves = if matches!(theme, Theme::Stock) {
        50
    } else {
        10
    };
    prop_oneof![
        12 => (key(), basket, prop::option::weighted(0.25, any::<Index>()))
            .prop_map(|(key, basket, replace)| Step::Reserve(key, basket, replace)),
        14 => (key(), any::<Index>(), on()).prop_map(|(key, index, on)| Step::On(key, index, on)),
        moves => (key(), plain).prop_map(|(key, verb)| Step::Plain(key, verb)),
        2 => (key(), difference(), prop::option::weighted(0.3, about()))
            .prop_map(|(key, difference, about)| Step::Differs(key, difference, about)),
        3 => (key(), any::<Index>(), verdict())
            .prop_map(|(key, index, verdict)| Step::Decide(key, index, verdict)),
        2 => any::<Index>().prop_map(Step::Again),
        8 => clock().prop_map(Step::Other),
        4 => (0_u8..3).prop_map(Step::ToDeadline),
        2 => (0_u8..6).prop_map(Step::Remember),
        1 => prop::collection::vec(any::<Index>(), 8).prop_map(Step::Recover),
    ]
}

fn about() -> impl Strategy<Value = (Index, String)> {
    let word = select(vec!["cancel", "release", "confirm"]);
    (any::<Index>(), word).prop_map(|(index, word)| (index, word.to_owned()))
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![3 => Just(Verdict::Approve), 1 => Just(Verdict::Dismiss)]
}

fn small_basket() -> impl Strategy<Value = Basket> {
    let line = (prop::option::weighted(0.3, Just("store")), 1_u32..3);
    (line, select(vec!["ann", "ann", "ben"]), any::<bool>()).prop_map(|(line, customer, all)| {
        let (location, units) = (line.0.map(str::to_owned), line.1);
        let want = Want {
            sku: "TEE".to_owned(),
            location,
            units,
        };
        Basket {
            lines: vec![want],
            customer: Some(customer.to_owned()),
            order_ref: Some("o1".to_owned()),
            mode: if all {
                Mode::AllOrNothing
            } else {
                Mode::BestEffort
            },
            ..Basket::default()
        }
    })
}

fn change_of_limit() -> impl Strategy<Value = Verb> {
    let setting = patch((1_u32..5, select(vec![3_000_u64, 15_000, 60_000, 300_000])));
    prop_oneof![
        3 => setting.prop_map(|limit| {
            let sku = "TEE".to_owned();
            Verb::Configure(Box::new(Setting { sku, limit, ..Setting::default() }))
        }),
        1 => (1_u32..4).prop_map(|units| {
            let (sku, location, version) = ("TEE".to_owned(), None, None);
            let (what, said) = (What::Receive(units), Said::default());
            Verb::Move(Box::new(Move { what, sku, location, version, said }))
        }),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        6 => Just(Key::None),
        3 => Just(Key::Fresh),
        1 => any::<Index>().prop_map(Key::Used),
    ]
}

pub(super) fn sku() -> impl Strategy<Value = String> {
    prop_oneof![12 => Just("TEE"), 6 => Just("MUG"), 1 => Just("CAP")].prop_map(str::to_owned)
}

pub(super) fn location() -> impl Strategy<Value = String> {
    prop_oneof![5 => Just("main"), 5 => Just("store"), 1 => Just("attic"), 1 => Just("moon")]
        .prop_map(str::to_owned)
}

fn want() -> impl Strategy<Value = Want> {
    (sku(), prop::option::weighted(0.3, location()), 1_u32..4).prop_map(|(sku, location, units)| {
        Want {
            sku,
            location,
            units,
        }
    })
}

fn basket() -> impl Strategy<Value = Basket> {
    let lines = prop_oneof![
        3 => prop::collection::vec(want(), 1..2),
        2 => prop::collection::vec(want(), 1..5),
    ];
    let ttl = prop::option::weighted(0.6, ttl());
    let customer = prop::option::weighted(0.8, select(vec!["ann", "ben"]));
    let order_ref = prop::option::weighted(0.8, select(vec!["o1", "o2"]));
    let mode = prop_oneof![2 => Just(Mode::AllOrNothing), 1 => Just(Mode::BestEffort)];
    (lines, ttl, customer, order_ref, mode).prop_map(|(lines, ttl, customer, order_ref, mode)| {
        let (customer, order_ref) = (customer.map(str::to_owned), order_ref.map(str::to_owned));
        Basket {
            name: String::new(),
            lines,
            ttl,
            customer,
            order_ref,
            mode,
            replace: None,
        }
    })
}

/// Around the bounds of [`crate::bounds`]: 1 s to 30 s, 10 s if not said.
fn ttl() -> impl Strategy<Value = u64> {
    let around = [999, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 30_001];
    select(around.to_vec())
}

fn on() -> impl Strategy<Value = On> {
    let part = || {
        (any::<Index>(), 1_u32..3, any::<bool>()).prop_map(|(line, units, is_placed)| Part {
            line,
            units,
            is_placed,
        })
    };
    let rest = prop_oneof![Just(Remainder::Release), Just(Remainder::Keep)];
    let some = prop::option::weighted(0.4, (part(), rest));
    let payment = prop::option::weighted(0.6, select(vec!["p1", "p1", "p2"]));
    let late = prop::bool::weighted(0.15);
    let reason = prop::option::weighted(0.2, Just("changed-mind"));
    prop_oneof![
        6 => (some, late, payment).prop_map(|(part, refuse_late, payment)| {
            On::Confirm { part, refuse_late, payment: payment.map(str::to_owned) }
        }),
        4 => (prop::option::weighted(0.5, part()), reason).prop_map(|(part, reason)| {
            On::Release { part, reason: reason.map(str::to_owned) }
        }),
        4 => prop::option::weighted(0.5, part()).prop_map(|part| On::Cancel { part }),
        4 => (part(), location(), prop::bool::weighted(0.7))
            .prop_map(|(part, from, is_there)| On::Ship { part, from, is_there }),
        3 => (part(), location(), any::<bool>())
            .prop_map(|(part, to, all)| On::Move { part, to, all }),
        2 => ttl().prop_map(On::Extend),
        2 => select(vec![1, 3_000, 12_000, 15_000, 15_001]).prop_map(On::Pin),
    ]
}

fn patch<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Patch<T>> {
    prop_oneof![3 => value.prop_map(Patch::Set), 1 => Just(Patch::Clear)].boxed()
}

fn configure() -> impl Strategy<Value = Verb> {
    let safety = (location(), patch(0_u32..3));
    let limit = (1_u32..5, select(vec![3_000_u64, 15_000, 60_000, 300_000]));
    let offset = || select(vec![0_u64, 5_000, 20_000, 60_000, 3_600_000]);
    let order = select(vec![
        vec!["store", "main"],
        vec!["main"],
        vec!["attic", "store"],
    ]);
    let order = order.prop_map(|names| names.into_iter().map(str::to_owned).collect());
    let one = prop_oneof![
        3 => safety.prop_map(|safety| Setting { safety: vec![safety], ..Setting::default() }),
        3 => patch(limit).prop_map(|limit| Setting { limit, ..Setting::default() }),
        1 => patch(offset()).prop_map(|opens| Setting { opens, ..Setting::default() }),
        1 => patch(offset()).prop_map(|closes| Setting { closes, ..Setting::default() }),
        2 => patch(any::<bool>()).prop_map(|paused| Setting { paused, ..Setting::default() }),
        3 => super::moves::thresholds(),
        2 => patch(order).prop_map(|order| Setting { order, ..Setting::default() }),
        3 => patch(select(Sourcing::ALL.to_vec()))
            .prop_map(|sourcing| Setting { sourcing, ..Setting::default() }),
        2 => patch(select(OnShortfall::ALL.to_vec()))
            .prop_map(|shortfall| Setting { shortfall, ..Setting::default() }),
    ];
    (sku(), one, prop::option::weighted(0.1, 0_u64..4)).prop_map(|(sku, setting, version)| {
        Verb::Configure(Box::new(Setting {
            sku,
            version,
            ..setting
        }))
    })
}

fn place() -> impl Strategy<Value = Verb> {
    let sells = prop_oneof![2 => Just(Patch::Set(false)), 2 => Just(Patch::Set(true)), 1 => Just(Patch::Keep)];
    (location(), sells).prop_map(|(name, selling)| Verb::Location { name, selling })
}

fn clock() -> impl Strategy<Value = Line> {
    let short = || select(vec![0_u64, 1, 400, 999, 1_000, 2_500, 7_000, 10_000]);
    let long = || select(vec![15_000_u64, 31_000, 40_000, 61_000, 125_000]);
    prop_oneof![
        5 => short().prop_map(Line::Wait),
        3 => short().prop_map(Line::Advance),
        2 => long().prop_map(Line::Wait),
        2 => long().prop_map(Line::Advance),
        2 => Just(Line::Sweep),
        1 => short().prop_map(Line::Back),
        1 => prop_oneof![short(), long()].prop_map(Line::Down),
    ]
}
