//! The way of a lane that is being retried: its later events wait where they are, in the journal,
//! and are read from there once the first has been taken, until the lane is where the others are.
//!
//! So a lane that waits for days costs a few words of memory, and its place is all that is kept.

use super::super::cursor::Cursor;
use super::super::filter::Filter;
use super::super::stream::{Ended, Stream};
use super::super::{Events, kind::EventType};
use super::parcel::{Form, Item, Lane, message};
use super::send::{Attempt, Sender};
use std::collections::VecDeque;
use std::sync::Arc;

/// Events of a lane that are kept in memory while they go out.
const AHEAD: usize = 64;

/// A lane that waits, or catches up.
pub(super) struct Detour {
    /// The last of its events that needs nothing more.
    pub(super) after: u64,
    /// Failed attempts of the next one.
    pub(super) attempts: u32,
    /// When it goes on, in milliseconds of ledger time.
    pub(super) next_at: u64,
    pub(super) error: String,
    /// Where it reads, while it does not wait for long.
    pub(super) trip: Option<Trip>,
    pub(super) is_flying: bool,
}

/// Where a lane reads.
pub(super) struct Trip {
    stream: Stream,
    queue: VecDeque<Item>,
}

/// How a step went.
pub(super) enum Step {
    /// Something was sent.
    Sent { items: Vec<Item>, attempt: Attempt },
    /// There is nothing to send up to this event.
    Nothing { reached: u64 },
    /// Events were trimmed; it goes on after this one.
    Lost { after: u64 },
    /// The ledger can't be read now.
    Stuck,
}

/// What a step needs to know.
pub(super) struct Walk {
    pub(super) events: Events,
    pub(super) sender: Arc<Sender>,
    pub(super) kinds: Vec<EventType>,
    pub(super) lane: Lane,
    pub(super) after: u64,
    pub(super) attempts: u32,
    pub(super) form: Form,
}

impl Detour {
    /// A lane that waits.
    pub(super) fn new(after: u64, attempts: u32, next_at: u64, error: String) -> Self {
        Self {
            after,
            attempts,
            next_at,
            error,
            trip: None,
            is_flying: false,
        }
    }
}

impl Walk {
    /// Reads on and sends what comes next: one event while it is being retried.
    pub(super) async fn step(self, trip: Option<Trip>) -> (Option<Trip>, Step) {
        let mut trip = trip.unwrap_or_else(|| Trip {
            stream: self
                .events
                .own_stream(self.start(self.after), self.filter()),
            queue: VecDeque::new(),
        });
        while trip.queue.is_empty() {
            match trip.stream.try_next().await {
                Ok(Some(batch)) => {
                    let wanted = batch
                        .events()
                        .filter(|event| event.sku == self.lane.sku && self.after < event.seq);
                    let mut wanted = wanted.peekable();
                    while trip.queue.len() < AHEAD
                        && let Some(event) = wanted.next()
                    {
                        trip.queue.push_back(Item::of(&batch, event));
                    }
                    let last = trip.queue.back().map(|item| item.seq);
                    if let (Some(last), Some(_)) = (last, wanted.peek()) {
                        trip.stream.seek(self.start(last));
                    }
                }
                Ok(None) => {
                    trip.stream.rest();
                    let reached = trip.stream.cursor().seq(self.lane.shard);
                    return (Some(trip), Step::Nothing { reached });
                }
                Err(Ended::Expired { earliest }) => {
                    let after = earliest.seq(self.lane.shard);
                    return (None, Step::Lost { after });
                }
                Err(Ended::Failed(error)) => {
                    tracing::warn!(%error, "events that wait for a webhook can't be read");
                    return (None, Step::Stuck);
                }
            }
        }
        // A receiver takes its time, and so may the lane's next turn.
        trip.stream.rest();
        let most = if self.attempts == 0 {
            self.form.most()
        } else {
            1
        };
        let items: Vec<Item> = trip.queue.drain(..most.min(trip.queue.len())).collect();
        let message = message(&items, self.form);
        let attempt = self.sender.send(&message, self.events.router().now()).await;
        (Some(trip), Step::Sent { items, attempt })
    }

    /// Behind this event of the lane's shard, and behind everything of the others.
    fn start(&self, after: u64) -> Cursor {
        let router = self.events.router();
        let shards = 0..router.placement().shards();
        let place = |shard| {
            if shard == self.lane.shard {
                after
            } else {
                u64::MAX
            }
        };
        Cursor::new(router.cluster(), shards.map(place))
    }

    fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        if !self.kinds.is_empty() {
            filter = filter.types(&self.kinds);
        }
        match &self.lane.sku {
            Some(sku) => filter.skus([sku.clone()]),
            None => filter,
        }
    }
}
