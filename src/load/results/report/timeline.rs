//! Plots along the run's time: latency, rate, outcomes, stock.
//!
//! Deliberately absent: plots that join runs; those compare what does not happen at one time.

use super::{
    svg::{Plot, Scale, time_ticks},
    text::{amount, axis_time, colour_of, escape, legend, outcome_words},
};
use crate::load::{
    record::Outcome,
    results::{Point, StockOf, Summary, summary::time},
    scenario::Phase,
};
use crate::show::count;

const SIZE: (f64, f64) = (1076.0, 300.0);
const WIDE: (f64, f64) = (1076.0, 240.0);
const SMALL: (f64, f64) = (510.0, 220.0);
/// A label of so many characters takes so much room.
const LETTER: f64 = 6.4;
const ROW: f64 = 15.0;
const ROWS_MAX: usize = 3;

/// Where a mark's label goes.
struct Flag<'a> {
    at: f64,
    what: &'a str,
    row: usize,
    /// Whether it stands to the left of its moment.
    is_left: bool,
}

/// The run's end as the plots have it.
fn end(of: &Summary) -> f64 {
    let last = of
        .over_time
        .points
        .last()
        .map_or(0.0, |point| point.at_s + point.length_s);
    last.max(of.duration_s).max(0.001)
}

/// A plot with its time axis, phases and marks; `y` is the other axis.
fn begin(of: &Summary, size: (f64, f64), y: Scale, label: impl Fn(f64) -> String) -> Plot {
    let end = end(of);
    let flags = flags(of, end, size.0);
    let rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
    let is_phased = of.phases.len() > 1;
    let strip = if is_phased { 22.0 } else { 8.0 };
    let top = strip + rows as f64 * ROW;
    let mut plot = Plot::new(size, top, Scale::Linear(0.0, end), y);
    if is_phased {
        phases(&mut plot, of, end, rows as f64 * ROW);
    }
    plot.rows(label);
    plot.columns(&time_ticks(end));
    plot.keep_flags(&flags);
    plot
}

/// Phases as strips above the plot, each named if there is room.
fn phases(plot: &mut Plot, of: &Summary, end: f64, top: f64) {
    for (place, phase) in of.phases.iter().enumerate() {
        let until = of.phases.get(place + 1).map_or(end, |next| next.at_s);
        let (left, right) = (plot.x(phase.at_s), plot.x(until));
        let class = if place % 2 == 0 { "phase" } else { "phase b" };
        plot.push(&format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"17\" rx=\"3\"><title>{}</title></rect>",
            top + 1.0,
            (right - left - 1.0).max(0.5),
            escape(&phase.name)
        ));
        let room = ((right - left - 8.0) / LETTER) as usize;
        if phase.name.chars().count() <= room {
            plot.text(
                ("name", "middle"),
                (f64::midpoint(left, right), top + 13.5),
                &phase.name,
            );
        }
    }
}

/// Marks in rows, so that no label covers another. What finds no room goes without one.
fn flags(of: &Summary, end: f64, width: f64) -> Vec<Flag<'_>> {
    let x = |at: f64| at / end * (width - 84.0);
    let mut rows: Vec<f64> = Vec::new();
    let mut flags = Vec::new();
    let own = |mark: &&crate::load::results::MarkAt| {
        !of.phases.iter().any(|phase| phase.name == mark.what)
    };
    for mark in of.marks.iter().filter(own) {
        let wide = mark.what.chars().count() as f64 * LETTER + 14.0;
        // Where there is no room to the right, a label stands to the left.
        let is_near_end = x(mark.at_s) + wide > x(end) + 30.0;
        let begins = x(mark.at_s) - if is_near_end { wide } else { 0.0 };
        let ends = begins + wide;
        let free = rows.iter().position(|taken| *taken <= begins);
        let has_room = begins >= -46.0;
        let row = if has_room {
            free.unwrap_or(rows.len())
        } else {
            ROWS_MAX
        };
        if row < ROWS_MAX {
            if row == rows.len() {
                rows.push(0.0);
            }
            rows[row] = ends;
        }
        flags.push(Flag {
            at: mark.at_s,
            what: &mark.what,
            row: row.min(ROWS_MAX - 1),
            is_left: is_near_end,
        });
        if row >= ROWS_MAX {
            flags.last_mut().expect("one was pushed").what = "";
        }
    }
    flags
}

impl Plot {
    fn keep_flags(&mut self, flags: &[Flag<'_>]) {
        let (_, _, _, bottom) = self.ends();
        for flag in flags {
            let (x, y) = (self.x(flag.at), flag.row as f64 * ROW);
            self.line("mark", (x, y + 4.0), (x, bottom));
            let (anchor, at) = if flag.is_left {
                ("end", x - 4.0)
            } else {
                ("start", x + 4.0)
            };
            self.text(("flag", anchor), (at, y + 12.0), flag.what);
        }
    }
}

fn span(point: &Point) -> String {
    format!("{:.1} to {:.1} s", point.at_s, point.at_s + point.length_s)
}

fn middle(point: &Point) -> f64 {
    point.at_s + point.length_s / 2.0
}

/// Pieces of a curve, broken where nothing was answered.
fn pieces(of: &Summary, value: impl Fn(&Point) -> f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = vec![Vec::new()];
    for point in &of.over_time.points {
        if point.answered == 0 {
            pieces.push(Vec::new());
        } else if let Some(piece) = pieces.last_mut() {
            piece.push((middle(point), value(point)));
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A curve over time: name, colour, whether dashed, value.
type Line = (&'static str, &'static str, &'static str, fn(&Point) -> f64);

/// Latency percentiles over time.
pub(super) fn latency(of: &Summary) -> String {
    const LINES: [Line; 5] = [
        ("response max", "--c7", "thin", |point| {
            point.response_max_ms
        }),
        ("response p99", "--c1", "", |point| point.response_p99_ms),
        ("response p90", "--c3", "thin", |point| {
            point.response_p90_ms
        }),
        ("response p50", "--c0", "", |point| point.response_p50_ms),
        ("service p99", "--c1", "thin dash", |point| {
            point.service_p99_ms
        }),
    ];
    let answered = of
        .over_time
        .points
        .iter()
        .filter(|point| point.answered > 0);
    let values = answered.flat_map(|point| LINES.map(|line| line.3(point)));
    let mut plot = begin(of, SIZE, Scale::decades(values), axis_time);
    for (_, colour, class, value) in LINES {
        plot.curve(class, colour, &pieces(of, value));
    }
    for point in &of.over_time.points {
        let mut said = vec![span(point)];
        said.extend(LINES.map(|(name, _, _, value)| format!("{name} {}", time(value(point)))));
        if point.answered == 0 {
            said = vec![span(point), "no answers".to_owned()];
        }
        plot.hit(point.at_s, point.at_s + point.length_s, &said.join("\n"));
    }
    let legend =
        legend(LINES.map(|(name, colour, class, _)| {
            (name.to_owned(), colour.to_owned(), line_class(class))
        }));
    legend + &plot.finish("Latency percentiles over time")
}

fn line_class(class: &str) -> &'static str {
    if class.contains("dash") { "l d" } else { "l" }
}

/// Pieces whose rate means something: a last one cut very short has none.
fn rated(of: &Summary) -> impl Iterator<Item = &Point> {
    let least = of.over_time.interval_s / 2.0;
    of.over_time
        .points
        .iter()
        .filter(move |point| point.length_s >= least)
}

/// The scenario's rates over time, as far as the run went; of settings of another version none.
fn wanted(of: &Summary) -> Vec<(f64, f64)> {
    let phases = of.scenario.settings.get("phases").cloned();
    let phases: Vec<Phase> = phases
        .and_then(|phases| serde_json::from_value(phases).ok())
        .unwrap_or_default();
    let end = end(of);
    let mut line = Vec::new();
    let mut at = 0.0;
    for (long, from, to) in phases.iter().flat_map(Phase::pieces) {
        if at >= end {
            break;
        }
        let share = ((end - at) / long).min(1.0);
        line.push((at, from));
        line.push((at + share * long, from + share * (to - from)));
        at += long;
    }
    line
}

/// Arrivals and answers a second over time, beside what was wanted.
pub(super) fn rate(of: &Summary) -> String {
    const LINES: [Line; 3] = [
        ("arrivals", "--c1", "", |point| {
            point.arrived as f64 / point.length_s
        }),
        ("answers", "--c0", "", |point| {
            point.answered as f64 / point.length_s
        }),
        ("dropped", "--bad", "", |point| {
            point.dropped as f64 / point.length_s
        }),
    ];
    let are_dropped = of.dropped > 0;
    let shown = || {
        LINES
            .into_iter()
            .filter(move |line| line.0 != "dropped" || are_dropped)
    };
    let wanted = wanted(of);
    let values = rated(of).flat_map(|point| shown().map(|line| line.3(point)));
    let top = values.chain(wanted.iter().map(|at| at.1));
    let top = top.fold(0.0, f64::max);
    let mut plot = begin(of, SIZE, Scale::from_zero(top), |tick| {
        format!("{}/s", amount(tick))
    });
    let is_wanted = !wanted.is_empty();
    if is_wanted {
        plot.curve("thin dash", "--faint", &[wanted]);
    }
    for (_, colour, class, value) in shown() {
        let line = rated(of)
            .map(|point| (middle(point), value(point)))
            .collect();
        plot.curve(class, colour, &[line]);
    }
    for point in rated(of) {
        let mut said = vec![span(point)];
        said.extend(shown().map(|line| format!("{} {}/s", line.0, count(line.3(point) as u64))));
        plot.hit(point.at_s, point.at_s + point.length_s, &said.join("\n"));
    }
    let mut names: Vec<_> = shown()
        .map(|line| (line.0.to_owned(), line.1.to_owned(), "l"))
        .collect();
    if is_wanted {
        let name = "arrivals the scenario asks for".to_owned();
        names.push((name, "--faint".to_owned(), "l d"));
    }
    legend(names) + &plot.finish("Arrivals and answers a second over time")
}

/// Outcomes a second over time, one upon the other.
pub(super) fn outcomes(of: &Summary) -> String {
    let all = of.outcomes.get("all").cloned().unwrap_or_default();
    let came: Vec<Outcome> = Outcome::ALL
        .into_iter()
        .filter(|outcome| all.contains_key(outcome.name()))
        .collect();
    let per_second = |point: &Point, outcome: Outcome| {
        let count = point.outcomes.get(outcome.name()).copied().unwrap_or(0);
        count as f64 / point.length_s
    };
    let top = rated(of)
        .map(|point| point.outcomes.values().sum::<u64>() as f64 / point.length_s)
        .fold(0.0, f64::max);
    let mut plot = begin(of, SIZE, Scale::from_zero(top), |tick| {
        format!("{}/s", amount(tick))
    });
    let mut floor: Vec<f64> = rated(of).map(|_| 0.0).collect();
    for outcome in &came {
        let steps: Vec<_> = rated(of)
            .zip(&mut floor)
            .map(|(point, floor)| {
                let low = *floor;
                *floor += per_second(point, *outcome);
                (point.at_s, point.at_s + point.length_s, low, *floor)
            })
            .collect();
        plot.area(&colour_of(*outcome), &steps);
    }
    for point in rated(of) {
        let mut said = vec![span(point)];
        let here = came
            .iter()
            .rev()
            .filter(|outcome| point.outcomes.contains_key(outcome.name()));
        said.extend(here.map(|outcome| {
            format!(
                "{} {}/s",
                outcome_words(*outcome),
                count(per_second(point, *outcome).round() as u64)
            )
        }));
        plot.hit(point.at_s, point.at_s + point.length_s, &said.join("\n"));
    }
    let names = came
        .iter()
        .map(|outcome| (outcome_words(*outcome), colour_of(*outcome), ""));
    legend(names) + &plot.finish("Outcomes a second over time")
}

/// Stock of one SKU over time: sold, held and available, one upon the other.
pub(super) fn stock(of: &Summary, sku: &StockOf, is_alone: bool) -> String {
    let top = sku
        .points
        .iter()
        .map(|at| at.available.max(0) + at.reserved + at.sold)
        .max();
    let y = Scale::from_zero(top.unwrap_or(0) as f64);
    let size = if is_alone { WIDE } else { SMALL };
    let mut plot = begin(of, size, y, amount);
    let end = end(of);
    let until = |place: usize| {
        sku.points
            .get(place + 1)
            .map_or(end, |next| next.at_s.min(end))
    };
    let steps = |low: fn(&super::super::StockAt) -> i64,
                 high: fn(&super::super::StockAt) -> i64| {
        let all = sku.points.iter().enumerate();
        let own = all.filter(|(_, at)| at.at_s <= end);
        own.map(|(place, at)| (at.at_s, until(place), low(at) as f64, high(at) as f64))
            .collect::<Vec<_>>()
    };
    plot.area("--c0", &steps(|_| 0, |at| at.sold));
    plot.area(
        "--o-expired",
        &steps(|at| at.sold, |at| at.sold + at.reserved),
    );
    let above = steps(
        |at| at.sold + at.reserved,
        |at| at.sold + at.reserved + at.available.max(0),
    );
    plot.area("--o-replayed", &above);
    for (place, at) in sku
        .points
        .iter()
        .enumerate()
        .filter(|(_, at)| at.at_s <= end)
    {
        let said = format!(
            "{:.1} s\navailable {}\nheld {}\nsold {}",
            at.at_s,
            at.available,
            count(at.reserved.max(0) as u64),
            count(at.sold.max(0) as u64)
        );
        plot.hit(at.at_s, until(place), &said);
    }
    plot.finish(&format!("Stock of {} over time", sku.sku))
}

/// What the colours of the stock plots mean.
pub(super) fn stock_legend() -> String {
    let names = [
        ("available", "--o-replayed"),
        ("held", "--o-expired"),
        ("sold", "--c0"),
    ];
    legend(names.map(|(name, colour)| (name.to_owned(), colour.to_owned(), "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::results::MarkAt;

    #[test]
    fn labels_of_marks_stay_in_the_drawing_and_cover_no_other() {
        let mark = |at_s, what: &str| MarkAt {
            at_s,
            what: what.to_owned(),
        };
        let of = Summary {
            marks: vec![
                mark(8.1, "kill -9 of the server"),
                mark(8.4, "restarted, ready after 0.25 s"),
                mark(8.9, "kill -9 of the server"),
                mark(9.6, "restarted, ready after 11.25 s"),
                mark(9.9, &"long ".repeat(40)),
            ],
            ..Summary::default()
        };
        for (width, shown) in [(SMALL.0, 3), (SIZE.0, 3)] {
            let plot = Plot::new(
                (width, 220.0),
                0.0,
                Scale::Linear(0.0, 10.0),
                Scale::from_zero(1.0),
            );
            let all = flags(&of, 10.0, width);
            let named = all.iter().filter(|flag| !flag.what.is_empty());
            let spans: Vec<_> = named
                .map(|flag| {
                    let (x, wide) = (plot.x(flag.at), flag.what.len() as f64 * LETTER);
                    let from = if flag.is_left {
                        x - 4.0 - wide
                    } else {
                        x + 4.0
                    };
                    (flag.row, from, from + wide)
                })
                .collect();
            assert!(spans.len() >= shown, "{spans:?}");
            for (place, (row, from, to)) in spans.iter().enumerate() {
                assert!(*from >= 0.0 && *to <= width, "{from} to {to} of {width}");
                let others = spans[..place].iter().filter(|other| other.0 == *row);
                assert!(
                    others
                        .clone()
                        .all(|other| other.2 <= *from || *to <= other.1),
                    "{spans:?}"
                );
            }
        }
    }
}
