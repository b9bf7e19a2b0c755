//! When two sets of runs differ, and when they do not.

use std::collections::BTreeMap;

use super::*;
use crate::load::results::{CallLatency, Latency, Model, Rates};

/// A run with this p99 and this rate.
fn a_run(p99_ms: f64, rate: f64) -> Summary {
    let response = Latency {
        count: 1_000,
        p50_ms: 1.0,
        p99_ms,
        ..Latency::default()
    };
    let all = CallLatency {
        response: response.clone(),
        service: response,
    };
    Summary {
        schema: results::SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        latency: BTreeMap::from([("all".to_owned(), all)]),
        rates: Rates {
            answers_per_s: rate,
            ..Rates::default()
        },
        model: Model::Open,
        ..Summary::default()
    }
}

fn runs(p99s: &[f64]) -> Vec<Summary> {
    p99s.iter().map(|p99| a_run(*p99, 5_000.0)).collect()
}

fn p99(a: &[f64], b: &[f64]) -> Compared {
    let compared = compare(&runs(a), &runs(b)).expect("there are enough runs");
    let found = compared
        .metrics
        .into_iter()
        .find(|of| of.metric == "response.p99");
    found.expect("it is compared")
}

#[test]
fn two_runs_a_side_are_not_comparable() {
    let refused =
        compare(&runs(&[1.0, 2.0]), &runs(&[1.0, 2.0, 3.0])).expect_err("two are too few");
    assert!(matches!(refused, NotComparable::TooFew { a: 2, b: 3 }));
    assert!(
        refused
            .to_string()
            .starts_with("not comparable: 2 runs against 3; each side needs 3")
    );
    assert!(compare(&[], &[]).is_err());
}

#[test]
fn what_lies_inside_the_spread_is_no_difference() {
    // Medians 10 % apart, but the runs of one side lie as far apart.
    assert_eq!(
        p99(&[10.0, 10.5, 11.0], &[11.1, 11.5, 12.5]).verdict,
        Verdict::NoDifference
    );
}

#[test]
fn runs_that_overlap_are_no_difference_however_far_the_medians_are() {
    let overlapping = p99(
        &[10.0, 10.0, 10.0, 10.0, 19.0],
        &[18.0, 20.1, 20.1, 20.1, 20.1],
    );
    assert_eq!(overlapping.verdict, Verdict::NoDifference);
}

#[test]
fn what_lies_beyond_the_spread_is_a_difference_in_its_direction() {
    let slower = p99(&[10.0, 10.1, 10.2], &[12.0, 12.1, 12.2]);
    assert_eq!(slower.verdict, Verdict::Worse);
    assert!((slower.change.expect("10.1 is not 0") - 0.198).abs() < 0.001);
    assert!((slower.spread.expect("10.1 is not 0") - 0.0198).abs() < 0.001);
    assert_eq!(
        p99(&[12.0, 12.1, 12.2], &[10.0, 10.1, 10.2]).verdict,
        Verdict::Better
    );
}

#[test]
fn a_higher_rate_is_better_and_the_same_is_no_difference() {
    let of = |rate: f64| {
        (0..3)
            .map(|step| a_run(1.0, rate + f64::from(step)))
            .collect::<Vec<_>>()
    };
    let verdict = |a: f64, b: f64| {
        let compared = compare(&of(a), &of(b)).expect("there are enough runs");
        compared.metrics[0].verdict
    };
    assert_eq!(verdict(5_000.0, 6_000.0), Verdict::Better);
    assert_eq!(verdict(6_000.0, 5_000.0), Verdict::Worse);
    assert_eq!(verdict(5_000.0, 5_000.0), Verdict::NoDifference);
}

#[test]
fn chance_is_one_in_ten_with_three_a_side_and_one_in_126_with_five() {
    let chance = |runs_a_side: usize| {
        let side = runs(&vec![1.0; runs_a_side]);
        compare(&side, &side).expect("there are enough runs").chance
    };
    assert!((chance(3) - 0.1).abs() < 1e-9);
    assert!((chance(5) - 1.0 / 126.0).abs() < 1e-9);
}

#[test]
fn unlike_sides_are_warned_of() {
    let a = runs(&[1.0; 3]);
    let mut b = runs(&[1.0; 3]);
    b[0].machine.cores = 64;
    b[1].generator.limit = true;
    for run in &mut b {
        run.scenario.settings = serde_json::json!({"rate": 2});
    }
    let warnings = compare(&a, &b).expect("there are enough runs").warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings[0].starts_with("the machine differs"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("settings differ"), "{warnings:?}");
    assert_eq!(
        warnings[2],
        "1 of 3 runs of the second side were limited by the generator"
    );
    assert_eq!(
        compare(&a, &a).expect("there are enough runs").warnings,
        [""; 0]
    );
}

#[test]
fn the_table_says_what_changed_and_what_did_not() {
    let mut a = runs(&[10.0, 10.1, 10.2]);
    let b = runs(&[8.0, 8.1, 8.2]);
    for run in &mut a {
        run.scenario.name = "flash-sale".to_owned();
    }
    let text = compare(&a, &b)
        .expect("there are enough runs")
        .text(crate::show::Paint::PLAIN);
    let line = |metric: &str| {
        text.lines()
            .find(|line| line.starts_with(metric))
            .unwrap_or_default()
    };
    assert!(
        line("response.p99").ends_with("faster by 19.8 % (spread 2.0 %)"),
        "{text}"
    );
    assert!(line("response.p50").ends_with("no difference"), "{text}");
    assert!(text.contains("! the scenario differs"), "{text}");
}
