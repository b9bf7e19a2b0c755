//! `holdfast import` against the real program: over `kill -9`, twice, and in bounded memory.

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "the tests of crashes need more of it")]
mod server;

use serde_json::{Value, json};
use server::{Server, Talk};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

const ROWS: u64 = 60_000;
const SKUS: u64 = 40;
/// Every so many lines a row is bad.
const BAD_EVERY: u64 = 997;

/// Receipts of 1 to 7 units over some SKUs, a few bad rows among them; the units of each SKU.
fn receipts(rows: u64) -> (String, Vec<i64>, u64) {
    let mut text = "sku,kind,qty,document\n".to_owned();
    let (mut units, mut bad) = (vec![0; SKUS as usize], 0);
    for row in 0..rows {
        let (sku, qty) = (row * 7 % SKUS, 1 + row % 7);
        if row % BAD_EVERY == 5 {
            bad += 1;
            writeln!(text, "S-{sku},receive,-{qty},d-{row}").expect("a String takes all");
        } else {
            units[sku as usize] += qty as i64;
            writeln!(text, "S-{sku},receive,{qty},d-{row}").expect("a String takes all");
        }
    }
    (text, units, bad)
}

fn command(server: &str, file: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command
        .args(["import", "--server", server, "--create", "--json"])
        .arg(file)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "no report: {error}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn on_hand(talk: &mut Talk) -> Vec<i64> {
    (0..SKUS)
        .map(|sku| {
            let path = format!("/v1/skus/S-{sku}");
            let (status, body) = talk.until_answered("GET", &path, None, &Value::Null);
            assert_eq!(status, 200, "{body}");
            body["on_hand"].as_i64().expect("a counter")
        })
        .collect()
}

/// Where an import stands, and whether the command has ended by itself.
fn line_of(talk: &mut Talk, child: &mut Child) -> Option<u64> {
    if child.try_wait().expect("its status").is_some() {
        return None;
    }
    let (_, body) = talk.until_answered("GET", "/v1/imports/deliveries", None, &Value::Null);
    Some(body["next_line"].as_u64().unwrap_or(0))
}

#[test]
fn a_file_goes_in_once_over_kills_of_the_server() {
    let mut server = Server::start();
    let (text, units, bad) = receipts(ROWS);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("deliveries.csv");
    std::fs::write(&file, &text).expect("written");
    let saved = directory.path().join("report.json");
    let saved = saved.to_str().expect("a path in UTF-8");
    let more = ["--identity", "deliveries", "--report", saved];
    let mut child = command(&server.address(), &file, &more)
        .spawn()
        .expect("it starts");
    let mut kills = 0;
    for kill in 1..=3 {
        let mut talk = Talk::new(server.address());
        // In the middle: a quarter further every time.
        loop {
            match line_of(&mut talk, &mut child) {
                Some(line) if line < kill * ROWS / 4 => thread::sleep(Duration::from_millis(2)),
                Some(_) => {
                    server.kill();
                    server.restart();
                    kills += 1;
                    break;
                }
                None => break,
            }
        }
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(kills > 0, "it was over before anything was killed");
    let told = report(&output);
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert_eq!(told["rows"], ROWS, "{told}");
    assert_eq!(told["bad"].as_array().map(Vec::len), Some(bad as usize));
    let done = told["applied"].as_u64().zip(told["replayed"].as_u64());
    assert_eq!(
        done.map(|(applied, replayed)| applied + replayed),
        Some(ROWS - bad)
    );
    let mut talk = Talk::new(server.address());
    assert_eq!(on_hand(&mut talk), units);
    let kept = std::fs::read(saved).expect("the report is saved");
    assert_eq!(serde_json::from_slice::<Value>(&kept).expect("JSON"), told);

    // The same file once more, and once more from its first line: nothing changes.
    let output = command(&server.address(), &file, &more)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(8));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was sent"));
    let again = [&more[..], &["--again"]].concat();
    let output = command(&server.address(), &file, &again)
        .output()
        .expect("it runs");
    let told = report(&output);
    assert_eq!(
        (&told["replayed"], &told["applied"]),
        (&json!(ROWS - bad), &json!(0)),
        "{told}"
    );
    assert_eq!(on_hand(&mut talk), units);
    server.stop();
    assert_eq!(server.verify(), Some(0), "verify on the stopped directory");
}

/// Starts the command and lets it come as far as a line.
fn started(talk: &mut Talk, mut command: Command, line: u64) -> Child {
    let mut child = command.spawn().expect("it starts");
    loop {
        let stands = line_of(talk, &mut child).expect("it is killed before its end");
        if line < stands {
            return child;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn killed(mut child: Child) {
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
}

/// A killed command has sent what the server has: the next one goes on exactly there. With the
/// server killed as well, rows of half a second are sent again at most, and are replays.
#[test]
fn a_file_goes_in_once_over_kills_of_the_command_and_of_both_sides() {
    let mut server = Server::start();
    let (text, units, bad) = receipts(ROWS);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("deliveries.csv");
    std::fs::write(&file, &text).expect("written");
    let address = server.address();
    let import = || command(&address, &file, &["--identity", "deliveries"]);
    let mut talk = Talk::new(server.address());
    for kill in 1..=2 {
        killed(started(&mut talk, import(), kill * ROWS / 5));
    }
    let child = started(&mut talk, import(), 3 * ROWS / 5);
    let (_, report_then) = talk.until_answered("GET", "/v1/imports/deliveries", None, &Value::Null);
    assert_eq!(report_then["replayed"], 0, "{report_then}");
    killed(child);
    server.kill();
    server.restart();
    let mut talk = Talk::new(server.address());
    killed(started(&mut talk, import(), 4 * ROWS / 5));

    let output = import().output().expect("it runs");
    let told = report(&output);
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert_eq!(
        (&told["rows"], &told["complete"]),
        (&json!(ROWS), &json!(true))
    );
    assert_eq!(told["bad"].as_array().map(Vec::len), Some(bad as usize));
    let replayed = told["replayed"].as_u64().expect("a number");
    assert_eq!(told["applied"], ROWS - bad - replayed, "{told}");
    assert!(replayed < ROWS / 2, "it began anew: {told}");
    assert_eq!(on_hand(&mut talk), units);
    server.stop();
    assert_eq!(server.verify(), Some(0), "verify on the stopped directory");
}

#[test]
fn a_dry_run_of_the_command_changes_nothing() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("rows.ndjson.gz");
    let packed = std::fs::File::create(&file).expect("created");
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packed
        .write_all(b"{\"sku\":\"A\",\"kind\":\"receive\",\"qty\":1}\n{\"sku\":\"A\"}\n")
        .expect("written");
    packed.finish().expect("written");
    let output = command(&server.address(), &file, &["--dry-run"])
        .output()
        .expect("it runs");
    let told = report(&output);
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert_eq!(
        (&told["applied"], &told["dry_run"]),
        (&json!(1), &json!(true))
    );
    let mut talk = Talk::new(server.address());
    let (status, _) = talk.until_answered("GET", "/v1/skus/A", None, &Value::Null);
    assert_eq!(status, 404);
}

/// What tables are saved with reaches the server as it is; a packed file without its end does not.
#[test]
fn a_file_with_a_mark_is_read_and_one_that_is_cut_off_in_its_packing_is_not_sent() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let rows = "\u{feff}{\"sku\":\"S-0\",\"kind\":\"receive\",\"qty\":3}\r\n";
    let file = directory.path().join("rows.ndjson");
    std::fs::write(&file, rows).expect("written");
    let output = command(&server.address(), &file, &[])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", report(&output));

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed
        .write_all(receipts(50_000).0.as_bytes())
        .expect("written");
    let packed = packed.finish().expect("written");
    let cut = directory.path().join("cut.csv.gz");
    std::fs::write(&cut, &packed[..packed.len() / 2]).expect("written");
    let output = command(&server.address(), &cut, &[])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("cut off in the middle; nothing was sent"),
        "{told}"
    );
    let mut talk = Talk::new(server.address());
    let (_, sku) = talk.until_answered("GET", "/v1/skus/S-0", None, &Value::Null);
    assert_eq!(sku["on_hand"], 3);
    let (status, _) = talk.until_answered("GET", "/v1/skus/S-1", None, &Value::Null);
    assert_eq!(status, 404);
}

#[test]
fn a_server_that_is_not_there_is_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("rows.csv");
    std::fs::write(&file, "sku,kind,qty\nA,receive,1\n").expect("written");
    let nobody = command("127.0.0.1:1", &file, &["--patience", "0"])
        .output()
        .expect("it runs");
    assert_eq!(nobody.status.code(), Some(7));
    let missing = directory.path().join("none.csv");
    let missing = command("127.0.0.1:1", &missing, &[])
        .output()
        .expect("it runs");
    assert_eq!(missing.status.code(), Some(2));
}

/// Ten times the rows take no more memory. A dry run, because rows that go in leave their keys in
/// memory, as any change does; kept whole, these rows would take some 60 MB.
#[test]
fn a_long_file_takes_no_more_memory_than_a_short_one() {
    let server = Server::start();
    let directory = tempfile::tempdir().expect("a directory");
    let mut peaks = Vec::new();
    for rows in [12_000, 120_000] {
        let file = directory.path().join(format!("{rows}.csv"));
        std::fs::write(&file, receipts(rows).0).expect("written");
        let output = command(&server.address(), &file, &["--dry-run"])
            .output()
            .expect("it runs");
        assert_eq!(report(&output)["rows"], rows);
        peaks.push(server.memory_peak_kib());
    }
    let grown = peaks[1].saturating_sub(peaks[0]);
    assert!(grown < 16 * 1_024, "{peaks:?} KiB");
}
