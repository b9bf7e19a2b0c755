//! The bounds of a scenario's values, each named as it stands in the file.

use super::{Payment, Phase, Popularity, Scenario};

/// A value out of its bounds.
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) value: String,
    pub(super) instead: &'static str,
}

/// Arrivals in one run at most: numbers of 32 bits name them.
const ARRIVALS_MAX: f64 = 1e9;

impl Scenario {
    /// Checks every bound.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        check(!self.name.is_empty(), "name", &"\"\"", "give it a name")?;
        self.check_thresholds()?;
        self.check_phases()?;
        let connections = self.arrivals.connections_max;
        within(
            "arrivals.connections_max",
            u64::from(connections),
            1,
            16_384,
            "use 1 to 16384",
        )?;
        within(
            "stock.skus",
            u64::from(self.stock.skus),
            1,
            1_000_000,
            "use 1 to 1000000",
        )?;
        within(
            "stock.units",
            self.stock.units,
            0,
            1_000_000_000,
            "use 0 to 1000000000",
        )?;
        if let Some(limit) = self.stock.customer_limit {
            within(
                "stock.customer_limit.units",
                u64::from(limit.units),
                1,
                1_000_000,
                "use 1 to 1000000",
            )?;
            within(
                "stock.customer_limit.window_ms",
                limit.window_ms,
                1,
                u64::MAX,
                "use 1 or more",
            )?;
        }
        self.check_wants()?;
        self.check_buyers()?;
        self.check_kills()
    }

    fn check_thresholds(&self) -> Result<(), Wrong> {
        for (at, threshold) in self.thresholds.iter().enumerate() {
            let fits = crate::load::threshold::parse(threshold).is_ok();
            let instead = "write a measure, a comparison and a value, as in \
                \"response.p99 < 20ms\"";
            check(fits, &format!("thresholds[{at}]"), threshold, instead)?;
        }
        Ok(())
    }

    fn check_phases(&self) -> Result<(), Wrong> {
        check(
            !self.phases.is_empty(),
            "phases",
            &"empty",
            "write at least one [[phases]]",
        )?;
        let mut arrivals = 0.0;
        for (at, phase) in self.phases.iter().enumerate() {
            let field = |name: &str| format!("phases[{at}].{name}");
            let long = phase.seconds();
            let fits = long.is_finite() && long > 0.0 && long <= 86_400.0;
            check(fits, &field("seconds"), &long, "use more than 0, to 86400")?;
            let rates = match phase {
                Phase::Constant { rate, .. } => vec![("rate", *rate)],
                Phase::Ramp { from, to, .. } => vec![("from", *from), ("to", *to)],
                Phase::Spike { rate, peak, .. } => vec![("rate", *rate), ("peak", *peak)],
            };
            for (name, rate) in rates {
                let fits = (0.0..=10_000_000.0).contains(&rate);
                check(fits, &field(name), &rate, "use 0 to 10000000")?;
            }
            if let Phase::Spike { peak_seconds, .. } = phase {
                let fits = *peak_seconds > 0.0 && *peak_seconds <= long;
                let instead = "use more than 0, to the phase's seconds";
                check(fits, &field("peak_seconds"), peak_seconds, instead)?;
            }
            let pieces = phase.pieces();
            let these = pieces.iter().map(|(long, from, to)| long * (from + to));
            arrivals += these.sum::<f64>() / 2.0;
        }
        let instead = "let one buyer arrive at least";
        let sum = format!("{arrivals:.3} arrivals in all");
        check(arrivals >= 1.0, "phases", &sum, instead)?;
        let fits = arrivals <= ARRIVALS_MAX;
        check(
            fits,
            "phases",
            &arrivals,
            "ask for a billion arrivals at most",
        )
    }

    fn check_wants(&self) -> Result<(), Wrong> {
        match &self.popularity {
            Popularity::OneHot { share: part } => share("popularity.share", *part)?,
            Popularity::Zipf { exponent } => {
                let fits = (0.0..=10.0).contains(exponent);
                check(fits, "popularity.exponent", exponent, "use 0 to 10")?;
            }
            Popularity::Uniform => {}
            Popularity::Baskets { file } => {
                check(!file.is_empty(), "popularity.file", file, "name a file")?;
            }
        }
        let basket = self.basket;
        let [lines_min, lines_max, units_min, units_max] = [
            basket.lines_min,
            basket.lines_max,
            basket.units_min,
            basket.units_max,
        ]
        .map(u64::from);
        within("basket.lines_min", lines_min, 1, 200, "use 1 to 200")?;
        let instead = "use basket.lines_min to 200";
        within("basket.lines_max", lines_max, lines_min, 200, instead)?;
        if !matches!(self.popularity, Popularity::Baskets { .. }) {
            let (skus, instead) = (u64::from(self.stock.skus), "use stock.skus at most");
            within("basket.lines_max", lines_max, 1, skus, instead)?;
        }
        within("basket.units_min", units_min, 1, 10_000, "use 1 to 10000")?;
        let instead = "use basket.units_min to 10000";
        within("basket.units_max", units_max, units_min, 10_000, instead)?;
        share("looks.share", self.looks.share)?;
        within(
            "looks.skus",
            u64::from(self.looks.skus),
            1,
            200,
            "use 1 to 200",
        )
    }

    fn check_buyers(&self) -> Result<(), Wrong> {
        let buyers = self.buyers;
        share("buyers.abandon", buyers.abandon)?;
        share("buyers.release", buyers.release)?;
        share("buyers.late", buyers.late)?;
        let sum = buyers.abandon + buyers.release + buyers.late;
        let instead = "let abandon, release and late sum to 1 at most";
        check(sum <= 1.0 + 1e-9, "buyers", &sum, instead)?;
        let (most, instead) = (86_400_000, "use 1 to 86400000");
        within("buyers.ttl_ms", buyers.ttl_ms, 1, most, instead)?;
        within("buyers.late_by_ms", buyers.late_by_ms, 1, most, instead)?;
        self.check_payment()?;
        let again = self.duplicates;
        share("duplicates.reserve_after", again.reserve_after)?;
        share("duplicates.reserve_at_once", again.reserve_at_once)?;
        share("duplicates.confirm_after", again.confirm_after)?;
        share("duplicates.confirm_at_once", again.confirm_at_once)?;
        share("bots.share", self.bots.share)?;
        let customers = u64::from(self.bots.customers);
        within("bots.customers", customers, 1, 1_000_000, "use 1 or more")?;
        let client = self.client;
        within("client.timeout_ms", client.timeout_ms, 1, most, instead)?;
        within("client.backoff_ms", client.backoff_ms, 1, most, instead)?;
        let (field, least) = ("client.backoff_max_ms", client.backoff_ms);
        within(
            field,
            client.backoff_max_ms,
            least,
            most,
            "use client.backoff_ms or more",
        )?;
        within("client.patience_ms", client.patience_ms, 1, most, instead)?;
        within(
            "server.retention_ms",
            self.server.retention_ms,
            1_000,
            most,
            "use 1000 to 86400000",
        )
    }

    fn check_payment(&self) -> Result<(), Wrong> {
        let time = |field: &str, ms: f64| {
            let fits = (0.0..=86_400_000.0).contains(&ms);
            check(fits, field, &ms, "use 0 to 86400000")
        };
        match self.payment {
            Payment::Fixed { ms } => time("payment.ms", ms),
            Payment::Uniform { min_ms, max_ms } => {
                time("payment.min_ms", min_ms)?;
                time("payment.max_ms", max_ms)?;
                let instead = "use payment.min_ms or more";
                check(min_ms <= max_ms, "payment.max_ms", &max_ms, instead)
            }
            Payment::Exponential { mean_ms } => time("payment.mean_ms", mean_ms),
            Payment::Lognormal { median_ms, sigma } => {
                time("payment.median_ms", median_ms)?;
                let fits = (0.0..=5.0).contains(&sigma);
                check(fits, "payment.sigma", &sigma, "use 0 to 5")
            }
        }
    }

    fn check_kills(&self) -> Result<(), Wrong> {
        let end = (self.seconds() * 1e3) as u64;
        let mut up_from = 0;
        for (at, kill) in self.kills.iter().enumerate() {
            let instead = "use a moment while buyers come, after the kill before it and its \
                down_ms, in order";
            let fits = (up_from..end).contains(&kill.at_ms);
            check(fits, &format!("kills[{at}].at_ms"), &kill.at_ms, instead)?;
            let down = format!("kills[{at}].down_ms");
            within(&down, kill.down_ms, 0, 600_000, "use 0 to 600000")?;
            up_from = kill.at_ms + kill.down_ms + 1;
        }
        Ok(())
    }
}

fn check(
    fits: bool,
    field: &str,
    value: &dyn std::fmt::Display,
    instead: &'static str,
) -> Result<(), Wrong> {
    if fits {
        return Ok(());
    }
    Err(Wrong {
        field: field.to_owned(),
        value: value.to_string(),
        instead,
    })
}

fn within(
    field: &str,
    value: u64,
    least: u64,
    most: u64,
    instead: &'static str,
) -> Result<(), Wrong> {
    check((least..=most).contains(&value), field, &value, instead)
}

fn share(field: &str, value: f64) -> Result<(), Wrong> {
    let fits = (0.0..=1.0).contains(&value);
    check(fits, field, &value, "use 0 to 1")
}
