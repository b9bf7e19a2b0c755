//! The files that plotters of `HdrHistogram` read: percentile distributions and an interval log.
//!
//! Deliberately absent: our own way of plotting them; the report has that.

use std::{io, time::Duration};

use hdrhistogram::{
    Histogram,
    serialization::{
        V2DeflateSerializer,
        interval_log::{IntervalLogWriterBuilder, Tag},
    },
};

use crate::load::record::{Hist, Recorded};

/// Nanoseconds are written as milliseconds.
const NANOS_A_MILLI: f64 = 1e6;
/// Lines for every halving of the distance to 100 %, as the plotters' own tools write them.
const TICKS: u32 = 5;

/// The percentile distribution, milliseconds: what `.hgrm` files hold.
pub(super) fn hgrm(hist: &Hist) -> String {
    let of = hist.inner();
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut so_far = 0;
    for step in of.iter_quantiles(TICKS) {
        so_far += step.count_since_last_iteration();
        let value = step.value_iterated_to().min(of.max()) as f64 / NANOS_A_MILLI;
        let share = step.quantile_iterated_to();
        put!(text, "{value:12.6} {share:2.12} {so_far:10} ");
        if share < 1.0 {
            put!(text, "{:14.2}\n", 1.0 / (1.0 - share));
        } else {
            put!(text, "{:>14}\n", "inf");
        }
    }
    let scaled = |value: f64| value / NANOS_A_MILLI;
    put!(
        text,
        "#[Mean    = {:12.6}, StdDeviation   = {:12.6}]\n",
        scaled(of.mean()),
        scaled(of.stdev())
    );
    put!(
        text,
        "#[Max     = {:12.6}, Total count    = {:12}]\n",
        scaled(of.max() as f64),
        of.len()
    );
    put!(
        text,
        "#[Buckets = {:12}, SubBuckets     = {:12}]\n",
        of.buckets(),
        // Twice the half-count that three digits need.
        2048
    );
    text
}

/// The interval log: response and service times of each interval, tagged so. `started_at` is
/// RFC 3339; times are offsets from it.
pub(super) fn interval_log(recorded: &Recorded, started_at: &str) -> io::Result<Vec<u8>> {
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("Nanoseconds; the maximum in milliseconds. Tags: response is from the intended send time, service from the actual one.")
        .with_max_value_divisor(NANOS_A_MILLI);
    if let Ok(started) = started_at.parse::<jiff::Timestamp>() {
        builder.with_start_time(started.into());
        builder.with_base_time(started.into());
    }
    let mut writer = builder.begin_log_with(&mut log, &mut serializer)?;
    let tags = ["response", "service"].map(|name| Tag::new(name).expect("it has no comma"));
    for interval in &recorded.intervals {
        for (tag, hist) in tags
            .into_iter()
            .zip([&interval.response, &interval.service])
        {
            let written = write(
                &mut writer,
                interval.begins,
                interval.length,
                tag,
                hist.inner(),
            );
            written?;
        }
    }
    drop(writer);
    Ok(log)
}

fn write<W: io::Write, S: hdrhistogram::serialization::Serializer>(
    writer: &mut hdrhistogram::serialization::interval_log::IntervalLogWriter<'_, '_, W, S>,
    begins: Duration,
    length: Duration,
    tag: Tag<'_>,
    hist: &Histogram<u64>,
) -> io::Result<()> {
    let written = writer.write_histogram(hist, begins, length, Some(tag));
    written.map_err(|error| io::Error::other(format!("interval log: {error:?}")))
}
