//! Receivers that turn out to be somewhere else, or die in the middle of a delivery.

use crate::receiver::{Receiver, Reply, until};
use crate::scene::Scene;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What a name stands for is looked at for every connection, not only when the webhook is made.
#[test]
fn a_name_that_has_become_a_private_address_is_not_connected_to() {
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    let receiver = Receiver::kind();
    let url = receiver.url.replace("127.0.0.1", "localhost");
    let (id, _) = scene.webhook(&json!({"url": url, "types": ["stock.received"]}));
    scene.receive("TEE");
    until("a private address was allowed", || {
        receiver.got().len() == 1
    });
    scene.until_seen(&id, "lag", &json!(0));
    scene.server.stop();
    scene.server.set("EVENTS_WEBHOOKS_PRIVATE", "false");
    scene.server.restart();
    scene.receive("TEE");
    let path = format!("/v1/webhooks/{id}/deliveries");
    let mut last = Value::Null;
    for _ in 0..500 {
        last = scene.get(&path)["items"][0].clone();
        if last["error"].is_string() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let why = last["error"].as_str().expect("it was tried");
    assert!(why.contains("is not public"), "{why}");
    let (_, tested) = scene.ask("POST", &format!("/v1/webhooks/{id}/test"), &Value::Null);
    let why = tested["error"].as_str().expect("it was not taken");
    assert!(why.contains("is not public"), "{why}");
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn a_receiver_that_is_killed_again_and_again_gets_everything_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("got.ndjson");
    let mut scene = Scene::new(&[]);
    let skus = ["A", "B", "C"];
    scene.skus(&skus);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let url = format!("http://127.0.0.1:{port}/");
    let (id, secret) = scene.webhook(&json!({"url": url, "types": ["stock.received"]}));
    let mut receiver = listen(port, &secret, &file);
    for _ in 0..4 {
        for _ in 0..5 {
            for sku in skus {
                scene.receive(sku);
            }
        }
        // Most of it is under way, since each answer takes a while.
        receiver.kill().expect("it runs");
        receiver.wait().expect("it was killed");
        receiver = listen(port, &secret, &file);
    }
    scene.until_seen(&id, "lag", &json!(0));
    assert_eq!(scene.seen(&id, "dead_letters"), 0);
    let text = std::fs::read_to_string(&file).expect("it is text");
    let mut got: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        // What a kill cut off was not answered, and came again.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let text = |name: &str| event[name].as_str().expect("a text").to_owned();
        let of_sku = got.entry(text("subject")).or_default();
        if !of_sku.contains(&text("sequence")) {
            of_sku.push(text("sequence"));
        }
    }
    for sku in skus {
        assert_eq!(got[sku], scene.told_of(sku, "stock.received"), "{sku}");
    }
    receiver.kill().expect("it runs");
    receiver.wait().expect("it was killed");
}

/// The place that is kept lies before everything that has not been answered.
#[test]
fn what_was_under_way_when_the_server_was_killed_comes_again() {
    let mut scene = Scene::new(&[("EVENTS_WEBHOOKS_ANSWER_MS", "60000")]);
    let slow = ["A", "B", "C"];
    scene.skus(&["A", "B", "C", "D"]);
    let hangs = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&hangs);
    let receiver = Receiver::start(move |got| {
        let hangs = got.sku() != "D" && still.load(Ordering::Relaxed);
        if hangs {
            Reply::Hang
        } else {
            Reply::Status(204)
        }
    });
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    for sku in slow {
        scene.receive(sku);
    }
    until("nothing comes", || receiver.got().len() == 3);
    scene.receive("D");
    scene.until_seen(&id, "delivered", &json!(1));
    // What is kept is kept a few times a second; without this, an older place may be on disk.
    thread::sleep(Duration::from_secs(1));
    scene.server.kill();
    hangs.store(false, Ordering::Relaxed);
    scene.server.restart();
    for sku in slow {
        until("what was under way is lost", || {
            receiver.taken_of(sku).len() == 1
        });
    }
}

/// Its place was ahead of the ledgers then: it would have waited until they had caught up, and what
/// happened until then would never have come.
#[test]
fn after_an_older_copy_was_restored_a_webhook_is_told_what_happens_from_then_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::new(&[]);
    scene.skus(&["TEE"]);
    let receiver = Receiver::kind();
    let (id, _) = scene.webhook(&json!({"url": receiver.url, "types": ["stock.received"]}));
    scene.receive("TEE");
    scene.until_seen(&id, "delivered", &json!(1));
    scene.server.stop();
    let shards = ["shard-00", "shard-01"];
    for shard in shards {
        copy(
            &scene.server.data_dir().join(shard),
            &directory.path().join(shard),
        );
    }
    scene.server.restart();
    for _ in 0..30 {
        scene.receive("TEE");
    }
    scene.until_seen(&id, "delivered", &json!(31));
    scene.server.stop();
    for shard in shards {
        copy(
            &directory.path().join(shard),
            &scene.server.data_dir().join(shard),
        );
    }
    scene.server.restart();
    for _ in 0..3 {
        scene.receive("TEE");
    }
    scene.until_seen(&id, "delivered", &json!(34));
    let told = scene.told_of("TEE", "stock.received");
    let got = receiver.taken();
    let last = got[31..]
        .iter()
        .map(|got| got.events()[0]["sequence"].clone());
    assert_eq!(last.collect::<Vec<_>>(), told[1..]);
}

/// A shard's files in place of what is there.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).expect("it is ours");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
    }
}

/// `holdfast webhook listen`, whose lines are added to a file.
fn listen(port: u16, secret: &str, file: &Path) -> Child {
    let out = File::options().append(true).create(true).open(file);
    Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .args(["webhook", "listen", "--delay", "20", "--port"])
        .arg(port.to_string())
        .args(["--secret", secret])
        .stdout(out.expect("it is ours"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be started")
}
