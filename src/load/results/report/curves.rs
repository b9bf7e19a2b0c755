//! Latency by percentile, on scales where the tail has room.
//!
//! Deliberately absent: histograms; the summary's curves are as fine as a screen.

use super::{
    svg::{Plot, Scale},
    text::{axis_time, legend},
};
use crate::load::results::{Summary, summary::time};

const SIZE: (f64, f64) = (1076.0, 320.0);
/// Colours of calls and runs, again from the first when there are more.
const COLOURS: [&str; 8] = [
    "--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7",
];

/// One curve.
struct Curve<'a> {
    name: String,
    colour: &'static str,
    class: &'static str,
    points: &'a [(f64, f64)],
}

/// Response and service time of one run: all calls, then call by call.
pub(super) fn of_run(of: &Summary) -> String {
    let mut curves = Vec::new();
    let each: Vec<_> = of
        .latency
        .iter()
        .filter(|(name, _)| *name != "all")
        .collect();
    let is_one_call = each.len() == 1;
    if let Some(all) = of.latency.get("all") {
        let response = ("all calls, response", "--c0", all.response.curve.as_slice());
        let service = ("all calls, service", "--c1", all.service.curve.as_slice());
        for (name, colour, points) in [response, service] {
            curves.push(Curve {
                name: name.to_owned(),
                colour,
                class: "",
                points,
            });
        }
    }
    if !is_one_call {
        for ((name, latency), colour) in each.into_iter().zip(COLOURS[2..].iter().cycle()) {
            let points = latency.response.curve.as_slice();
            curves.push(Curve {
                name: format!("{name}, response"),
                colour,
                class: "thin dash",
                points,
            });
        }
    }
    draw(&curves)
}

/// Response time of several runs.
pub(super) fn of_runs(runs: &[Summary]) -> String {
    let all = runs.iter().enumerate().zip(COLOURS.iter().cycle());
    let curve = |((place, run), colour): ((usize, &'_ Summary), &&'static str)| {
        let points = run
            .latency
            .get("all")
            .map_or(&[][..], |all| all.response.curve.as_slice());
        (format!("run {}", place + 1), *colour, points.to_vec())
    };
    let kept: Vec<_> = all.map(curve).collect();
    let curves: Vec<_> = kept
        .iter()
        .map(|(name, colour, points)| Curve {
            name: name.clone(),
            colour,
            class: "thin",
            points,
        })
        .collect();
    draw(&curves)
}

/// Shares are spread by how many nines they have.
fn nines(share: f64) -> f64 {
    -(1.0 - share).max(1e-9).log10()
}

fn draw(curves: &[Curve<'_>]) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points);
    if points().next().is_none() {
        return "<p class=\"soft\">Nothing was answered.</p>".to_owned();
    }
    let longest = points()
        .filter(|(share, _)| *share < 1.0)
        .map(|(share, _)| nines(*share));
    let end = longest.fold(1.0, f64::max).ceil() + 0.15;
    let y = Scale::decades(points().map(|(_, millis)| *millis));
    let mut plot = Plot::new(SIZE, 10.0, Scale::Linear(0.0, end), y);
    plot.rows(axis_time);
    let labels = [
        "0 %",
        "90 %",
        "99 %",
        "99.9 %",
        "99.99 %",
        "99.999 %",
        "99.9999 %",
        "99.99999 %",
    ];
    let mut ticks: Vec<(f64, String)> = labels
        .iter()
        .enumerate()
        .map(|(nines, label)| (nines as f64, (*label).to_owned()))
        .collect();
    ticks.insert(1, (nines(0.5), "50 %".to_owned()));
    ticks.retain(|(nines, _)| *nines <= end);
    plot.columns(&ticks);
    for curve in curves {
        // The slowest of all lies where the share would be of the last one.
        let place = |(share, millis): &(f64, f64)| {
            (if *share < 1.0 { nines(*share) } else { end }, *millis)
        };
        let points: Vec<_> = curve.points.iter().map(place).collect();
        plot.curve(curve.class, curve.colour, &[points]);
    }
    hits(&mut plot, curves, end);
    let names = curves.iter().map(|curve| {
        let class = if curve.class.contains("dash") {
            "l d"
        } else {
            "l"
        };
        (curve.name.clone(), curve.colour.to_owned(), class)
    });
    legend(names) + &plot.finish("Latency by percentile")
}

fn hits(plot: &mut Plot, curves: &[Curve<'_>], end: f64) {
    let Some(longest) = curves
        .iter()
        .map(|curve| curve.points)
        .max_by_key(|points| points.len())
    else {
        return;
    };
    for (share, _) in longest {
        let at = if *share < 1.0 { nines(*share) } else { end };
        let mut said = vec![match *share {
            1.0.. => "the slowest".to_owned(),
            share => format!("{} %", (share * 1e8).round() / 1e6),
        }];
        for curve in curves {
            if let Some((_, millis)) = curve.points.iter().find(|(own, _)| own >= share) {
                said.push(format!("{} {}", curve.name, time(*millis)));
            }
        }
        plot.hit(at - 0.05, at + 0.05, &said.join("\n"));
    }
}
