//! Events carried to the mock cluster of librdkafka while the server is killed and brokers go away:
//! none is lost, and each key's order is kept in its partition.
//! `cargo test --features kafka --test sinks_kafka`
#![cfg(feature = "kafka")]

#[path = "crash/server.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod server;
#[path = "sinks/told.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod told;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use server::Server;
use std::collections::HashMap;
use std::time::Duration;
use told::{Told, disturbed, until};

const DISTURBANCES: u64 = 12;
const PARTITIONS: i32 = 3;

#[test]
fn kafka_has_every_event_in_order_after_both_sides_failed() {
    disturbed_kafka("structured");
}

#[test]
fn kafka_takes_attributes_as_headers() {
    disturbed_kafka("binary");
}

#[test]
fn settings_of_kafkas_client_that_make_no_sense_end_the_start() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("client.properties");
    for (settings, why) in [
        ("security.protocol=CARRIER_PIGEON", "security.protocol"),
        ("# comment\n\nacks=0", "acks is set by the sink itself"),
        ("sasl.password secret", "a line has no `=`"),
    ] {
        std::fs::write(&file, settings).expect("it is ours");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_holdfast"));
        let free = "127.0.0.1:0";
        command.args([
            "serve",
            "--listen",
            free,
            "--admin-listen",
            free,
            "--data-dir",
        ]);
        command.arg(directory.path().join("data"));
        command.env("HOLDFAST_SINKS_KAFKA_BROKERS", "127.0.0.1:1");
        command.env("HOLDFAST_SINKS_KAFKA_PROPERTIES", &file);
        let ended = command.output().expect("it can be started");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            said.contains("sinks.kafka_properties can't be used"),
            "{said}"
        );
        assert!(said.contains(why) && !said.contains("secret"), "{said}");
        assert_eq!(ended.status.code(), Some(4), "{said}");
    }
}

fn disturbed_kafka(mode: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let properties = directory.path().join("client.properties");
    std::fs::write(&properties, "# ours\nclient.rack = here\n").expect("it is ours");
    let cluster = MockCluster::new(2).expect("a mock cluster can be started");
    cluster
        .create_topic("shop", PARTITIONS, 1)
        .expect("it is new there");
    let mut server = Server::start_with(&[
        ("SINKS_KAFKA_BROKERS", &cluster.bootstrap_servers()),
        ("SINKS_KAFKA_TOPIC", "shop"),
        ("SINKS_GATHER_MS", "5"),
        ("SINKS_RETRY_MS", "20"),
        ("SINKS_RETRY_MAX_MS", "200"),
        ("SINKS_MODE", mode),
        ("SINKS_KAFKA_PROPERTIES", &properties.display().to_string()),
    ]);
    let expected = disturbed(&mut server, DISTURBANCES, |server, random| {
        if random.is_multiple_of(2) {
            server.kill();
            server.restart();
        } else {
            let broker = 1 + (random % 4 / 2) as i32;
            cluster.broker_down(broker).expect("there are two");
            std::thread::sleep(Duration::from_millis(random % 300));
            cluster.broker_up(broker).expect("there are two");
        }
    });
    let consumer = consumer(&cluster.bootstrap_servers());
    let (mut told, mut partitions) = (Told::default(), HashMap::new());
    until(|| {
        while let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let event = event_of(&message);
            let key = message.key_view::<str>().expect("a message has a key");
            let key = key.expect("a key is text").to_owned();
            assert_eq!(Some(&*key), event["partitionkey"].as_str());
            let partition = message.partition();
            assert_eq!(*partitions.entry(key).or_insert(partition), partition);
            told.take(&event);
        }
        expected.events.len() <= told.events.len()
    });
    told.is_with_repeats(&expected);
    server.stop();
}

/// An event, put together from its attributes where those are headers.
fn event_of(message: &BorrowedMessage<'_>) -> Value {
    let body = message.payload().expect("a message has its event");
    let body: Value = serde_json::from_slice(body).expect("it is JSON");
    let headers = message.headers().expect("a message has headers");
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.key == name);
        let value = found.and_then(|header| header.value).expect(name);
        Value::from(String::from_utf8_lossy(value))
    };
    if header("content-type") == "application/cloudevents+json" {
        assert_eq!(header("id"), body["id"]);
        return body;
    }
    let mut event = serde_json::Map::from_iter([
        ("datacontenttype".to_owned(), header("content-type")),
        ("data".to_owned(), body),
    ]);
    for header in headers.iter() {
        if let Some(name) = header.key.strip_prefix("ce_") {
            let value = header.value.expect("an attribute has a value");
            let value = String::from_utf8_lossy(value).into_owned();
            event.insert(name.to_owned(), value.into());
        }
    }
    Value::Object(event)
}

fn consumer(brokers: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .create()
        .expect("it is configured");
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let begin = all.add_partition_offset("shop", partition, Offset::Beginning);
        begin.expect("it is a place");
    }
    consumer.assign(&all).expect("they are there");
    consumer
}
