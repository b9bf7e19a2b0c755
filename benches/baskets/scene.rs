//! The real program and its commands, as the proof with baskets calls them.
//!
//! Deliberately absent: what is told and what must come of it.

use super::Verdict;
use super::derive::Pair;
use super::server::{Server, Talk};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use tempfile::TempDir;

/// Callers at once.
const CALLERS: usize = 4;

/// Operations and bytes of one batch, below what a server takes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 700_000;

/// What a line lists.
const PAGE: usize = 1_000;

pub(crate) struct Scene {
    server: Server,
    talk: Talk,
    files: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let server = Server::start();
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

    /// All items of a list.
    fn list(&mut self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.get(&format!("{path}limit={PAGE}{cursor}"));
            if let Some(items) = page["items"].as_array_mut() {
                all.append(items);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// The server's time.
    pub(crate) fn now(&mut self) -> String {
        let path = "/v1/skus/no-such-product";
        let (_, body) = self.talk.until_answered("GET", path, None, &Value::Null);
        text_of(&body, "time")
    }

    fn keeps(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        fs::write(&path, text).expect("the directory is ours");
        path
    }

    /// `holdfast`, talking to this server.
    fn runs(&self, arguments: &[&str]) -> Output {
        let server = format!("http://{}", self.server.address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command
            .args(arguments)
            .args(["--json", "--server", &server]);
        command.output().expect("the program runs")
    }

    /// Imports a file of movements, of which none may be bad: its rows.
    pub(crate) fn imports(&self, file: &str, name: &str) -> u64 {
        let path = self.keeps(name, file);
        let path = path.to_str().expect("a path in UTF-8");
        let report = parsed(&self.runs(&["import", path, "--create"]));
        assert_eq!(
            (&report["bad"], &report["complete"]),
            (&json!([]), &json!(true)),
            "{report}"
        );
        report["rows"].as_u64().expect("a number")
    }

    /// Does operations until each was answered.
    pub(crate) fn batch(&mut self, operations: &[Value]) -> Vec<Value> {
        let mut answers: Vec<Value> = vec![Value::Null; operations.len()];
        let mut open: Vec<usize> = (0..operations.len()).collect();
        while !open.is_empty() {
            let mut bytes = 0;
            let mut fits = open.iter().take_while(|at| {
                bytes += operations[**at].to_string().len();
                bytes <= BATCH_BYTES
            });
            let now: Vec<usize> = fits.by_ref().take(BATCH).copied().collect();
            let own: Vec<&Value> = now.iter().map(|at| &operations[*at]).collect();
            let body = json!({ "operations": own });
            let (status, body) = self.talk.until_answered("POST", "/v1/batch", None, &body);
            assert_eq!(status, 200, "{body}");
            let results = body["results"].as_array().expect("results").iter();
            let mut later = Vec::new();
            for (at, result) in now.iter().zip(results) {
                let status = result["status"].as_u64().unwrap_or(500);
                if status == 429 || 500 <= status {
                    later.push(*at);
                } else {
                    answers[*at] = result.clone();
                }
            }
            open.drain(..now.len());
            open.extend(later);
        }
        answers
    }

    /// Hands a file in by command: its report.
    pub(crate) fn reconciles(&self, source: &str, name: &str, file: &str, more: &[&str]) -> Value {
        let path = self.keeps(name, file);
        let path = path.to_str().expect("a path in UTF-8");
        let report = parsed(&self.runs(&[&["reconcile", source, path], more].concat()));
        let is_whole = report["state"] == "done" && report["rows"]["left_out"] == 0;
        assert!(is_whole, "{name}: {} {}", report["state"], report["faults"]);
        report
    }

    /// A file that is not compared, since it tells of the future.
    pub(crate) fn is_refused(&self, source: &str, file: &str) {
        let path = self.keeps("refused.csv", file);
        let path = path.to_str().expect("a path in UTF-8");
        let output = self.runs(&["reconcile", source, path]);
        let report = parsed(&output);
        let reason = text_of(&report, "reason");
        let is_refused = report["state"] == "refused" && !output.status.success();
        assert!(is_refused && reason.contains("future"), "{report}");
    }

    /// Hands in a file for each store, several at once: drifts opened.
    pub(crate) fn all_reconcile(
        &self,
        source: &str,
        stores: &[&str],
        paper: &(impl Fn(&str) -> String + Sync),
    ) -> u64 {
        let (next, opened) = (AtomicUsize::new(0), AtomicU64::new(0));
        let work = || {
            while let Some(store) = stores.get(next.fetch_add(1, Ordering::Relaxed)) {
                let name = format!("{source}-{store}.csv");
                let report = self.reconciles(source, &name, &paper(store), &["--by", store]);
                let own = report["drifts"]["opened"].as_u64().expect("a number");
                opened.fetch_add(own, Ordering::Relaxed);
            }
        };
        at_once(work);
        opened.into_inner()
    }

    /// Open drifts of all kinds.
    pub(crate) fn waiting(&mut self) -> Vec<Value> {
        self.list("/v1/drifts?state=open&")
    }

    /// Decides on drifts. A cart over several shards that was paid late is confirmed at its
    /// reservation, since that can't be approved, and the drift dismissed: how many.
    pub(crate) fn decide(
        &self,
        drifts: Vec<Value>,
        verdict: &(impl Fn(&Value) -> Verdict + Sync),
    ) -> u64 {
        let (queue, by_hand) = (Mutex::new(drifts), AtomicU64::new(0));
        let work = || {
            let mut talk = Talk::new(self.server.address());
            loop {
                let drift = queue.lock().expect("nobody panics with it").pop();
                let Some(drift) = drift else {
                    return;
                };
                let word = match verdict(&drift) {
                    Verdict::Approve => "approve",
                    Verdict::Dismiss => "dismiss",
                };
                if decide(&mut talk, &drift, word) {
                    continue;
                }
                assert_eq!(drift["proposal"]["action"], "confirm", "{drift}");
                confirm(&mut talk, &drift);
                assert!(decide(&mut talk, &drift, "dismiss"), "{drift}");
                by_hand.fetch_add(1, Ordering::Relaxed);
            }
        };
        at_once(work);
        by_hand.into_inner()
    }

    /// Messages of a source that came late, over all its streams.
    pub(crate) fn late(&mut self, source: &str) -> u64 {
        let streams = self.list(&format!("/v1/feeds/{source}?"));
        let late = streams.iter().map(|stream| stream["late"].as_u64());
        late.map(|late| late.expect("a number")).sum()
    }

    /// What is on hand and what lies on the shelf, at every place.
    pub(crate) fn places(&mut self) -> BTreeMap<Pair, (i64, i64)> {
        let mut places = BTreeMap::new();
        for view in self.list("/v1/skus?") {
            let levels = view["locations"].as_object().expect("locations");
            for (location, counters) in levels {
                let of = |name: &str| counters[name].as_i64().unwrap_or(0);
                let unshipped = of("sold") - of("shipped");
                let physical = of("on_hand") + unshipped + of("returned") + of("damaged");
                let pair = (text_of(&view, "sku"), location.clone());
                places.insert(pair, (of("on_hand"), physical));
            }
        }
        places
    }

    /// Stops the server and proves its ledgers.
    pub(crate) fn is_proved(&mut self) {
        self.server.stop();
        assert_eq!(self.server.verify(), Some(0), "verify finds faults");
    }
}

fn at_once(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(&work);
        }
    });
}

/// Whether it was decided so; a conflict is the only other answer there may be.
fn decide(talk: &mut Talk, drift: &Value, word: &str) -> bool {
    let id = text_of(drift, "id");
    let (path, key) = (format!("/v1/drifts/{id}/{word}"), format!("{word}-{id}"));
    let body = json!({"reason": "looked at"});
    let (status, body) = talk.until_answered("POST", &path, Some(&key), &body);
    let is_conflict = status == 409 && body["code"] == "drift-conflict";
    assert!(status == 200 || is_conflict, "{drift}: {body}");
    status == 200
}

/// Confirms the reservation that a drift is about, late.
fn confirm(talk: &mut Talk, drift: &Value) {
    let id = text_of(drift, "reservation");
    let path = format!("/v1/reservations/{id}/confirm");
    let key = format!("confirm-{}", text_of(drift, "id"));
    let (status, body) = talk.until_answered("POST", &path, Some(&key), &json!({}));
    assert_eq!(status, 200, "{drift}: {body}");
}

/// A difference, as what is derived says it.
pub(crate) fn drift_line(drift: &Value) -> String {
    let of = |name: &str| text_of(drift, name);
    let difference = &drift["difference"];
    format!(
        "{} {} {} {difference}",
        of("kind"),
        of("sku"),
        of("location")
    )
}

pub(crate) fn text_of(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("no report ({error}): {said}")
    })
}
