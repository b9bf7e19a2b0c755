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
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use server::Server;
use std::collections::HashMap;
use std::time::Duration;
use told::{Told, disturbed, until};

const DISTURBANCES: u64 = 12;
const PARTITIONS: i32 = 3;

#[test]
fn kafka_has_every_event_in_order_after_both_sides_failed() {
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
            let event = message.payload().expect("a message has its event");
            let event: serde_json::Value = serde_json::from_slice(event).expect("it is JSON");
            let key = message.key_view::<str>().expect("a message has a key");
            let key = key.expect("a key is text").to_owned();
            assert_eq!(Some(&*key), event["partitionkey"].as_str());
            let headers = message.headers().expect("a message has headers");
            let id = headers.iter().find(|header| header.key == "id");
            let id = id.and_then(|id| id.value);
            assert_eq!(id, event["id"].as_str().map(str::as_bytes));
            let partition = message.partition();
            assert_eq!(*partitions.entry(key).or_insert(partition), partition);
            told.take(&event);
        }
        expected.ids.len() <= told.ids.len()
    });
    assert_eq!(told.ids, expected.ids);
    assert_eq!(told.without_repeats(), expected.in_order);
    server.stop();
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
