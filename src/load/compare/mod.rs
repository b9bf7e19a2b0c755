//! `holdfast load compare`: what changed between two sets of runs, beside what chance does.
//!
//! **The rule.** A metric differs only if both hold: every run of one side lies beyond every run of
//! the other, and the medians lie further apart than the runs of either side do among themselves
//! (from the least to the most: the *spread*). All else is "no difference". If nothing had changed,
//! runs of *m* and *n* would part so completely in 2 of C(m+n, n) cases: one in ten with three runs
//! a side, one in 126 with five. So a side needs three runs at least, and five are better. The rule
//! asks for no distribution, and a single odd run on a noisy machine makes it say less, never more.
//!
//! Deliberately absent: a score. Which metric matters is the reader's affair.

mod metrics;
mod text;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Serialize;

use super::results::{self, Summary, Unreadable};
use metrics::{Metric, metrics};

pub use metrics::Better;

/// How many runs a side needs.
pub const RUNS_MIN: usize = 3;

/// Why two sets can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum NotComparable {
    /// A file is none of ours.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Chance can't be told from change.
    #[error(
        "not comparable: {a} against {b}; each side needs {RUNS_MIN} runs at least, so that chance can be told from change (make them with --repeat)",
        a = crate::show::counted(*a as u64, "run"), b = b
    )]
    TooFew {
        /// Runs of the first side.
        a: usize,
        /// Runs of the second side.
        b: usize,
    },
}

/// What changed. Serializes to what `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The scenario of the first side.
    pub scenario: String,
    /// Runs of the first side.
    pub a: Side,
    /// Runs of the second side.
    pub b: Side,
    /// How likely a run of chance alone parts a metric, two-sided: 2 of C(m+n, n).
    pub chance: f64,
    /// What makes the two sides unlike besides what is measured.
    pub warnings: Vec<String>,
    /// Metric by metric.
    pub metrics: Vec<Compared>,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// How many runs.
    pub runs: usize,
    /// The versions of holdfast that made them.
    pub versions: Vec<String>,
}

/// One metric of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Which: `response.p99`.
    pub metric: &'static str,
    /// Its unit: `ms`, `/s`, or none for shares and counts.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// The first side.
    pub a: Figures,
    /// The second side.
    pub b: Figures,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// How far the second median lies from the first, as a share of the first; none if that is 0.
    pub change: Option<f64>,
    /// The larger spread of the two sides, as a share of the first median; none if that is 0.
    pub spread: Option<f64>,
}

/// One metric of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// Run by run.
    pub runs: Vec<f64>,
}

/// What is to be said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What lies between the sides lies between the runs of one as well.
    NoDifference,
    /// The second side is better.
    Better,
    /// The second side is worse.
    Worse,
}

/// Reads the runs of both sides, each from one file of a repeated run or from several of single
/// ones, and compares them.
pub fn run(a: &[PathBuf], b: &[PathBuf]) -> Result<Comparison, NotComparable> {
    let read = |files: &[PathBuf]| -> Result<Vec<Summary>, Unreadable> {
        let runs = files.iter().map(|file| results::read(file));
        Ok(runs.collect::<Result<Vec<_>, _>>()?.concat())
    };
    compare(&read(a)?, &read(b)?)
}

/// Compares the runs of two sides.
pub fn compare(a: &[Summary], b: &[Summary]) -> Result<Comparison, NotComparable> {
    let (Some(first), Some(_)) = (a.first(), b.first()) else {
        return Err(NotComparable::TooFew {
            a: a.len(),
            b: b.len(),
        });
    };
    if a.len() < RUNS_MIN || b.len() < RUNS_MIN {
        return Err(NotComparable::TooFew {
            a: a.len(),
            b: b.len(),
        });
    }
    let compared = metrics()
        .into_iter()
        .filter_map(|metric| Compared::of(&metric, a, b));
    Ok(Comparison {
        scenario: first.scenario.name.clone(),
        a: Side::of(a),
        b: Side::of(b),
        chance: 2.0 / ways(a.len() + b.len(), b.len()),
        warnings: warnings(a, b),
        metrics: compared.collect(),
    })
}

impl Comparison {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        self.metrics
            .iter()
            .any(|of| of.verdict != Verdict::NoDifference)
    }
}

impl Side {
    fn of(runs: &[Summary]) -> Self {
        Self {
            runs: runs.len(),
            versions: different(runs, |run| run.version.clone()),
        }
    }
}

impl Compared {
    /// Nothing where a side has a run without it.
    fn of(metric: &Metric, a: &[Summary], b: &[Summary]) -> Option<Self> {
        let values = |runs: &[Summary]| {
            runs.iter()
                .map(|run| (metric.value)(run))
                .collect::<Option<Vec<_>>>()
        };
        let (a, b) = (Figures::of(values(a)?), Figures::of(values(b)?));
        let moved = b.median - a.median;
        let spread = a.spread().max(b.spread());
        let are_apart = a.most < b.least || b.most < a.least;
        let verdict = match (are_apart && moved.abs() > spread, metric.better) {
            (false, _) => Verdict::NoDifference,
            (true, Better::Lower) if moved < 0.0 => Verdict::Better,
            (true, Better::Higher) if moved > 0.0 => Verdict::Better,
            (true, Better::Lower | Better::Higher) => Verdict::Worse,
        };
        let share = |of: f64| (a.median > 0.0).then(|| of / a.median);
        Some(Self {
            metric: metric.name,
            unit: metric.unit,
            better: metric.better,
            verdict,
            change: share(moved),
            spread: share(spread),
            a,
            b,
        })
    }
}

impl Figures {
    fn of(runs: Vec<f64>) -> Self {
        Self {
            median: results::median(&runs),
            least: runs.iter().copied().fold(f64::INFINITY, f64::min),
            most: runs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs,
        }
    }

    /// From the least to the most.
    pub fn spread(&self) -> f64 {
        self.most - self.least
    }
}

/// In how many ways so many can be taken of all.
fn ways(all: usize, taken: usize) -> f64 {
    (0..taken).fold(1.0, |ways, place| {
        ways * (all - place) as f64 / (place + 1) as f64
    })
}

/// Each different value, in the order of their first coming.
fn different(runs: &[Summary], of: impl Fn(&Summary) -> String) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in runs.iter().map(of) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

/// What makes runs unlike, and what makes them worth little.
fn warnings(a: &[Summary], b: &[Summary]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut unlike = |what: &str, of: fn(&Summary) -> String| {
        let (a, b) = (different(a, of), different(b, of));
        if a != b {
            warnings.push(format!(
                "{what} differs: {} against {}",
                a.join(", "),
                b.join(", ")
            ));
        }
    };
    unlike("the scenario", |run| run.scenario.name.clone());
    unlike("the machine", |run| run.machine.line());
    unlike("the version", |run| {
        run.server_version
            .clone()
            .unwrap_or_else(|| run.version.clone())
    });
    unlike("the model", |run| {
        serde_json::to_string(&run.model).unwrap_or_default()
    });
    unlike("the target", |run| run.target.clone());
    let settings = |runs: &[Summary]| different(runs, |run| run.scenario.settings.to_string());
    let are_named_alike = a
        .iter()
        .chain(b)
        .all(|run| run.scenario.name == a[0].scenario.name);
    if are_named_alike && settings(a) != settings(b) {
        warnings.push("the scenario's settings differ, though not its name".to_owned());
    }
    for (name, runs) in [("the first", a), ("the second", b)] {
        let mut some = |what: &str, is: fn(&&Summary) -> bool| {
            let count = runs.iter().filter(is).count();
            if count > 0 {
                warnings.push(format!(
                    "{count} of {} runs of {name} side {what}",
                    runs.len()
                ));
            }
        };
        some("broke an invariant", |run| run.is_broken());
        some("were limited by the generator", |run| run.generator.limit);
        some("dropped arrivals", |run| run.dropped > 0);
    }
    warnings
}
