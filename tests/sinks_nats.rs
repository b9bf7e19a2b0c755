//! Events carried to a real NATS with `JetStream` while both sides are killed: none is lost, order is
//! kept, and what was told again within the stream's window is left out.
//! `cargo test --features nats --test sinks_nats`; skipped where there is no `nats-server`.
#![cfg(feature = "nats")]

#[path = "tls/authority.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod authority;
#[path = "crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "sinks/told.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod told;

use async_nats::ConnectOptions;
use async_nats::jetstream;
use async_nats::jetstream::message::StreamMessage;
use authority::{Authority, Term};
use serde_json::Value;
use server::Server;
use std::path::Path;
use std::process::Command;
use told::{Other, Told, disturbed, error_of, free_port, until};

const DISTURBANCES: u64 = 12;
const USER: &str = "shop";
const PASSWORD: &str = "s@cret";

#[test]
fn nats_has_every_event_once_and_in_order_after_both_were_killed() {
    disturbed_nats("structured", "nats://");
}

#[test]
fn nats_takes_attributes_as_headers_and_asks_for_a_password() {
    disturbed_nats("binary", "nats://shop:s%40cret@");
}

fn disturbed_nats(mode: &str, prefix: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let port = free_port();
    let mut command = Command::new("nats-server");
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]);
    command.arg(directory.path());
    if prefix.contains('@') {
        command.args(["--user", USER, "--pass", PASSWORD]);
    }
    let Some(mut nats) = Other::start(command) else {
        return;
    };
    let url = format!("{prefix}127.0.0.1:{port}");
    let mut server = Server::start_with(&[
        ("SINKS_NATS_URL", &url),
        ("SINKS_NATS_STREAM", "SHOP"),
        ("SINKS_NATS_SUBJECT", "shop.events"),
        ("SINKS_GATHER_MS", "5"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "200"),
        ("SINKS_MODE", mode),
    ]);
    let expected = disturbed(&mut server, DISTURBANCES, |server, random| {
        if random.is_multiple_of(2) {
            server.kill();
            server.restart();
        } else {
            nats.restart();
        }
    });
    let tokio = tokio::runtime::Runtime::new().expect("a thread can wait");
    let mut told = Told::default();
    until(|| {
        told = tokio.block_on(read(&url, None)).unwrap_or_default();
        expected.events.len() <= told.events.len()
    });
    told.is_exactly(&expected);
    server.stop();
}

/// The server is asked who it is before it is told the password, and nothing is told to a stranger.
#[test]
fn nats_is_carried_to_by_tls_with_a_password_and_a_stranger_is_told_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    let (stranger, own) = (Authority::new(), authority.sign("localhost", Term::Running));
    let (certificate, key) = own.files(directory.path());
    let port = free_port();
    let mut command = Command::new("nats-server");
    command.args(["-js", "-a", "localhost", "-p", &port.to_string(), "-sd"]);
    command
        .arg(directory.path())
        .args(["--user", USER, "--pass", PASSWORD, "--tls"]);
    command
        .arg("--tlscert")
        .arg(certificate)
        .arg("--tlskey")
        .arg(key);
    let Some(_nats) = Other::start(command) else {
        return;
    };
    let url = format!("tls://shop:s%40cret@localhost:{port}");
    let trusted = stranger.file(directory.path());
    let mut server = Server::start_with(&[
        ("SSL_CERT_FILE", &trusted.display().to_string()),
        ("SINKS_NATS_URL", &url),
        ("SINKS_NATS_STREAM", "SHOP"),
        ("SINKS_NATS_SUBJECT", "shop.events"),
        ("SINKS_GATHER_MS", "5"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "200"),
    ]);
    disturbed(&mut server, 4, |_, _| {});
    let error = error_of(&server, |error| error.contains("UnknownIssuer"));
    assert!(
        !error.contains(PASSWORD) && !error.contains("s%40cret"),
        "{error}"
    );
    server.stop();
    let trusted = authority.file(directory.path());
    let tokio = tokio::runtime::Runtime::new().expect("a thread can wait");
    let told = tokio.block_on(read(&url, Some(&trusted)));
    assert!(told.is_none(), "a stranger was told");
    server.restart();
    let expected = Told::by_pages(&server.address());
    let mut told = Told::default();
    until(|| {
        let read = tokio.block_on(read(&url, Some(&trusted)));
        told = read.unwrap_or_default();
        expected.events.len() <= told.events.len()
    });
    told.is_exactly(&expected);
    server.stop();
}

/// What the stream has, message by message.
async fn read(url: &str, trusted: Option<&Path>) -> Option<Told> {
    // A server that asks for no password takes any.
    let options = ConnectOptions::with_user_and_password(USER.to_owned(), PASSWORD.to_owned());
    let options = match trusted {
        Some(trusted) => options.add_root_certificates(trusted.to_owned()),
        None => options,
    };
    let client = options.connect(url).await.ok()?;
    let mut stream = jetstream::new(client).get_stream("SHOP").await.ok()?;
    let state = stream.info().await.ok()?.state.clone();
    let mut told = Told::default();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.ok()?;
        let event = event_of(&message)?;
        let id = message.headers.get("Nats-Msg-Id").map(ToString::to_string);
        assert_eq!(id.as_deref(), event["id"].as_str());
        let word = event["type"].as_str()?.strip_prefix("holdfast.")?;
        let word = word.strip_suffix(".v1")?;
        assert_eq!(message.subject.as_str(), format!("shop.events.{word}"));
        told.take(&event);
    }
    Some(told)
}

/// An event, put together from its attributes where those are headers.
fn event_of(message: &StreamMessage) -> Option<Value> {
    let body: Value = serde_json::from_slice(&message.payload).ok()?;
    if message.headers.get("content-type")?.as_str() == "application/cloudevents+json" {
        return Some(body);
    }
    assert!(body["sku"].is_string() || body["sku"].is_null(), "{body}");
    let mut event = serde_json::Map::new();
    for (name, values) in message.headers.iter() {
        let name: &str = name.as_ref();
        if let (Some(name), [value]) = (name.strip_prefix("ce-"), &**values) {
            event.insert(name.to_owned(), value.as_str().into());
        }
    }
    let content_type = message.headers.get("content-type")?;
    event.insert("datacontenttype".to_owned(), content_type.as_str().into());
    event.insert("data".to_owned(), body);
    Some(Value::Object(event))
}
