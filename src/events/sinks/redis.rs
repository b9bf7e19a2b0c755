//! Redis Streams: one per shard, `holdfast:0` and so on, with entries under the event's own place.
//!
//! An entry's id is the event's sequence and its part, such as `1207-0`. Redis takes ids in rising
//! order alone, and its stream says which came last: what is told again is left out, so that every
//! event stands there once.
//!
//! Deliberately absent: one stream over all shards. Its ids would have to rise over all of them.

use super::face::Face;
use super::{Delivering, NotStarted, Sink, Undelivered};
use crate::config;
use crate::events::stream::Batch;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, Value, cmd, pipe};
use std::collections::HashMap;
use std::time::Duration;

/// Entries of one pipeline.
const PIPELINE: usize = 1_000;

/// How long Redis may take to be reached, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An entry's place in its stream.
type Place = (u64, u64);

/// The sink.
pub(super) struct Streams {
    client: Client,
    prefix: String,
    entries_max: u64,
    open: Option<Open>,
}

/// A connection, and what stands last in the streams that were written by it.
struct Open {
    connection: MultiplexedConnection,
    last: HashMap<u16, Place>,
}

impl Streams {
    /// As configured.
    pub(super) fn new(settings: &config::Sinks) -> Result<Self, NotStarted> {
        let client = Client::open(settings.redis_url.0.as_str());
        let client = client.map_err(|error| NotStarted::Unusable {
            key: "sinks.redis_url",
            why: error.to_string(),
        })?;
        Ok(Self {
            client,
            prefix: settings.redis_stream.clone(),
            entries_max: settings.redis_maxlen,
            open: None,
        })
    }

    async fn open(&self) -> Result<Open, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        Ok(Open {
            connection: connection.await?,
            last: HashMap::new(),
        })
    }

    async fn carry(&self, open: &mut Open, batch: &Batch) -> Result<(), Undelivered> {
        let shard = batch.shard();
        let stream = format!("{}:{shard}", self.prefix);
        let mut last = match open.last.get(&shard) {
            Some(last) => *last,
            None => last_of(&mut open.connection, &stream, batch).await?,
        };
        let mut places = 0..batch.len();
        while !places.is_empty() {
            let mut pipeline = pipe();
            // All of them or none: where one alone fails, as with too little memory just then, Redis
            // would take those behind it and never again the one before.
            pipeline.atomic();
            for place in places.by_ref().take(PIPELINE) {
                let json = batch.json(batch.event(place));
                let face = Face::of(&json);
                let at = place_of(&face.id).expect("an event's id has its sequence and part");
                if at <= last {
                    continue;
                }
                last = at;
                let entry = pipeline.cmd("XADD").arg(&stream);
                if 0 < self.entries_max {
                    entry.arg("MAXLEN").arg("~").arg(self.entries_max);
                }
                let (id, kind) = (format!("{}-{}", at.0, at.1), &*face.kind);
                let key = &*face.partitionkey;
                entry.arg(id).arg("type").arg(kind).arg("key").arg(key);
                entry.arg("event").arg(&json[..]).ignore();
            }
            let done = pipeline.exec_async(&mut open.connection).await;
            done.map_err(Undelivered::new)?;
        }
        open.last.insert(shard, last);
        Ok(())
    }
}

impl Sink for Streams {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn deliver<'a>(&'a mut self, batches: &'a [Batch]) -> Delivering<'a> {
        Box::pin(async move {
            // After a failure what stands there is looked at anew.
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.open().await.map_err(Undelivered::new)?,
            };
            for batch in batches {
                self.carry(&mut open, batch).await?;
            }
            self.open = Some(open);
            Ok(())
        })
    }
}

/// What stands last in a stream, which must be this stock's.
async fn last_of(
    connection: &mut MultiplexedConnection,
    stream: &str,
    batch: &Batch,
) -> Result<Place, Undelivered> {
    let exists: bool = cmd("EXISTS")
        .arg(stream)
        .query_async(connection)
        .await
        .map_err(Undelivered::new)?;
    if !exists {
        return Ok((0, 0));
    }
    let about: HashMap<String, Value> = cmd("XINFO")
        .arg("STREAM")
        .arg(stream)
        .query_async(connection)
        .await
        .map_err(Undelivered::new)?;
    let text = |name: &str| {
        let value = about.get(name).cloned();
        value.and_then(|value| String::from_redis_value(value).ok())
    };
    let entry = about.get("last-entry").cloned();
    let entry =
        entry.and_then(|entry| <(String, HashMap<String, Value>)>::from_redis_value(entry).ok());
    let event = entry.and_then(|(_, mut fields)| fields.remove("event"));
    let event = event.and_then(|event| Vec::<u8>::from_redis_value(event).ok());
    let own = batch.json(batch.event(0));
    if let Some(event) = event
        && serde_json::from_slice::<Face<'_>>(&event)
            .ok()
            .map(|face| face.source)
            != Some(Face::of(&own).source)
    {
        return Err(Undelivered::new(format_args!(
            "the stream {stream} holds events of another data directory; set sinks.redis_stream to \
             another name, or remove it"
        )));
    }
    let last = text("last-generated-id").as_deref().and_then(parse);
    last.ok_or_else(|| Undelivered::new(format_args!("Redis does not say where {stream} ends")))
}

fn parse(id: &str) -> Option<Place> {
    let (major, minor) = id.split_once('-')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Of an event's id: shard, sequence and part.
fn place_of(id: &str) -> Option<Place> {
    parse(id.split_once('-')?.1)
}
