//! Everything after a cursor: from the newest events that are kept, or from the journal while that
//! is further back.
//!
//! A stream remembers where it is, and nothing else: it is asked again when its listener is ready,
//! so a slow one costs no memory. Deliberately absent: when a listener is too slow.

use super::cursor::Cursor;
use super::envelope::{Block, Published, Writer};
use super::filter::Filter;
use super::tail::{Found, read_block};
use super::{BLOCK_EVENTS, Events};
use holdfast_runtime::{Follower, NoFollowing, ShardIndex, Unavailable};
use hyper::body::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How long one that reads the journal may be busy with something else before others may.
const PATIENCE: Duration = Duration::from_millis(100);

/// A reader of all shards' events.
pub struct Stream {
    events: Events,
    cursor: Cursor,
    filter: Filter,
    lanes: Vec<Lane>,
    /// The shard that is looked at first.
    turn: usize,
    news: watch::Receiver<u64>,
    /// Its place among those that read from the journal, while it does.
    catching_up: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

/// How one shard is read.
struct Lane {
    shard: ShardIndex,
    journal: Option<Follower>,
}

/// Events of one shard that passed the filter, in order.
#[derive(Clone, Debug)]
pub struct Batch {
    block: Arc<Block>,
    chosen: Chosen,
    /// The cursor before them.
    before: Cursor,
}

#[derive(Clone, Debug)]
enum Chosen {
    /// All from here on.
    From(usize),
    Some(Vec<u32>),
}

/// Why a stream can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// What follows was trimmed. Told with a cursor to go on from; a snapshot has the rest.
    #[error("what follows the cursor was trimmed from the ledger, and is in no archive")]
    Expired {
        /// The first that can be gone on from.
        earliest: Cursor,
    },
    /// It can't be read.
    #[error(transparent)]
    Failed(#[from] NoFollowing),
}

impl Stream {
    pub(super) fn new(
        events: Events,
        from: Cursor,
        filter: Filter,
        place: impl Into<Option<OwnedSemaphorePermit>>,
    ) -> Self {
        events.0.tails.iter().for_each(super::tail::Tail::listen);
        let lanes = (0..from.shards()).map(|shard| Lane {
            shard,
            journal: None,
        });
        Self {
            lanes: lanes.collect(),
            cursor: from,
            filter,
            turn: 0,
            news: events.0.news.clone(),
            catching_up: None,
            _place: place.into(),
            events,
        }
    }

    /// Everything before this has been told, or did not pass the filter.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Goes on elsewhere.
    pub fn seek(&mut self, cursor: Cursor) {
        self.lanes.iter_mut().for_each(|lane| lane.journal = None);
        self.cursor = cursor;
    }

    /// The next events, as soon as there are any.
    pub async fn next(&mut self) -> Result<Batch, Ended> {
        loop {
            self.news.borrow_and_update();
            if let Some(batch) = self.try_next().await? {
                return Ok(batch);
            }
            // A ring that has just begun, or a shard that was rebuilt, is met by looking again.
            let pause = self.events.0.tick * 20;
            let _ = tokio::time::timeout(pause, self.news.changed()).await;
        }
    }

    /// The next events, if there are any now.
    pub async fn try_next(&mut self) -> Result<Option<Batch>, Ended> {
        self.try_next_within(u64::MAX).await
    }

    /// The same, where they are among the next `most` events or so. Nothing may mean that none of
    /// those passed the filter: the cursor says how far that was.
    pub async fn try_next_within(&mut self, most: u64) -> Result<Option<Batch>, Ended> {
        let mut looked_at = 0;
        loop {
            let mut is_further = false;
            for _ in 0..self.lanes.len() {
                let lane = self.turn;
                self.turn = (self.turn + 1) % self.lanes.len();
                let Some(block) = self.block(lane).await? else {
                    continue;
                };
                is_further = true;
                let before = self.cursor.clone();
                let shard = self.lanes[lane].shard;
                let chosen = self.choose(&block, before.seq(shard));
                looked_at += block.last - before.seq(shard);
                self.cursor.set(shard, block.last);
                if let Some(chosen) = chosen {
                    let batch = Batch {
                        block,
                        chosen,
                        before,
                    };
                    return Ok(Some(batch));
                }
                if most <= looked_at {
                    return Ok(None);
                }
            }
            if !is_further {
                return Ok(None);
            }
            tokio::task::yield_now().await;
        }
    }

    fn choose(&self, block: &Block, after: u64) -> Option<Chosen> {
        let from = block.events.partition_point(|event| event.seq <= after);
        if self.filter.is_open() {
            return (from < block.events.len()).then_some(Chosen::From(from));
        }
        let passing = block.events.iter().enumerate().skip(from);
        let passing = passing.filter(|(_, event)| self.filter.passes(event));
        let chosen: Vec<u32> = passing.map(|(place, _)| place as u32).collect();
        (!chosen.is_empty()).then_some(Chosen::Some(chosen))
    }

    /// The block that follows on one shard.
    async fn block(&mut self, lane: usize) -> Result<Option<Arc<Block>>, Ended> {
        let shard = self.lanes[lane].shard;
        let seq = self.cursor.seq(shard);
        match self.events.0.tails[usize::from(shard)].find(seq) {
            Found::Block(block) => {
                self.leave_journal(lane);
                Ok(Some(block))
            }
            Found::UpToDate => {
                self.leave_journal(lane);
                Ok(None)
            }
            Found::NotHere => Ok(self.read_journal(lane, seq).await?.map(Arc::new)),
        }
    }

    /// Waits for something else. Where that takes long, others may read the journal meanwhile: who
    /// is slow, or away for days, keeps nobody from catching up.
    pub async fn meanwhile<T>(&mut self, wait: impl Future<Output = T>) -> T {
        if self.catching_up.is_none() {
            return wait.await;
        }
        let mut wait = std::pin::pin!(wait);
        if let Ok(done) = tokio::time::timeout(PATIENCE, &mut wait).await {
            return done;
        }
        self.rest();
        wait.await
    }

    /// Gives its place among those that read the journal to others, until it is asked again.
    pub fn rest(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.journal = None);
        self.catching_up = None;
    }

    fn leave_journal(&mut self, lane: usize) {
        self.lanes[lane].journal = None;
        if self.lanes.iter().all(|lane| lane.journal.is_none()) {
            self.catching_up = None;
        }
    }

    async fn read_journal(&mut self, lane: usize, seq: u64) -> Result<Option<Block>, Ended> {
        if self.catching_up.is_none() {
            let places = Arc::clone(&self.events.0.catching_up);
            self.catching_up = places.acquire_owned().await.ok();
        }
        let Lane { shard, journal } = &mut self.lanes[lane];
        let (shard, router) = (*shard, self.events.0.router.clone());
        // One that was left off elsewhere is of no use.
        let journal = journal.take().filter(|journal| journal.told() == seq);
        let read = tokio::task::spawn_blocking(move || {
            let mut journal = match journal {
                Some(journal) => journal,
                None => router.follow(shard, seq)?,
            };
            let writer = Writer::new(router.cluster(), shard);
            let block = read_block(&mut journal, &writer, BLOCK_EVENTS)?;
            Ok((journal, block))
        });
        let lost = |_| NoFollowing::Unavailable(Unavailable::Recovering { shard });
        match read.await.unwrap_or_else(|error| Err(lost(error))) {
            Ok((journal, Some(block))) => {
                self.lanes[lane].journal = Some(journal);
                Ok(Some(block))
            }
            // Nothing yet, or it comes back, and nothing is lost. Until then the place is for others.
            Ok((_, None)) | Err(NoFollowing::Reopened | NoFollowing::Unavailable(_)) => {
                self.leave_journal(lane);
                Ok(None)
            }
            Err(NoFollowing::Trimmed { oldest }) => {
                let earliest = self.events.earliest()?;
                let own = self.cursor.at(shard, oldest.saturating_sub(1));
                Err(Ended::Expired {
                    earliest: own.or_later(&earliest),
                })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.events
            .0
            .tails
            .iter()
            .for_each(super::tail::Tail::leave);
    }
}

impl Batch {
    /// The events, in order.
    pub fn events(&self) -> impl ExactSizeIterator<Item = &Published> {
        (0..self.len()).map(|place| self.event(place))
    }

    /// The event at this place.
    pub fn event(&self, place: usize) -> &Published {
        match &self.chosen {
            Chosen::From(from) => &self.block.events[from + place],
            Chosen::Some(chosen) => &self.block.events[chosen[place] as usize],
        }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        match &self.chosen {
            Chosen::From(from) => self.block.events.len() - from,
            Chosen::Some(chosen) => chosen.len(),
        }
    }

    /// Whether there are none; there always are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of one of its events.
    pub fn id(&self, event: &Published) -> String {
        self.block.id(event)
    }

    /// The JSON of one of its events.
    pub fn json(&self, event: &Published) -> Bytes {
        self.block.json(event)
    }

    /// The JSON of some of its events by place, with commas between, in as few pieces as they lie.
    pub fn list(&self, places: std::ops::Range<usize>) -> Vec<Bytes> {
        match &self.chosen {
            Chosen::From(from) => {
                let events = &self.block.events[from + places.start..from + places.end];
                vec![self.block.list(events)]
            }
            Chosen::Some(chosen) => {
                let mut pieces = Vec::with_capacity(2 * places.len());
                for place in &chosen[places] {
                    if !pieces.is_empty() {
                        pieces.push(Bytes::from_static(b","));
                    }
                    pieces.push(self.block.json(&self.block.events[*place as usize]));
                }
                pieces
            }
        }
    }

    /// The cursor after the event at this place: before those that the same event of the ledger is
    /// told as, if more of them follow, so that none is lost.
    pub fn cursor_after(&self, place: usize) -> Cursor {
        let event = self.event(place);
        let follows = (place + 1 < self.len()).then(|| self.event(place + 1));
        let is_whole = follows.is_none_or(|next| next.seq != event.seq);
        let seq = if is_whole { event.seq } else { event.seq - 1 };
        let shard = self.block.shard;
        self.before.at(shard, seq.max(self.before.seq(shard)))
    }

    /// The cursor after all of them.
    pub fn cursor_after_all(&self) -> Cursor {
        self.before.at(self.block.shard, self.block.last)
    }

    /// The shard they are of.
    pub fn shard(&self) -> ShardIndex {
        self.block.shard
    }
}
