//! The command line as people and scripts meet it: help, errors, exit codes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

/// The command in an empty directory, without the variables of whoever runs the tests.
fn holdfast(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command
        .current_dir(directory)
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOLDFAST_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    holdfast(directory.path(), arguments)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

/// A server that gives these answers, one per connection, and hands back what it was asked.
fn server(answers: Vec<(u16, &'static str)>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let asked = thread::spawn(move || {
        let mut requests = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().expect("a caller comes");
            let mut request = Vec::new();
            let mut piece = [0; 4_096];
            while !is_whole(&request) {
                let count = stream.read(&mut piece).expect("the caller sends");
                assert!(count > 0, "the caller went");
                request.extend_from_slice(&piece[..count]);
            }
            requests.push(text(&request));
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream
                .write_all(answer.as_bytes())
                .expect("the caller listens");
        }
        requests
    });
    (address, asked)
}

fn is_whole(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request);
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().expect("a number"))
}

#[test]
fn help_lists_the_commands_with_examples_and_exit_codes() {
    let output = run(&["--help"]);
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!("help", text(&output.stdout));
}

#[test]
fn every_command_has_its_help() {
    let commands: [&[&str]; 25] = [
        &["serve", "--help"],
        &["verify", "--help"],
        &["sku", "--help"],
        &["sku", "pause", "--help"],
        &["drifts", "--help"],
        &["drifts", "list", "--help"],
        &["drifts", "approve", "--help"],
        &["drifts", "dismiss", "--help"],
        &["feeds", "--help"],
        &["snapshot", "--help"],
        &["consumers", "--help"],
        &["consumers", "set", "--help"],
        &["webhook", "--help"],
        &["webhook", "listen", "--help"],
        &["webhook", "verify", "--help"],
        &["ledger", "--help"],
        &["import", "--help"],
        &["reconcile", "--help"],
        &["replay", "--help"],
        &["demo", "--help"],
        &["probe", "--help"],
        &["probe", "ready", "--help"],
        &["config", "--help"],
        &["config", "show", "--help"],
        &["config", "check", "--help"],
    ];
    let mut pages = String::new();
    for arguments in commands {
        let output = run(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}");
        let (line, page) = (arguments.join(" "), text(&output.stdout));
        pages.extend([
            "$ holdfast ",
            &line,
            "
",
            &page,
            "
",
        ]);
    }
    insta::assert_snapshot!("help_of_commands", pages);
}

#[test]
fn the_version_is_the_packages() {
    let output = run(&["--version"]);
    assert_eq!(
        text(&output.stdout),
        format!("holdfast {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_is_exit_code_2_with_advice() {
    for arguments in [&["relpay"][..], &["sku", "show"], &["probe", "dead"], &[]] {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(text(&output.stderr).contains("--help"), "{arguments:?}");
    }
}

#[test]
fn config_check_says_everything_that_is_wrong_with_exit_code_2() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::create_dir(directory.path().join("config")).expect("the directory is ours");
    let file = "[http]\nin_flight_max = 0\nlisen = \"127.0.0.1:1\"\n";
    std::fs::write(directory.path().join("config/holdfast.toml"), file).expect("it is ours");
    let output = holdfast(directory.path(), &["config", "check", "--shards", "many"])
        .env("HOLDFAST_HTTP_DRAIN", "3")
        .output()
        .expect("the binary runs");
    assert_eq!(code(&output), 2);
    insta::assert_snapshot!(text(&output.stderr), @r#"
    error: HOLDFAST_HTTP_DRAIN names no key; did you mean HOLDFAST_HTTP_DRAIN_MS?
    config/holdfast.toml:3: http.lisen is no key; did you mean http.listen?
    --shards: shards.count is "many"; set it to a whole number or "auto"
    config/holdfast.toml:2: http.in_flight_max is 0; set it to at least 1
    "#);
}

#[test]
fn config_check_of_a_right_configuration_says_so() {
    let output = run(&["config", "check", "--listen", "127.0.0.1:1"]);
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!(
        text(&output.stdout),
        @"the configuration is right (no file; 1 keys set, the rest have their defaults)"
    );
}

#[test]
fn config_show_prints_every_key_with_its_origin() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(
        directory.path().join("mine.toml"),
        "[http]\n\nlines_max = 20\n",
    )
    .expect("ours");
    let show = |extra: &[&str]| {
        let arguments = [
            &[
                "config",
                "show",
                "--config",
                "mine.toml",
                "--data-dir",
                "/srv/hf",
            ],
            extra,
        ]
        .concat();
        let output = holdfast(directory.path(), &arguments)
            .env("HOLDFAST_LOG_FORMAT", "json")
            .output()
            .expect("the binary runs");
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        text(&output.stdout)
    };
    insta::assert_snapshot!(show(&["--changed"]), @r#"
    http.lines_max = 20         mine.toml:3
    data.dir       = "/srv/hf"  --data-dir
    log.format     = "json"     HOLDFAST_LOG_FORMAT
    "#);
    let all = show(&[]);
    assert_eq!(all.lines().count(), holdfast::config::Config::keys().len());
    let json: Value = serde_json::from_str(&show(&["--json"])).expect("it is JSON");
    let find = |key: &str| {
        json.as_array()
            .and_then(|rows| rows.iter().find(|row| row["key"] == key))
            .expect("every key is there")
    };
    let source = &find("http.lines_max")["source"];
    assert_eq!(
        (&source["kind"], &source["line"]),
        (&Value::from("file"), &Value::from(3))
    );
    assert_eq!(find("http.keys_required")["value"], true);
    assert_eq!(find("shards.count")["value"], "auto");
}

#[test]
fn a_probe_says_yes_with_0_and_no_with_1() {
    let (address, asked) = server(vec![
        (200, r#"{"status":"ready"}"#),
        (
            503,
            r#"{"status":503,"code":"not-ready","detail":"starting"}"#,
        ),
    ]);
    let admin = format!("http://{address}");
    assert_eq!(code(&run(&["probe", "ready", "--admin", &admin])), 0);
    let output = run(&["probe", "live", "--admin", &admin]);
    assert_eq!(
        (code(&output), text(&output.stderr)),
        (1, "error: 503: starting\n".to_owned())
    );
    let requests = asked.join().expect("the server doesn't panic");
    assert!(requests[0].starts_with("GET /ready HTTP/1.1\r\n"));
    assert!(requests[1].starts_with("GET /live HTTP/1.1\r\n"));
}

#[test]
fn a_probe_asks_where_the_configuration_says_and_unreachable_is_no() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (address, asked) = server(vec![(200, "{}")]);
    let probe = |address: SocketAddr| {
        let output = holdfast(directory.path(), &["probe", "startup"])
            .env("HOLDFAST_HTTP_ADMIN_LISTEN", address.to_string())
            .output()
            .expect("the binary runs");
        code(&output)
    };
    assert_eq!(probe(address), 0);
    asked.join().expect("the server doesn't panic");
    assert_eq!(probe(address), 1);
}

const TEE: &str = r#"{"sku":"TEE","available":3,"on_hand":10,"reserved":5,"safety_stock":2,
    "sold":7,"paused":false,"locations":{}}"#;

#[test]
fn pausing_looks_first_so_that_a_misspelt_name_creates_nothing() {
    let unknown = r#"{"status":404,"code":"unknown-sku","detail":"no such SKU"}"#;
    let (address, asked) = server(vec![(404, unknown)]);
    let output = run(&[
        "sku",
        "pause",
        "TEEE",
        "--server",
        &format!("http://{address}"),
    ]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).starts_with("error: TEEE is unknown to "));
    assert_eq!(asked.join().expect("the server doesn't panic").len(), 1);
}

#[test]
fn pause_and_resume_set_the_switch() {
    let (address, asked) = server(vec![(200, TEE), (200, TEE), (200, TEE), (200, TEE)]);
    let server = format!("http://{address}");
    let output = run(&[
        "sku",
        "pause",
        "TEE",
        "--server",
        &server,
        "--reason",
        "wrong price",
    ]);
    assert_eq!(
        text(&output.stdout),
        "TEE is paused: new reservations are refused\n"
    );
    let output = run(&["sku", "resume", "TEE", "--server", &server]);
    assert_eq!(text(&output.stdout), "TEE sells again\n");
    let requests = asked.join().expect("the server doesn't panic");
    assert!(
        requests[1].starts_with("PUT /v1/skus/TEE HTTP/1.1\r\n"),
        "{}",
        requests[1]
    );
    assert!(
        requests[1].ends_with(r#"{"paused":true,"reason":"wrong price"}"#),
        "{}",
        requests[1]
    );
    assert!(
        requests[3].ends_with(r#"{"paused":false}"#),
        "{}",
        requests[3]
    );
}

#[test]
fn drifts_are_listed_page_by_page_and_decided_under_a_key_of_their_own() {
    let first = r#"{"items":[{"id":"d-1","kind":"warehouse","sku":"TEE","location":"main",
        "expected":5,"found":3,"proposal":{"action":"adjust","qty":-2}}],"next_cursor":"00"}"#;
    let last = r#"{"items":[],"next_cursor":null}"#;
    let decided = r#"{"id":"d-1","state":"dismissed"}"#;
    let (address, asked) = server(vec![(200, first), (200, last), (200, decided)]);
    let server = format!("http://{address}");
    let output = run(&["drifts", "list", "--sku", "TEE", "--server", &server]);
    assert_eq!(code(&output), 0);
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.ends_with("d-1\n"), "{lines}");
    let reason = ["--reason", "their mistake"];
    let dismiss = ["drifts", "dismiss", "d-1", "--server", &server];
    let output = run(&[&dismiss[..], &reason[..]].concat());
    assert_eq!(text(&output.stdout), "d-1 is dismissed\n");
    let requests = asked.join().expect("the server doesn't panic");
    let begins = |at: usize, line: &str| {
        assert!(requests[at].starts_with(line), "{}", requests[at]);
    };
    begins(
        0,
        "GET /v1/drifts?limit=1000&state=open&sku=TEE HTTP/1.1\r\n",
    );
    begins(
        1,
        "GET /v1/drifts?limit=1000&state=open&sku=TEE&cursor=00 HTTP/1.1\r\n",
    );
    begins(2, "POST /v1/drifts/d-1/dismiss HTTP/1.1\r\n");
    assert!(requests[2].contains("dismiss-d-1"), "{}", requests[2]);
    assert!(
        requests[2].ends_with(r#"{"reason":"their mistake"}"#),
        "{}",
        requests[2]
    );
}

#[test]
fn a_stream_is_lifted_only_where_one_waits() {
    let waits = r#"{"items":[{"sku":"TEE","location":"main","epoch":1,"gaps":[],
        "quarantined":{"cause":"contradiction","epoch":1,"sequence":5}}],"next_cursor":null}"#;
    let (address, asked) = server(vec![(200, waits), (200, TEE), (200, waits)]);
    let server = format!("http://{address}");
    let lift = |location: &str| {
        let flags = ["feeds", "wms", "--sku", "TEE", "--lift", location];
        run(&[&flags[..], &["--server", &server][..]].concat())
    };
    assert_eq!(
        text(&lift("main").stdout),
        "the stream of wms for TEE at main goes on\n"
    );
    let output = lift("store-1");
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("no quarantined stream for TEE at store-1"));
    let requests = asked.join().expect("the server doesn't panic");
    assert!(
        requests[1].starts_with("POST /v1/feeds/wms/lift HTTP/1.1\r\n"),
        "{}",
        requests[1]
    );
    assert!(
        requests[1].ends_with(r#"{"location":"main","sku":"TEE"}"#),
        "{}",
        requests[1]
    );
}

#[test]
fn a_server_that_cannot_be_reached_is_exit_code_7() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let output = run(&["sku", "show", "TEE", "--server", &address.to_string()]);
    assert_eq!(code(&output), 7);
    assert!(text(&output.stderr).contains("is the server running there?"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    // `holdfast config show | head -3` ended in a panic and a backtrace.
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let output = holdfast(directory.path(), &["config", "show"])
        .stdout(writer)
        .output()
        .expect("the binary runs");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(code(&output), 0);
}

#[test]
fn what_cannot_be_written_is_a_failure() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = holdfast(directory.path(), &["config", "show"])
        .stdout(full)
        .output()
        .expect("the binary runs");
    let told = text(&output.stderr);
    assert!(
        told.starts_with("error: stdout can't be written: "),
        "{told}"
    );
    assert_eq!(code(&output), 1);
}

#[test]
fn what_durability_os_gives_up_is_said_wherever_it_is_chosen() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let chosen = |arguments: &[&str]| {
        let mut command = holdfast(directory.path(), arguments);
        command.env("HOLDFAST_DATA_DURABILITY", "os");
        command.output().expect("the binary runs")
    };
    let given_up = "a crash of the machine may lose the last seconds of acknowledged changes";
    for what in ["check", "show"] {
        let told = text(&chosen(&["config", what]).stdout);
        assert!(told.contains(given_up), "{told}");
    }
    // A taken address ends the server, after it has said so.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let served = chosen(&["serve", "--admin-listen", &address]);
    let told = text(&served.stderr);
    assert!(told.contains(given_up), "{told}");
    assert_eq!(code(&served), 1);
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_made() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let serve = [
        "serve",
        "--listen",
        &address,
        "--admin-listen",
        "127.0.0.1:0",
    ];
    let output = holdfast(directory.path(), &serve).output();
    let output = output.expect("the program can be run");
    let said = text(&output.stderr);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains(&address), "{said}");
    assert!(!said.contains("shard died"), "{said}");
    assert!(!directory.path().join("data").exists(), "no ledgers");
}
