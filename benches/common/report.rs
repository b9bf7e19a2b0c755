//! Figures: medians with their spread, as a plain table, and as lines for the page of all figures.

use super::machine;
use serde_json::json;
use std::fmt;
use std::io::Write as _;

/// What was measured, once per round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

/// Which side of the aim is good.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// At least this.
    Least(f64),
    /// At most this.
    Most(f64),
    /// Shown for comparison.
    None,
}

/// How a number is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Count,
    PerSecond,
    Bytes,
    Seconds,
    Millis,
    Ratio,
}

/// The figures of one bench.
pub(crate) struct Report {
    command: String,
    load: f64,
    rows: Vec<Row>,
}

struct Row {
    figure: String,
    aim: String,
    measured: String,
    partner: String,
    met: Option<bool>,
}

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        }
    }

    /// Round by round, this over the other.
    pub(crate) fn over(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(pairs.map(|(this, other)| this / other).collect())
    }

    /// Median, and the range of all rounds.
    pub(crate) fn show(&self, unit: Unit) -> String {
        let median = unit.show(self.median());
        if self.0.len() == 1 {
            return median;
        }
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(0.0, f64::max);
        format!("{median} ({} to {})", unit.number(least), unit.number(most))
    }
}

impl Unit {
    fn number(self, value: f64) -> String {
        match self {
            Self::Count | Self::PerSecond => thousands(value),
            Self::Bytes => format!("{value:.0}"),
            Self::Seconds | Self::Ratio | Self::Millis => format!("{value:.2}"),
        }
    }

    /// A number with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        let number = self.number(value);
        match self {
            Self::PerSecond => format!("{number}/s"),
            Self::Bytes => format!("{number} B"),
            Self::Seconds => format!("{number} s"),
            Self::Millis => format!("{number} ms"),
            Self::Count | Self::Ratio => number,
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl Report {
    /// The report of the bench with this name. Says so where the machine is busy.
    pub(crate) fn new(bench: &str) -> Self {
        let load = machine::load();
        println!("{}, load {load:.2} at the start", machine::line());
        if load >= 1.5 {
            println!("the machine is busy: take what follows as a hint");
        }
        Self {
            command: format!("cargo bench --bench {bench}"),
            load,
            rows: Vec::new(),
        }
    }

    /// Adds a figure; `partner` is what it was measured beside, in words.
    pub(crate) fn figure(
        &mut self,
        figure: impl Into<String>,
        aim: Aim,
        unit: Unit,
        samples: &Samples,
        partner: impl Into<String>,
    ) {
        let median = samples.median();
        let (aim, met) = match aim {
            Aim::Least(least) => (format!("≥ {}", unit.show(least)), Some(median >= least)),
            Aim::Most(most) => (format!("≤ {}", unit.show(most)), Some(median <= most)),
            Aim::None => (String::new(), None),
        };
        self.rows.push(Row {
            figure: figure.into(),
            aim,
            measured: samples.show(unit),
            partner: partner.into(),
            met,
        });
    }

    /// Prints the table, and hands it to the page of all figures where one is being written.
    pub(crate) fn end(self) {
        println!("{self}");
        let Some(page) = std::env::var_os("BENCH_FIGURES") else {
            return;
        };
        let mut page = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(page)
            .expect("the list of figures can be written");
        for row in &self.rows {
            let Row {
                figure,
                aim,
                measured,
                partner,
                met,
            } = row;
            let line = json!({
                "figure": figure, "aim": aim, "measured": measured, "partner": partner,
                "met": met, "command": self.command, "load": self.load,
            });
            writeln!(page, "{line}").expect("the list of figures can be written");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> &str| {
            let widths = self.rows.iter().map(|row| of(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let figure = width(|row| &row.figure);
        let aim = width(|row| &row.aim);
        let measured = width(|row| &row.measured);
        writeln!(f, "\n{}", self.command)?;
        for row in &self.rows {
            let met = match row.met {
                Some(true) => "met  ",
                Some(false) => "SHORT",
                None => "     ",
            };
            writeln!(
                f,
                "{:figure$}  {:aim$}  {met}  {:measured$}  {}",
                row.figure, row.aim, row.measured, row.partner
            )?;
        }
        Ok(())
    }
}
