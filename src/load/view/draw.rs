//! The screen: where each panel goes.
//!
//! Deliberately absent: reading anything but what it is given, so that tests can draw it too.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, BorderType, LineGauge, Padding, Paragraph},
};

use super::{Title, lines::clock, panels};
use crate::load::record::Live;

/// Panels that would be lower than this are left out.
const PANEL_MIN: u16 = 4;

pub(super) const DIM: Style = Style::new().fg(Color::DarkGray);

/// Draws the run as it stands.
pub(super) fn draw(frame: &mut Frame<'_>, live: &Live, title: &Title, is_quitting: bool) {
    let skus = (live.skus.len() as u16).min(6);
    let marks = (live.marks.len() as u16).min(3);
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(8),
        Constraint::Min(PANEL_MIN),
        Constraint::Length(if skus > 0 { skus + 2 } else { 0 }),
        Constraint::Length(marks),
        Constraint::Length(1),
    ]);
    let [head, progress, figures, outcomes, stock, happened, foot] = rows.areas(frame.area());
    self::head(frame, head, live, title);
    self::progress(frame, progress, live, title);
    let [rate, latency] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(42)]).areas(figures);
    panels::rate(frame, rate, live);
    panels::latency(frame, latency, live);
    panels::outcomes(frame, outcomes, live);
    if skus > 0 {
        panels::stock(frame, stock, live);
    }
    self::marks(frame, happened, live);
    let said = if is_quitting {
        " stopping: no more buyers come"
    } else {
        " q or Ctrl-C ends the run early"
    };
    frame.render_widget(Paragraph::new(said).style(DIM), foot);
}

/// A frame with a name.
pub(super) fn panel(name: &str) -> Block<'_> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(DIM)
        .padding(Padding::horizontal(1))
        .title(Span::styled(
            format!(" {name} "),
            Style::new().add_modifier(Modifier::BOLD),
        ))
}

fn head(frame: &mut Frame<'_>, area: Rect, live: &Live, title: &Title) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut said = vec![Span::styled(format!(" {}", title.scenario), bold)];
    for what in [&title.target, &title.model] {
        if !what.is_empty() {
            said.push(Span::styled(format!("  {what}"), DIM));
        }
    }
    let clock = format!("{} ", clock(live, title));
    let sides = [
        Constraint::Fill(1),
        Constraint::Length(clock.chars().count() as u16),
    ];
    let [left, right] = Layout::horizontal(sides).areas(area);
    frame.render_widget(Line::from(said), left);
    frame.render_widget(Paragraph::new(clock).right_aligned(), right);
}

fn progress(frame: &mut Frame<'_>, area: Rect, live: &Live, title: &Title) {
    let share = title.planned.map_or(0.0, |planned| {
        live.elapsed.as_secs_f64() / planned.as_secs_f64().max(0.001)
    });
    let phase = live
        .phase
        .as_ref()
        .map_or_else(String::new, |phase| format!(" {}", phase.name));
    let gauge = LineGauge::default()
        .label(phase)
        .ratio(share.clamp(0.0, 1.0))
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(DIM);
    frame.render_widget(gauge, area);
}

/// The last of what happened.
fn marks(frame: &mut Frame<'_>, area: Rect, live: &Live) {
    let first = live.marks.len().saturating_sub(area.height as usize);
    let line = |mark: &crate::load::record::Mark| {
        let at = format!(" {:>6.1} s  ", mark.at.as_secs_f64());
        Line::from(vec![
            Span::styled(at, DIM),
            Span::styled(mark.what.clone(), Style::new().fg(Color::Red)),
        ])
    };
    let shown: Vec<Line<'_>> = live.marks[first..].iter().map(line).collect();
    frame.render_widget(Paragraph::new(shown), area);
}
