//! The plot: a bar for each case, reserves a second on a logarithmic scale, the range as a line.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::figures::Bar;

const PLOT: &str = "docs/comparison.svg";
const LEFT: f64 = 330.0;
const WIDTH: f64 = 560.0;
const ROW: f64 = 34.0;
const TOP: f64 = 30.0;

/// Writes the plot beside the page.
pub(crate) fn write(root: &Path, bars: &[Bar]) -> io::Result<()> {
    fs::write(root.join(PLOT), draw(bars))
}

fn draw(bars: &[Bar]) -> String {
    let rates = || {
        bars.iter()
            .flat_map(|bar| bar.rate)
            .filter(|rate| *rate > 0.0)
    };
    let decade = |rate: f64| rate.log10().floor() as i32;
    let low = rates().map(decade).min().unwrap_or(0);
    let high = rates().map(decade).max().unwrap_or(0) + 1;
    let x = |rate: f64| {
        let share = (rate.max(1.0).log10() - f64::from(low)) / f64::from(high - low);
        LEFT + WIDTH * share.clamp(0.0, 1.0)
    };
    let bottom = TOP + ROW * bars.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        LEFT + WIDTH + 90.0,
        bottom + 40.0
    );
    for decade in low..=high {
        let at = x(10_f64.powi(decade));
        let label = label(10_f64.powi(decade));
        line(&mut svg, [at, TOP - 8.0, at, bottom], "#ddd", 1.0);
        text(&mut svg, at, bottom + 18.0, "middle", &label);
    }
    for (row, bar) in bars.iter().enumerate() {
        let middle = TOP + ROW * (row as f64 + 0.5);
        let [median, least, most] = bar.rate;
        let fill = if bar.is_ours { "#1f6feb" } else { "#9aa4af" };
        writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"20\" fill=\"{fill}\"/>",
            middle - 10.0,
            x(median) - LEFT
        )
        .expect("a String takes all");
        line(&mut svg, [x(least), middle, x(most), middle], "#111", 2.0);
        text(&mut svg, LEFT - 10.0, middle + 4.0, "end", bar.name);
        text(
            &mut svg,
            x(most) + 8.0,
            middle + 4.0,
            "start",
            &label(median),
        );
    }
    let caption = "reserves a second, median and range of the rounds; each step is ten times";
    text(&mut svg, LEFT, bottom + 35.0, "start", caption);
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str, width: f64) {
    writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" \
         stroke-width=\"{width}\"/>"
    )
    .expect("a String takes all");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#111\">{words}</text>"
    )
    .expect("a String takes all");
}

fn label(rate: f64) -> String {
    if rate < 1_000.0 {
        format!("{rate:.0}")
    } else if rate < 1_000_000.0 {
        format!("{:.0} k", rate / 1_000.0)
    } else {
        format!("{:.1} M", rate / 1_000_000.0)
    }
}
