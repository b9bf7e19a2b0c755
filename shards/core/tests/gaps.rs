//! What a gapless source has not sent, against everything that was heard.
//!
//! Deliberately absent: what becomes of late and stale messages; stories and the model have that.

use holdfast_core::{
    Command, Configure, Engine, FeedMark, Movement, MovementKind, Note, Opening, Policy, Request,
    ReservationId, STREAM_WINDOW, Sku, Slot, StreamView, Text, Timestamp, Units,
};
use std::collections::BTreeSet;

fn sku() -> Sku {
    Sku::parse("TEE").expect("a name")
}

fn source() -> Text {
    Text::parse("wms").expect("a name")
}

fn ask(engine: &mut Engine, command: Command) {
    let request = Request::of(command);
    let decision = engine.decide(&request, Timestamp::from_ms(2000));
    for event in &decision.events {
        engine.evolve(event);
    }
}

fn engine(gapless: Vec<Text>) -> Engine {
    let mut engine = Engine::new(Policy {
        feeds_gapless: gapless,
        ..Policy::default()
    });
    let configure = Configure::new(sku());
    ask(&mut engine, Command::Configure(Box::new(configure)));
    engine
}

fn tell(engine: &mut Engine, epoch: u64, sequence: u64) {
    let (slot, opening) = (Slot::new(1), Opening::new(1));
    let (slot, opening) = (slot.expect("a slot"), opening.expect("an opening"));
    let receive = Movement {
        id: ReservationId::mint(Timestamp::from_ms(1000), slot, opening, sequence, 0),
        feed: Some(FeedMark {
            epoch,
            sequence,
            content: 7,
        }),
        note: Note {
            source: Some(source()),
            ..Note::default()
        },
        ..Movement::new(sku(), MovementKind::Receive(Units::new(1).expect("one")))
    };
    ask(engine, Command::Movement(Box::new(receive)));
}

fn stream(engine: &Engine) -> StreamView {
    let mut all = engine.streams_of(&source(), &sku());
    all.pop().expect("it was heard of")
}

/// All sequences between two that were heard, from the newest below the window on.
fn missing(heard: &BTreeSet<u64>, highest: u64) -> Vec<(u64, u64)> {
    let floor = highest.saturating_sub(STREAM_WINDOW);
    let below = heard.range(..=floor).next_back();
    let first = below.filter(|_| 0 < floor).or_else(|| heard.first());
    let known: Vec<u64> = heard.range(first.expect("some")..).copied().collect();
    let pairs = known.windows(2).filter(|pair| pair[0] + 1 < pair[1]);
    pairs.map(|pair| (pair[0] + 1, pair[1] - 1)).collect()
}

#[test]
fn the_gaps_of_a_gapless_source_are_all_that_has_not_come() {
    for seed in 1..=40_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut next = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut engine = engine(vec![source()]);
        let (mut heard, mut highest) = (BTreeSet::new(), 0_u64);
        for _ in 0..400 {
            let sequence = match next(10) {
                0..6 => highest + 1 + next(4),
                6..9 => (highest + 1).saturating_sub(next(1_200)),
                _ => highest + next(700),
            };
            tell(&mut engine, 1, sequence);
            let is_first = heard.is_empty();
            highest = highest.max(sequence);
            let floor = highest.saturating_sub(STREAM_WINDOW);
            if is_first || floor == 0 || floor < sequence {
                heard.insert(sequence);
            }
            let view = stream(&engine);
            assert_eq!((view.highest, view.floor), (Some(highest), floor));
            assert_eq!(
                view.gaps,
                missing(&heard, highest),
                "seed {seed}, {sequence}"
            );
        }
    }
}

#[test]
fn a_gap_that_has_left_the_window_is_told_until_the_next_one() {
    let mut engine = engine(vec![source()]);
    for sequence in [1, 2, 5_000] {
        tell(&mut engine, 1, sequence);
    }
    assert_eq!(stream(&engine).gaps, [(3, 4_999)]);
    tell(&mut engine, 1, 4_000);
    assert_eq!(stream(&engine).gaps, [(3, 3_999), (4_001, 4_999)]);
    tell(&mut engine, 1, 7_000);
    assert_eq!(stream(&engine).gaps, [(5_001, 6_999)]);
    // What came before the first message of an epoch was never awaited.
    tell(&mut engine, 2, 9_000);
    assert_eq!(stream(&engine).gaps, []);
}

#[test]
fn each_of_many_gaps_is_told() {
    let mut engine = engine(vec![source()]);
    for sequence in (2..=1_024).step_by(2) {
        tell(&mut engine, 1, sequence);
    }
    assert_eq!(stream(&engine).gaps.len(), 511);
}

#[test]
fn a_source_that_may_leave_gaps_has_none() {
    let mut engine = engine(Vec::new());
    for sequence in [1, 5] {
        tell(&mut engine, 1, sequence);
    }
    let view = stream(&engine);
    assert!(!view.is_gapless && view.gaps.is_empty(), "{view:?}");
}
