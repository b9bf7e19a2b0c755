//! `holdfast load` as a program: a server that it starts, kills and proves; the engine in process;
//! what it refuses; how it ends.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

fn holdfast(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.arg("load").args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    holdfast(args).output().expect("the program runs")
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {said}")
    })
}

fn verdict<'a>(summary: &'a Value, part: &str) -> &'a str {
    let claims = summary["invariants"].as_array().expect("claims");
    let found = claims.iter().find(|claim| {
        claim["name"]
            .as_str()
            .is_some_and(|name| name.contains(part))
    });
    let found = found.unwrap_or_else(|| panic!("no claim about {part}"));
    found["verdict"].as_str().expect("a verdict")
}

fn file(directory: &Path, text: &str) -> String {
    let path = directory.join("scenario.toml");
    std::fs::write(&path, text).expect("it can be written");
    path.display().to_string()
}

const KILLED: &str = r#"
name = "killed"
stock = { skus = 4, units = 100 }
popularity = { kind = "uniform" }
basket = { lines_max = 3 }
buyers = { abandon = 0.1, release = 0.1, late = 0.1, late_by_ms = 200, ttl_ms = 800 }
payment = { kind = "exponential", mean_ms = 200 }
duplicates = { reserve_after = 0.1, reserve_at_once = 0.1, confirm_at_once = 0.1 }
client = { timeout_ms = 500, backoff_ms = 10, backoff_max_ms = 100 }
arrivals = { drop_after_ms = 20000, connections_max = 64 }

[[phases]]
kind = "constant"
seconds = 2.0
rate = 200

[[kills]]
at_ms = 700
down_ms = 200
"#;

/// Over in a second.
const QUICK: &str = r#"
name = "quick"
stock = { units = 30 }
buyers = { abandon = 0.1, ttl_ms = 300 }
payment = { kind = "uniform", min_ms = 0, max_ms = 50 }

[[phases]]
kind = "constant"
seconds = 0.5
rate = 100
"#;

#[test]
fn a_server_that_is_killed_in_the_middle_keeps_every_promise() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let scenario = file(directory.path(), KILLED);
    let out = directory.path().join("out");
    let data = directory.path().join("data");
    let output = holdfast(&[&scenario, "--spawn", "--json", "--quiet", "--out"])
        .arg(&out)
        .arg("--data-dir")
        .arg(&data)
        .output()
        .expect("the program runs");
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{:#}", summary["invariants"]);
    for part in [
        "no oversell",
        "no undersell",
        "one end",
        "in the ledger",
        "repeats",
    ] {
        assert_eq!(verdict(&summary, part), "held", "{part}");
    }
    let count = |name: &str| summary["counts"][name].as_u64().expect("a count");
    assert!(count("kills") == 1 && count("retries") > 0, "{summary:#}");
    assert_eq!(count("reserves_unanswered") + count("calls_given_up"), 0);
    let marks = summary["marks"].as_array().expect("marks");
    assert!(marks.len() >= 2, "{marks:?}");
    assert!(out.join("summary.json").is_file() && out.join("report.html").is_file());
    let left = std::fs::read_dir(&data).expect("it was made").count();
    assert_eq!(left, 0, "the server's data is removed when the proof holds");
}

#[test]
fn the_engine_in_process_is_loaded_and_proved_without_http() {
    let args = [
        "baskets",
        "--in-process",
        "--rate",
        "150",
        "--duration",
        "1",
    ];
    let output = run(&[&args[..], &["--json", "-q"]].concat());
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{:#}", summary["invariants"]);
    for part in [
        "no oversell",
        "no undersell",
        "one end",
        "in the ledger",
        "repeats",
    ] {
        assert_eq!(verdict(&summary, part), "held", "{part}");
    }
    assert!(
        summary["target"]
            .as_str()
            .is_some_and(|target| target.contains("in process"))
    );
}

#[test]
fn a_missed_threshold_is_99_and_a_met_one_is_0() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let quick = file(directory.path(), QUICK);
    let with = |threshold: &str| run(&[&quick, "-q", "--threshold", threshold]);
    let missed = with("response.p99 < 1us");
    assert_eq!(missed.status.code(), Some(99));
    assert!(String::from_utf8_lossy(&missed.stdout).contains("✗ response.p99 < 1us"));
    assert_eq!(with("arrivals > 10").status.code(), Some(0));
}

#[test]
fn the_closed_model_is_marked_as_such() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let quick = file(directory.path(), QUICK);
    let output = run(&[&quick, "--connections", "4", "-q", "--json"]);
    let summary = summary(&output);
    assert_eq!(summary["model"]["kind"], "closed");
    assert_eq!(summary["model"]["connections"], 4);
    assert!(
        summary["arrivals"]
            .as_u64()
            .is_some_and(|arrivals| arrivals > 20)
    );
}

#[test]
fn an_interrupt_ends_it_early_with_what_there_is_and_no_server_left() {
    ends_early("-INT");
}

#[test]
fn so_does_a_terminal_that_is_closed() {
    ends_early("-HUP");
}

fn ends_early(by: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (out, data) = (directory.path().join("out"), directory.path().join("data"));
    let quick = file(directory.path(), QUICK);
    let child = holdfast(&[&quick, "--duration", "60", "-q", "--json"])
        .arg("--out")
        .arg(&out)
        .arg("--data-dir")
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let began = Instant::now();
    // The server is there, and buyers come.
    while !std::fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
        assert!(began.elapsed() < Duration::from_secs(20), "it never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1_500));
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([by, &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().expect("it ends");
    assert!(began.elapsed() < Duration::from_secs(45));
    assert_eq!(output.status.code(), Some(130));
    let summary = summary(&output);
    assert!(
        summary["notes"].to_string().contains("ended early"),
        "{:#}",
        summary["notes"]
    );
    assert_eq!(verdict(&summary, "no oversell"), "held");
    assert!(out.join("summary.json").is_file());
    assert_eq!(std::fs::read_dir(&data).expect("it was made").count(), 0);
}

#[test]
fn an_interrupt_while_the_shelves_are_filled_ends_it_there_and_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    // Filling so many takes longer than this test waits.
    let many = QUICK.replace("units = 30", "skus = 400_000, units = 30");
    let child = holdfast(&[&file(directory.path(), &many), "-q"])
        .arg("--data-dir")
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let run = within(Duration::from_secs(20), || {
        let made = std::fs::read_dir(&data).ok()?.next()?.ok()?.path();
        made.join("ready.json").exists().then_some(made)
    });
    assert!(run.is_some(), "no server was started");
    let began = Instant::now();
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().expect("it ends");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("before the first buyer came"), "{said}");
    assert_eq!(std::fs::read_dir(&data).expect("it was made").count(), 0);
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let wrong = file(directory.path(), "name = \"x\"\nstock.unit = 5\n");
    for (args, code, word) in [
        (vec!["no-such"], 2, "built in are"),
        (vec![wrong.as_str()], 2, "unit"),
        (vec!["retry-storm", "--in-process"], 2, "--spawn"),
        (vec!["flash-sale", "--threshold", "p99 <"], 2, "threshold"),
        (
            vec!["flash-sale", "--server", "http://127.0.0.1:1"],
            7,
            "can't reach",
        ),
        (vec!["flash-sale", "--rate", "1e9"], 2, "phases[0].rate"),
        (vec!["flash-sale", "--rate", "-5"], 2, "above 0"),
        (vec!["flash-sale", "--rate", "0.001"], 2, "arrive"),
        (
            vec!["flash-sale", "--out", "/dev/null/out"],
            1,
            "/dev/null/out",
        ),
        (vec!["show", "no-such"], 2, "load list"),
    ] {
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
        assert!(!said.contains("the proof"), "{args:?} ran first: {said}");
    }
}

#[test]
fn a_basket_cannot_have_more_lines_than_there_are_skus() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let scenario = format!("basket = {{ lines_max = 3 }}\n{QUICK}");
    let output = run(&[&file(directory.path(), &scenario), "-q"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("basket.lines_max is 3"), "{said}");
}

#[test]
fn a_server_does_not_outlive_a_run_that_is_killed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let quick = file(directory.path(), QUICK);
    let mut child = holdfast(&[&quick, "--duration", "60", "-q", "--data-dir"])
        .arg(directory.path().join("data"))
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let server = server_of(&directory.path().join("data"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let ended = within(Duration::from_secs(20), || {
        let asked = Command::new("kill").args(["-0", &server]).output();
        asked
            .is_ok_and(|asked| !asked.status.success())
            .then_some(())
    });
    assert!(ended.is_some(), "{server} is still there");
}

/// The process id of a run's server, once it is ready.
fn server_of(data: &Path) -> String {
    let ready = within(Duration::from_secs(20), || {
        let run = std::fs::read_dir(data).ok()?.next()?.ok()?.path();
        let said = std::fs::read(run.join("ready.json")).ok()?;
        serde_json::from_slice::<Value>(&said).ok()
    });
    ready.expect("it becomes ready")["pid"].to_string()
}

fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < time {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[test]
fn built_in_scenarios_can_be_listed_shown_and_run_from_the_file_that_is_shown() {
    let list = run(&["list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert_eq!(list.lines().count(), 6, "{list}");
    let shown = run(&["show", "flash-sale"]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let copy = file(directory.path(), &String::from_utf8_lossy(&shown.stdout));
    let output = run(&[
        &copy,
        "--rate",
        "50",
        "--duration",
        "0.5",
        "-q",
        "--in-process",
    ]);
    assert_eq!(output.status.code(), Some(0));
}
