//! One sink's task: reads after its place, gives the sink what it read, moves the place, again.
//!
//! After a failure it lets go of what it has read, waits, longer each time, and begins again at the
//! place: so a broker that is away for days holds no memory, and no place among those who read the
//! journal.

use super::{NotStarted, Sink, State, Undelivered};
use crate::config;
use crate::events::stream::{Batch, Ended, Stream};
use crate::events::{Cursor, Events, Filter, Store};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// From here on what was gathered is delivered.
const GATHERED_MAX: usize = 8_192;

/// How fast a sink is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long events are gathered when few come.
    pub(super) gather: Duration,
    /// The pause after a first failure; it doubles with every further one.
    pub(super) retry: Duration,
    /// The longest pause.
    pub(super) retry_max: Duration,
}

impl Pace {
    pub(super) fn of(settings: &config::Sinks) -> Self {
        Self {
            gather: settings.gather_ms.duration(),
            retry: settings.retry_ms.duration(),
            retry_max: settings.retry_max_ms.duration(),
        }
    }

    /// The pause after so many failures in a row, of which there is at least one.
    fn pause(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry.saturating_mul(doubled).min(self.retry_max)
    }
}

/// Where a sink begins that has no place yet.
#[derive(Clone, Debug)]
pub(super) enum Begin {
    /// With everything that the ledgers still have.
    Earliest,
    /// Here: behind what there was at the start, or a cursor.
    At(Cursor),
}

impl Begin {
    /// As configured.
    pub(super) fn of(events: &Events, text: &str) -> Result<Self, NotStarted> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::At(events.latest())),
            text => events
                .cursor(text)
                .map(Self::At)
                .map_err(|not| NotStarted::Unusable {
                    key: "sinks.from",
                    why: not.to_string(),
                }),
        }
    }
}

/// What carries events to a sink.
pub(super) struct Runner {
    pub(super) events: Events,
    pub(super) store: Store,
    pub(super) begin: Begin,
    pub(super) pace: Pace,
    pub(super) state: Arc<Mutex<State>>,
}

impl Runner {
    /// Carries until it is aborted.
    pub(super) async fn run(self, mut sink: Box<dyn Sink>) {
        let mut failures = 0;
        loop {
            let Err(error) = self.carry(&mut *sink, &mut failures).await;
            failures += 1;
            let pause = self.pace.pause(failures);
            if failures == 1 {
                let (sink, pause_ms) = (sink.name(), pause.as_millis() as u64);
                warn!(sink, %error, pause_ms, "a sink takes no events; they wait in the ledger");
            }
            {
                let mut state = self.state();
                state.failures += 1;
                state.error = Some(error.to_string());
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn carry(
        &self,
        sink: &mut dyn Sink,
        failures: &mut u32,
    ) -> Result<std::convert::Infallible, Undelivered> {
        let place = self.place(sink.name())?;
        self.state().cursor = Some(place.clone());
        let mut stream = self.events.own_stream(place, Filter::default());
        loop {
            let batches = match self.gather(&mut stream).await {
                Ok(batches) => batches,
                Err(Ended::Expired { earliest }) => {
                    self.gap(sink.name(), "what it had not taken yet was trimmed");
                    // Once: while it takes nothing, what follows waits for it.
                    self.store.advance(sink.name(), &earliest);
                    stream.seek(earliest);
                    continue;
                }
                Err(Ended::Failed(error)) => return Err(Undelivered::new(error)),
            };
            stream.meanwhile(sink.deliver(&batches)).await?;
            self.store.advance(sink.name(), stream.cursor());
            if 0 < *failures {
                info!(sink = sink.name(), "a sink takes events again");
                *failures = 0;
            }
            let mut state = self.state();
            state.error = None;
            state.cursor = Some(stream.cursor().clone());
            state.delivered += batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        }
    }

    /// What comes next, as soon as anything comes, with what follows within a moment.
    async fn gather(&self, stream: &mut Stream) -> Result<Vec<Batch>, Ended> {
        let mut batches = vec![stream.next().await?];
        let mut events = batches[0].len();
        let mut has_waited = false;
        while events < GATHERED_MAX {
            match stream.try_next().await {
                Ok(Some(batch)) => {
                    events += batch.len();
                    batches.push(batch);
                }
                Ok(None) if has_waited => break,
                Ok(None) => {
                    tokio::time::sleep(self.pace.gather).await;
                    has_waited = true;
                }
                // It comes again when what was gathered has been delivered.
                Err(_) => break,
            }
        }
        Ok(batches)
    }

    /// Where it goes on; at first where it is told to begin.
    fn place(&self, sink: &'static str) -> Result<Cursor, Undelivered> {
        let Some(place) = self.store.cursor(sink) else {
            let first = match &self.begin {
                Begin::Earliest => self.events.earliest().map_err(Undelivered::new)?,
                Begin::At(cursor) => cursor.clone(),
            };
            // From now on the journal waits for it.
            self.store.advance(sink, &first);
            return Ok(first);
        };
        match self.events.check(&place) {
            Ok(()) => Ok(place),
            // As after restoring an older copy: what it has was never recorded here.
            Err(why) => {
                self.gap(sink, &why.to_string());
                let latest = self.events.latest();
                // Once: while it takes nothing, what happens from now on waits for it.
                self.store.advance(sink, &latest);
                Ok(latest)
            }
        }
    }

    fn gap(&self, sink: &'static str, why: &str) {
        warn!(sink, why, "a sink misses events; it goes on after them");
        self.state().gaps += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What blocks, where it may.
pub(super) async fn off_the_tasks<T: Send + 'static>(
    what: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(what).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pace = Pace {
            gather: Duration::ZERO,
            retry: Duration::from_millis(100),
            retry_max: Duration::from_secs(1),
        };
        let pauses = [1, 2, 3, 4, 5, 60, u32::MAX].map(|failures| pace.pause(failures).as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1_000, 1_000, 1_000]);
    }
}
