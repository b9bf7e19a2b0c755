//! Kafka: one topic, the partition key as key, so that a SKU's events stay in one partition.
//!
//! The producer is idempotent and leaves no gaps: once a message fails, so do those behind it, and
//! a new producer begins again at the place. A repeat over producers stands there twice, with the
//! same id in its header.
//!
//! TLS, names and passwords are the client's own settings, in a file of theirs. Deliberately absent:
//! naming each of them again, and letting them change what order and durability rest on.

use super::face::Face;
use super::{Delivering, NotStarted, Sink, Undelivered};
use crate::config;
use crate::config::EventMode;
use crate::events::binary::Apart;
use crate::events::stream::Batch;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::path::Path;
use std::time::Duration;

/// How long a message may take to be acknowledged, over all of the producer's own attempts.
const PATIENCE_MS: &str = "30000";

/// The pause while the producer's queue is full.
const FULL: Duration = Duration::from_millis(5);

/// The sink.
pub(super) struct Kafka {
    brokers: String,
    topic: String,
    mode: EventMode,
    properties: Vec<(String, String)>,
    open: Option<FutureProducer>,
}

/// What the sink itself rests on.
const OWN: [&str; 5] = [
    "bootstrap.servers",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "acks",
    "partitioner",
];

impl Kafka {
    /// As configured.
    pub(super) fn new(settings: &config::Sinks) -> Result<Self, NotStarted> {
        let properties = match &settings.kafka_properties {
            Some(file) => read(file).map_err(|why| NotStarted::Unusable {
                key: "sinks.kafka_properties",
                why: format!("{}: {why}", file.display()),
            })?,
            None => Vec::new(),
        };
        let kafka = Self {
            brokers: settings.kafka_brokers.clone(),
            topic: settings.kafka_topic.clone(),
            mode: settings.mode,
            properties,
            open: None,
        };
        // A client that can't be made from these settings is known before anything is served. It
        // reaches for no broker while nothing is sent.
        match kafka.open() {
            Ok(_) => Ok(kafka),
            Err(error) => Err(NotStarted::Unusable {
                key: "sinks.kafka_properties",
                why: error.to_string(),
            }),
        }
    }

    fn open(&self) -> Result<FutureProducer, KafkaError> {
        let mut config = ClientConfig::new();
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "holdfast")
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("message.timeout.ms", PATIENCE_MS)
            // Java's way to choose a partition, so that other producers choose the same.
            .set("partitioner", "murmur2_random")
            // Deliveries are gathered already.
            .set("linger.ms", "1")
            .create()
    }

    async fn carry(&self, producer: &FutureProducer, batch: &Batch) -> Result<(), Undelivered> {
        let mut sent = Vec::with_capacity(batch.len());
        for event in batch.events() {
            let json = batch.json(event);
            let face = Face::of(&json);
            let (headers, payload) = self.filled(&json, &face.id);
            let mut record = FutureRecord::to(&self.topic)
                .key(&*face.partitionkey)
                .payload(payload)
                .headers(headers);
            loop {
                match producer.send_result(record) {
                    Ok(delivery) => break sent.push(delivery),
                    Err((error, again)) if is_full(&error) => record = again,
                    Err((error, _)) => return Err(Undelivered::new(error)),
                }
                tokio::time::sleep(FULL).await;
            }
        }
        for delivery in sent {
            let delivered = delivery.await.map_err(Undelivered::new)?;
            delivered.map_err(|(error, _)| Undelivered::new(error))?;
        }
        Ok(())
    }
}

impl Kafka {
    /// By the Kafka binding of `CloudEvents` 1.0, section 3.
    fn filled<'a>(&self, json: &'a [u8], id: &str) -> (OwnedHeaders, &'a [u8]) {
        match self.mode {
            EventMode::Structured => {
                let headers = OwnedHeaders::new()
                    .insert(header("content-type", "application/cloudevents+json"))
                    .insert(header("id", id));
                (headers, json)
            }
            EventMode::Binary => {
                let apart = Apart::of(json);
                let first = OwnedHeaders::new().insert(header("content-type", &apart.content_type));
                let headers = apart
                    .attributes
                    .iter()
                    .fold(first, |headers, (name, value)| {
                        headers.insert(header(&format!("ce_{name}"), value))
                    });
                (headers, apart.data.get().as_bytes())
            }
        }
    }
}

impl Sink for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn deliver<'a>(&'a mut self, batches: &'a [Batch]) -> Delivering<'a> {
        Box::pin(async move {
            let producer = match self.open.take() {
                Some(producer) => producer,
                None => self.open().map_err(Undelivered::new)?,
            };
            for batch in batches {
                self.carry(&producer, batch).await?;
            }
            self.open = Some(producer);
            Ok(())
        })
    }
}

/// The settings in a file: `key=value`, with empty lines and comments between.
fn read(file: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        // What is behind the sign may be secret, so it is not repeated.
        let no_pair = || "a line has no `=`; write key=value".to_owned();
        let (key, value) = line.split_once('=').ok_or_else(no_pair)?;
        let (key, value) = (key.trim(), value.trim());
        if OWN.contains(&key) {
            return Err(format!("{key} is set by the sink itself; leave it out"));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    lines.map(pair).collect()
}

fn header<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    let value = Some(value);
    Header { key, value }
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
