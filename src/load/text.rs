//! What came of a run, for people.

use std::fmt::Write as _;

use super::results::{Latency, Model, Summary, Verdict, time};
use crate::show::{Paint, count};

/// A run's summary as text.
pub fn summary(of: &Summary, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, of, paint);
    latencies(&mut out, of, paint);
    outcomes(&mut out, of);
    generator(&mut out, of, paint);
    proof(&mut out, of, paint);
    thresholds(&mut out, of, paint);
    let _ = writeln!(out, "\nretention  {}", of.retention);
    for note in &of.notes {
        let _ = writeln!(out, "note       {note}");
    }
    let verdict = if of.is_broken() {
        paint.bad("BROKEN: an invariant does not hold")
    } else if of.has_missed() {
        paint.bad("missed: a threshold does not hold")
    } else {
        let unchecked = of.invariants.iter();
        let unchecked = unchecked.filter(|claim| claim.verdict == Verdict::Unchecked);
        match unchecked.count() {
            0 => paint.good("held: every claim was checked, and every threshold met"),
            some => paint.good(format!(
                "held: every threshold met, and every claim but {some} checked"
            )),
        }
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}

fn head(out: &mut String, of: &Summary, paint: Paint) {
    let model = match of.model {
        Model::Open => "open model".to_owned(),
        Model::Closed { connections } => format!("closed model, {connections} connections"),
    };
    let _ = writeln!(
        out,
        "{} against {}, {model}, seed {}",
        paint.bold(&of.scenario.name),
        of.target,
        of.seed
    );
    let _ = writeln!(out, "{}", paint.dim(of.machine.line()));
    let _ = writeln!(
        out,
        "{:.1} s, {} arrivals, {} dropped; {} answers, {:.0}/s on average, {:.0}/s at the peak",
        of.duration_s,
        count(of.arrivals),
        count(of.dropped),
        count((of.rates.answers_per_s * of.duration_s).round() as u64),
        of.rates.answers_per_s,
        of.rates.peak_answers_per_s
    );
}

fn latencies(out: &mut String, of: &Summary, paint: Paint) {
    let heading = format!(
        "\n{:<14}{:>10}{:>11}{:>11}{:>11}{:>11}{:>11}   {:>11}",
        "response", "answers", "p50", "p90", "p99", "p99.9", "max", "service p99"
    );
    let _ = writeln!(out, "{}", paint.dim(heading));
    for (call, latency) in &of.latency {
        let Latency {
            p50_ms,
            p90_ms,
            p99_ms,
            p999_ms,
            max_ms,
            ..
        } = latency.response;
        let _ = write!(out, "{call:<14}{:>10}", count(latency.response.count));
        for ms in [p50_ms, p90_ms, p99_ms, p999_ms, max_ms] {
            let _ = write!(out, "{:>11}", time(ms));
        }
        let _ = writeln!(out, "   {:>11}", time(latency.service.p99_ms));
    }
}

fn outcomes(out: &mut String, of: &Summary) {
    let _ = writeln!(out);
    for (call, outcomes) in of.outcomes.iter().filter(|(call, _)| *call != "all") {
        let named = |(outcome, n): (&String, &u64)| format!("{outcome} {}", count(*n));
        let named: Vec<String> = outcomes.iter().map(named).collect();
        let _ = writeln!(out, "{call:<14}{}", named.join(", "));
    }
    let counts = of.counts.iter().filter(|(_, n)| **n > 0);
    let counts: Vec<String> = counts
        .map(|(name, n)| format!("{} {}", name.replace('_', " "), count(*n)))
        .collect();
    let _ = writeln!(out, "{:<14}{}", "besides", counts.join(", "));
    for mark in &of.marks {
        let _ = writeln!(out, "{:<14}{}", format!("at {:.2} s", mark.at_s), mark.what);
    }
}

fn generator(out: &mut String, of: &Summary, paint: Paint) {
    let generator = &of.generator;
    let words = if generator.limit {
        paint.warn("the generator was the limit")
    } else {
        "the generator was not the limit".to_owned()
    };
    let _ = write!(out, "\n{words}: {}", generator.why);
    if let (Some(cpu), Some(share)) = (generator.cpu_s, generator.cpu_share) {
        let share = 100.0 * share;
        let _ = write!(
            out,
            "; {cpu:.1} s of processor time, {share:.0} % of its threads"
        );
    }
    let _ = writeln!(out);
}

fn proof(out: &mut String, of: &Summary, paint: Paint) {
    let _ = writeln!(out);
    for claim in &of.invariants {
        let mark = match claim.verdict {
            Verdict::Held => paint.good("✓"),
            Verdict::Broken => paint.bad("✗"),
            Verdict::Unchecked => paint.warn("~"),
        };
        let word = match claim.verdict {
            Verdict::Unchecked => "not checked: ",
            Verdict::Held | Verdict::Broken => "",
        };
        let _ = writeln!(out, "{mark} {}", claim.name);
        let _ = writeln!(out, "  {}", paint.dim(format!("{word}{}", claim.detail)));
    }
}

fn thresholds(out: &mut String, of: &Summary, paint: Paint) {
    for judged in &of.thresholds {
        let mark = if judged.met {
            paint.good("✓")
        } else {
            paint.bad("✗")
        };
        let _ = writeln!(out, "{mark} {}  ({})", judged.threshold, judged.shown);
    }
}
