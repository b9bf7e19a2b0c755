//! Events carried into files by the real server: nothing lost over `kill -9` and over a folder that
//! takes nothing, and what a server without a broker's feature says.

#[path = "crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "sinks/told.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod told;

use serde_json::{Value, json};
use server::{Server, Talk};
use std::fs;
use std::path::Path;
use told::{Told, disturbed, sink_of, until};

const KILLS: u64 = 12;

#[test]
fn files_have_every_event_after_the_server_was_killed_at_random() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("out");
    let mut server = Server::start_with(&[
        ("SINKS_NDJSON_DIR", &out.display().to_string()),
        ("SINKS_NDJSON_ROTATE_BYTES", "100000"),
        ("SINKS_GATHER_MS", "5"),
    ]);
    let expected = disturbed(&mut server, KILLS, |server, _| {
        server.kill();
        server.restart();
    });
    until(|| expected.events.len() <= lines(&out).events.len());
    lines(&out).is_with_repeats(&expected);
    let files = fs::read_dir(&out).expect("it is there").count();
    assert!(1 < files, "no file was large enough");
    server.stop();
}

#[test]
fn a_sink_that_takes_nothing_says_why_and_catches_up() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("out");
    fs::write(&out, "in the way").expect("it is ours");
    let mut server = Server::start_with(&[
        ("SINKS_NDJSON_DIR", &out.display().to_string()),
        ("SINKS_GATHER_MS", "0"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "100"),
    ]);
    let mut talk = Talk::new(server.address());
    talk.until_answered("PUT", "/v1/skus/TEE-1", Some("p"), &json!({}));
    let body = json!({"kind": "receive", "qty": 5});
    for number in 0..5 {
        let key = format!("m-{number}");
        talk.until_answered("POST", "/v1/skus/TEE-1/movements", Some(&key), &body);
    }
    let sink = || sink_of(&server);
    until(|| 1 < sink()["failures"].as_u64().expect("a number"));
    let failing = sink();
    assert_eq!(failing["name"], "ndjson");
    assert_eq!(failing["delivered"], 0);
    assert!(5 <= failing["lag"].as_u64().expect("a number"), "{failing}");
    let error = failing["error"].as_str().expect("a text");
    assert!(error.starts_with(&out.display().to_string()), "{error}");
    fs::remove_file(&out).expect("it is ours");
    until(|| sink()["lag"] == 0);
    let well = sink();
    assert_eq!(well["error"], Value::Null);
    lines(&out).is_exactly(&Told::by_pages(&server.address()));
    server.stop();
}

/// Receipts of one unit each.
fn receive(server: &Server, keys: std::ops::Range<u32>) {
    let mut talk = Talk::new(server.address());
    talk.until_answered("PUT", "/v1/skus/TEE-1", Some("p"), &json!({}));
    let body = json!({"kind": "receive", "qty": 1});
    for number in keys {
        let (key, path) = (format!("m-{number}"), "/v1/skus/TEE-1/movements");
        let (status, _) = talk.until_answered("POST", path, Some(&key), &body);
        assert_eq!(status, 201);
    }
}

#[test]
fn a_new_sink_begins_where_it_is_told_to_and_an_old_one_where_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("out");
    let mut server = Server::start();
    receive(&server, 0..5);
    server.stop();
    server.set("SINKS_NDJSON_DIR", &out.display().to_string());
    server.set("SINKS_FROM", "latest");
    server.set("SINKS_GATHER_MS", "0");
    server.restart();
    receive(&server, 5..8);
    let received = || {
        let told = lines(&out);
        told.in_order.get("TEE-1").map_or(0, Vec::len)
    };
    until(|| received() == 3);
    server.kill();
    server.restart();
    receive(&server, 8..10);
    until(|| received() == 5);
    server.stop();
    // What is no place is found out at the start.
    server.set("SINKS_FROM", "yesterday");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    command.arg("--data-dir").arg(server.data_dir());
    command.env("HOLDFAST_SINKS_FROM", "yesterday");
    command.env("HOLDFAST_SINKS_NDJSON_DIR", &out);
    let said = command.output().expect("it can be started").stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("sinks.from can't be used"), "{said}");
}

/// A sink that was ahead of a restored ledger began at its end, at every try anew: what happened
/// while it took nothing was lost to it.
#[test]
fn after_an_older_copy_was_restored_a_sink_that_takes_nothing_yet_misses_nothing_more() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (out, copy) = (directory.path().join("out"), directory.path().join("copy"));
    let mut server = Server::start_with(&[
        ("SINKS_NDJSON_DIR", &out.display().to_string()),
        ("SINKS_GATHER_MS", "0"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "50"),
    ]);
    receive(&server, 0..3);
    server.stop();
    let shards: Vec<String> = (0..2).map(|shard| format!("shard-{shard:02}")).collect();
    for shard in &shards {
        copied(&server.data_dir().join(shard), &copy.join(shard));
    }
    server.restart();
    receive(&server, 3..50);
    until(|| 40 < lines(&out).events.len());
    server.stop();
    for shard in &shards {
        let place = server.data_dir().join(shard);
        fs::remove_dir_all(&place).expect("it is ours");
        copied(&copy.join(shard), &place);
    }
    fs::remove_dir_all(&out).expect("it is ours");
    fs::write(&out, "in the way").expect("it is ours");
    server.restart();
    let failures = |server: &Server| sink_of(server)["failures"].as_u64().expect("a number");
    receive(&server, 100..103);
    let before = failures(&server);
    until(|| before + 1 < failures(&server));
    fs::remove_file(&out).expect("it is ours");
    until(|| lines(&out).in_order.get("TEE-1").map_or(0, Vec::len) == 3);
    server.stop();
}

/// Many receipts of one unit each, no more at once than a shard permits.
fn receive_many(server: &Server, rounds: std::ops::Range<u32>) {
    let mut talk = Talk::new(server.address());
    talk.until_answered("PUT", "/v1/skus/TEE-1", Some("p"), &json!({}));
    for round in rounds {
        let operation = |number: u32| {
            json!({"op": "movement", "key": format!("m-{round}-{number}"), "sku": "TEE-1",
                "kind": "receive", "qty": 1})
        };
        let operations: Vec<Value> = (0..200).map(operation).collect();
        let body = json!({"operations": operations});
        let (status, answer) = talk.until_answered("POST", "/v1/batch", None, &body);
        assert_eq!(
            (status, &answer["results"][199]["status"]),
            (200, &json!(201))
        );
    }
}

/// What was read is let go before more is read, however much has piled up.
#[test]
fn what_has_piled_up_is_carried_piece_by_piece() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let out = directory.path().join("out");
    let mut server = Server::start();
    receive_many(&server, 0..150);
    server.stop();
    server.set("SINKS_NDJSON_DIR", &out.display().to_string());
    // So that each delivery has a file of its own.
    server.set("SINKS_NDJSON_ROTATE_BYTES", "4096");
    server.restart();
    // Before it has begun it lags behind nothing.
    until(|| {
        let sink = sink_of(&server);
        sink["lag"] == 0 && sink["delivered"].as_u64() >= Some(30_000)
    });
    lines(&out).is_exactly(&Told::by_pages(&server.address()));
    for file in fs::read_dir(&out).expect("it is there") {
        let file = file.expect("it is there").path();
        let text = fs::read_to_string(file).expect("it is text");
        let events = text.lines().count();
        assert!(events < 20_000, "{events} of 30,000 events at once");
    }
    server.stop();
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it is there");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
    }
}

#[test]
fn a_broker_that_is_not_built_in_is_refused_at_start() {
    let brokers = [
        ("NATS_URL", "nats", "NATS", cfg!(feature = "nats")),
        ("REDIS_URL", "redis", "Redis", cfg!(feature = "redis")),
        ("KAFKA_BROKERS", "kafka", "Kafka", cfg!(feature = "kafka")),
    ];
    for (key, feature, broker, is_built_in) in brokers {
        if is_built_in {
            continue;
        }
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
            ])
            .arg("--data-dir")
            .arg(directory.path().join("data"))
            .env(format!("HOLDFAST_SINKS_{key}"), "nats://127.0.0.1:1")
            .output()
            .expect("it can be started");
        let said = String::from_utf8_lossy(&ended.stderr);
        let expected = format!(
            "sinks.{} is set, and this build has no {broker}; build with --features {feature}",
            key.to_lowercase()
        );
        assert!(said.contains(&expected), "{said}");
        assert_eq!(ended.status.code(), Some(4), "{said}");
    }
}

/// What the files of a folder have, in their order.
fn lines(folder: &Path) -> Told {
    let Ok(entries) = fs::read_dir(folder) else {
        return Told::default();
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it is there").path())
        .collect();
    files.sort();
    let mut told = Told::default();
    for (number, file) in files.iter().enumerate() {
        let text = fs::read_to_string(file).expect("it is text");
        let whole = match text.rfind('\n') {
            Some(end) => &text[..=end],
            None => "",
        };
        // The newest may be in the middle of being written.
        assert!(
            number + 1 == files.len() || whole == text,
            "{}",
            file.display()
        );
        for line in whole.lines() {
            told.take(&serde_json::from_str(line).expect("a line is JSON"));
        }
    }
    told
}
