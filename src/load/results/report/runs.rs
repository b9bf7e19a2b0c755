//! Several runs of one scenario on one page: side by side, with their spread.
//!
//! Deliberately absent: a verdict on a difference; that takes two sides, and is `compare`'s.

use super::{curves, run, section, tables::table, text::escape, title};
use crate::load::results::{Latency, Summary, median, time};
use crate::show::count;

/// The page's head.
pub(super) fn head(first: &Summary, runs: &[Summary]) -> String {
    let worst = match (
        runs.iter().any(Summary::is_broken),
        runs.iter().any(Summary::has_missed),
    ) {
        (true, _) => ("bad", "an invariant is broken"),
        (false, true) => ("bad", "a threshold was missed"),
        (false, false) => ("good", "all runs held"),
    };
    let under = format!(
        "{} runs against {} · {} · {}",
        runs.len(),
        escape(&first.target),
        escape(&first.machine.line()),
        escape(&first.started_at)
    );
    title(first, worst, &under)
}

/// The runs side by side, then each of them.
pub(super) fn body(runs: &[Summary]) -> String {
    let mut page = "<h2>Run by run</h2>".to_owned();
    page += &side_by_side(runs);
    page += &section(
        "Latency by percentile",
        "Response time of all calls, run by run. Where the curves part is what chance does.",
        &curves::of_runs(runs),
    );
    page += "<h2>Each run</h2>";
    for (place, of) in runs.iter().enumerate() {
        let (class, verdict) = super::badge(of);
        put!(
            page,
            "<details><summary>Run {} · seed {} · <span class=\"{class}\">{verdict}</span></summary>{}</details>",
            place + 1,
            of.seed,
            run(of)
        );
    }
    page
}

/// A figure of a run and how it is written.
type Row = (&'static str, fn(&Summary) -> f64, fn(f64) -> String);

fn side_by_side(runs: &[Summary]) -> String {
    fn response(of: &Summary) -> Latency {
        of.latency
            .get("all")
            .map(|all| all.response.clone())
            .unwrap_or_default()
    }
    fn per_second(rate: f64) -> String {
        format!("{}/s", count(rate.round() as u64))
    }
    fn whole(number: f64) -> String {
        count(number as u64)
    }
    const ROWS: [Row; 8] = [
        ("arrivals", |of| of.rates.arrivals_per_s, per_second),
        ("answers", |of| of.rates.answers_per_s, per_second),
        ("response p50", |of| response(of).p50_ms, time),
        ("response p99", |of| response(of).p99_ms, time),
        ("response p99.9", |of| response(of).p999_ms, time),
        ("response max", |of| response(of).max_ms, time),
        ("errors", |of| of.errors.count as f64, whole),
        ("dropped", |of| of.dropped as f64, whole),
    ];
    let names: Vec<String> = (1..=runs.len())
        .map(|place| format!("run {place}"))
        .collect();
    let mut head = vec![("k", "")];
    head.extend(names.iter().map(|name| ("n", name.as_str())));
    head.extend([("n", "median"), ("n", "spread")]);
    let rows: Vec<_> = ROWS
        .into_iter()
        .map(|(name, value, show)| {
            let values: Vec<f64> = runs.iter().map(value).collect();
            let mut row = vec![name.to_owned()];
            row.extend(values.iter().map(|value| show(*value)));
            row.push(show(median(&values)));
            row.push(spread(&values));
            row
        })
        .collect();
    let verdicts = [
        verdicts("proof", runs, Summary::is_broken, "held", "broken"),
        verdicts("thresholds", runs, Summary::has_missed, "met", "missed"),
    ];
    table(&head, &[verdicts.to_vec(), rows].concat())
}

/// A row that says of each run whether it is well.
fn verdicts(
    name: &str,
    runs: &[Summary],
    is_bad: fn(&Summary) -> bool,
    good: &str,
    bad: &str,
) -> Vec<String> {
    let cell = |run: &Summary| {
        if is_bad(run) {
            format!("<b class=\"bad\">✗ {bad}</b>")
        } else {
            format!("<b class=\"good\">✓ {good}</b>")
        }
    };
    let mut row = vec![name.to_owned()];
    row.extend(runs.iter().map(cell));
    row.extend(["", ""].map(str::to_owned));
    row
}

/// From the least to the most, as a share of the median.
fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match median(values) {
        0.0 => "·".to_owned(),
        middle => format!("{:.1} %", 100.0 * (most - least) / middle),
    }
}
