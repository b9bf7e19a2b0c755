//! The figures: cases, their medians with ranges, the ratios asked for, and the tables of both.

use std::fmt::Write as _;

use crate::targets::{Round, Target};

/// One row: a target under a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What is driven.
    pub(crate) target: Target,
    /// Connections.
    pub(crate) connections: usize,
    /// Reserves that a connection has under way.
    pub(crate) depth: usize,
}

const fn case(name: &'static str, target: Target, connections: usize, depth: usize) -> Case {
    Case {
        name,
        target,
        connections,
        depth,
    }
}

const EMPTY_64: Case = case("empty axum handler, 64 connections", Target::Empty, 64, 1);
const EMPTY_256: Case = case("empty axum handler, 256 connections", Target::Empty, 256, 1);
const SINGLE_64: Case = case(
    "holdfast, single HTTP, 64 connections",
    Target::Single,
    64,
    1,
);
const SINGLE_256: Case = case(
    "holdfast, single HTTP, 256 connections",
    Target::Single,
    256,
    1,
);
const BATCH: Case = case(
    "holdfast, batches of 100, 16 connections",
    Target::Batch,
    16,
    100,
);
const REDIS: Case = case(
    "Redis Lua, fsync always, 64 connections",
    Target::Redis,
    64,
    1,
);
const REDIS_16: Case = case(
    "Redis Lua, the same, pipelined 16 deep",
    Target::Redis,
    64,
    16,
);
const POSTGRES: Case = case(
    "PostgreSQL, one statement, 64 connections",
    Target::Postgres,
    64,
    1,
);
const BARE: Case = case("redb alone, one record a commit", Target::Bare, 1, 1);

const CASES: [Case; 9] = [
    SINGLE_64, SINGLE_256, BATCH, REDIS, REDIS_16, POSTGRES, EMPTY_64, EMPTY_256, BARE,
];

/// What two cases are compared by.
#[derive(Clone, Copy)]
enum By {
    Rate,
    P99,
}

/// The side of the aim that is good.
#[derive(Clone, Copy)]
enum Aim {
    Least(f64),
    Most(f64),
    None,
}

struct Ratio {
    name: &'static str,
    over: Case,
    under: Case,
    by: By,
    aim: Aim,
}

const fn ratio(name: &'static str, over: Case, under: Case, by: By, aim: Aim) -> Ratio {
    Ratio {
        name,
        over,
        under,
        by,
        aim,
    }
}

const RATIOS: [Ratio; 8] = [
    ratio(
        "single HTTP over Redis Lua, 64 connections",
        SINGLE_64,
        REDIS,
        By::Rate,
        Aim::Least(2.0),
    ),
    ratio(
        "single HTTP over PostgreSQL's hot row, 64 connections",
        SINGLE_64,
        POSTGRES,
        By::Rate,
        Aim::Least(20.0),
    ),
    ratio(
        "batches over Redis Lua pipelined 16 deep",
        BATCH,
        REDIS_16,
        By::Rate,
        Aim::Least(12.0),
    ),
    ratio(
        "single HTTP over the empty handler, 64 connections",
        SINGLE_64,
        EMPTY_64,
        By::Rate,
        Aim::Least(0.75),
    ),
    ratio(
        "single HTTP over the empty handler, 256 connections",
        SINGLE_256,
        EMPTY_256,
        By::Rate,
        Aim::Least(0.75),
    ),
    ratio(
        "its p99 over the empty handler's, 64 connections",
        SINGLE_64,
        EMPTY_64,
        By::P99,
        Aim::Most(2.5),
    ),
    ratio(
        "its p99 over the empty handler's, 256 connections",
        SINGLE_256,
        EMPTY_256,
        By::P99,
        Aim::Most(2.5),
    ),
    ratio(
        "single HTTP over redb alone, 64 connections",
        SINGLE_64,
        BARE,
        By::Rate,
        Aim::None,
    ),
];

/// One number of every round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The median with its range, each number as `show` writes it.
    fn show(&self, show: impl Fn(f64) -> String) -> String {
        let (median, least, most) = (self.median(), self.least(), self.most());
        format!("{} ({} to {})", show(median), show(least), show(most))
    }

    /// Round by round.
    fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }
}

/// What the rounds of a case came to.
#[derive(Clone, Debug, Default)]
struct Rounds {
    rate: Samples,
    p50: Samples,
    p99: Samples,
    generator: Samples,
    server: Samples,
    skipped: Option<&'static str>,
}

/// All figures of a run.
pub(crate) struct Figures(Vec<(Case, Rounds)>);

/// A bar of the plot: rates a second.
pub(crate) struct Bar {
    /// Of what.
    pub(crate) name: &'static str,
    /// Whether it is holdfast.
    pub(crate) is_ours: bool,
    /// Median, least and most.
    pub(crate) rate: [f64; 3],
}

impl Figures {
    /// Of the cases whose names have this word.
    pub(crate) fn new(only: Option<&str>) -> Self {
        let is_meant = |case: &Case| only.is_none_or(|word| case.name.contains(word));
        let cases = CASES.into_iter().filter(is_meant);
        Self(cases.map(|case| (case, Rounds::default())).collect())
    }

    /// Those cases.
    pub(crate) fn cases(&self) -> Vec<Case> {
        self.0.iter().map(|(case, _)| *case).collect()
    }

    /// Adds a round.
    pub(crate) fn add(&mut self, case: Case, round: &Round) {
        let rounds = self.rounds_mut(case);
        rounds.rate.0.push(round.run.rate());
        rounds.p50.0.push(round.run.millis(50.0));
        rounds.p99.0.push(round.run.millis(99.0));
        rounds.generator.0.push(round.cpu.generator);
        rounds.server.0.push(round.cpu.server);
    }

    /// It can't be compared here.
    pub(crate) fn skip(&mut self, case: Case, why: &'static str) {
        self.rounds_mut(case).skipped = Some(why);
    }

    fn rounds_mut(&mut self, case: Case) -> &mut Rounds {
        let found = self.0.iter_mut().find(|(other, _)| *other == case);
        &mut found.expect("it is one of the cases").1
    }

    fn rounds(&self, case: Case) -> Option<&Rounds> {
        let found = self.0.iter().find(|(other, _)| *other == case);
        found
            .map(|(_, rounds)| rounds)
            .filter(|rounds| !rounds.rate.0.is_empty())
    }

    /// The bars of the plot.
    pub(crate) fn bars(&self) -> Vec<Bar> {
        let measured = self
            .0
            .iter()
            .filter(|(_, rounds)| !rounds.rate.0.is_empty());
        let bar = |(case, rounds): &(Case, Rounds)| Bar {
            name: case.name,
            is_ours: matches!(case.target, Target::Single | Target::Batch),
            rate: [
                rounds.rate.median(),
                rounds.rate.least(),
                rounds.rate.most(),
            ],
        };
        measured.map(bar).collect()
    }

    /// Both tables.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from(
            "| | reserves a second | p50 | p99 | generator | server |\n|---|---|---|---|---|---|\n",
        );
        for (case, rounds) in &self.0 {
            let line = match rounds.skipped {
                Some(why) => format!("| {} | skipped: {why} | | | | |", case.name),
                None => format!(
                    "| {} | {} | {} | {} | {} | {} |",
                    case.name,
                    rounds.rate.show(thousands),
                    millis(rounds.p50.median()),
                    rounds.p99.show(millis),
                    share(rounds.generator.median()),
                    share(rounds.server.median()),
                ),
            };
            writeln!(text, "{line}").expect("a String takes all");
        }
        text.push_str("\n| ratio, in the same run | aim | measured | |\n|---|---|---|---|\n");
        for ratio in &RATIOS {
            writeln!(text, "{}", self.line(ratio)).expect("a String takes all");
        }
        let batch = self.rounds(BATCH);
        let rate = batch.map(|rounds| &rounds.rate);
        let p99 = batch.map(|rounds| &rounds.p99);
        for (name, samples, aim, show) in [
            (
                "batches, reserves a second",
                rate,
                Aim::Least(700_000.0),
                thousands as fn(f64) -> String,
            ),
            ("batches, p99 of one, in ms", p99, Aim::Most(20.0), number),
        ] {
            writeln!(text, "{}", row(name, samples, aim, show)).expect("a String takes all");
        }
        text
    }

    fn line(&self, ratio: &Ratio) -> String {
        let measured = self.rounds(ratio.over).zip(self.rounds(ratio.under));
        let samples = measured.map(|(over, under)| match ratio.by {
            By::Rate => over.rate.over(&under.rate),
            By::P99 => over.p99.over(&under.p99),
        });
        row(ratio.name, samples.as_ref(), ratio.aim, number)
    }
}

fn row(name: &str, samples: Option<&Samples>, aim: Aim, show: fn(f64) -> String) -> String {
    let Some(samples) = samples else {
        return format!("| {name} | | not measured | |");
    };
    let median = samples.median();
    let (aimed, is_met) = match aim {
        Aim::Least(least) => (format!("≥ {}", show(least)), Some(least <= median)),
        Aim::Most(most) => (format!("≤ {}", show(most)), Some(median <= most)),
        Aim::None => (String::new(), None),
    };
    let word = match is_met {
        Some(true) => "met",
        Some(false) => "**short**",
        None => "",
    };
    format!("| {name} | {aimed} | {} | {word} |", samples.show(show))
}

fn number(number: f64) -> String {
    format!("{number:.2}")
}

fn millis(ms: f64) -> String {
    format!("{ms:.2} ms")
}

/// Of one core.
fn share(cores: f64) -> String {
    format!("{:.0} %", cores * 100.0)
}

/// Whole, with a comma between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((Samples(vec![4.0, 1.0, 3.0, 2.0]).median() - 2.5).abs() < 1e-9);
        assert!((Samples(vec![9.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-9);
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }

    #[test]
    fn an_aim_is_met_by_the_median_alone() {
        let samples = Samples(vec![1.0, 2.0, 30.0]);
        let line = |aim| row("x", Some(&samples), aim, number);
        assert!(line(Aim::Least(2.0)).ends_with("| met |"));
        assert!(line(Aim::Least(2.1)).ends_with("| **short** |"));
        assert!(line(Aim::Most(1.9)).ends_with("| **short** |"));
    }
}
