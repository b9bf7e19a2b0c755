//! Repeated runs and their comparison, as the program does them.
//!
//! Deliberately absent: the rule itself, which has its tests beside it in `src/load/compare/`.

#[path = "load_results/schema.rs"]
mod schema;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const SHORT: &str = r#"
name = "short"
stock = { units = 40 }
buyers = { ttl_ms = 300 }

[[phases]]
kind = "constant"
name = "rush"
seconds = 0.4
rate = 200
"#;

fn load(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.arg("load").args(args).stdin(Stdio::null());
    command.output().expect("the program runs")
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

fn read(file: &Path) -> Value {
    json(&fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

#[test]
fn a_repeated_run_leaves_what_the_schema_says_and_is_no_different_from_itself() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (scenario, out) = (
        directory.path().join("short.toml"),
        directory.path().join("out"),
    );
    fs::write(&scenario, SHORT).expect("it can be written");
    let (scenario, shown) = (scenario.display().to_string(), out.display().to_string());
    let ran = load(&[
        &scenario,
        "--in-process",
        "--repeat",
        "3",
        "--out",
        &shown,
        "--json",
        "--quiet",
        "--allow-dropped",
    ]);
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );

    let document =
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/load-summary.schema.json"));
    let summary = out.join("summary.json");
    for value in [
        json(&ran.stdout),
        read(&summary),
        read(&out.join("run-2/summary.json")),
    ] {
        schema::check(&document, &value).expect("the schema describes it");
    }
    let runs = read(&summary)["runs"].as_array().map(Vec::len);
    assert_eq!(runs, Some(3));
    for file in [
        "report.html",
        "run-1/report.html",
        "run-3/reserve.response.hgrm",
        "run-3/intervals.hlog",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }

    let summary = summary.display().to_string();
    let compared = load(&["compare", &summary, &summary, "--json"]);
    assert_eq!(compared.status.code(), Some(0));
    let compared = json(&compared.stdout);
    let metrics = compared["metrics"].as_array().expect("metrics");
    assert!(
        metrics.len() > 8 && metrics.iter().all(|of| of["verdict"] == "no-difference"),
        "{compared:#}"
    );
    let text =
        String::from_utf8(load(&["compare", &summary, &summary]).stdout).expect("it is text");
    assert!(
        text.contains("short") && text.contains("no difference"),
        "{text}"
    );

    two_runs_are_too_few(&out);
}

/// Two single runs a side: not comparable, and the exit code says so.
fn two_runs_are_too_few(out: &Path) {
    let side = [1, 2].map(|run| {
        out.join(format!("run-{run}/summary.json"))
            .display()
            .to_string()
    });
    let side = side.join(",");
    let refused = load(&["compare", &side, &side]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("not comparable: 2 runs against 2"), "{said}");
}

#[test]
fn what_is_no_summary_is_not_comparable() {
    let absent = load(&["compare", "absent.json", "absent.json"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("absent.json"));
}
