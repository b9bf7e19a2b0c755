//! The panels of the screen: rate, latency, outcomes, stock.
//!
//! Deliberately absent: their places; `draw` gives them.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Row, Sparkline, Table},
};

use super::draw::{DIM, panel};
use crate::{
    load::{
        record::{Live, Outcome, Quantiles, SkuNow},
        results::time,
    },
    show::count,
};

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Arrivals and answers a second, and how they came to be.
pub(super) fn rate(frame: &mut Frame<'_>, area: Rect, live: &Live) {
    let block = panel("rate");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let [figures, line] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(inside);
    let per_second = |rate: f64| format!("{}/s", count(rate.round() as u64));
    let mut arrive = vec![
        Span::styled("arrive   ", DIM),
        Span::styled(per_second(live.last.arrived_rate), BOLD),
    ];
    if let Some(phase) = live.phase.as_ref().filter(|phase| phase.target_rate > 0.0) {
        arrive.push(Span::styled(
            format!(" of {}", per_second(phase.target_rate)),
            DIM,
        ));
    }
    if live.dropped > 0 {
        let said = format!("  {} dropped", count(live.dropped));
        arrive.push(Span::styled(
            said,
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        ));
    }
    let answered = vec![
        Span::styled("answered ", DIM),
        Span::styled(per_second(live.last.rate), BOLD),
        Span::styled(format!("  {} in all", count(live.answered())), DIM),
    ];
    frame.render_widget(
        Paragraph::new(vec![Line::from(arrive), Line::from(answered)]),
        figures,
    );
    let first = live.rates.len().saturating_sub(line.width as usize);
    let spark = Sparkline::default()
        .data(&live.rates[first..])
        .style(Style::new().fg(Color::Cyan));
    frame.render_widget(spark, line);
}

/// Percentiles of the last interval and of the run so far.
pub(super) fn latency(frame: &mut Frame<'_>, area: Rect, live: &Live) {
    let parts = |of: &Quantiles| [of.p50, of.p99, of.p999, of.max];
    let (last, whole, service) = (
        parts(&live.last.response),
        parts(&live.whole),
        parts(&live.service),
    );
    let names = ["p50", "p99", "p99.9", "max"];
    let rows = (0..names.len()).map(|place| {
        Row::new([
            Line::styled(names[place], DIM),
            Line::styled(time(last[place]), BOLD).right_aligned(),
            Line::raw(time(whole[place])).right_aligned(),
            Line::raw(time(service[place])).right_aligned(),
        ])
    });
    let head =
        ["", "now", "whole run", "service"].map(|name| Line::styled(name, DIM).right_aligned());
    let widths = [5, 9, 10, 9].map(Constraint::Length);
    let table = Table::new(rows, widths)
        .header(Row::new(head))
        .block(panel("latency"));
    frame.render_widget(table, area);
}

/// Outcomes, the most frequent first.
pub(super) fn outcomes(frame: &mut Frame<'_>, area: Rect, live: &Live) {
    let block = panel("outcomes");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let mut came: Vec<(Outcome, u64)> = Outcome::ALL
        .into_iter()
        .zip(live.outcomes)
        .filter(|(_, number)| *number > 0)
        .collect();
    // Errors come first, so that a low panel does not hide them.
    came.sort_by_key(|(outcome, number)| (!outcome.is_error(), std::cmp::Reverse(*number)));
    let all = live.outcomes.iter().sum::<u64>().max(1);
    let room = (inside.width as usize).saturating_sub(34);
    let line = |(outcome, number): &(Outcome, u64)| {
        let share = *number as f64 / all as f64;
        let bar = "█".repeat((share * room as f64).round() as usize);
        let name = outcome.name().replace('_', " ");
        Line::from(vec![
            Span::raw(format!("{name:<15}")),
            Span::styled(format!("{:>10}", count(*number)), BOLD),
            Span::styled(format!("{:>7.1}% ", 100.0 * share), DIM),
            Span::styled(bar, Style::new().fg(colour(*outcome))),
        ])
    };
    frame.render_widget(
        Paragraph::new(came.iter().map(line).collect::<Vec<_>>()),
        inside,
    );
}

fn colour(outcome: Outcome) -> Color {
    match outcome {
        Outcome::Reserved | Outcome::Replayed => Color::Green,
        Outcome::Confirmed | Outcome::ConfirmedLate => Color::Blue,
        Outcome::Released | Outcome::Read => Color::Cyan,
        Outcome::SoldOut | Outcome::Closed => Color::Gray,
        Outcome::Expired | Outcome::Limited | Outcome::Refused => Color::Yellow,
        Outcome::Overloaded | Outcome::TimedOut | Outcome::Broken | Outcome::Error => Color::Red,
    }
}

/// The hot SKUs selling out: sold, held and free, out of all there are.
pub(super) fn stock(frame: &mut Frame<'_>, area: Rect, live: &Live) {
    let legend = Line::styled(" █ sold ▓ held ░ left ", DIM).right_aligned();
    let block = panel("hot SKUs").title(legend);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let shown = live.skus.iter().take(inside.height as usize);
    let width = inside.width as usize;
    let lines: Vec<Line<'_>> = shown.map(|sku| stock_line(sku, width)).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn stock_line(sku: &SkuNow, width: usize) -> Line<'_> {
    let units = |number: i64| number.max(0) as u64;
    let (sold, held, free) = (units(sku.sold), units(sku.reserved), units(sku.available));
    let said = match free {
        0 if sold + held > 0 => "sold out".to_owned(),
        free => format!("{} left", count(free)),
    };
    let room = width.saturating_sub(18 + 14) as u64;
    let all = (sold + held + free).max(1);
    let sold_until = sold * room / all;
    let held_until = (sold + held) * room / all;
    let bar = |cells: u64, letter: &str| letter.repeat(cells as usize);
    // The end of a name tells more than its begin.
    let skipped = sku.sku.chars().count().saturating_sub(17);
    let name: String = sku.sku.chars().skip(skipped).collect();
    let style = if free == 0 {
        Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
    } else {
        BOLD
    };
    Line::from(vec![
        Span::raw(format!("{name:<18}")),
        Span::styled(bar(sold_until, "█"), Style::new().fg(Color::Blue)),
        Span::styled(
            bar(held_until - sold_until, "▓"),
            Style::new().fg(Color::Yellow),
        ),
        Span::styled(bar(room - held_until, "░"), Style::new().fg(Color::Green)),
        Span::styled(format!("{said:>14}"), style),
    ])
}
