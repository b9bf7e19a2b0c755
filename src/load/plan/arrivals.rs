//! When buyers arrive: a point process whose rate follows the phases.
//!
//! The rate is integrated over time, points are set on that integral, at equal distances or with
//! exponential ones, and mapped back to time: a Poisson process of any course (Cinlar, 1975).

use std::{iter::FusedIterator, time::Duration};

use super::draw::Draw;
use crate::load::scenario::{Phase, Process, Scenario};

/// The times of arrival, from the begin of the run, in order.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Straight pieces: seconds, rate at the begin, rate at the end.
    pieces: Vec<(f64, f64, f64)>,
    piece: usize,
    /// When the piece under way began, in seconds.
    began: f64,
    /// How many arrivals were before it.
    before: f64,
    /// Where the next arrival stands on the integral.
    at: f64,
    spacing: Spacing,
}

#[derive(Clone, Debug)]
enum Spacing {
    Poisson(Draw),
    Even,
}

impl Schedule {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let (at, spacing) = match scenario.arrivals.process {
            Process::Poisson => {
                let mut draw = Draw::of(seed, 0, 4);
                (draw.exponential(), Spacing::Poisson(draw))
            }
            Process::Even => (0.5, Spacing::Even),
        };
        Self {
            pieces: scenario.phases.iter().flat_map(Phase::pieces).collect(),
            piece: 0,
            began: 0.0,
            before: 0.0,
            at,
            spacing,
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let &(seconds, from, to) = self.pieces.get(self.piece)?;
            let arrivals = seconds * (from + to) / 2.0;
            let into = self.at - self.before;
            if into >= arrivals {
                self.before += arrivals;
                self.began += seconds;
                self.piece += 1;
                continue;
            }
            // from·t + (to − from)·t²/(2·seconds) = into, in the form that is exact for a flat one.
            let slope = (to - from) / seconds;
            let t = 2.0 * into / (from + (from * from + 2.0 * slope * into).max(0.0).sqrt());
            self.at += match &mut self.spacing {
                Spacing::Poisson(draw) => draw.exponential(),
                Spacing::Even => 1.0,
            };
            return Some(Duration::from_secs_f64(self.began + t));
        }
    }
}

impl FusedIterator for Schedule {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::scenario::read;

    fn times(process: &str) -> Vec<f64> {
        let text = format!(
            "name = \"x\"\nstock.units = 1\narrivals.process = \"{process}\"\n\
             [[phases]]\nkind = \"ramp\"\nseconds = 10\nfrom = 0\nto = 1000\n\
             [[phases]]\nkind = \"spike\"\nseconds = 10\nrate = 100\npeak = 900\npeak_seconds = 2\n"
        );
        let scenario = read(&text, "x").expect("it is whole");
        let times = Schedule::new(&scenario, 1).map(|at| at.as_secs_f64());
        times.collect()
    }

    fn count(times: &[f64], from: f64, to: f64) -> usize {
        times.iter().filter(|at| (from..to).contains(*at)).count()
    }

    #[test]
    fn arrivals_follow_the_phases() {
        let even = times("even");
        assert_eq!(even.len(), 5_000 + 800 + 1_800);
        assert!(even.is_sorted());
        // A quarter of a ramp's arrivals come in its first half.
        assert_eq!(count(&even, 0.0, 5.0), 1_250);
        assert_eq!(count(&even, 14.0, 16.0), 1_800);
        assert_eq!(count(&even, 16.0, 20.0), 400);
    }

    #[test]
    fn people_come_each_on_their_own() {
        let poisson = times("poisson");
        assert!(poisson.is_sorted());
        let all = poisson.len() as f64;
        assert!((all - 7_600.0).abs() < 4.0 * 7_600_f64.sqrt(), "{all}");
        // In 200 spans of 10 expected arrivals the variance is about the mean.
        let spans: Vec<f64> = (0..40)
            .map(|at| 16.0 + f64::from(at) * 0.1)
            .map(|from| count(&poisson, from, from + 0.1) as f64)
            .collect();
        let mean = spans.iter().sum::<f64>() / 40.0;
        let variance = spans.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 39.0;
        assert!((5.0..18.0).contains(&variance), "{variance} beside {mean}");
    }
}
