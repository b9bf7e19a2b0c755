//! Tables and tiles of a run.
//!
//! Deliberately absent: figures that are not in the summary.

use super::text::escape;
use crate::load::{
    record::{Call, Outcome},
    results::{Latency, Model, Summary, Verdict, summary::time},
};
use crate::show::count;

/// A table: head and cells; a class of `n` is a number.
pub(super) fn table(head: &[(&str, &str)], rows: &[Vec<String>]) -> String {
    let mut text = String::from("<div class=\"card\"><table><thead><tr>");
    for (class, name) in head {
        put!(text, "<th class=\"{class}\">{name}</th>");
    }
    text += "</tr></thead><tbody>";
    for row in rows {
        let is_sum = row.first().is_some_and(|first| first == "all");
        text += if is_sum { "<tr class=\"sum\">" } else { "<tr>" };
        for ((class, _), cell) in head.iter().zip(row) {
            put!(text, "<td class=\"{class}\">{cell}</td>");
        }
        text += "</tr>";
    }
    text + "</tbody></table></div>"
}

/// The figures one looks for first.
pub(super) fn tiles(of: &Summary) -> String {
    let all = of
        .latency
        .get("all")
        .map(|all| all.response.clone())
        .unwrap_or_default();
    let per_second = |rate: f64| format!("{}/s", count(rate.round() as u64));
    let errors = format!("{:.3} %", 100.0 * of.errors.rate);
    let tiles = [
        ("", per_second(of.rates.arrivals_per_s), "arrivals"),
        ("", per_second(of.rates.answers_per_s), "answers"),
        ("", time(all.p50_ms), "response p50"),
        ("", time(all.p99_ms), "response p99"),
        ("", time(all.p999_ms), "response p99.9"),
        (
            if of.errors.count > 0 { "bad" } else { "" },
            errors,
            "errors",
        ),
        (
            if of.dropped > 0 { "bad" } else { "" },
            count(of.dropped),
            "dropped arrivals",
        ),
    ];
    let tile = |(class, value, name): (&str, String, &str)| {
        format!("<div class=\"tile\"><b class=\"{class}\">{value}</b><span>{name}</span></div>")
    };
    format!("<div class=\"tiles\">{}</div>", tiles.map(tile).concat())
}

/// What was proved, and what was not.
pub(super) fn claims(of: &Summary) -> String {
    let rows = |unchecked: bool| -> Vec<Vec<String>> {
        let own = of.invariants.iter();
        own.filter(|claim| (claim.verdict == Verdict::Unchecked) == unchecked)
            .map(|claim| {
                let verdict = match claim.verdict {
                    Verdict::Held => "<b class=\"good\">✓ holds</b>",
                    Verdict::Broken => "<b class=\"bad\">✗ broken</b>",
                    Verdict::Unchecked => "<b class=\"warn\">○ unchecked</b>",
                };
                vec![
                    verdict.to_owned(),
                    escape(&claim.name),
                    escape(&claim.detail),
                ]
            })
            .collect()
    };
    let (checked, unchecked) = (rows(false), rows(true));
    let mut text = if checked.is_empty() {
        "<p class=\"soft\">Nothing was checked.</p>".to_owned()
    } else {
        table(
            &[
                ("v", ""),
                ("w", "what has to hold"),
                ("", "on what it rests"),
            ],
            &checked,
        )
    };
    if !unchecked.is_empty() {
        text += "<h3>What could not be checked</h3>";
        text += &table(
            &[("v", ""), ("w", "what has to hold"), ("", "why not")],
            &unchecked,
        );
    }
    text
}

/// What was asked, and what was measured.
pub(super) fn thresholds(of: &Summary) -> String {
    let row = |judged: &crate::load::threshold::Judged| {
        let verdict = if judged.met {
            "<b class=\"good\">✓ met</b>"
        } else {
            "<b class=\"bad\">✗ missed</b>"
        };
        let code = format!("<code>{}</code>", escape(&judged.threshold));
        vec![verdict.to_owned(), code, escape(&judged.shown)]
    };
    let rows: Vec<_> = of.thresholds.iter().map(row).collect();
    if rows.is_empty() {
        return "<p class=\"soft\">None were set.</p>".to_owned();
    }
    table(&[("v", ""), ("w", "threshold"), ("", "measured")], &rows)
}

/// Latency by call.
pub(super) fn latencies(of: &Summary) -> String {
    let figures = |name: &str, kind: &str, latency: &Latency| {
        let mut row = vec![escape(name), kind.to_owned(), count(latency.count)];
        let parts = [
            latency.mean_ms,
            latency.p50_ms,
            latency.p90_ms,
            latency.p99_ms,
            latency.p999_ms,
        ];
        row.extend(parts.map(time));
        row.push(time(latency.max_ms));
        row
    };
    let names = Call::ALL.map(Call::name).into_iter().chain(["all"]);
    let found = names.filter_map(|name| of.latency.get_key_value(name));
    let rows: Vec<_> = found
        .flat_map(|(name, latency)| {
            [
                figures(name, "response", &latency.response),
                figures(name, "service", &latency.service),
            ]
        })
        .collect();
    let head = [
        ("k", "call"),
        ("", ""),
        ("n", "calls"),
        ("n", "mean"),
        ("n", "p50"),
        ("n", "p90"),
        ("n", "p99"),
        ("n", "p99.9"),
        ("n", "max"),
    ];
    table(&head, &rows)
}

/// Outcomes by call.
pub(super) fn outcomes(of: &Summary) -> String {
    let all = of.outcomes.get("all").cloned().unwrap_or_default();
    let calls: Vec<_> = Call::ALL
        .into_iter()
        .filter(|call| of.outcomes.contains_key(call.name()))
        .collect();
    let calls_ended: u64 = all.values().sum();
    let mut head = vec![("k", "outcome")];
    head.extend(calls.iter().map(|call| ("n", call.name())));
    head.extend([("n", "in all"), ("n", "share")]);
    let came = Outcome::ALL
        .into_iter()
        .filter(|outcome| all.contains_key(outcome.name()));
    let rows: Vec<_> = came
        .map(|outcome| {
            let dot = format!(
                "<i style=\"background:var({})\"></i>",
                super::text::colour_of(outcome)
            );
            let class = if outcome.is_error() { "bad" } else { "" };
            let name = super::text::outcome_words(outcome);
            let mut row = vec![format!(
                "<span class=\"legend {class}\" style=\"margin:0\"><span>{dot}{name}</span></span>"
            )];
            row.extend(calls.iter().map(|call| {
                let count_of = of.outcomes[call.name()].get(outcome.name());
                count_of.map_or_else(|| "·".to_owned(), |number| count(*number))
            }));
            let number = all[outcome.name()];
            row.push(count(number));
            row.push(format!(
                "{:.2} %",
                100.0 * number as f64 / calls_ended.max(1) as f64
            ));
            row
        })
        .collect();
    table(&head, &rows)
}

/// What a reader needs to judge or repeat it.
pub(super) fn about(of: &Summary) -> String {
    let model = match of.model {
        Model::Open => "open: arrivals come when they are due, whatever the server does".to_owned(),
        Model::Closed { connections } => format!(
            "closed: {connections} connections, each sends its next when it has its answer; \
             a slow server is asked less, so its tail looks better than buyers would find it"
        ),
    };
    let cpu = match (of.generator.cpu_s, of.generator.cpu_share) {
        (Some(seconds), Some(share)) => format!(
            ", {seconds:.1} s of processor time ({:.0} % of theirs)",
            100.0 * share
        ),
        (_, _) => String::new(),
    };
    let threads = crate::show::counted(of.generator.threads as u64, "thread");
    let mut rows = vec![
        ("Target", escape(&of.target)),
        ("Model", model),
        ("Seed", format!("<code>{}</code>", of.seed)),
        ("Started", escape(&of.started_at)),
        ("Machine", escape(&of.machine.line())),
        ("Version", escape(&version(of))),
        (
            "Generator",
            format!("{threads}{cpu}; {}", escape(&of.generator.why)),
        ),
        ("Retention", escape(&of.retention)),
    ];
    let came = of.counts.iter().filter(|(_, number)| **number > 0);
    let counts = came
        .map(|(name, number)| format!("{} {}", escape(&name.replace('_', " ")), count(*number)));
    let counts: Vec<_> = counts.collect();
    if !counts.is_empty() {
        rows.push(("Also counted", counts.join(" · ")));
    }
    let pairs = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let mut list = "<div class=\"card\"><dl>".to_owned();
    for (name, value) in pairs {
        put!(list, "<dt>{name}</dt><dd>{value}</dd>");
    }
    list + "</dl></div>"
}

fn version(of: &Summary) -> String {
    match &of.server_version {
        Some(server) if *server != of.version => {
            format!("holdfast {}, server {server}", of.version)
        }
        _ => format!("holdfast {}", of.version),
    }
}
