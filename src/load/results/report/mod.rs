//! `report.html`: a run, or several of one scenario, as a page that needs no network.
//!
//! It is made from summaries alone, so that it can be made again from `summary.json`. Deliberately
//! absent: scripts. Plots are SVG, and a part of a plot tells its figures when hovered over.

mod curves;
mod runs;
mod svg;
mod tables;
mod text;
mod timeline;

use super::Summary;
use text::escape;

const STYLE: &str = include_str!("style.css");

/// The page.
pub fn render(runs: &[Summary]) -> String {
    let body = match runs {
        [] => "<p>There is no run.</p>".to_owned(),
        [one] => format!("{}{}", head(one), run(one)),
        [first, ..] => format!("{}{}", runs::head(first, runs), runs::body(runs)),
    };
    let name = runs
        .first()
        .map_or("nothing", |first| first.scenario.name.as_str());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} · holdfast load</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        escape(name)
    )
}

/// A run's verdict as a badge.
fn badge(of: &Summary) -> (&'static str, &'static str) {
    match (of.is_broken(), of.has_missed()) {
        (true, _) => ("bad", "an invariant is broken"),
        (false, true) => ("bad", "a threshold was missed"),
        (false, false) if of.invariants.is_empty() => ("warn", "nothing was proved"),
        (false, false) => ("good", "held"),
    }
}

fn title(of: &Summary, (class, verdict): (&str, &str), under: &str) -> String {
    format!(
        "<div class=\"top\"><h1>{}</h1><span class=\"badge {class}\">{}</span></div><p class=\"soft\">{under}</p>",
        escape(&of.scenario.name),
        escape(verdict)
    )
}

fn head(of: &Summary) -> String {
    let model = match of.model {
        super::Model::Open => "open model".to_owned(),
        super::Model::Closed { connections } => format!("closed model, {connections} connections"),
    };
    let length = crate::show::seconds(std::time::Duration::from_secs_f64(of.duration_s));
    let under = format!(
        "{length} against {} · {model} · seed {} · {}",
        escape(&of.target),
        of.seed,
        escape(&of.started_at.replace('T', " "))
    );
    title(of, badge(of), &under)
}

/// All about one run, from its tiles on.
fn run(of: &Summary) -> String {
    let mut page = tables::tiles(of);
    page += &warnings(of);
    page += "<h2>The proof</h2>";
    page += &tables::claims(of);
    page += "<h2>Thresholds</h2>";
    page += &tables::thresholds(of);
    page += &section(
        "Latency by percentile",
        "Response is counted from the moment a buyer wanted to be sent, service from the moment the request was.",
        &curves::of_run(of),
    );
    page += &section(
        "Latency over time",
        "All calls together. A gap is a time without answers.",
        &timeline::latency(of),
    );
    page += &section("Rate over time", "", &timeline::rate(of));
    page += &section("Outcomes over time", "", &timeline::outcomes(of));
    page += &stock(of);
    page += "<h2>Latency by call</h2>";
    page += &tables::latencies(of);
    page += "<h2>Outcomes by call</h2>";
    page += &tables::outcomes(of);
    page += "<h2>About this run</h2>";
    page += &tables::about(of);
    page + &scenario(of)
}

fn section(name: &str, under: &str, plot: &str) -> String {
    let under = match under {
        "" => String::new(),
        said => format!("<p class=\"soft\">{said}</p>"),
    };
    format!("<h2>{name}</h2>{under}<div class=\"card\">{plot}</div>")
}

/// What a reader must not overlook.
fn warnings(of: &Summary) -> String {
    let mut text = String::new();
    if of.generator.limit {
        put!(
            text,
            "<p class=\"note\"><b>The generator may have been the limit, not the server:</b> {}. \
             Rates are a lower bound, and latencies hold some of the generator's own.</p>",
            escape(&of.generator.why)
        );
    }
    for note in &of.notes {
        put!(text, "<p class=\"note\">{}</p>", escape(note));
    }
    text
}

fn stock(of: &Summary) -> String {
    let seen: Vec<_> = of
        .stock
        .iter()
        .filter(|sku| !sku.points.is_empty())
        .collect();
    if seen.is_empty() {
        return String::new();
    }
    let card = |sku: &&super::StockOf| {
        format!(
            "<div class=\"card\">{}{}{}</div>",
            text::heading(&sku.sku),
            timeline::stock_legend(),
            timeline::stock(of, sku, seen.len() == 1)
        )
    };
    let cards: String = seen.iter().map(card).collect();
    format!("<h2>Stock over time</h2><div class=\"cards\">{cards}</div>")
}

fn scenario(of: &Summary) -> String {
    let settings = serde_json::to_string_pretty(&of.scenario.settings).unwrap_or_default();
    let shown = match of.scenario.text.trim() {
        "" => settings.as_str(),
        text => text,
    };
    format!(
        "<details><summary>The scenario</summary><pre>{}</pre></details>",
        escape(shown)
    )
}
