//! Events carried to a real Redis while both sides are killed: each stands there once, in order.
//! `cargo test --features redis --test sinks_redis`; skipped where there is no `redis-server`.
#![cfg(feature = "redis")]

#[path = "tls/authority.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod authority;
#[path = "crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "sinks/told.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod told;

use authority::{Authority, Term};
use redis::streams::StreamRangeReply;
use redis::{Client, Commands, TlsCertificates};
use serde_json::{Value, json};
use server::{Server, Talk};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use told::{Other, Told, disturbed, error_of, free_port, sink_of, until};

const DISTURBANCES: u64 = 12;

fn redis_in(directory: &Path, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--dir"]).arg(directory);
    command
}

#[test]
fn redis_has_every_event_once_and_in_order_after_both_were_killed() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = free_port();
    let mut command = redis_in(directory.path(), port);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    let Some(mut redis) = Other::start(command) else {
        return;
    };
    let url = format!("redis://127.0.0.1:{port}");
    let mut server = Server::start_with(&[
        ("SINKS_REDIS_URL", &url),
        ("SINKS_REDIS_STREAM", "shop"),
        ("SINKS_GATHER_MS", "5"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "200"),
    ]);
    let expected = disturbed(&mut server, DISTURBANCES, |server, random| {
        if random.is_multiple_of(2) {
            server.kill();
            server.restart();
        } else {
            redis.restart();
        }
    });
    let client = Client::open(url.as_str()).expect("it is a URL");
    until(|| expected.events.len() <= read(&client).events.len());
    read(&client).is_exactly(&expected);
    server.stop();
}

/// One entry of many was refused for want of memory, those behind it were taken, and Redis takes no
/// entry before the last: the event was missing for ever.
#[test]
fn what_redis_had_no_memory_for_is_not_left_out() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = free_port();
    let command = redis_in(directory.path(), port);
    let Some(_redis) = Other::start(command) else {
        return;
    };
    let url = format!("redis://127.0.0.1:{port}");
    let mut server = Server::start();
    let mut talk = Talk::new(server.address());
    talk.until_answered("PUT", "/v1/skus/TEE", Some("p"), &json!({}));
    // No more than a shard permits at once.
    for round in 0..50 {
        let operation = |number: u64| {
            json!({"op": "movement", "key": format!("m-{round}-{number}"), "sku": "TEE",
                "kind": "receive", "qty": 1})
        };
        let operations: Vec<Value> = (0..200).map(operation).collect();
        let body = json!({"operations": operations});
        let (status, answer) = talk.until_answered("POST", "/v1/batch", None, &body);
        let results = answer["results"].as_array().expect("a list");
        let is_done = results.iter().all(|one| one["status"] == 201);
        assert!(status == 200 && is_done, "{answer}");
    }
    server.stop();
    server.set("SINKS_REDIS_URL", &url);
    server.set("SINKS_REDIS_STREAM", "shop");
    server.set("SINKS_RETRY_MS", "10");
    server.set("SINKS_RETRY_MAX_MS", "10");
    let client = Client::open(url.as_str()).expect("it is a URL");
    until(|| client.get_connection().is_ok());
    let over = Arc::new(AtomicBool::new(false));
    let (still, own) = (Arc::clone(&over), client.clone());
    let miser = thread::spawn(move || {
        let mut redis = own.get_connection().expect("it runs");
        let mut limit = |bytes: u64| {
            let mut set = redis::cmd("CONFIG");
            set.arg("SET").arg("maxmemory").arg(bytes);
            set.exec(&mut redis).expect("it runs");
        };
        // Ever more seldom, so that a slow machine gets through as well.
        for times in 0.. {
            if still.load(Ordering::Relaxed) {
                return;
            }
            limit(1);
            limit(0);
            thread::sleep(Duration::from_millis(1 + times / 30));
        }
    });
    server.restart();
    let expected = Told::by_pages(&server.address());
    assert!(10_000 < expected.events.len(), "too little happened");
    until(|| expected.events.len() <= read(&client).events.len() || miser.is_finished());
    over.store(true, Ordering::Relaxed);
    miser.join().expect("it ends");
    read(&client).is_exactly(&expected);
    server.stop();
}

#[test]
fn a_stream_keeps_about_as_many_entries_as_it_is_told_to_and_the_newest() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = free_port();
    let mut command = redis_in(directory.path(), port);
    // What is trimmed is trimmed by so many.
    command.args(["--stream-node-max-entries", "10"]);
    let Some(_redis) = Other::start(command) else {
        return;
    };
    let url = format!("redis://127.0.0.1:{port}");
    let mut server = Server::start_with(&[
        ("SINKS_REDIS_URL", &url),
        ("SINKS_REDIS_STREAM", "shop"),
        ("SINKS_REDIS_MAXLEN", "50"),
        ("SINKS_GATHER_MS", "0"),
        ("SINKS_RETRY_MS", "20"),
    ]);
    let expected = disturbed(&mut server, 4, |_, _| {});
    let client = Client::open(url.as_str()).expect("it is a URL");
    until(|| sink_of(&server)["delivered"] == expected.events.len());
    let kept = read(&client);
    for shard in ["0000", "0001"] {
        let of = |told: &Told| -> Vec<String> {
            let ids = told.events.keys().filter(|id| id.starts_with(shard));
            ids.cloned().collect()
        };
        let (kept, all) = (of(&kept), of(&expected));
        assert!(70 < all.len(), "too little happened");
        assert!(
            (50..=70).contains(&kept.len()),
            "{} of {}",
            kept.len(),
            all.len()
        );
        assert_eq!(
            kept,
            all[all.len() - kept.len()..],
            "those are not the newest"
        );
    }
    server.stop();
}

#[test]
fn streams_of_another_data_directory_are_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = free_port();
    let command = redis_in(directory.path(), port);
    let Some(_redis) = Other::start(command) else {
        return;
    };
    let url = format!("redis://127.0.0.1:{port}");
    let settings = [
        ("SINKS_REDIS_URL", &*url),
        ("SINKS_GATHER_MS", "5"),
        ("SINKS_RETRY_MS", "20"),
    ];
    let client = Client::open(url.as_str()).expect("it is a URL");
    let mut first = Server::start_with(&settings);
    let told = disturbed(&mut first, 4, |_, _| {});
    let has_all = || read_from(&client, "holdfast").events == told.events;
    until(has_all);
    first.stop();
    let mut second = Server::start_with(&settings);
    disturbed(&mut second, 4, |_, _| {});
    let error = error_of(&second, |error| !error.is_empty());
    assert!(
        error.contains("holds events of another data directory"),
        "{error}"
    );
    assert!(has_all(), "somebody else wrote there");
    second.stop();
}

/// The server is asked who it is before it is told the password, and nothing is told to a stranger.
#[test]
fn redis_is_carried_to_by_tls_with_a_password_and_a_stranger_is_told_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    let (stranger, own) = (Authority::new(), authority.sign("localhost", Term::Running));
    let (certificate, key) = own.files(directory.path());
    let trusted = authority.file(directory.path());
    let port = free_port();
    let mut command = redis_in(directory.path(), 0);
    command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
    command
        .args(["--requirepass", "s@cret", "--tls-cert-file"])
        .arg(certificate);
    command
        .arg("--tls-key-file")
        .arg(key)
        .arg("--tls-ca-cert-file")
        .arg(&trusted);
    let Some(_redis) = Other::start(command) else {
        return;
    };
    let url = format!("rediss://:s%40cret@localhost:{port}");
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(authority.pem().as_bytes().to_vec()),
    };
    let client = Client::build_with_tls(url.as_str(), certificates).expect("it is a URL");
    until(|| client.get_connection().is_ok());
    std::fs::write(&trusted, stranger.pem()).expect("it is ours");
    let mut server = Server::start_with(&[
        ("SSL_CERT_FILE", &trusted.display().to_string()),
        ("SINKS_REDIS_URL", &url),
        ("SINKS_REDIS_STREAM", "shop"),
        ("SINKS_GATHER_MS", "5"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "200"),
    ]);
    disturbed(&mut server, 4, |_, _| {});
    let error = error_of(&server, |error| !error.is_empty());
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert!(
        !error.contains("s@cret") && !error.contains("s%40cret"),
        "{error}"
    );
    assert!(read(&client).events.is_empty(), "a stranger was told");
    server.stop();
    std::fs::write(&trusted, authority.pem()).expect("it is ours");
    server.restart();
    let expected = Told::by_pages(&server.address());
    until(|| expected.events.len() <= read(&client).events.len());
    read(&client).is_exactly(&expected);
    server.stop();
}

fn read(client: &Client) -> Told {
    read_from(client, "shop")
}

/// What the streams of both shards have.
fn read_from(client: &Client, prefix: &str) -> Told {
    let mut told = Told::default();
    let Ok(mut redis) = client.get_connection() else {
        return told;
    };
    for shard in 0..2 {
        let stream = format!("{prefix}:{shard}");
        let entries: StreamRangeReply = redis.xrange_all(stream).expect("it can be read");
        for entry in entries.ids {
            let event: String = entry.get("event").expect("an entry has its event");
            let event: Value = serde_json::from_str(&event).expect("an event is JSON");
            assert_eq!(
                entry.get::<String>("type").as_deref(),
                event["type"].as_str()
            );
            assert_eq!(
                entry.get::<String>("key").as_deref(),
                event["partitionkey"].as_str()
            );
            told.take(&event);
        }
    }
    told
}
