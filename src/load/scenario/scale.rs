//! A scenario run at another rate, or for another time, than its file says.

use super::{Phase, Scenario};

impl Scenario {
    /// The same course with `rate` arrivals a second at its highest, all others in proportion.
    #[must_use]
    pub fn at_rate(mut self, rate: f64) -> Self {
        let by = rate / self.rate_max();
        for phase in &mut self.phases {
            match phase {
                Phase::Constant { rate, .. } => *rate *= by,
                Phase::Ramp { from, to, .. } => {
                    *from *= by;
                    *to *= by;
                }
                Phase::Spike { rate, peak, .. } => {
                    *rate *= by;
                    *peak *= by;
                }
            }
        }
        self
    }

    /// The same course in so many seconds, all phases and kills in proportion.
    #[must_use]
    pub fn lasting(mut self, whole: f64) -> Self {
        let by = whole / self.seconds();
        for phase in &mut self.phases {
            match phase {
                Phase::Constant { seconds, .. } | Phase::Ramp { seconds, .. } => *seconds *= by,
                Phase::Spike {
                    seconds,
                    peak_seconds,
                    ..
                } => {
                    *seconds *= by;
                    *peak_seconds *= by;
                }
            }
        }
        for kill in &mut self.kills {
            kill.at_ms = (kill.at_ms as f64 * by) as u64;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;

    #[test]
    fn rate_and_duration_scale_the_course_and_keep_its_shape() {
        let (scenario, _) = find("flash-sale").expect("it is built in");
        let (rate, seconds) = (scenario.rate_max(), scenario.seconds());
        let first = scenario.phases[0].rate_max();
        let other = scenario.at_rate(100.0).lasting(2.0);
        assert!((other.rate_max() - 100.0).abs() < 1e-6);
        assert!((other.seconds() - 2.0).abs() < 1e-6);
        assert!((other.phases[0].rate_max() - first * 100.0 / rate).abs() < 1e-6);
        assert!(seconds > 2.0);
    }
}
