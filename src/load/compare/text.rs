//! A comparison as a table for people.
//!
//! Deliberately absent: figures that are not in the comparison.

use std::fmt::Write as _;

use super::{Compared, Comparison, Figures, Side, Verdict};
use crate::{
    load::results::time,
    show::{Paint, count},
};

impl Comparison {
    /// The table, its head and its warnings.
    pub fn text(&self, paint: Paint) -> String {
        let mut text = format!("{}\n", paint.bold(&self.scenario));
        let _ = writeln!(text, "  A  {}\n  B  {}\n", side(&self.a), side(&self.b));
        for warning in &self.warnings {
            let _ = writeln!(text, "{} {warning}", paint.warn("!"));
        }
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        let head = format!(
            "{:<22} {:>20} {:>20}  {}",
            "median (spread)", "A", "B", "B against A"
        );
        let _ = writeln!(text, "{}", paint.dim(head));
        for of in &self.metrics {
            let (a, b) = (figures(of, &of.a), figures(of, &of.b));
            let _ = writeln!(
                text,
                "{:<22} {a:>20} {b:>20}  {}",
                of.metric,
                verdict(of, paint)
            );
        }
        let odds = (1.0 / self.chance).round() as u64;
        let rule = format!(
            "A difference: every run of one side beyond every run of the other, and the medians\n\
             further apart than the runs of either side. Chance alone does this to a metric in 1 of {}.",
            count(odds)
        );
        let _ = write!(text, "\n{}\n", paint.dim(rule));
        text
    }
}

fn side(of: &Side) -> String {
    let runs = crate::show::counted(of.runs as u64, "run");
    format!("{runs}, holdfast {}", of.versions.join(", "))
}

fn figures(of: &Compared, side: &Figures) -> String {
    let spread = match side.median {
        0.0 => String::new(),
        median => format!(" ({:.1} %)", 100.0 * side.spread() / median),
    };
    format!("{}{spread}", value(of, side.median))
}

fn value(of: &Compared, value: f64) -> String {
    match of.unit {
        "ms" => time(value),
        "/s" => format!("{}/s", count(value.round() as u64)),
        _ if of.metric.ends_with("rate") => format!("{:.4} %", 100.0 * value),
        _ => count(value.round() as u64),
    }
}

fn verdict(of: &Compared, paint: Paint) -> String {
    let (better, worse) = match of.unit {
        "ms" => ("faster", "slower"),
        "/s" => ("higher", "lower"),
        _ => ("fewer", "more"),
    };
    let how = |word: &str| match (of.change, of.spread) {
        (Some(change), Some(spread)) => {
            format!(
                "{word} by {:.1} % (spread {:.1} %)",
                100.0 * change.abs(),
                100.0 * spread
            )
        }
        (_, _) => format!(
            "{word}: {} against {}",
            value(of, of.b.median),
            value(of, of.a.median)
        ),
    };
    match of.verdict {
        Verdict::NoDifference => paint.dim("no difference"),
        Verdict::Better => paint.good(how(better)),
        Verdict::Worse => paint.bad(how(worse)),
    }
}
