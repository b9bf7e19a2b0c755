//! Reconciliation against the real program: by command and over HTTP, from a folder, over a kill.
//!
//! Deliberately absent: what is compared with what; `tests/reconcile.rs` has that.

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "the tests of crashes need more of it")]
mod server;

use serde_json::{Value, json};
use server::{Server, Talk};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server, somebody who talks to it, and a folder of files.
struct Scene {
    server: Server,
    talk: Talk,
    files: TempDir,
}

impl Scene {
    fn new(settings: &[(&str, &str)]) -> Self {
        let server = Server::start_with(settings);
        let talk = Talk::new(server.address());
        let files = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            server,
            talk,
            files,
        }
    }

    fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.talk.until_answered("GET", path, None, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn post(&mut self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        self.talk.until_answered("POST", path, Some(key), body)
    }

    fn stocked(&mut self, sku: &str, units: u64) {
        let path = format!("/v1/skus/{sku}");
        let (status, _) = self.talk.until_answered("PUT", &path, None, &json!({}));
        assert!(status < 300);
        let body = json!({"kind": "receive", "qty": units});
        let path = format!("{path}/movements");
        let (status, body) = self.post(&path, &format!("receive-{sku}"), &body);
        assert_eq!(status, 201, "{body}");
    }

    fn sold(&mut self, order: &str, sku: &str, units: u64) -> String {
        let body = json!({"order_ref": order, "lines": [{"sku": sku, "qty": units}]});
        let (status, body) = self.post("/v1/reservations", order, &body);
        assert_eq!(status, 201, "{body}");
        let id = body["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/reservations/{id}/confirm");
        let (status, body) = self.post(&path, &format!("pay-{order}"), &json!({}));
        assert_eq!(status, 200, "{body}");
        id
    }

    fn on_hand(&mut self, sku: &str) -> i64 {
        let view = self.get(&format!("/v1/skus/{sku}"));
        view["on_hand"].as_i64().expect("a counter")
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        fs::write(&path, text).expect("the directory is ours");
        path
    }

    /// `holdfast`, talking to this server.
    fn runs(&self, arguments: &[&str]) -> Output {
        let server = format!("http://{}", self.server.address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(arguments).args(["--server", &server]);
        command.output().expect("the program runs")
    }

    fn reconciles(&self, arguments: &[&str]) -> Value {
        let output = self.runs(&[&["reconcile"], arguments, &["--json"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).expect("a report in JSON")
    }

    /// Open drifts by SKU.
    fn waiting(&mut self) -> BTreeMap<String, Value> {
        let page = self.get("/v1/drifts?state=open&limit=1000");
        let items = page["items"].as_array().expect("a page has items").iter();
        let named = items.map(|drift| {
            let sku = drift["sku"].as_str().expect("a drift has a SKU");
            (sku.to_owned(), drift.clone())
        });
        named.collect()
    }

    fn stands(&mut self, id: &str) -> Value {
        self.get(&format!("/v1/reconciliations/{id}"))
    }

    fn ended(&mut self, id: &str) -> Value {
        until("it ends", || {
            let report = self.stands(id);
            let is_done = !matches!(report["state"].as_str(), Some("receiving" | "running"));
            is_done.then_some(report)
        })
    }

    fn prove(mut self) {
        self.server.stop();
        assert_eq!(self.server.verify(), Some(0), "verify finds faults");
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{what}: never");
        thread::sleep(Duration::from_millis(20));
    }
}

fn id_of(drift: &Value) -> String {
    drift["id"].as_str().expect("a drift has an id").to_owned()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn differences_are_approved_and_dismissed_by_command_and_over_http() {
    let mut scene = Scene::new(&[]);
    let names = ["A", "B", "C", "D", "E", "F"];
    for name in names {
        scene.stocked(name, 10);
    }
    let (one, other) = scene.server.skus_on_two_shards(&names);
    assert_ne!(one, other, "both shards take part");
    let file = scene.file(
        "count.csv",
        "sku,counted\nA,8\nB,9\nC,11\nD,7\nE,10\nF,10\n",
    );
    let path = file.to_str().expect("UTF-8").to_owned();
    let moment = scene.get("/v1/skus/F")["as_of"]["time"].clone();
    let saved = scene.files.path().join("report.json");
    let more = ["--by", "wms", "--report", saved.to_str().expect("UTF-8")];
    let report = scene.reconciles(&[&["warehouse", &path], &more[..]].concat());
    assert_eq!(report["drifts"]["opened"], 4, "{report}");
    let kept: Value = serde_json::from_slice(&fs::read(&saved).expect("kept")).expect("JSON");
    assert_eq!(kept, report);
    let waiting = scene.waiting();
    assert_eq!(waiting.keys().collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    for drift in waiting.values() {
        assert_eq!(
            (&drift["source"], &drift["kind"]),
            (&json!("wms"), &json!("warehouse"))
        );
    }
    let listed = text(&scene.runs(&["drifts", "list"]));
    assert!(
        waiting.values().all(|drift| listed.contains(&id_of(drift))),
        "{listed}"
    );

    // Two by command …
    let (a, b) = (id_of(&waiting["A"]), id_of(&waiting["B"]));
    let output = scene.runs(&["drifts", "approve", &a, "--reason", "counted twice"]);
    assert_eq!(text(&output), format!("{a} is corrected\n"));
    let output = scene.runs(&["drifts", "dismiss", &b, "--reason", "counted wrong"]);
    assert_eq!(text(&output), format!("{b} is dismissed\n"));
    // … which asked again is the same, and the other way round a conflict …
    assert!(
        scene.runs(&["drifts", "approve", &a]).status.code() != Some(0),
        "another reason"
    );
    let output = scene.runs(&["drifts", "dismiss", &a]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("drift-conflict"),
        "{said}"
    );
    // … and two over HTTP.
    let (c, d) = (id_of(&waiting["C"]), id_of(&waiting["D"]));
    let looked = json!({"reason": "looked at"});
    let (status, body) = scene.post(&format!("/v1/drifts/{c}/approve"), "k-1", &looked);
    assert_eq!(
        (status, &body["state"]),
        (200, &json!("corrected")),
        "{body}"
    );
    let (status, body) = scene.post(&format!("/v1/drifts/{c}/approve"), "k-2", &looked);
    assert_eq!(
        (status, &body["code"]),
        (409, &json!("drift-conflict")),
        "{body}"
    );
    let (status, body) = scene.post(&format!("/v1/drifts/{d}/dismiss"), "k-3", &looked);
    assert_eq!(
        (status, &body["state"]),
        (200, &json!("dismissed")),
        "{body}"
    );
    assert_eq!(
        names.map(|name| scene.on_hand(name)),
        [8, 10, 11, 10, 10, 10]
    );
    let after = scene.get(&format!("/v1/drifts/{a}"));
    assert_eq!(after["reason"], "counted twice");

    // The same file of the same moment finds nothing more; a count of now agrees.
    let since = moment.as_str().expect("a time");
    let again = ["warehouse", &path, "--by", "wms", "--as-of", since];
    let first = scene.reconciles(&again);
    let second = scene.reconciles(&again);
    assert_eq!(second["drifts"]["opened"], 0, "{first} {second}");
    let right = scene.file(
        "right.csv",
        "sku,counted\nA,8\nB,10\nC,11\nD,10\nE,10\nF,10\n",
    );
    let report = scene.reconciles(&["warehouse", right.to_str().expect("UTF-8")]);
    assert_eq!(report["found"], json!([]), "{report}");
    scene.prove();
}

#[test]
fn a_shipment_nobody_told_of_is_booked_when_its_difference_is_approved() {
    let mut scene = Scene::new(&[]);
    scene.stocked("A", 10);
    let (whole, part) = (scene.sold("O-1", "A", 3), scene.sold("O-2", "A", 4));
    let body = json!({"kind": "ship", "qty": 1, "reservation": part});
    let (status, body) = scene.post("/v1/skus/A/movements", "ship-1", &body);
    assert_eq!(status, 201, "{body}");
    let rows = [
        json!({"order_ref": "O-1", "reservation": whole, "state": "shipped", "sku": "A", "qty": 3}),
        json!({"order_ref": "O-2", "reservation": part, "state": "shipped", "sku": "A", "qty": 4}),
    ];
    let rows = rows.map(|row| format!("{row}\n")).concat();
    let file = scene.file("orders.ndjson", &rows);
    let path = file.to_str().expect("UTF-8").to_owned();
    let report = scene.reconciles(&["orders", &path]);
    let proposals = report["found"].as_array().expect("differences").iter();
    let proposals: BTreeSet<&str> = proposals
        .filter_map(|one| one["proposal"].as_str())
        .collect();
    assert_eq!(proposals, BTreeSet::from(["ship 3"]), "{report}");
    for found in report["found"].as_array().expect("differences") {
        let drift = found["drift"].as_str().expect("a drift");
        let output = scene.runs(&["drifts", "approve", drift]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let view = scene.get("/v1/skus/A");
    assert_eq!(
        (&view["shipped"], &view["sold"]),
        (&json!(7), &json!(7)),
        "{view}"
    );
    let reservation = scene.get(&format!("/v1/reservations/{part}"));
    assert_eq!(reservation["lines"][0]["shipped"], 4, "{reservation}");
    let again = scene.reconciles(&["orders", &path]);
    assert_eq!(again["found"], json!([]), "{again}");
    scene.prove();
}

/// SKUs, each with 10 units, and a count in which some are one or five short.
const SKUS: usize = 150;

fn counted(at: usize) -> u64 {
    match at % 10 {
        0 => 5,
        5 => 9,
        _ => 10,
    }
}

#[test]
fn a_comparison_that_is_killed_midway_ends_as_if_it_had_not_been() {
    let mut scene = Scene::new(&[
        ("RECONCILE_ROWS_PER_SECOND", "1500"),
        ("RECONCILE_APPROVE_UNITS_MAX", "1"),
    ]);
    let (mut stock, mut count) = ("sku,kind,qty\n".to_owned(), "sku,counted\n".to_owned());
    for at in 0..SKUS {
        writeln!(stock, "S-{at},receive,10").expect("a String takes all");
        writeln!(count, "S-{at},{}", counted(at)).expect("a String takes all");
        // A part of a file is compared at a time: three parts, with what nobody knows in between.
        if at == 49 || at == 99 {
            (0..4_200).for_each(|other| writeln!(count, "X-{at}-{other},1").expect("as above"));
        }
    }
    let stock = scene.file("stock.csv", &stock);
    let output = scene.runs(&["import", stock.to_str().expect("UTF-8"), "--create"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let begun = send(
        &scene,
        "/v1/reconciliations?source=warehouse&by=wms",
        &count,
    );
    let id = begun["id"].as_str().expect("an id").to_owned();
    // Killed twice: after the first part, and after the second.
    for opened in [10, 20] {
        let seen = until("it goes on", || {
            let seen = scene.stands(&id);
            (seen["drifts"]["opened"] == opened).then_some(seen)
        });
        assert_eq!(seen["state"], "running", "killed in the middle: {seen}");
        scene.server.kill();
        scene.server.restart();
    }
    let report = scene.ended(&id);
    assert_eq!(report["state"], "done", "{report}");
    let rows = &report["rows"];
    assert_eq!(
        (&rows["compared"], &rows["left_out"]),
        (&json!(SKUS), &json!(8_400)),
        "{rows}"
    );
    let drifts = &report["drifts"];
    assert_eq!(
        (&drifts["opened"], &drifts["known"]),
        (&json!(30), &json!(0)),
        "{drifts}"
    );
    assert_eq!(
        (&drifts["approved"], &drifts["waiting"]),
        (&json!(15), &json!(15)),
        "{drifts}"
    );
    assert_eq!(scene.waiting().len(), 15);
    let corrected = scene.get("/v1/drifts?state=corrected&limit=1000");
    assert_eq!(
        corrected["items"].as_array().map(Vec::len),
        Some(15),
        "each once"
    );
    for at in 0..SKUS {
        let expected = if at % 10 == 5 { 9 } else { 10 };
        assert_eq!(scene.on_hand(&format!("S-{at}")), expected, "S-{at}");
    }
    scene.prove();
}

/// Sends a file as it is.
fn send(scene: &Scene, path: &str, file: &str) -> Value {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(scene.server.address()).expect("it listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: holdfast\r\ncontent-type: text/csv\r\n\
         connection: close\r\nidempotency-key: send\r\ncontent-length: {}\r\n\r\n",
        file.len()
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.write_all(file.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

fn report_in(folder: &Path, name: &str) -> Value {
    let done = folder.join("done");
    let report = done.join(format!("{name}.report.json"));
    let bytes = until(name, || {
        let is_moved = done.join(name).exists();
        is_moved.then(|| fs::read(&report).expect("its report lies beside it"))
    });
    serde_json::from_slice(&bytes).expect("a report in JSON")
}

#[test]
fn files_in_a_folder_are_compared_in_their_time_whoever_dies_meanwhile() {
    let drop = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = drop.path().to_str().expect("UTF-8").to_owned();
    let mut scene = Scene::new(&[
        ("RECONCILE_FOLDER", &folder),
        ("RECONCILE_INTERVAL_MS", "400"),
    ]);
    for name in ["A", "B"] {
        scene.stocked(name, 10);
    }
    let order = scene.sold("O-1", "B", 2);
    thread::sleep(Duration::from_millis(20));

    // One that grows is left alone until it has stopped.
    let growing = drop.path().join("warehouse.slow.csv");
    let mut file = fs::File::create(&growing).expect("ours");
    for piece in ["sku,counted\n", "A,", "7\n", "B,10\n"] {
        file.write_all(piece.as_bytes()).expect("ours");
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            assert!(growing.exists(), "it was taken while it grew");
            thread::sleep(Duration::from_millis(20));
        }
    }
    let report = report_in(drop.path(), "warehouse.slow.csv");
    assert_eq!(report["state"], "done", "{report}");
    assert_eq!(report["found"][0]["proposal"], "adjust -3", "{report}");
    assert_eq!(
        report["found"].as_array().map(Vec::len),
        Some(1),
        "{report}"
    );
    let waiting = scene.waiting();
    assert_eq!(waiting["A"]["document"], "warehouse.slow.csv");
    let (status, body) = scene.post(
        &format!("/v1/drifts/{}/approve", id_of(&waiting["A"])),
        "k-1",
        &json!({"reason": "from the folder"}),
    );
    assert_eq!(status, 200, "{body}");
    assert_eq!(scene.on_hand("A"), 7);

    // What was dropped while the server was away is taken when it is back; what can't be compared
    // says so, and does not come again.
    scene.server.kill();
    let row = json!({"order_ref": "O-1", "reservation": order, "state": "cancelled", "sku": "B",
        "qty": 2});
    fs::write(drop.path().join("orders.day.ndjson"), format!("{row}\n")).expect("ours");
    fs::write(drop.path().join("seller.cut.csv"), "sku,on_hand\nA,7\nB,1").expect("ours");
    scene.server.restart();
    let report = report_in(drop.path(), "orders.day.ndjson");
    assert_eq!(
        report["found"][0]["kind"], "cancelled-confirmed",
        "{report}"
    );
    let report = report_in(drop.path(), "seller.cut.csv");
    assert_eq!(report["state"], "refused", "{report}");
    let left = fs::read_dir(drop.path()).expect("ours").count();
    assert_eq!(left, 1, "only done/ is left");
    scene.prove();
}
