//! The state in files: made when they are due, whole or not there over kills of the server, and with
//! what follows their cursor the state.

#[path = "crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use server::{Server, Talk};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const KEPT: usize = 2;

/// A server that writes its state every second.
fn exporting(dir: &Path) -> Server {
    let dir = dir.to_str().expect("a path that is text");
    Server::start_with(&[
        ("EXPORT_DIR", dir),
        ("EXPORT_INTERVAL_MS", "1000"),
        ("EXPORT_AT_MS", "0"),
        ("EXPORT_KEPT", &KEPT.to_string()),
    ])
}

#[test]
fn an_export_and_what_follows_it_are_the_state_over_kills_of_the_server() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let dir = directory.path().join("exports");
    let mut server = exporting(&dir);
    let mut talk = Talk::new(server.address());
    let (mut seen, mut killed_at) = (BTreeSet::new(), 0);
    let began = Instant::now();
    for round in 0.. {
        receive(&mut talk, round);
        seen.extend(exports(&dir));
        if 5 < seen.len() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "too few exports: {seen:?}");
        // After every other one.
        if killed_at + 2 <= seen.len() {
            killed_at = seen.len();
            server.kill();
            // What was being written then has no name, and is in nobody's way.
            fs::create_dir_all(&dir).expect("it is ours");
            fs::write(dir.join("snapshot.part"), "half").expect("it is ours");
            server.restart();
        }
    }
    // The server ends, so that nothing is deleted meanwhile.
    receive(&mut talk, 1_000_000);
    server.kill();
    let mut left = exports(&dir);
    assert!(left.len() <= KEPT + 1, "{left:?}");
    let newest = left.pop().expect("there are some");
    let (cursor, mut folded) = read(&dir.join(newest));
    server.restart();
    fold(&mut talk, cursor, &mut folded);
    let (_, page) = talk.until_answered("GET", "/v1/skus?limit=1000", None, &Value::Null);
    let skus = page["items"].as_array().expect("a list").iter();
    let state = skus.map(|view| (text(&view["sku"]), view["available"].as_i64()));
    assert_eq!(folded, state.collect());
}

#[test]
fn a_folder_that_takes_nothing_is_counted_and_stops_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let dir = directory.path().join("exports");
    fs::write(&dir, "a file").expect("it is ours");
    let server = exporting(&dir);
    let began = Instant::now();
    while !metrics(&server).contains("holdfast_export_failures_total 1") {
        assert!(began.elapsed() < PATIENCE, "no failure is told");
        thread::sleep(Duration::from_millis(20));
    }
    receive(&mut Talk::new(server.address()), 0);
}

#[test]
fn a_snapshot_saved_by_hand_is_whole_or_leaves_what_was_there() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("stock.ndjson");
    let mut server = Server::start();
    let mut talk = Talk::new(server.address());
    for round in 0..20 {
        receive(&mut talk, round);
    }
    assert_eq!(save(&server, &file, "SKU-"), Some(0));
    let saved = fs::read_to_string(&file).expect("it is there");
    assert_eq!(saved.lines().count(), 12);
    assert!(saved.ends_with("{\"end\":true,\"skus\":10}\n"), "{saved}");
    let packed = directory.path().join("stock.ndjson.gz");
    assert_eq!(save(&server, &packed, ""), Some(0));
    assert_eq!(read(&packed).1.len(), 10);
    fs::remove_file(packed).expect("it is there");
    assert_eq!(save(&server, &file, "SKU-7"), Some(0));
    let saved = fs::read_to_string(&file).expect("it is there");
    assert_eq!(saved.lines().count(), 3);
    server.kill();
    assert_eq!(save(&server, &file, ""), Some(7));
    assert_eq!(fs::read_to_string(&file).ok(), Some(saved));
    let left = fs::read_dir(directory.path()).expect("it is there");
    assert_eq!(left.count(), 1);
    server.restart();
}

#[test]
fn a_snapshot_that_is_cut_off_is_no_file() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("stock.ndjson");
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let address = listener.local_addr().expect("it is bound").to_string();
    let cutting = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it comes");
        let mut asked = [0; 1024];
        let read = stream.read(&mut asked).expect("it asks");
        assert!(0 < read);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n\
                      {\"cursor\":\"c\"}\n{\"sku\":\"A\"}\n{\"sku\":\"B";
        stream.write_all(answer.as_bytes()).expect("it listens");
    });
    let saved = snapshot(&address, &file, "");
    cutting.join().expect("it finishes");
    assert_eq!(saved, Some(1));
    let left = fs::read_dir(directory.path()).expect("it is there");
    assert_eq!(left.count(), 0);
}

/// `holdfast snapshot`; its exit code.
fn save(server: &Server, file: &Path, prefix: &str) -> Option<i32> {
    snapshot(&server.address(), file, prefix)
}

fn snapshot(address: &str, file: &Path, prefix: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.arg("snapshot").arg(file);
    command.args(["--prefix", prefix, "--server", &format!("http://{address}")]);
    command.output().expect("it can be started").status.code()
}

/// Every other one makes or configures a SKU, of a hundred.
fn receive(talk: &mut Talk, round: u64) {
    let path = format!("/v1/skus/SKU-{}", round / 2 % 100);
    let key = format!("k-{round}");
    if round.is_multiple_of(2) {
        let (status, _) = talk.until_answered("PUT", &path, Some(&key), &json!({}));
        assert!(status < 300, "{status}");
    }
    let (path, body) = (
        format!("{path}/movements"),
        json!({"kind": "receive", "qty": 3}),
    );
    let (status, _) = talk.until_answered("POST", &path, Some(&format!("m-{round}")), &body);
    assert_eq!(status, 201);
}

fn exports(dir: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let names = files.map(|file| file.expect("it is there").file_name());
    let names = names.map(|name| name.into_string().expect("it is text"));
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".ndjson.gz")).collect();
    names.sort();
    names
}

/// The cursor and what is available, of an export that is whole.
fn read(file: &Path) -> (String, BTreeMap<String, Option<i64>>) {
    let mut lines = String::new();
    let file = File::open(file).expect("it is there");
    let read = GzDecoder::new(file).read_to_string(&mut lines);
    read.expect("it is whole");
    let lines = lines.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().expect("lines of JSON");
    let [head, skus @ .., end] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(end["end"], true);
    assert_eq!(end["skus"], skus.len());
    let sku = |line: &Value| (text(&line["sku"]), line["stock"]["available"].as_i64());
    (text(&head["cursor"]), skus.iter().map(sku).collect())
}

fn fold(talk: &mut Talk, mut after: String, folded: &mut BTreeMap<String, Option<i64>>) {
    loop {
        let path = format!("/v1/events?limit=1000&after={after}");
        let (status, page) = talk.until_answered("GET", &path, None, &Value::Null);
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().expect("a list");
        if items.is_empty() {
            return;
        }
        for event in items.iter().filter(|event| event["subject"].is_string()) {
            let now = event["data"]["after"]["available"].as_i64();
            folded.insert(text(&event["subject"]), now);
        }
        after = text(&page["next_cursor"]);
    }
}

fn metrics(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.admin()).expect("it listens");
    let request = "GET /metrics HTTP/1.1\r\nhost: holdfast\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    text
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
