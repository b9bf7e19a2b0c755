//! Kafka: one topic, the partition key as key, so that a SKU's events stay in one partition.
//!
//! The producer is idempotent and leaves no gaps: once a message fails, so do those behind it, and
//! a new producer begins again at the place. A repeat over producers stands there twice, with the
//! same id in its header.
//!
//! Deliberately absent: TLS and passwords, which need libraries of their own; a broker on the same
//! machine or network is assumed.

use super::face::Face;
use super::{Delivering, Sink, Undelivered};
use crate::config;
use crate::events::stream::Batch;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::time::Duration;

/// How long a message may take to be acknowledged, over all of the producer's own attempts.
const PATIENCE_MS: &str = "30000";

/// The pause while the producer's queue is full.
const FULL: Duration = Duration::from_millis(5);

/// The sink.
pub(super) struct Kafka {
    brokers: String,
    topic: String,
    open: Option<FutureProducer>,
}

impl Kafka {
    /// As configured.
    pub(super) fn new(settings: &config::Sinks) -> Self {
        Self {
            brokers: settings.kafka_brokers.clone(),
            topic: settings.kafka_topic.clone(),
            open: None,
        }
    }

    fn open(&self) -> Result<FutureProducer, KafkaError> {
        ClientConfig::new()
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
            let headers = OwnedHeaders::new()
                .insert(header("content-type", "application/cloudevents+json"))
                .insert(header("id", &face.id));
            let mut record = FutureRecord::to(&self.topic)
                .key(&*face.partitionkey)
                .payload(&json[..])
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

fn header<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    let value = Some(value);
    Header { key, value }
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
