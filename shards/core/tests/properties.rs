//! Properties: random histories on which the engine and an independent model must agree.
//!
//! `HOLDFAST_CASES` raises the number of histories, `HOLDFAST_SEED` chooses others. What
//! fails is shrunk and printed as a story that can be pasted into `tests/stories`.

#![allow(
    dead_code,
    reason = "each test crate uses its part of the shared rooms"
)]

mod arena;
mod model;
mod script;
mod world;

use arena::{Step, Theme, history, play};
use holdfast_core::{Millis, Policy, Text};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

/// Bounds so short that a history of a few dozen steps reaches all of them.
fn bounds() -> Policy {
    Policy {
        ttl_default: Millis::from_secs(10),
        ttl_min: Millis::from_secs(1),
        ttl_max: Millis::from_secs(30),
        lifetime_max: Millis::from_secs(60),
        pin_max: Millis::from_secs(15),
        late_window: Millis::from_secs(40),
        retention: Millis::from_secs(60),
        order_retention: Millis::from_secs(120),
        key_retention: Millis::from_secs(45),
        message_retention: Millis::from_secs(50),
        stream_retention: Millis::from_secs(80),
        feeds_gapless: vec![Text::parse("w1").expect("a good name")],
        expire_per_turn: 2,
        resume_grace: Millis::from_secs(6),
        ..Policy::default()
    }
}

fn hold(name: &str, policy: &Policy, theme: Theme, steps: usize, cases: u64) {
    let (cases, seed) = (number("HOLDFAST_CASES", cases), number("HOLDFAST_SEED", 1));
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let run = runner.run(&history(theme, steps), |steps: Vec<Step>| {
        play(policy, &steps).map_err(TestCaseError::fail)
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(_, steps)) => {
            let story = play(policy, &steps).expect_err("it failed just now");
            panic!(
                "after at most {cases} histories:\n\n{story}\n\nagain: HOLDFAST_SEED={seed} \
                 HOLDFAST_CASES={cases} cargo test -p holdfast-core --test properties {name}"
            );
        }
        Err(TestError::Abort(why)) => panic!("no histories could be made: {why}"),
    }
}

#[test]
fn engine_and_model_agree_on_every_history() {
    let name = "engine_and_model_agree_on_every_history";
    hold(name, &bounds(), Theme::All, 60, 256);
}

#[test]
fn engine_and_model_agree_where_every_table_is_nearly_full() {
    let name = "engine_and_model_agree_where_every_table_is_nearly_full";
    let policy = Policy {
        reservations_max: 5,
        keys_max: 5,
        skus_max: 2,
        ..bounds()
    };
    hold(name, &policy, Theme::All, 50, 128);
}

#[test]
fn engine_and_model_agree_where_keys_are_kept_longer_than_reservations() {
    let name = "engine_and_model_agree_where_keys_are_kept_longer_than_reservations";
    let policy = Policy {
        key_retention: Millis::from_secs(150),
        ..bounds()
    };
    hold(name, &policy, Theme::All, 50, 128);
}

#[test]
fn engine_and_model_agree_on_what_counts_for_a_limit() {
    let name = "engine_and_model_agree_on_what_counts_for_a_limit";
    hold(name, &bounds(), Theme::Limits, 50, 256);
}

#[test]
fn engine_and_model_agree_on_what_happens_to_stock() {
    let name = "engine_and_model_agree_on_what_happens_to_stock";
    hold(name, &bounds(), Theme::Stock, 60, 256);
}
