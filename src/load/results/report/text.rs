//! Small pieces of text and markup that plots and tables share.
//!
//! Deliberately absent: layout.

use crate::load::record::Outcome;

/// Letters of a heading.
const HEADING_MAX: usize = 40;

/// Text as HTML and SVG want it, in content and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            other => out.push(other),
        }
    }
    out
}

/// A name as a heading of a small plot: what is long loses its middle, which hovering shows.
pub(super) fn heading(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= HEADING_MAX {
        return format!("<b>{}</b>", escape(name));
    }
    let half = HEADING_MAX / 2;
    let from: String = letters[..half].iter().collect();
    let to: String = letters[letters.len() - half + 1..].iter().collect();
    let short = escape(&format!("{from}…{to}"));
    format!("<b title=\"{}\">{short}</b>", escape(name))
}

/// A number on an axis: `0`, `0.5`, `250`, `2.5k`, `1.5M`.
pub(super) fn amount(number: f64) -> String {
    let short = |number: f64, unit: &str| {
        let text = format!("{number:.2}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match number.abs() {
        1_000_000.0.. => short(number / 1_000_000.0, "M"),
        1_000.0.. => short(number / 1_000.0, "k"),
        _ => short(number, ""),
    }
}

/// Milliseconds on an axis: `100 µs`, `10 ms`, `1 s`.
pub(super) fn axis_time(millis: f64) -> String {
    match millis {
        ..1.0 => format!("{} µs", amount(millis * 1_000.0)),
        1.0..1_000.0 => format!("{} ms", amount(millis)),
        _ => format!("{} s", amount(millis / 1_000.0)),
    }
}

/// Names, colours and shapes of what a plot shows.
pub(super) fn legend(names: impl IntoIterator<Item = (String, String, &'static str)>) -> String {
    let item = |(name, colour, class): (String, String, &str)| {
        let paint = if class.starts_with('l') {
            "border-color"
        } else {
            "background"
        };
        format!(
            "<span><i class=\"{class}\" style=\"{paint}:var({colour})\"></i>{}</span>",
            escape(&name)
        )
    };
    let items: String = names.into_iter().map(item).collect();
    format!("<div class=\"legend\">{items}</div>")
}

/// The variable that holds an outcome's colour.
pub(super) fn colour_of(outcome: Outcome) -> String {
    format!("--o-{}", outcome.name())
}

/// An outcome in words.
pub(super) fn outcome_words(outcome: Outcome) -> String {
    outcome.name().replace('_', " ")
}
