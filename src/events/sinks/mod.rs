//! Events carried to where the business reads them: files, and brokers by feature.
//!
//! One task per sink that is configured (`runner`), with a place of its own in the store of deliveries. It reads on
//! when the sink has taken what it was given, so a slow sink costs lag and never memory, and it
//! moves its place behind what is durable over there: at least once, with ids that stay the same.
//! Each sink is one small file behind `Sink`.
//!
//! Deliberately absent: choosing events. A sink is given everything; who wants less reads less.

#[cfg(any(feature = "kafka", feature = "nats", feature = "redis"))]
mod face;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
mod ndjson;
#[cfg(feature = "redis")]
mod redis;
mod runner;

use self::ndjson::Ndjson;
use self::runner::{Begin, Pace, Runner};
use super::stream::Batch;
use super::{Events, Store, config};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// Letters of a reason, at most.
const WHY_MAX: usize = 400;

/// What a delivery comes to.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Result<(), Undelivered>> + Send + 'a>>;

/// Somewhere events are carried.
pub trait Sink: Send {
    /// What it is called, in its place and wherever people read of it.
    fn name(&self) -> &'static str;

    /// Takes batches of events; durable over there once it says so. Each SKU's events lie in order.
    /// After a failure it is given the same again, and more.
    fn deliver<'a>(&'a mut self, batches: &'a [Batch]) -> Delivering<'a>;
}

/// Why a sink did not take what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(String);

impl Undelivered {
    /// For a reason that people can read; of a long one, as of many commands that failed at once,
    /// the beginning says enough.
    pub fn new(why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self(match why.char_indices().nth(WHY_MAX) {
            Some((end, _)) => format!("{}…", &why[..end]),
            None => why,
        })
    }
}

/// Why sinks can't be started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// This build has no such sink.
    #[error(
        "{key} is set, and this build has no {broker}; build with --features {feature}, or leave \
         the key out"
    )]
    NotBuilt {
        /// The key that asks for it.
        key: &'static str,
        /// What it asks for.
        broker: &'static str,
        /// What would bring it.
        feature: &'static str,
    },
    /// A key's value can't be used.
    #[error("{key} can't be used: {why}")]
    Unusable {
        /// The key.
        key: &'static str,
        /// Why not.
        why: String,
    },
}

/// How a sink is doing, since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkStatus {
    /// What it is called.
    pub name: &'static str,
    /// Everything before this it has; empty until it is known.
    pub cursor: String,
    /// Events that were recorded and that it does not have yet.
    pub lag: u64,
    /// Events it has taken.
    pub delivered: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Times it missed events, since they were trimmed before it took them.
    pub gaps: u64,
    /// Why it takes nothing just now.
    pub error: Option<String>,
}

/// The sinks of a stock. Cheap to clone.
#[derive(Clone)]
pub struct Sinks(Arc<Inner>);

struct Inner {
    events: Events,
    running: Vec<Running>,
}

struct Running {
    name: &'static str,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

/// What a runner says of itself.
#[derive(Default)]
struct State {
    cursor: Option<super::Cursor>,
    delivered: u64,
    failures: u64,
    gaps: u64,
    error: Option<String>,
}

impl Sinks {
    /// Starts those that are configured, each where it left off. One that is not configured any more
    /// loses its place, so that it holds no journal.
    pub fn start(
        events: &Events,
        settings: &config::Sinks,
        store: &Store,
    ) -> Result<Self, NotStarted> {
        let pace = Pace::of(settings);
        let begin = Begin::of(events, &settings.from)?;
        let sinks = configured(settings)?;
        for known in store.sinks() {
            if !sinks.iter().any(|sink| sink.name() == known) {
                store.forget(&known);
            }
        }
        let running = sinks.into_iter().map(|sink| {
            let (name, state) = (sink.name(), Arc::<Mutex<State>>::default());
            let runner = Runner {
                events: events.clone(),
                store: store.clone(),
                begin: begin.clone(),
                pace,
                state: Arc::clone(&state),
            };
            Running {
                name,
                state,
                task: tokio::spawn(runner.run(sink)).abort_handle(),
            }
        });
        Ok(Self(Arc::new(Inner {
            running: running.collect(),
            events: events.clone(),
        })))
    }

    /// How each of them is doing.
    pub fn status(&self) -> Vec<SinkStatus> {
        let of = |running: &Running| {
            let state = running.state.lock().unwrap_or_else(PoisonError::into_inner);
            let cursor = state.cursor.as_ref();
            SinkStatus {
                name: running.name,
                lag: cursor.map_or(0, |cursor| self.0.events.lag(cursor)),
                cursor: cursor.map(ToString::to_string).unwrap_or_default(),
                delivered: state.delivered,
                failures: state.failures,
                gaps: state.gaps,
                error: state.error.clone(),
            }
        };
        self.0.running.iter().map(of).collect()
    }

    /// Ends them where they are. What they were about to be given they get after the next start.
    pub fn stop(&self) {
        self.0
            .running
            .iter()
            .for_each(|running| running.task.abort());
    }
}

fn configured(settings: &config::Sinks) -> Result<Vec<Box<dyn Sink>>, NotStarted> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(dir) = &settings.ndjson_dir {
        sinks.push(Box::new(Ndjson::new(dir, settings.ndjson_rotate_bytes.0)));
    }
    if !settings.nats_url.0.is_empty() {
        #[cfg(feature = "nats")]
        sinks.push(Box::new(nats::Nats::new(settings)));
        #[cfg(not(feature = "nats"))]
        return Err(not_built("sinks.nats_url", "NATS", "nats"));
    }
    if !settings.redis_url.0.is_empty() {
        #[cfg(feature = "redis")]
        sinks.push(Box::new(redis::Streams::new(settings)?));
        #[cfg(not(feature = "redis"))]
        return Err(not_built("sinks.redis_url", "Redis", "redis"));
    }
    if !settings.kafka_brokers.is_empty() {
        #[cfg(feature = "kafka")]
        sinks.push(Box::new(kafka::Kafka::new(settings)?));
        #[cfg(not(feature = "kafka"))]
        return Err(not_built("sinks.kafka_brokers", "Kafka", "kafka"));
    }
    Ok(sinks)
}

#[cfg(not(all(feature = "kafka", feature = "nats", feature = "redis")))]
fn not_built(key: &'static str, broker: &'static str, feature: &'static str) -> NotStarted {
    NotStarted::NotBuilt {
        key,
        broker,
        feature,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_whole_unless_it_is_very_long() {
        assert_eq!(Undelivered::new("no disk").to_string(), "no disk");
        let long = Undelivered::new("ä".repeat(5_000)).to_string();
        assert_eq!(long, format!("{}…", "ä".repeat(WHY_MAX)));
    }
}
