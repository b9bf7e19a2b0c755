//! What a load run leaves behind, from the outside: files that others can read.
//!
//! The run is made up; what a real one leaves is the business of `tests/load.rs`. Deliberately
//! absent: golden pages. A report may change its looks at any time.

#[path = "load_results/sample.rs"]
mod sample;
#[path = "load_results/schema.rs"]
mod schema;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogIterator, LogEntry},
    },
};
use holdfast::load::{
    record::{Call, Outcome, Recorded},
    results::{self, Claim, Summary},
};
use serde_json::Value;

/// The files of made-up sales, kept where one may look at them after the tests.
struct Written {
    one: PathBuf,
    several: PathBuf,
    summary: Summary,
    recorded: Recorded,
}

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load-results");
        let (one, several) = (dir.join("one"), dir.join("several"));
        let runs = [7, 8, 9].map(|seed| {
            let recorded = sample::sale(seed, 380 + seed * 2);
            (
                Summary::new(&sample::facts(seed), &recorded, sample::claims()),
                recorded,
            )
        });
        let summaries: Vec<Summary> = runs.iter().map(|(summary, _)| summary.clone()).collect();
        results::write_repeated(&several, &summaries).expect("the directory can be written to");
        let [(summary, recorded), ..] = runs;
        results::write(&one, &summary, &recorded).expect("the directory can be written to");
        Written {
            one,
            several,
            summary,
            recorded,
        }
    })
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&text(file)).expect("it is JSON")
}

fn document() -> Value {
    json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/load-summary.schema.json"))
}

#[test]
fn a_summary_is_what_its_schema_says() {
    let written = written();
    for dir in [&written.one, &written.several] {
        let summary = json(&dir.join("summary.json"));
        schema::check(&document(), &summary).expect("the schema describes it");
    }
}

#[test]
fn the_schema_refuses_what_is_no_summary() {
    let whole = json(&written().one.join("summary.json"));
    let spoilt = |spoil: fn(&mut Value)| {
        let mut value = whole.clone();
        spoil(&mut value);
        schema::check(&document(), &value)
    };
    assert_eq!(spoilt(|_| {}), Ok(()));
    let wrong: [fn(&mut Value); 6] = [
        |of| of["seed"] = Value::from("seven"),
        |of| of["schema"] = Value::from("holdfast-load/2"),
        |of| of["surprise"] = Value::from(1),
        |of| of["invariants"][0]["verdict"] = Value::from("perhaps"),
        |of| of["latency"]["all"]["response"]["curve"][0] = serde_json::json!([1.0]),
        |of| {
            of.as_object_mut()
                .expect("it is an object")
                .remove("thresholds");
        },
    ];
    for (place, spoil) in wrong.into_iter().enumerate() {
        assert!(spoilt(spoil).is_err(), "the {place}th is taken");
    }
}

#[test]
fn a_summary_is_read_as_it_was_written() {
    let written = written();
    let read = results::read(&written.one).expect("it is there");
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].outcomes, written.summary.outcomes);
    assert_eq!(read[0].thresholds, written.summary.thresholds);
    let several = results::read(&written.several.join("summary.json")).expect("it is there");
    assert_eq!(
        several.iter().map(|run| run.seed).collect::<Vec<_>>(),
        [7, 8, 9]
    );
}

#[test]
fn what_is_no_summary_is_refused_with_its_name() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let file = dir.path().join("other.json");
    let said = |content: &str| {
        fs::write(&file, content).expect("it can be written");
        results::read(&file)
            .expect_err("it is no summary")
            .to_string()
    };
    assert!(said("{").contains("other.json is no summary"));
    assert!(said("{}").ends_with("it names no schema"));
    assert!(said(r#"{"schema": "holdfast-load/9"}"#).ends_with("its schema is holdfast-load/9"));
    assert!(said(r#"{"schema": "holdfast-load/1", "runs": [{"seed": 1}]}"#).contains("runs[0]"));
    let absent = results::read(&dir.path().join("absent.json")).expect_err("it is not there");
    assert!(absent.to_string().contains("absent.json"));
}

#[test]
fn a_report_opens_without_a_network() {
    let written = written();
    for dir in [&written.one, &written.several] {
        let page = text(&dir.join("report.html"));
        for fetched in [
            "http:", "https:", "//cdn", "<script", "<link", "<iframe", "@import", "url(", "src=",
        ] {
            assert!(!page.contains(fetched), "the page has {fetched}");
        }
    }
}

#[test]
fn a_report_has_every_plot_and_table() {
    let page = text(&written().one.join("report.html"));
    for part in [
        "Latency by percentile",
        "Latency percentiles over time",
        "Arrivals and answers a second over time",
        "arrivals the scenario asks for",
        "Outcomes a second over time",
        "Stock of SNEAKER-42 over time",
        "Stock of SNEAKER-43 over time",
        "kill -9",
        "ready again after 1.3 s",
        "What could not be checked",
        "the scenario sends no duplicates of confirms",
        "response.p99 &lt; 20ms",
        "Ended reservations are kept for 60 s",
        "<code>7</code>",
        "&lt;b&gt;not bold&lt;/b&gt;",
    ] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    assert!(
        !page.contains("NaN") && !page.contains("inf"),
        "a figure is none"
    );
    let several = text(&written().several.join("report.html"));
    assert!(several.contains("3 runs against") && several.contains("run 3"));
}

#[test]
fn a_run_without_an_answer_is_reported_as_well() {
    let recorded = std::sync::Arc::new(results_of_nothing()).finish();
    let summary = Summary::new(&results::RunFacts::default(), &recorded, Vec::new());
    let page = results::report::render(&[summary]);
    assert!(page.contains("Nothing was answered.") && page.contains("Nothing was checked."));
    assert!(!page.contains("NaN"));
}

fn results_of_nothing() -> holdfast::load::record::Recorder {
    let second = std::time::Duration::from_secs(1);
    holdfast::load::record::Recorder::new(std::time::Instant::now(), second, Vec::new())
}

#[test]
fn a_percentile_file_has_the_columns_and_the_foot_that_plotters_read() {
    let written = written();
    let text = text(&written.one.join("reserve.response.hgrm"));
    let mut lines = text.lines();
    let head: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(
        head,
        ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    );
    let (rows, foot): (Vec<&str>, Vec<&str>) = lines
        .filter(|line| !line.is_empty())
        .partition(|line| !line.starts_with('#'));
    let rows: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            row.split_whitespace()
                .map(|cell| cell.parse().expect("a number"))
                .collect()
        })
        .collect();
    assert!(rows.len() > 20 && rows.iter().all(|row| row.len() == 4));
    assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2]));
    let last = rows.last().expect("there are rows");
    let reserves = written.recorded.whole.call(Call::Reserve);
    assert!((last[1] - 1.0).abs() < 1e-12 && last[3].is_infinite());
    assert_eq!(last[2] as u64, reserves.response.count());
    assert!(
        (last[0] - reserves.response.max_ms()).abs() < 0.001,
        "milliseconds"
    );
    let median = rows
        .iter()
        .find(|row| row[1] >= 0.5)
        .expect("there is a median");
    assert!((median[0] / reserves.response.quantile_ms(0.5) - 1.0).abs() < 0.01);
    assert_eq!(foot.len(), 3);
    assert!(foot[0].starts_with("#[Mean    =") && foot[1].starts_with("#[Max     ="));
}

#[test]
fn the_interval_log_gives_every_interval_back() {
    let written = written();
    let log = fs::read(written.one.join("intervals.hlog")).expect("it was written");
    let mut response: Vec<(f64, Histogram<u64>)> = Vec::new();
    let mut started = None;
    for entry in IntervalLogIterator::new(&log) {
        match entry.expect("the log can be read") {
            LogEntry::StartTime(at) => started = Some(at.as_secs()),
            LogEntry::BaseTime(_) => {}
            LogEntry::Interval(of) => {
                if of.tag().is_some_and(|tag| tag.as_str() == "response") {
                    let bytes = base64(of.encoded_histogram());
                    let read = Deserializer::new().deserialize(&mut bytes.as_slice());
                    response.push((of.start_timestamp().as_secs_f64(), read.expect("it is one")));
                }
            }
        }
    }
    assert_eq!(started, Some(1_772_359_140), "2026-03-01T09:59:00Z");
    assert_eq!(response.len(), written.recorded.intervals.len());
    for ((begins, read), own) in response.iter().zip(&written.recorded.intervals) {
        assert!((begins - own.begins.as_secs_f64()).abs() < 0.001);
        assert_eq!(
            (read.len(), read.max()),
            (own.response.count(), own.response.inner().max())
        );
    }
}

/// Base64 as the log has it.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let place = LETTERS.iter().position(|own| *own == letter);
        held = (held << 6) | place.expect("it is base64") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[test]
fn drops_miss_a_threshold_unless_they_are_allowed() {
    let recorder = std::sync::Arc::new(results_of_nothing());
    let mut worker = recorder.worker();
    worker.arrived(2);
    worker.dropped(std::time::Instant::now());
    worker.flush();
    let mut facts = results::RunFacts::default();
    let missed = |facts: &results::RunFacts| {
        Summary::new(facts, &recorder.finish(), Vec::new()).has_missed()
    };
    assert!(missed(&facts));
    facts.drops_allowed = true;
    assert!(!missed(&facts));
    facts.drops_allowed = false;
    facts.thresholds = vec![holdfast::load::threshold::parse("dropped <= 1").expect("it is one")];
    assert!(!missed(&facts), "a threshold of its own stands in for it");
}

#[test]
fn arrivals_a_second_are_those_of_the_time_in_which_buyers_arrive() {
    // The sale goes on for longer than its buyers come.
    let recorded = sample::sale(7, 380);
    let rate_of = |arrivals_s| {
        let facts = results::RunFacts {
            arrivals_s,
            ..sample::facts(7)
        };
        Summary::new(&facts, &recorded, Vec::new()).rates
    };
    let (arrived, took) = (
        recorded.whole.arrived as f64,
        recorded.elapsed.as_secs_f64(),
    );
    let half = rate_of(took / 2.0);
    assert!((half.arrivals_per_s - arrived / (took / 2.0)).abs() < 0.001);
    // Ended early, it has no more time than it took.
    let early = rate_of(took * 2.0);
    assert!((early.arrivals_per_s - arrived / took).abs() < 0.001);
    assert!((half.answers_per_s - early.answers_per_s).abs() < 0.001);
}

#[test]
fn a_plot_of_a_long_name_has_a_short_heading_that_tells_all_of_it() {
    let mut summary = written().summary.clone();
    let name = "a".repeat(60) + "-7";
    summary.stock[0].sku.clone_from(&name);
    let page = results::report::render(&[summary]);
    let whole = format!("<b title=\"{name}\">");
    let (_, heading) = page.split_once(&whole).expect("hovering shows the name");
    let (short, _) = heading.split_once("</b>").expect("it ends");
    assert!(
        short.chars().count() <= 40 && short.ends_with("-7"),
        "{short}"
    );
}

#[test]
fn a_late_generator_is_named_as_the_limit() {
    let limit = |lag_ms: u64, cpu_s: f64| {
        let started = std::time::Instant::now().checked_sub(std::time::Duration::from_secs(10));
        let start = started.expect("the machine runs for ten seconds");
        let second = std::time::Duration::from_secs(1);
        let recorder = std::sync::Arc::new(holdfast::load::record::Recorder::new(
            start,
            second,
            Vec::new(),
        ));
        let mut worker = recorder.worker();
        for step in 0..9_000 {
            let intended = start + std::time::Duration::from_millis(step);
            let lag = std::time::Duration::from_millis(lag_ms);
            worker.late_send(lag);
            worker.answered(
                Call::Reserve,
                Outcome::Reserved,
                intended,
                intended + lag,
                intended + lag + second / 500,
            );
        }
        worker.flush();
        let facts = results::RunFacts {
            generator: results::GeneratorFacts {
                threads: 2,
                cpu_s: Some(cpu_s),
            },
            ..results::RunFacts::default()
        };
        Summary::new(&facts, &recorder.finish(), Vec::new()).generator
    };
    assert!(!limit(0, 6.0).limit, "{}", limit(0, 6.0).why);
    assert!(
        limit(20, 6.0).limit && limit(20, 6.0).why.contains("sent 20"),
        "{}",
        limit(20, 6.0).why
    );
    assert!(
        limit(0, 19.0).limit && limit(0, 19.0).why.contains("busy"),
        "{}",
        limit(0, 19.0).why
    );
}

#[test]
fn a_broken_claim_breaks_the_run_and_an_unchecked_one_does_not() {
    let mut summary = written().summary.clone();
    assert!(!summary.is_broken());
    summary
        .invariants
        .push(Claim::broken("no undersell", "3 units are nowhere"));
    assert!(summary.is_broken());
    let page = results::report::render(&[summary]);
    assert!(page.contains("an invariant is broken") && page.contains("3 units are nowhere"));
}
