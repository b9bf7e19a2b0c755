//! The text that Prometheus reads (exposition format 0.0.4), written by hand: it is ten lines of
//! grammar, and a registry crate would put locks and label sets between a request and its counter.

use std::fmt::Write as _;

use super::HistogramSample;

/// What kind of numbers a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound, with a sum.
    Histogram,
}

/// A scrape under construction.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    name: &'static str,
}

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Exposition {
    /// Opens a family; the samples that follow belong to it.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.name = name;
        // Writing to a String cannot fail; the results here and below have nothing to say.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of the open family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: u64) {
        self.line("", labels, None, format_args!("{value}"));
    }

    /// A histogram of the open family; `per` of its units are one of the family's, such as 1e6 for
    /// microseconds in a family of seconds.
    pub fn histogram(&mut self, labels: &[(&str, &str)], sample: &HistogramSample, per: f64) {
        let mut cumulative = 0;
        for (index, count) in sample.counts.iter().enumerate() {
            cumulative += count;
            let bound = sample.bounds.get(index).map_or_else(
                || "+Inf".to_owned(),
                |bound| (*bound as f64 / per).to_string(),
            );
            self.line(
                "_bucket",
                labels,
                Some(&bound),
                format_args!("{cumulative}"),
            );
        }
        self.line(
            "_sum",
            labels,
            None,
            format_args!("{}", sample.sum as f64 / per),
        );
        self.line("_count", labels, None, format_args!("{cumulative}"));
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.text
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: std::fmt::Arguments<'_>,
    ) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        let mut separator = '{';
        for (name, text) in labels
            .iter()
            .copied()
            .chain(bound.map(|bound| ("le", bound)))
        {
            let escaped = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.text, "{separator}{name}=\"{escaped}\"");
            separator = ',';
        }
        let close = if separator == ',' { "}" } else { "" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_written_as_prometheus_reads_it() {
        let mut scrape = Exposition::default();
        scrape.family("holdfast_things_total", Kind::Counter, "Things.");
        scrape.sample(&[], 3);
        scrape.sample(&[("kind", "a\"b")], 4);
        scrape.family("holdfast_wait_seconds", Kind::Histogram, "Waiting.");
        let sample = HistogramSample {
            bounds: vec![100, 2_000],
            counts: vec![1, 2, 3],
            sum: 9_000,
        };
        scrape.histogram(&[("shard", "0")], &sample, 1e6);
        insta::assert_snapshot!(scrape.finish(), @r#"
        # HELP holdfast_things_total Things.
        # TYPE holdfast_things_total counter
        holdfast_things_total 3
        holdfast_things_total{kind="a\"b"} 4
        # HELP holdfast_wait_seconds Waiting.
        # TYPE holdfast_wait_seconds histogram
        holdfast_wait_seconds_bucket{shard="0",le="0.0001"} 1
        holdfast_wait_seconds_bucket{shard="0",le="0.002"} 3
        holdfast_wait_seconds_bucket{shard="0",le="+Inf"} 6
        holdfast_wait_seconds_sum{shard="0"} 0.009
        holdfast_wait_seconds_count{shard="0"} 6
        "#);
    }
}
