//! A server whose time can be moved: expiries, windows and late payments in seconds, on the real
//! program, and the data it keeps apart from real ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A server, killed when dropped.
struct Server {
    child: Child,
    data: String,
    admin: String,
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command
        .current_dir(home)
        .args([
            "serve",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
        ])
        .args(["--shards=2", "--ready-file=ready.json"])
        .args(arguments)
        .env("TMPDIR", home)
        .env("HOLDFAST_RESERVATIONS_LATE_WINDOW_MS", "3600000")
        .env_remove("HOLDFAST_DATA_DIR")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs a server that is expected to refuse its directory.
fn refused(home: &Path, arguments: &[&str]) -> Output {
    let output = command(home, arguments).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    output
}

impl Server {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let ready = home.join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let child = command(home, arguments)
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let until = Instant::now() + Duration::from_mins(1);
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&ready) {
                break text;
            }
            assert!(Instant::now() < until, "the server is not ready");
            std::thread::sleep(Duration::from_millis(10));
        };
        let ready: Value = serde_json::from_str(&text).expect("the ready file is JSON");
        let address = |listener: &str| ready[listener].as_str().expect("an address").to_owned();
        Self {
            child,
            data: address("data"),
            admin: address("admin"),
        }
    }

    fn ask(address: &str, method: &str, path: &str, key: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = serde_json::from_str(body).expect("the body is JSON");
        (status.expect("a status"), body)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        Self::ask(&self.data, "GET", path, "-", "")
    }

    fn post(&self, path: &str, key: &str, body: &str) -> (u16, Value) {
        Self::ask(&self.data, "POST", path, key, body)
    }

    fn stock(&self, sku: &str, units: u32, config: &str) {
        let (status, body) = Self::ask(&self.data, "PUT", &format!("/v1/skus/{sku}"), sku, config);
        assert_eq!(status, 201, "{body}");
        let receipt = format!(r#"{{"kind":"receive","qty":{units}}}"#);
        let path = format!("/v1/skus/{sku}/movements");
        let (status, body) = self.post(&path, &format!("stock-{sku}"), &receipt);
        assert_eq!(status, 201, "{body}");
    }

    fn reserve(&self, key: &str, sku: &str, qty: u32) -> (u16, Value) {
        let body = format!(r#"{{"ttl_ms":600000,"lines":[{{"sku":"{sku}","qty":{qty}}}]}}"#);
        self.post("/v1/reservations", key, &body)
    }

    /// Moves time and gives the answer.
    fn advance(&self, ms: u64) -> Value {
        let body = format!(r#"{{"advance_ms":{ms}}}"#);
        let (status, answer) = Self::ask(&self.admin, "POST", "/v1/admin/clock", "-", &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["caught_up"], true);
        answer
    }

    fn signal(&mut self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

/// Directories that test clocks have made for themselves.
fn temporary(home: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home).expect("it is there");
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_ours = |path: &PathBuf| path.to_string_lossy().contains("holdfast-test-clock-");
    paths.filter(is_ours).collect()
}

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

#[test]
fn holds_expire_and_late_payments_are_rehearsed_in_seconds() {
    let home = home();
    let server = Server::start(home.path(), &["--test-clock"]);
    server.stock("TEE", 3, "{}");
    let ids: Vec<String> = (0..3)
        .map(|number| {
            let (status, body) = server.reserve(&format!("k-{number}"), "TEE", 1);
            assert_eq!(status, 201, "{body}");
            body["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    let counters = |sku: &Value| (sku["reserved"].clone(), sku["expired"].clone());
    server.advance(9 * MINUTE);
    assert_eq!(
        counters(&server.get("/v1/skus/TEE").1),
        (json!(3), json!(0))
    );
    // Past the deadline the counters show it as soon as the move is answered.
    server.advance(2 * MINUTE);
    assert_eq!(
        counters(&server.get("/v1/skus/TEE").1),
        (json!(0), json!(3))
    );
    let (_, read) = server.get(&format!("/v1/reservations/{}", ids[0]));
    assert_eq!(read["status"], "expired");
    // A payment comes late and finds its unit; another one comes too late for that.
    let confirm = |id: &str| server.post(&format!("/v1/reservations/{id}/confirm"), id, "{}");
    let (status, body) = confirm(&ids[0]);
    assert_eq!((status, &body["late"]), (200, &json!(true)));
    assert_eq!(server.reserve("k-9", "TEE", 2).0, 201);
    let (status, body) = confirm(&ids[1]);
    assert_eq!((status, &body["reason"]), (410, &json!("sold-out")));
    server.advance(60 * MINUTE);
    let (status, body) = confirm(&ids[2]);
    assert_eq!((status, &body["reason"]), (410, &json!("late-window")));
    server.advance(DAY);
    let (status, body) = confirm(&ids[2]);
    let forgotten = json!("reservation-forgotten");
    assert_eq!((status, &body["code"]), (410, &forgotten));
}

#[test]
fn sale_windows_open_and_customer_limits_free_when_time_is_moved() {
    let home = home();
    let server = Server::start(home.path(), &["--test-clock"]);
    let now = server.advance(1)["time"].clone();
    let now: jiff::Timestamp = now.as_str().expect("a time").parse().expect("RFC 3339");
    let [opens, closes] = [1, 2].map(|hours| now + jiff::SignedDuration::from_hours(hours));
    let config = format!(r#"{{"opens_at":"{opens}","closes_at":"{closes}"}}"#);
    server.stock("SALE", 9, &config);
    let code = |key: &str| server.reserve(key, "SALE", 1).1["code"].clone();
    assert_eq!(code("k-1"), "sale-closed");
    server.advance(60 * MINUTE);
    assert_eq!(code("k-1"), Value::Null, "it has opened");
    server.advance(60 * MINUTE);
    assert_eq!(code("k-2"), "sale-closed");

    server.stock(
        "LTD",
        9,
        r#"{"customer_limit":{"units":1,"window_ms":3600000}}"#,
    );
    let buy = |key: &str| {
        let body = r#"{"customer":"c-1","lines":[{"sku":"LTD","qty":1}]}"#;
        let (_, reserved) = server.post("/v1/reservations", key, body);
        let Some(id) = reserved["id"].as_str() else {
            return reserved["code"].clone();
        };
        let path = format!("/v1/reservations/{id}/confirm");
        server.post(&path, &format!("pay-{key}"), "{}").1["status"].clone()
    };
    assert_eq!(buy("l-1"), "confirmed");
    assert_eq!(buy("l-2"), "customer-limit");
    server.advance(61 * MINUTE);
    assert_eq!(buy("l-3"), "confirmed");
}

#[test]
fn parts_of_carts_on_other_shards_have_given_back_when_a_move_is_answered() {
    let home = home();
    let server = Server::start(home.path(), &["--test-clock"]);
    let skus: Vec<String> = (0..8).map(|number| format!("S-{number}")).collect();
    for sku in &skus {
        server.stock(sku, 50, "{}");
    }
    let lines: Vec<Value> = skus
        .iter()
        .map(|sku| json!({"sku": sku, "qty": 1}))
        .collect();
    let body = json!({"ttl_ms": 60_000, "lines": lines}).to_string();
    for round in 0..5 {
        for number in 0..10 {
            let (status, answer) =
                server.post("/v1/reservations", &format!("{round}-{number}"), &body);
            assert_eq!(status, 201, "{answer}");
        }
        server.advance(2 * MINUTE);
        for sku in &skus {
            let (_, answer) = server.get(&format!("/v1/skus/{sku}"));
            assert_eq!(answer["reserved"], 0, "{sku} in round {round}: {answer}");
        }
    }
}

#[test]
fn a_killed_server_goes_on_at_the_time_to_which_it_was_moved() {
    let home = home();
    let arguments = ["--test-clock", "--data-dir=rehearsal"];
    let mut server = Server::start(home.path(), &arguments);
    server.stock("TEE", 1, "{}");
    let (_, reserved) = server.reserve("k-1", "TEE", 1);
    let moved = server.advance(3 * DAY);
    server.signal("KILL");
    let server = Server::start(home.path(), &arguments);
    let again = server.advance(1);
    assert!(moved["time"].as_str() < again["time"].as_str());
    assert_eq!(again["ahead_ms"], 3 * DAY + 1);
    let id = reserved["id"].as_str().expect("an id");
    let (_, read) = server.get(&format!("/v1/reservations/{id}"));
    assert_eq!(read["status"], "expired");
}

#[test]
fn real_and_rehearsed_data_are_never_served_for_each_other() {
    let home = home();
    let mut server = Server::start(home.path(), &["--data-dir=real"]);
    server.stock("TEE", 1, "{}");
    // A server with real data has no such call.
    let body = r#"{"advance_ms":1000}"#;
    let (status, answer) = Server::ask(&server.admin, "POST", "/v1/admin/clock", "-", body);
    assert_eq!((status, &answer["code"]), (404, &json!("not-found")));
    server.signal("TERM");
    let said = refused(home.path(), &["--test-clock", "--data-dir=real"]);
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("made without a test clock"), "{said}");
    assert!(!home.path().join("real/test-clock").exists());

    let mut server = Server::start(home.path(), &["--test-clock", "--data-dir=rehearsal"]);
    server.advance(DAY);
    server.signal("TERM");
    let said = refused(home.path(), &["--data-dir=rehearsal"]);
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("serve it with --test-clock"), "{said}");
}

#[test]
fn a_test_clock_without_a_directory_has_one_that_goes_with_the_server() {
    let home = home();
    let mut server = Server::start(home.path(), &["--test-clock"]);
    server.stock("TEE", 1, "{}");
    assert_eq!(temporary(home.path()).len(), 1);
    server.signal("TERM");
    assert_eq!(temporary(home.path()), [] as [PathBuf; 0]);
    assert!(!home.path().join("data").exists());
}

#[test]
fn so_does_one_whose_server_is_told_twice_to_end() {
    let home = home();
    let mut server = Server::start(home.path(), &["--test-clock"]);
    server.stock("TEE", 1, "{}");
    // A request whose body does not come holds the drain up.
    let mut slow = TcpStream::connect(&server.data).expect("it listens");
    let head = "POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 99\r\n\r\n{";
    slow.write_all(head.as_bytes()).expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    let pid = server.child.id().to_string();
    for _ in 0..2 {
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.expect("kill runs").success());
        std::thread::sleep(Duration::from_millis(200));
    }
    let ended = server.child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(143), "it was not ended by the second");
    assert_eq!(temporary(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn time_moves_forward_by_a_millisecond_to_a_year_at_once() {
    let home = home();
    let server = Server::start(home.path(), &["--test-clock"]);
    let bodies = [
        "{}",
        r#"{"advance_ms":0}"#,
        r#"{"advance_ms":-1}"#,
        r#"{"advance_ms":31536000001}"#,
        r#"{"advance_ms":1.5}"#,
        r#"{"advance_ms":1,"to":"2030-01-01T00:00:00Z"}"#,
    ];
    for body in bodies {
        let (status, answer) = Server::ask(&server.admin, "POST", "/v1/admin/clock", "-", body);
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("invalid-request")),
            "{body}"
        );
    }
    server.advance(1);
    assert_eq!(server.advance(365 * DAY)["ahead_ms"], 365 * DAY + 1);
}
