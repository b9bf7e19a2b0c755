//! Axes, grids and curves as SVG text.
//!
//! Deliberately absent: colours and fonts, which the page's style gives by class and variable; and
//! scripts: what is hovered over shows its `<title>`.

use super::text::escape;

/// Where a value lies along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// From, to.
    Linear(f64, f64),
    /// From, to, both above zero.
    Log(f64, f64),
}

impl Scale {
    /// Whole decades around positive values.
    pub(super) fn decades(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let ends = positive.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        let (low, high) = ends.unwrap_or((1.0, 10.0));
        let low = 10_f64.powf(low.log10().floor());
        let high = 10_f64.powf(high.log10().ceil());
        Self::Log(low, if high <= low { low * 10.0 } else { high })
    }

    /// From zero to a round number above.
    pub(super) fn from_zero(top: f64) -> Self {
        let top = if top > 0.0 { top } else { 1.0 };
        let step = step(top);
        Self::Linear(0.0, (top / step).ceil() * step)
    }

    /// 0 at its begin, 1 at its end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear(from, to) => (value - from) / (to - from),
            Self::Log(from, to) => {
                (value.max(from).log10() - from.log10()) / (to.log10() - from.log10())
            }
        };
        place.clamp(0.0, 1.0)
    }

    /// Round numbers along it.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(from, to) => {
                let step = step(to - from);
                let count = ((to - from) / step).round() as u32;
                (0..=count)
                    .map(|place| from + step * f64::from(place))
                    .collect()
            }
            Self::Log(from, to) => {
                let (low, high) = (from.log10().round() as i32, to.log10().round() as i32);
                (low..=high).map(|power| 10_f64.powi(power)).collect()
            }
        }
    }
}

/// A round step that gives about five parts.
fn step(span: f64) -> f64 {
    let rough = span / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let fits = steps.into_iter().find(|step| *step >= rough * 0.999);
    let step = fits.unwrap_or(10.0 * power);
    // Whole things have no half.
    if span >= 4.0 { step.max(1.0) } else { step }
}

/// A drawing with room for labels around the plot.
#[derive(Debug)]
pub(super) struct Plot {
    body: String,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
}

impl Plot {
    /// `top` is the room above for phases and marks.
    pub(super) fn new((width, height): (f64, f64), top: f64, x: Scale, y: Scale) -> Self {
        Self {
            body: String::new(),
            width,
            height,
            left: 62.0,
            right: width - 22.0,
            top,
            bottom: height - 28.0,
            x,
            y,
        }
    }

    pub(super) fn x(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (self.right - self.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }

    pub(super) fn ends(&self) -> (f64, f64, f64, f64) {
        (self.left, self.right, self.top, self.bottom)
    }

    pub(super) fn push(&mut self, piece: &str) {
        self.body.push_str(piece);
    }

    /// Horizontal lines with their labels.
    pub(super) fn rows(&mut self, label: impl Fn(f64) -> String) {
        for tick in self.y.ticks() {
            let (y, left, right) = (self.y(tick), self.left, self.right);
            let class = if (y - self.bottom).abs() < 0.5 {
                "axis"
            } else {
                "grid"
            };
            self.line(class, (left, y), (right, y));
            self.text(("", "end"), (left - 8.0, y + 4.0), &label(tick));
        }
    }

    /// Vertical lines with their labels below.
    pub(super) fn columns(&mut self, ticks: &[(f64, String)]) {
        for (tick, label) in ticks {
            let (x, top, bottom) = (self.x(*tick), self.top, self.bottom);
            self.line("grid", (x, top), (x, bottom));
            self.text(("", "middle"), (x, bottom + 18.0), label);
        }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        put!(
            self.body,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0,
            from.1,
            to.0,
            to.1
        );
    }

    pub(super) fn text(&mut self, (class, anchor): (&str, &str), at: (f64, f64), text: &str) {
        let class = if class.is_empty() {
            String::new()
        } else {
            format!(" class=\"{class}\"")
        };
        put!(
            self.body,
            "<text{class} x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            at.0,
            at.1,
            escape(text)
        );
    }

    /// A curve through pieces of points; a piece with one point is a dot.
    pub(super) fn curve(&mut self, class: &str, colour: &str, pieces: &[Vec<(f64, f64)>]) {
        let mut path = String::new();
        for piece in pieces {
            for (place, (x, y)) in piece.iter().enumerate() {
                let letter = if place == 0 { 'M' } else { 'L' };
                put!(path, "{letter}{:.1} {:.1}", self.x(*x), self.y(*y));
            }
            if piece.len() == 1 {
                path += "h0.1";
            }
        }
        put!(
            self.body,
            "<path class=\"curve {class}\" style=\"stroke:var({colour})\" d=\"{path}\"/>"
        );
    }

    /// Steps between a lower and an upper bound: from, to, low, high.
    pub(super) fn area(&mut self, colour: &str, steps: &[(f64, f64, f64, f64)]) {
        let mut path = String::new();
        for (from, to, low, high) in steps {
            if high > low {
                let (left, right) = (self.x(*from), self.x(*to));
                let (bottom, top) = (self.y(*low), self.y(*high));
                put!(
                    path,
                    "M{left:.2} {bottom:.1}V{top:.1}H{right:.2}V{bottom:.1}Z"
                );
            }
        }
        if !path.is_empty() {
            put!(
                self.body,
                "<path style=\"fill:var({colour})\" d=\"{path}\"/>"
            );
        }
    }

    /// A strip from top to bottom that says `title` when hovered over.
    pub(super) fn hit(&mut self, from: f64, to: f64, title: &str) {
        let (left, right) = (self.x(from), self.x(to));
        put!(
            self.body,
            "<rect class=\"hit\" x=\"{left:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\"><title>{}</title></rect>",
            self.top,
            (right - left).max(0.5),
            self.bottom - self.top,
            escape(title)
        );
    }

    /// The drawing; `what` is read to those who can't see it.
    pub(super) fn finish(self, what: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            self.width,
            self.height,
            escape(what),
            self.body
        )
    }
}

/// Times along the run with their labels: seconds up to two minutes, minutes beyond.
pub(super) fn time_ticks(end: f64) -> Vec<(f64, String)> {
    const STEPS: [f64; 18] = [
        0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0,
        1800.0, 3600.0, 7200.0,
    ];
    let step = STEPS
        .into_iter()
        .find(|step| end / step <= 12.0)
        .unwrap_or(14_400.0);
    let label = |at: f64| {
        let (minutes, seconds) = ((at / 60.0).floor(), at % 60.0);
        match end {
            120.0.. if step >= 60.0 => format!("{minutes} min"),
            120.0.. => format!("{minutes}:{seconds:02.0}"),
            _ if step < 0.1 => format!("{at:.2} s"),
            _ if step < 1.0 => format!("{at:.1} s"),
            _ => format!("{at} s"),
        }
    };
    let last = (end / step).floor() as u32;
    (0..=last)
        .map(|place| step * f64::from(place))
        .map(|at| (at, label(at)))
        .collect()
}
