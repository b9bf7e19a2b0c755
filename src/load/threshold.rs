//! Thresholds: what a run has to reach, as `response.p99 < 20ms`, judged with what was measured.
//!
//! Deliberately absent: expressions. One metric, one comparison, one value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    record::{Call, Outcome},
    results::{Latency, Summary},
};

/// A metric, a comparison and a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    metric: Metric,
    comparison: Comparison,
    /// Milliseconds where the metric is a time.
    value: f64,
    /// As it was written, with single spaces.
    text: String,
}

/// What came of a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The threshold as it was written.
    pub threshold: String,
    /// What was measured, milliseconds where it is a time; none where there was nothing to measure.
    pub measured: Option<f64>,
    /// The same with its unit.
    pub shown: String,
    /// Whether it was met. Nothing to measure is a miss.
    pub met: bool,
}

/// Why a text is no threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("threshold `{text}`: {why}")]
pub struct Malformed {
    text: String,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Latency {
        call: Option<Call>,
        from: From,
        part: Part,
    },
    ErrorRate,
    ErrorCount,
    Dropped,
    DroppedRate,
    Arrivals,
    /// Answers a second.
    Rate,
    Outcome {
        call: Option<Call>,
        outcome: Outcome,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Response,
    Service,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    P50,
    P90,
    P99,
    P999,
    Max,
    Mean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

const METRICS: &str = "response.P, service.P, CALL.response.P, CALL.service.P (P is p50, p90, p99, \
    p999, max or mean; CALL is reserve, confirm, release, read or availability), rate, arrivals, \
    dropped, dropped.rate, errors, errors.rate, outcomes.OUTCOME or CALL.outcomes.OUTCOME";
const UNITS: &str = "us, ms, s or m";

/// Reads a threshold.
pub fn parse(text: &str) -> Result<Threshold, Malformed> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let malformed = |why: String| Malformed {
        text: words.clone(),
        why,
    };
    let Some(at) = words.find(['<', '>', '=', '!']) else {
        let why = "expected a comparison: <, <=, ==, !=, >= or >, as in `response.p99 < 20ms`";
        return Err(malformed(why.to_owned()));
    };
    let (name, rest) = words.split_at(at);
    let end = rest.find(|c| !"<>=!".contains(c)).unwrap_or(rest.len());
    let (sign, value) = rest.split_at(end);
    let metric = Metric::parse(name.trim()).map_err(malformed)?;
    let comparison = Comparison::parse(sign).map_err(malformed)?;
    let value = metric.value(value.trim()).map_err(malformed)?;
    let text = words.clone();
    Ok(Threshold {
        metric,
        comparison,
        value,
        text,
    })
}

impl Threshold {
    /// Judges a run.
    pub fn judge(&self, of: &Summary) -> Judged {
        let measured = self.metric.measure(of);
        Judged {
            threshold: self.text.clone(),
            measured,
            shown: measured.map_or_else(|| "nothing".to_owned(), |of| self.metric.show(of)),
            met: measured.is_some_and(|of| self.comparison.holds(of, self.value)),
        }
    }

    /// Whether it speaks of arrivals that were dropped.
    pub fn is_about_drops(&self) -> bool {
        matches!(self.metric, Metric::Dropped | Metric::DroppedRate)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Metric {
    fn parse(name: &str) -> Result<Self, String> {
        let unknown = || {
            let near =
                nearest(name).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            match name {
                "" => format!("expected a metric before the comparison: {METRICS}"),
                _ => format!("unknown metric `{name}`{near}: expected {METRICS}"),
            }
        };
        let all = names();
        all.into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, metric)| metric)
            .ok_or_else(unknown)
    }

    fn is_time(self) -> bool {
        matches!(self, Self::Latency { .. })
    }

    /// Reads the value it is compared with.
    fn value(self, text: &str) -> Result<f64, String> {
        let digits = text.find(|c: char| !(c.is_ascii_digit() || ".,_".contains(c)));
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let expected = if self.is_time() {
            format!("a time such as 20ms (units: {UNITS})")
        } else {
            "a plain number such as 0.001 or 5000, or a share such as 0.1%".to_owned()
        };
        let Ok(number) = number.replace(['_', ','], "").parse::<f64>() else {
            return Err(match text {
                "" => format!("expected {expected} after the comparison"),
                _ => format!("`{text}` is no value: expected {expected}"),
            });
        };
        let scale = match (self.is_time(), unit.trim()) {
            (true, "us" | "µs") => 0.001,
            (true, "ms") | (false, "") => 1.0,
            (true, "s") => 1_000.0,
            (true, "m" | "min") => 60_000.0,
            (true, "") => return Err(format!("`{text}` has no unit: expected {expected}")),
            (false, "%") if matches!(self, Self::ErrorRate | Self::DroppedRate) => 0.01,
            (_, unit) => return Err(format!("`{unit}` is no unit here: expected {expected}")),
        };
        Ok(number * scale)
    }

    /// What a run has of it; nothing where it has none, as the latency of a call never made.
    fn measure(self, of: &Summary) -> Option<f64> {
        let name = |call: Option<Call>| call.map_or("all", Call::name);
        match self {
            Self::Latency { call, from, part } => {
                let latency = of.latency.get(name(call))?;
                let latency = match from {
                    From::Response => &latency.response,
                    From::Service => &latency.service,
                };
                (latency.count > 0).then(|| part.of(latency))
            }
            Self::ErrorRate => Some(of.errors.rate),
            Self::ErrorCount => Some(of.errors.count as f64),
            Self::Dropped => Some(of.dropped as f64),
            Self::DroppedRate => Some(of.dropped as f64 / of.arrivals.max(1) as f64),
            Self::Arrivals => Some(of.arrivals as f64),
            Self::Rate => Some(of.rates.answers_per_s),
            Self::Outcome { call, outcome } => {
                let outcomes = of.outcomes.get(name(call));
                let count = outcomes.and_then(|of| of.get(outcome.name()));
                Some(count.copied().unwrap_or(0) as f64)
            }
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Latency { .. } => super::results::time(value),
            Self::ErrorRate | Self::DroppedRate => format!("{}", (value * 1e6).round() / 1e6),
            Self::Rate => format!("{value:.1}/s"),
            Self::ErrorCount | Self::Dropped | Self::Arrivals | Self::Outcome { .. } => {
                crate::show::count(value as u64)
            }
        }
    }
}

/// Every metric by its name.
fn names() -> Vec<(String, Metric)> {
    let mut all = vec![
        ("rate".to_owned(), Metric::Rate),
        ("arrivals".to_owned(), Metric::Arrivals),
        ("dropped".to_owned(), Metric::Dropped),
        ("dropped.rate".to_owned(), Metric::DroppedRate),
        ("errors".to_owned(), Metric::ErrorCount),
        ("errors.rate".to_owned(), Metric::ErrorRate),
    ];
    let calls = Call::ALL.map(Some);
    for call in std::iter::once(None).chain(calls) {
        let before = call.map_or_else(String::new, |call| format!("{}.", call.name()));
        for (from, from_name) in [(From::Response, "response"), (From::Service, "service")] {
            for (part, part_name) in Part::ALL {
                let name = format!("{before}{from_name}.{part_name}");
                all.push((name, Metric::Latency { call, from, part }));
            }
        }
        for outcome in Outcome::ALL {
            let name = format!("{before}outcomes.{}", outcome.name());
            all.push((name, Metric::Outcome { call, outcome }));
        }
    }
    all
}

fn nearest(name: &str) -> Option<String> {
    let all = names().into_iter().map(|(known, _)| known);
    let near = all.map(|known| (strsim::jaro_winkler(&known, name), known));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.8).then_some(best.1)
}

impl Part {
    const ALL: [(Self, &str); 6] = [
        (Self::P50, "p50"),
        (Self::P90, "p90"),
        (Self::P99, "p99"),
        (Self::P999, "p999"),
        (Self::Max, "max"),
        (Self::Mean, "mean"),
    ];

    fn of(self, latency: &Latency) -> f64 {
        match self {
            Self::P50 => latency.p50_ms,
            Self::P90 => latency.p90_ms,
            Self::P99 => latency.p99_ms,
            Self::P999 => latency.p999_ms,
            Self::Max => latency.max_ms,
            Self::Mean => latency.mean_ms,
        }
    }
}

impl Comparison {
    fn parse(sign: &str) -> Result<Self, String> {
        Ok(match sign {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            other => {
                return Err(format!(
                    "`{other}` is no comparison: expected <, <=, ==, !=, >= or >"
                ));
            }
        })
    }

    fn holds(self, measured: f64, value: f64) -> bool {
        match self {
            Self::Less => measured < value,
            Self::LessOrEqual => measured <= value,
            // Counts are whole, and what a file says of times is not exact.
            Self::Equal => (measured - value).abs() < f64::EPSILON,
            Self::NotEqual => (measured - value).abs() >= f64::EPSILON,
            Self::GreaterOrEqual => measured >= value,
            Self::Greater => measured > value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::results::{CallLatency, Errors, Rates};

    /// A run of 2,000 arrivals and 5,000 answers.
    fn a_run() -> Summary {
        let latency = |p99_ms| Latency {
            count: 9,
            p50_ms: 0.5,
            p99_ms,
            ..Latency::default()
        };
        let call = |p99| CallLatency {
            response: latency(p99),
            service: latency(p99 / 2.0),
        };
        let calls = [("all", 19.9), ("confirm", 3.0)];
        let outcomes = [("sold_out".to_owned(), 7)];
        Summary {
            arrivals: 2_000,
            dropped: 2,
            rates: Rates {
                answers_per_s: 5_000.0,
                ..Rates::default()
            },
            errors: Errors {
                count: 5,
                rate: 0.001,
            },
            latency: calls.map(|(name, p99)| (name.to_owned(), call(p99))).into(),
            outcomes: [("all".to_owned(), outcomes.into())].into(),
            ..Summary::default()
        }
    }

    fn is_met(text: &str) -> bool {
        parse(text)
            .unwrap_or_else(|why| panic!("{why}"))
            .judge(&a_run())
            .met
    }

    #[test]
    fn what_is_reached_is_met() {
        for text in [
            "response.p99 < 20ms",
            "response.p99<0.02s",
            "response.p99 <= 19_900us",
            "service.p50 <= 3ms",
            "confirm.response.p99 <= 3 ms",
            "errors.rate <= 0.001",
            "errors.rate <= 0.1%",
            "errors == 5",
            "rate >= 5,000",
            "dropped != 0",
            "dropped.rate == 0.1%",
            "outcomes.sold_out > 6",
            "arrivals == 2000",
        ] {
            assert!(is_met(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_reached_is_missed() {
        for text in [
            "response.p99 < 19.9ms",
            "confirm.service.p99 > 1.5ms",
            "errors.rate < 0.001",
            "rate > 5000",
            "dropped == 0",
            "outcomes.sold_out < 7",
            "outcomes.reserved > 0",
        ] {
            assert!(!is_met(text), "{text}");
        }
    }

    #[test]
    fn nothing_to_measure_is_a_miss_and_says_so() {
        let judged = parse("release.response.p99 < 1s")
            .expect("it is one")
            .judge(&a_run());
        assert_eq!((judged.met, judged.measured), (false, None));
        assert_eq!(judged.shown, "nothing");
        let mut silent = a_run();
        silent
            .latency
            .insert("all".to_owned(), CallLatency::default());
        let judged = parse("response.p99 < 1s")
            .expect("it is one")
            .judge(&silent);
        assert_eq!((judged.met, judged.measured), (false, None));
    }

    #[test]
    fn what_was_measured_is_shown_with_its_unit() {
        let shown = |text| parse(text).expect("it is one").judge(&a_run()).shown;
        assert_eq!(shown("response.p99 < 20ms"), "19.9 ms");
        assert_eq!(shown("errors.rate < 0.01"), "0.001");
        assert_eq!(shown("rate > 1"), "5000.0/s");
        assert_eq!(shown("arrivals > 1"), "2,000");
        let text = "  response.p99   <  20ms ";
        assert_eq!(
            parse(text).expect("it is one").to_string(),
            "response.p99 < 20ms"
        );
    }

    #[test]
    fn what_is_no_threshold_is_told_what_was_expected() {
        let why = |text| parse(text).expect_err("it is none").to_string();
        for (text, said) in [
            (
                "response.p99 20ms",
                "expected a comparison: <, <=, ==, !=, >= or >",
            ),
            ("response.p99 =< 20ms", "`=<` is no comparison"),
            ("response.p99 = 20ms", "`=` is no comparison"),
            ("< 20ms", "expected a metric before the comparison"),
            ("response.p98 < 20ms", "did you mean `response.p99`?"),
            (
                "resposne.p99 < 20ms",
                "unknown metric `resposne.p99`; did you mean `response.p99`?",
            ),
            (
                "response.p99 < 20",
                "`20` has no unit: expected a time such as 20ms",
            ),
            (
                "response.p99 <",
                "expected a time such as 20ms (units: us, ms, s or m) after",
            ),
            ("response.p99 < fast", "`fast` is no value: expected a time"),
            (
                "errors.rate < 20ms",
                "`ms` is no unit here: expected a plain number",
            ),
            ("dropped < 5%", "`%` is no unit here"),
        ] {
            assert!(why(text).contains(said), "{text}: {}", why(text));
            assert!(why(text).starts_with("threshold `"), "{}", why(text));
        }
    }
}
