//! A run in figures: what `summary.json` holds, and what reports and comparisons are made from.
//!
//! Its schema is `docs/load-summary.schema.json`. Deliberately absent: histograms. Those are in the
//! `.hgrm` files and the interval log; this has a curve of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Claim, Generator, Machine, Model, RunFacts, Verdict};
use crate::load::{
    record::{self, Call, CallTally, Hist, Interval, Mark, Outcome, Recorded},
    threshold::{self, Judged},
};

/// The name and version of the schema. A change that old readers can't read raises the number.
pub const SCHEMA: &str = "holdfast-load/1";

/// A run in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of the holdfast that made the load.
    pub version: String,
    /// Of the server, where it is known to be another.
    pub server_version: Option<String>,
    /// Given it again, the same buyers come at the same times.
    pub seed: u64,
    /// What all of it ran on.
    pub machine: Machine,
    /// RFC 3339.
    pub started_at: String,
    /// What came.
    pub scenario: Scenario,
    /// Who was loaded, in words.
    pub target: String,
    /// How the arrivals were made.
    pub model: Model,
    /// How long the load took.
    pub duration_s: f64,
    /// A second, over the whole run where nothing else is said.
    pub rates: Rates,
    /// Buyers who came.
    pub arrivals: u64,
    /// Of those, who could not be sent.
    pub dropped: u64,
    /// By call, and of `all`; calls never made are not there.
    pub latency: BTreeMap<String, CallLatency>,
    /// How many calls ended, by call, and of `all`, and by outcome; what never came is not there.
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls in which the service failed its caller: overloaded, timed out, broken, error.
    pub errors: Errors,
    /// What else was counted.
    pub counts: BTreeMap<String, u64>,
    /// Whether the generator was the limit.
    pub generator: Generator,
    /// What was proved.
    pub invariants: Vec<Claim>,
    /// What was asked of it.
    pub thresholds: Vec<Judged>,
    /// How long the target keeps ended reservations, and what follows.
    pub retention: String,
    /// Whatever else a reader has to know.
    pub notes: Vec<String>,
    /// The phases, in order of time.
    pub phases: Vec<Phase>,
    /// What happened, in order of time.
    pub marks: Vec<MarkAt>,
    /// The run piece by piece.
    pub over_time: OverTime,
    /// The hot SKUs over time.
    pub stock: Vec<StockOf>,
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// As it was written.
    pub text: String,
    /// As it was understood, with every default.
    pub settings: Value,
}

/// A second, over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Buyers who came, over the phases in which they do: the time after the last arrival is none.
    pub arrivals_per_s: f64,
    /// Answers of every kind; time-outs and broken connections are none.
    pub answers_per_s: f64,
    /// Reservations made.
    pub reserved_per_s: f64,
    /// Reservations sold.
    pub confirmed_per_s: f64,
    /// Answers in the busiest whole interval.
    pub peak_answers_per_s: f64,
}

/// How long a kind of call took. Refusals are answers; time-outs count as long as they were waited
/// for; broken connections are left out, since a dead server would look fast.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallLatency {
    /// From the intended send time to the answer: what a buyer felt.
    pub response: Latency,
    /// From the actual send time to the answer: what the server took.
    pub service: Latency,
}

/// Many times in a few figures, milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// The average.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 90 in 100 took no longer.
    pub p90_ms: f64,
    /// 99 in 100 took no longer.
    pub p99_ms: f64,
    /// 999 in 1,000 took no longer.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// Pairs of a share and the milliseconds that this share took at most.
    pub curve: Vec<(f64, f64)>,
}

/// Calls in which the service failed its caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// How many.
    pub count: u64,
    /// Of all calls.
    pub rate: f64,
}

/// A phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// When it began, seconds from the start.
    pub at_s: f64,
    /// Arrivals a second it wanted; 0 where it wanted no certain rate.
    pub target_rate: f64,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkAt {
    /// Seconds from the start.
    pub at_s: f64,
    /// In a few words.
    pub what: String,
}

/// The run piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OverTime {
    /// How long a piece is. It doubles when there would be too many.
    pub interval_s: f64,
    /// The pieces, without a gap.
    pub points: Vec<Point>,
}

/// A piece of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When it began, seconds from the start.
    pub at_s: f64,
    /// How long it is.
    pub length_s: f64,
    /// Buyers who came.
    pub arrived: u64,
    /// Of those, who could not be sent.
    pub dropped: u64,
    /// Answers of every kind; time-outs and broken connections are none.
    pub answered: u64,
    /// Milliseconds from the intended send time.
    pub response_p50_ms: f64,
    /// As above.
    pub response_p90_ms: f64,
    /// As above.
    pub response_p99_ms: f64,
    /// As above.
    pub response_max_ms: f64,
    /// Milliseconds from the actual send time.
    pub service_p50_ms: f64,
    /// As above.
    pub service_p99_ms: f64,
    /// How many calls ended, by outcome; what did not come is not there.
    pub outcomes: BTreeMap<String, u64>,
}

/// A hot SKU over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StockOf {
    /// Which.
    pub sku: String,
    /// In order of time.
    pub points: Vec<StockAt>,
}

/// A SKU at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StockAt {
    /// Seconds from the start.
    pub at_s: f64,
    /// Units that may be reserved.
    pub available: i64,
    /// Units held.
    pub reserved: i64,
    /// Units sold.
    pub sold: i64,
}

impl Summary {
    /// Sums a run up and judges its thresholds. Unless drops are allowed, or a threshold speaks of
    /// them, `dropped == 0` is one of them.
    pub fn new(run: &RunFacts, recorded: &Recorded, claims: Vec<Claim>) -> Self {
        let all = recorded.whole.all();
        let mut summary = Self {
            schema: SCHEMA.to_owned(),
            version: run.version.clone(),
            server_version: run.server_version.clone(),
            seed: run.seed,
            machine: run.machine.clone(),
            started_at: run.started_at.clone(),
            scenario: Scenario {
                name: run.scenario_name.clone(),
                text: run.scenario_text.clone(),
                settings: run.scenario.clone(),
            },
            target: run.target.clone(),
            model: run.model,
            duration_s: recorded.elapsed.as_secs_f64(),
            rates: rates(recorded, &all, run.arrivals_s),
            arrivals: recorded.whole.arrived,
            dropped: recorded.whole.dropped,
            latency: latencies(recorded, &all),
            outcomes: outcomes(recorded, &all),
            errors: errors(&all),
            counts: run.counts.clone(),
            generator: Generator::judge(run.generator, recorded),
            invariants: claims,
            thresholds: Vec::new(),
            retention: run.retention.clone(),
            notes: run.notes.clone(),
            phases: phases(recorded),
            marks: recorded.marks.iter().map(MarkAt::of).collect(),
            over_time: OverTime {
                interval_s: recorded.interval.as_secs_f64(),
                points: recorded.intervals.iter().map(Point::of).collect(),
            },
            stock: stock(recorded),
        };
        summary.thresholds = run.thresholds.iter().map(|of| of.judge(&summary)).collect();
        let are_drops_judged = run
            .thresholds
            .iter()
            .any(threshold::Threshold::is_about_drops);
        if !run.drops_allowed && !are_drops_judged {
            let none = threshold::parse("dropped == 0").expect("it is constant and good");
            summary.thresholds.push(none.judge(&summary));
        }
        summary
    }

    /// Whether an invariant is broken.
    pub fn is_broken(&self) -> bool {
        self.invariants
            .iter()
            .any(|claim| claim.verdict == Verdict::Broken)
    }

    /// Whether a threshold was missed.
    pub fn has_missed(&self) -> bool {
        self.thresholds.iter().any(|judged| !judged.met)
    }
}

fn rates(recorded: &Recorded, all: &CallTally, arrivals_s: f64) -> Rates {
    let seconds = recorded.elapsed.as_secs_f64().max(0.001);
    // A run that was ended early may not have come to its last arrival.
    let arriving = arrivals_s.clamp(0.001, seconds);
    let of = |outcome: Outcome| all.outcomes[outcome as usize];
    let confirmed = of(Outcome::Confirmed) + of(Outcome::ConfirmedLate);
    let answers = record::answers(&all.outcomes);
    let is_whole = |of: &&Interval| of.length == recorded.interval;
    let peak = recorded
        .intervals
        .iter()
        .filter(is_whole)
        .map(Interval::answered)
        .max();
    let average = answers as f64 / seconds;
    Rates {
        arrivals_per_s: recorded.whole.arrived as f64 / arriving,
        answers_per_s: average,
        reserved_per_s: of(Outcome::Reserved) as f64 / seconds,
        confirmed_per_s: confirmed as f64 / seconds,
        peak_answers_per_s: peak.map_or(average, |peak| {
            peak as f64 / recorded.interval.as_secs_f64()
        }),
    }
}

/// Each call that was made, and all of them, with its name.
fn calls<'a>(
    recorded: &'a Recorded,
    all: &'a CallTally,
) -> impl Iterator<Item = (String, &'a CallTally)> {
    let named = |call: Call| (call.name().to_owned(), recorded.whole.call(call));
    let each = Call::ALL.into_iter().map(named);
    let made = each.filter(|(_, tally)| tally.response.count() > 0);
    made.chain(std::iter::once(("all".to_owned(), all)))
}

fn latencies(recorded: &Recorded, all: &CallTally) -> BTreeMap<String, CallLatency> {
    let of = |(name, tally): (String, &CallTally)| {
        let response = Latency::of(&tally.response);
        let service = Latency::of(&tally.service);
        (name, CallLatency { response, service })
    };
    calls(recorded, all).map(of).collect()
}

fn outcomes(recorded: &Recorded, all: &CallTally) -> BTreeMap<String, BTreeMap<String, u64>> {
    calls(recorded, all)
        .map(|(name, tally)| (name, named(|outcome| tally.outcomes[outcome as usize])))
        .collect()
}

fn named(count: impl Fn(Outcome) -> u64) -> BTreeMap<String, u64> {
    let all = Outcome::ALL.into_iter();
    all.map(|outcome| (outcome.name().to_owned(), count(outcome)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn errors(all: &CallTally) -> Errors {
    let count = Outcome::ALL
        .into_iter()
        .filter(|outcome| outcome.is_error());
    let count = count.map(|outcome| all.outcomes[outcome as usize]).sum();
    let calls: u64 = all.outcomes.iter().sum();
    Errors {
        count,
        rate: count as f64 / calls.max(1) as f64,
    }
}

fn phases(recorded: &Recorded) -> Vec<Phase> {
    let of = |phase: &crate::load::record::PhaseBegun| Phase {
        name: phase.name.clone(),
        at_s: phase.at.as_secs_f64(),
        target_rate: phase.target_rate,
    };
    recorded.phases.iter().map(of).collect()
}

fn stock(recorded: &Recorded) -> Vec<StockOf> {
    let of = |(place, sku): (usize, &String)| {
        let own = recorded.stock.iter().filter(|point| point.sku == place);
        let at = |point: &crate::load::record::StockPoint| StockAt {
            at_s: point.at.as_secs_f64(),
            available: point.available,
            reserved: point.reserved,
            sold: point.sold,
        };
        StockOf {
            sku: sku.clone(),
            points: own.map(at).collect(),
        }
    };
    recorded.skus.iter().enumerate().map(of).collect()
}

impl MarkAt {
    fn of(mark: &Mark) -> Self {
        Self {
            at_s: mark.at.as_secs_f64(),
            what: mark.what.clone(),
        }
    }
}

impl Point {
    fn of(interval: &Interval) -> Self {
        Self {
            at_s: interval.begins.as_secs_f64(),
            length_s: interval.length.as_secs_f64(),
            arrived: interval.arrived,
            dropped: interval.dropped,
            answered: interval.answered(),
            response_p50_ms: interval.response.quantile_ms(0.5),
            response_p90_ms: interval.response.quantile_ms(0.9),
            response_p99_ms: interval.response.quantile_ms(0.99),
            response_max_ms: interval.response.max_ms(),
            service_p50_ms: interval.service.quantile_ms(0.5),
            service_p99_ms: interval.service.quantile_ms(0.99),
            outcomes: named(|outcome| interval.of(outcome)),
        }
    }
}

impl Latency {
    pub(super) fn of(hist: &Hist) -> Self {
        Self {
            count: hist.count(),
            mean_ms: hist.mean_ms(),
            p50_ms: hist.quantile_ms(0.5),
            p90_ms: hist.quantile_ms(0.9),
            p99_ms: hist.quantile_ms(0.99),
            p999_ms: hist.quantile_ms(0.999),
            max_ms: hist.max_ms(),
            curve: curve(hist),
        }
    }
}

/// Steps for every factor of ten that shares come nearer to one.
const CURVE_STEPS: u32 = 10;
const CURVE_DECADES: u32 = 7;

/// The latency by its percentile: as fine towards the end as there were values.
fn curve(hist: &Hist) -> Vec<(f64, f64)> {
    let count = hist.count() as f64;
    let shares = (0..=CURVE_STEPS * CURVE_DECADES)
        .map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(CURVE_STEPS)))
        .take_while(|share| (1.0 - share) * count >= 1.0);
    let mut curve: Vec<(f64, f64)> = shares
        .map(|share| (share, hist.quantile_ms(share)))
        .collect();
    if count > 0.0 {
        curve.push((1.0, hist.max_ms()));
    }
    curve
}

/// Milliseconds with three significant digits in the unit that suits them.
pub fn time(millis: f64) -> String {
    if millis <= 0.0 {
        return "0".to_owned();
    }
    let (value, unit) = match millis {
        ..1.0 => (millis * 1_000.0, "µs"),
        1.0..1_000.0 => (millis, "ms"),
        _ => (millis / 1_000.0, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// The one in the middle, or the mean of the two there; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}
