//! What a load run leaves behind, from the outside: files that others can read.
//!
//! The run is made up; what a real one leaves is the business of `tests/load.rs`. Deliberately
//! absent: golden pages. A report may change its looks at any time.

#[path = "load_results/sample.rs"]
mod sample;

use std::{fs, path::PathBuf};

use holdfast::load::results::{self, Summary};

/// The files of a made-up sale, kept where one may look at them after the test.
fn written() -> (PathBuf, Summary) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("load-results")
        .join("one");
    let recorded = sample::sale(7, 400);
    let summary = Summary::new(&sample::facts(7), &recorded, sample::claims());
    results::write(&dir, &summary, &recorded).expect("the directory can be written to");
    (dir, summary)
}

#[test]
fn a_report_opens_without_a_network() {
    let (dir, _) = written();
    let page = fs::read_to_string(dir.join("report.html")).expect("it was written");
    for fetched in [
        "http://", "https://", "//cdn", "<script", "<link", "@import", "url(", "src=",
    ] {
        assert!(!page.contains(fetched), "the page has {fetched}");
    }
}
